//! Text for the host, which takes UTF-8 only.

const std = @import("std");

/// Returns the text if it is UTF-8, otherwise a copy with U+FFFD for what is not.
pub fn valid(allocator: std.mem.Allocator, text: []const u8) []const u8 {
    if (std.unicode.utf8ValidateSlice(text)) return text;
    return std.fmt.allocPrint(allocator, "{f}", .{std.unicode.fmtUtf8(text)}) catch @panic("no memory left");
}

test "only what is not UTF-8 is replaced" {
    const good = "gr\u{fc}n \u{1F600}";
    try std.testing.expectEqual(good, valid(std.testing.allocator, good));
    const mended = valid(std.testing.allocator, "a\xffb");
    defer std.testing.allocator.free(mended);
    try std.testing.expectEqualStrings("a\u{FFFD}b", mended);
}
