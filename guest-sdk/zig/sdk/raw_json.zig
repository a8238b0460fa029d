//! JSON that passes through a task as it is.

const std = @import("std");

/// A JSON value as its text. std.json decodes any value into it and encodes it unchanged.
pub const RawJson = struct {
    text: []const u8,

    /// Called by std.json. Keeps a part of the input, which must be whole in memory.
    pub fn jsonParse(_: std.mem.Allocator, source: anytype, _: std.json.ParseOptions) !RawJson {
        // Looking at the next token skips the space before it.
        _ = try source.peekNextTokenType();
        const begin = source.cursor;
        try source.skipValue();
        return .{ .text = source.input[begin..source.cursor] };
    }

    /// Called by std.json.
    pub fn jsonStringify(self: RawJson, out: anytype) !void {
        try out.beginWriteRaw();
        try out.writer.writeAll(self.text);
        out.endWriteRaw();
    }
};

test "values keep their text" {
    const Both = struct { a: RawJson, b: RawJson };
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    const both = try std.json.parseFromSliceLeaky(Both, arena.allocator(),
        \\{"b": [1.50, {"x": "\u00fc"}] , "a" : 12345678901234567890.0 }
    , .{});
    try std.testing.expectEqualStrings("12345678901234567890.0", both.a.text);
    try std.testing.expectEqualStrings(
        \\{"a":12345678901234567890.0,"b":[1.50, {"x": "\u00fc"}]}
    , try std.json.Stringify.valueAlloc(arena.allocator(), both, .{}));
}
