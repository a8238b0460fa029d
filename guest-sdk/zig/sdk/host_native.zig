//! Stand-ins for the host, so that a task can be tested natively.

const std = @import("std");
const Context = @import("context.zig").Context;

pub fn context() Context {
    return .{
        .execution_arn = "arn:aws:states:us-east-1:123456789012:execution:native:test",
        .state_name = "Native",
        .attempt = 0,
        .idempotency_key = "native",
        .task_token = null,
    };
}

pub fn remainingMilliseconds() u64 {
    return 60_000;
}

pub fn beat() void {}

pub fn log(level: u32, message: []const u8) void {
    const names = [_][]const u8{ "trace", "debug", "info", "warn", "error" };
    std.debug.print("{s}: {s}\n", .{ names[level], message });
}
