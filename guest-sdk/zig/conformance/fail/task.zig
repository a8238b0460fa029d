//! The conformance guest fail: fails with the name and cause that its input asks for.

const std = @import("std");
const stepwell = @import("stepwell");

pub const panic = stepwell.panic;

comptime {
    stepwell.task(fail);
}

const Wanted = struct { @"error": []const u8, cause: []const u8 };

fn fail(_: std.mem.Allocator, input: Wanted) !void {
    return stepwell.fail(input.@"error", "{s}", .{input.cause});
}
