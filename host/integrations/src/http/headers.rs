//! The headers that a task may not set (Developer Guide, "HTTP Task fields"), and those that every request has.
//!
//! Connections are not held to it: their values come from whoever keeps the credentials.

use http::HeaderName;

/// Refused by name.
const FORBIDDEN: [&str; 32] = [
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
];

/// Refused by how they begin.
const FORBIDDEN_PREFIXES: [&str; 3] = ["x-forwarded-", "x-amz-", "x-amzn-"];

/// What the framing of a message is made of: whoever says it, it is the client's own.
const OURS: [&str; 6] = ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];

/// Whether a task may not set it.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORBIDDEN.contains(&name) || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether nobody sets it but the client.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    OURS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forbidden_whatever_their_case() {
        let forbidden = [
            "Authorization",
            "IF-RANGE",
            "X-Amz-Date",
            "x-amzn-trace-id",
            "X-Forwarded-For",
            "HTTP2-Settings",
        ];
        for name in forbidden {
            assert!(is_forbidden(&HeaderName::try_from(name).unwrap()), "{name}");
        }
        for name in ["Accept", "Content-Type", "If-Something", "X-Amazing", "Idempotency-Key", "User-Agent"] {
            assert!(!is_forbidden(&HeaderName::try_from(name).unwrap()), "{name}");
        }
        assert!(FORBIDDEN.is_sorted());
    }
}
