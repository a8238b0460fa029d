//! {{name}}: charges a card, and declines large sums.

const std = @import("std");
const stepwell = @import("stepwell");

pub const panic = stepwell.panic;

comptime {
    stepwell.task(charge);
}

const Payment = struct { order: []const u8, cents: u64 };
const Charge = struct { id: []const u8, cents: u64 };

fn charge(allocator: std.mem.Allocator, payment: Payment) !Charge {
    if (payment.cents > 100_000)
        return stepwell.fail("CardDeclined", "{d} cents is too much", .{payment.cents});

    stepwell.log.info("attempt {d} charges {d} cents", .{ stepwell.context().attempt, payment.cents });
    return .{
        .id = try std.fmt.allocPrint(allocator, "charge-{s}", .{payment.order}),
        .cents = payment.cents,
    };
}

test "small sums are charged" {
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    const charged = try charge(arena.allocator(), .{ .order = "7", .cents = 1999 });
    try std.testing.expectEqualStrings("charge-7", charged.id);
}

test "large sums are declined" {
    const declined = charge(std.testing.allocator, .{ .order = "7", .cents = 100_001 });
    try std.testing.expectError(error.NamedFailure, declined);
    try std.testing.expectEqualStrings("CardDeclined", stepwell.failure.name);
}
