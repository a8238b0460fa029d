//! Stepwell: a task in Zig. Declare one function, and the module runs as the Task state of a workflow.
//!
//!     comptime {
//!         stepwell.task(chargeCard);
//!     }
//!     pub const panic = stepwell.panic;
//!
//! An instance serves one call, so nothing needs to be freed: all memory goes when the call ends.

const std = @import("std");
const builtin = @import("builtin");
const host = if (builtin.cpu.arch.isWasm()) @import("host_wasm.zig") else @import("host_native.zig");
const utf8 = @import("utf8.zig");

/// Where the SDK takes memory, and what the task function gets as its allocator.
pub const allocator: std.mem.Allocator = if (builtin.cpu.arch.isWasm()) std.heap.wasm_allocator else std.heap.page_allocator;

/// JSON of any shape, kept as text: for inputs, results and fields that pass through unchanged.
pub const RawJson = @import("raw_json.zig").RawJson;

/// Which execution, state and attempt a call belongs to.
pub const Context = @import("context.zig").Context;

/// A failure by name: the ASL's Error and Cause.
pub const TaskError = struct {
    /// The error name that ErrorEquals in a Retrier or Catcher matches, for instance CardDeclined.
    name: []const u8,
    /// What happened, for people.
    cause: []const u8,
};

/// How a task ended.
pub const Outcome = union(enum) {
    /// The result, a JSON text.
    output: []const u8,
    failure: TaskError,
};

/// What `fail` was called with last. Tests read it.
pub var failure: TaskError = undefined;

/// Fails the task by name: `return stepwell.fail("CardDeclined", "{d} cents is too much", .{cents});`
pub fn fail(name: []const u8, comptime format: []const u8, arguments: anytype) error{NamedFailure} {
    failure = .{ .name = name, .cause = print(format, arguments) };
    return error.NamedFailure;
}

/// Declares the module's task, a function `fn (std.mem.Allocator, In) !Out`. Call it once, at compile time, in the root
/// file.
///
/// In is decoded and Out encoded by std.json, an Out of void as null; fields of the input that In does not have are ignored. An error that
/// `fail` returned fails the task by its name, any other as TaskFailed with the error's name as the cause. Input that
/// does not fit In fails it as InvalidInput, and the function is not called. A native build exports nothing.
pub fn task(comptime function: anytype) void {
    if (!builtin.cpu.arch.isWasm()) return;
    const Entry = struct {
        fn call(input: []const u8) Outcome {
            return run(function, input);
        }
    };
    host.exportTask(Entry.call);
}

/// One call of a task function, from JSON text to JSON text.
pub fn run(comptime function: anytype, text: []const u8) Outcome {
    const Input = @typeInfo(@TypeOf(function)).@"fn".param_types[1].?;
    var scanner: std.json.Scanner = .initCompleteInput(allocator, text);
    var place: std.json.Diagnostics = .{};
    scanner.enableDiagnostics(&place);
    const input = std.json.parseFromTokenSourceLeaky(Input, allocator, &scanner, .{
        .ignore_unknown_fields = true,
        .duplicate_field_behavior = .use_last,
    }) catch |problem| return .{ .failure = .{
        .name = "InvalidInput",
        .cause = print("{t} at line {d} column {d}", .{ problem, place.getLine(), place.getColumn() }),
    } };
    if (function(allocator, input)) |output| {
        if (@TypeOf(output) == void) return .{ .output = "null" };
        const json = std.json.Stringify.valueAlloc(allocator, output, .{}) catch |problem| return failed(problem);
        return .{ .output = json };
    } else |problem| {
        return failed(problem);
    }
}

fn failed(problem: anyerror) Outcome {
    if (problem == error.NamedFailure)
        return .{ .failure = .{ .name = utf8.valid(allocator, failure.name), .cause = utf8.valid(allocator, failure.cause) } };
    return .{ .failure = .{ .name = "TaskFailed", .cause = @errorName(problem) } };
}

/// Returns the context of this call. In a native build: a fixed one, first attempt, no token.
pub fn context() Context {
    return host.context();
}

/// Returns how long this call may still run before the host stops it. In a native build: a minute.
pub fn remainingMilliseconds() u64 {
    return host.remainingMilliseconds();
}

/// Tells the host that the task is alive, for states with HeartbeatSeconds. In a native build: does nothing.
pub fn heartbeat() void {
    host.beat();
}

/// Lines for the execution's log, formatted as by std.fmt. The host keeps a bounded amount per call and drops the rest.
/// Keep secrets out: whoever may read the execution's log reads these lines. A native build writes to standard error.
pub const log = struct {
    /// From the least to the most important; the order is that of the enum in wit/task.wit.
    pub const Level = enum(u32) { trace, debug, info, warn, err };

    /// Writes one message.
    pub fn write(level: Level, comptime format: []const u8, arguments: anytype) void {
        host.log(@backingInt(level), utf8.valid(allocator, print(format, arguments)));
    }
    /// Every step.
    pub fn trace(comptime format: []const u8, arguments: anytype) void {
        write(.trace, format, arguments);
    }
    /// For whoever debugs the module.
    pub fn debug(comptime format: []const u8, arguments: anytype) void {
        write(.debug, format, arguments);
    }
    /// What happened.
    pub fn info(comptime format: []const u8, arguments: anytype) void {
        write(.info, format, arguments);
    }
    /// Something to look at.
    pub fn warn(comptime format: []const u8, arguments: anytype) void {
        write(.warn, format, arguments);
    }
    /// Something that failed.
    pub fn err(comptime format: []const u8, arguments: anytype) void {
        write(.err, format, arguments);
    }
};

var threaded: std.Io.Threaded = .init_single_threaded;

/// The standard library's Io for one thread: clocks and sleeping work.
pub fn io() std.Io {
    return threaded.io();
}

/// What a root file declares as `pub const panic`: a panic's message goes to standard error, then the call ends as
/// Sandbox.Trap, whose cause has that message. The standard library's own would look for files and the environment,
/// which makes the module larger.
pub const panic = std.debug.FullPanic(panicked);

fn panicked(message: []const u8, first_trace_address: ?usize) noreturn {
    if (!builtin.cpu.arch.isWasm()) std.debug.defaultPanic(message, first_trace_address);
    host.writeStandardError(&.{ "panic: ", message, "\n" });
    @trap();
}

fn print(comptime format: []const u8, arguments: anytype) []const u8 {
    return std.fmt.allocPrint(allocator, format, arguments) catch @panic("no memory left");
}

test {
    _ = @import("raw_json.zig");
    _ = @import("utf8.zig");
    _ = @import("stepwell_test.zig");
}
