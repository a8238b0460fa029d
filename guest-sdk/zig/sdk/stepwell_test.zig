//! Tests of the way from JSON text to a task function and back.

const std = @import("std");
const stepwell = @import("stepwell.zig");

fn double(_: std.mem.Allocator, number: u32) !u32 {
    if (number == 0) return error.NothingThere;
    return std.math.mul(u32, number, 2) catch stepwell.fail("TooLarge", "{d} doubled", .{number});
}

fn expectFailure(name: []const u8, cause: []const u8, outcome: stepwell.Outcome) !void {
    try std.testing.expectEqualStrings(name, outcome.failure.name);
    try std.testing.expectEqualStrings(cause, outcome.failure.cause);
}

test "JSON passes through the function" {
    try std.testing.expectEqualStrings("42", stepwell.run(double, "21").output);
}

test "a failure keeps its name" {
    try expectFailure("TooLarge", "4000000000 doubled", stepwell.run(double, "4000000000"));
}

test "any other error is TaskFailed" {
    try expectFailure("TaskFailed", "NothingThere", stepwell.run(double, "0"));
}

test "input that does not fit is named" {
    try expectFailure("InvalidInput", "UnexpectedToken at line 1 column 5", stepwell.run(double, "true"));
    try expectFailure("InvalidInput", "SyntaxError at line 1 column 3", stepwell.run(double, "1 x"));
}
