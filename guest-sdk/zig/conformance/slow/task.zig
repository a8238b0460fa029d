//! The conformance guest slow: gives a sign of life before every pause.

const std = @import("std");
const stepwell = @import("stepwell");

pub const panic = stepwell.panic;

comptime {
    stepwell.task(slow);
}

const Pace = struct { beats: u32, pauseMilliseconds: u32 };
const Done = struct { beats: u32 };

fn slow(_: std.mem.Allocator, input: Pace) !Done {
    for (0..input.beats) |_| {
        stepwell.heartbeat();
        try stepwell.io().sleep(.fromMilliseconds(input.pauseMilliseconds), .awake);
    }
    return .{ .beats = input.beats };
}
