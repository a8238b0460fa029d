//! The canonical ABI of `wit/task.wit`, written by hand: four imports, one export and the export through which the host
//! takes memory. Text passes as address and length, records that do not fit into one value pass through memory.

const std = @import("std");
const stepwell = @import("stepwell.zig");
const Context = @import("context.zig").Context;

/// A string: where it begins and how many bytes it has.
const Area = extern struct {
    text: [*]const u8,
    bytes: usize,

    fn of(slice: []const u8) Area {
        return .{ .text = slice.ptr, .bytes = slice.len };
    }

    fn content(area: Area) []const u8 {
        return if (area.bytes > 0) area.text[0..area.bytes] else "";
    }
};

/// The record task-context as the host writes it.
const ContextArea = extern struct {
    execution_arn: Area,
    state_name: Area,
    attempt: u32,
    idempotency_key: Area,
    has_task_token: u8,
    task_token: Area,
};

/// result<string, task-error> as the host reads it.
const ResultArea = extern struct {
    /// 0: `first` is the result. 1: `first` is the error's name and `second` its cause.
    is_error: u8,
    first: Area,
    second: Area,
};

comptime {
    std.debug.assert(@sizeOf(ContextArea) == 40);
    std.debug.assert(@sizeOf(ResultArea) == 20);
}

const imports = struct {
    extern "stepwell:task/context@0.1.0" fn current(*ContextArea) void;
    extern "stepwell:task/context@0.1.0" fn @"remaining-milliseconds"() u64;
    extern "stepwell:task/log@0.1.0" fn write(level: u32, text: [*]const u8, bytes: usize) void;
    extern "stepwell:task/heartbeat@0.1.0" fn beat() void;
};

/// Exports a task's entry and `cabi_realloc`.
pub fn exportTask(comptime entry: fn ([]const u8) stepwell.Outcome) void {
    const Exports = struct {
        /// Read by the host after `run` has returned.
        var result: ResultArea = undefined;

        fn run(text: [*]const u8, bytes: usize) callconv(.c) *ResultArea {
            const input: Area = .{ .text = text, .bytes = bytes };
            result = switch (entry(input.content())) {
                .output => |output| .{ .is_error = 0, .first = .of(output), .second = .of("") },
                .failure => |failure| .{ .is_error = 1, .first = .of(failure.name), .second = .of(failure.cause) },
            };
            return &result;
        }
    };
    @export(&Exports.run, .{ .name = "stepwell:task/handler@0.1.0#run" });
    @export(&realloc, .{ .name = "cabi_realloc" });
}

/// Memory for what the host passes in. Aligned to 8 bytes, which is enough for everything in the contract.
fn realloc(old: [*]align(8) u8, old_bytes: usize, alignment: usize, bytes: usize) callconv(.c) [*]align(8) u8 {
    _ = alignment;
    if (bytes == 0) return @ptrFromInt(8);
    const memory = stepwell.allocator.alignedAlloc(u8, .@"8", bytes) catch @trap();
    const kept = @min(old_bytes, bytes);
    if (kept > 0) @memcpy(memory[0..kept], old[0..kept]);
    return memory.ptr;
}

pub fn context() Context {
    var area: ContextArea = undefined;
    imports.current(&area);
    return .{
        .execution_arn = area.execution_arn.content(),
        .state_name = area.state_name.content(),
        .attempt = area.attempt,
        .idempotency_key = area.idempotency_key.content(),
        .task_token = if (area.has_task_token != 0) area.task_token.content() else null,
    };
}

pub fn remainingMilliseconds() u64 {
    return imports.@"remaining-milliseconds"();
}

pub fn beat() void {
    imports.beat();
}

pub fn log(level: u32, message: []const u8) void {
    imports.write(level, message.ptr, message.len);
}

/// Writes to standard error. It formats and allocates nothing, so that a panic can use it.
pub fn writeStandardError(pieces: []const []const u8) void {
    for (pieces) |piece| {
        const vector = [1]std.os.wasi.ciovec_t{.{ .base = piece.ptr, .len = piece.len }};
        var written: usize = 0;
        // There is nobody left to tell about a failure.
        _ = std.os.wasi.fd_write(2, &vector, vector.len, &written);
    }
}
