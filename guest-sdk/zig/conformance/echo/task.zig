//! The conformance guest echo: shows the input, the context and the time left, and logs one line.

const std = @import("std");
const stepwell = @import("stepwell");

pub const panic = stepwell.panic;

comptime {
    stepwell.task(echo);
}

const Shown = struct {
    input: stepwell.RawJson,
    context: struct {
        executionArn: []const u8,
        stateName: []const u8,
        attempt: u32,
        idempotencyKey: []const u8,
        taskToken: ?[]const u8,
    },
    timeLeft: bool,
};

fn echo(_: std.mem.Allocator, input: stepwell.RawJson) !Shown {
    stepwell.log.info("echo in {s}", .{"zig"});
    const context = stepwell.context();
    return .{
        .input = input,
        .context = .{
            .executionArn = context.execution_arn,
            .stateName = context.state_name,
            .attempt = context.attempt,
            .idempotencyKey = context.idempotency_key,
            .taskToken = context.task_token,
        },
        .timeLeft = stepwell.remainingMilliseconds() > 0,
    };
}
