//! Incoming trace contexts: `X-Amzn-Trace-Id` (`Root=1-SECONDS-REST;Parent=SPAN;Sampled=1`), and W3C's `traceparent`
//! (`00-TRACE-SPAN-FLAGS`), which is kept in the form of the former.

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) trace: [u8; 16],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) is_sampled: bool,
}

impl Incoming {
    /// Reads the value of `X-Amzn-Trace-Id`; none of one without a usable root.
    pub(super) fn parse(header: &str) -> Option<Incoming> {
        let (mut trace, mut parent, mut is_sampled) = (None, None, true);
        for (name, value) in header.split(';').filter_map(|field| field.trim().split_once('=')) {
            match name {
                "Root" => trace = root(value),
                "Parent" => parent = bytes::<8>(value),
                "Sampled" => is_sampled = value != "0",
                _ => {}
            }
        }
        Some(Incoming { trace: trace?, parent, is_sampled })
    }
}

/// The value of a `traceparent` as one of `X-Amzn-Trace-Id`; none of one that is not valid.
pub(crate) fn from_traceparent(header: &str) -> Option<String> {
    let mut parts = header.trim().split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let has_more = parts.next().is_some();
    if version.len() != 2 || version == "ff" || (version == "00" && has_more) {
        return None;
    }
    bytes::<16>(trace)?;
    bytes::<8>(parent)?;
    let sampled = u8::from_str_radix(flags.get(..2)?, 16).ok()? & 1;
    let (seconds, rest) = trace.split_at(8);
    Some(format!("Root=1-{seconds}-{rest};Parent={parent};Sampled={sampled}"))
}

fn root(value: &str) -> Option<[u8; 16]> {
    let mut parts = value.split('-');
    let (version, seconds, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if version != "1" || seconds.len() != 8 || parts.next().is_some() {
        return None;
    }
    bytes::<16>(&format!("{seconds}{rest}"))
}

/// `N` bytes in hexadecimal digits, not all zero.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (bytes != [0; N]).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_ray_headers_are_read() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793; Parent=53995c3f42cd8ad8;Sampled=0";
        let incoming = Incoming::parse(header).unwrap();
        assert_eq!(incoming.trace[..5], [0x57, 0x59, 0xe9, 0x88, 0xbd]);
        assert_eq!(incoming.parent, Some([0x53, 0x99, 0x5c, 0x3f, 0x42, 0xcd, 0x8a, 0xd8]));
        assert!(!incoming.is_sampled);
        assert!(Incoming::parse("Root=1-5759e988-bd862e3fe1be46a994272793").unwrap().is_sampled);
        for wrong in
            ["", "x", "Root=", "Root=1-5759e988", "Root=2-5759e988-bd862e3fe1be46a994272793", "Parent=a"]
        {
            assert_eq!(Incoming::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn traceparents_become_x_ray_headers() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let kept = from_traceparent(given).unwrap();
        assert_eq!(kept, "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1");
        assert_eq!(Incoming::parse(&kept).unwrap().parent, Some([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 2, 0xb7]));
        assert!(from_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more").is_some());
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-\u{e9}bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(from_traceparent(wrong), None, "{wrong}");
        }
    }
}
