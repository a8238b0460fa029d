//! Which addresses are public. Everything else needs a rule that names it.
//!
//! Source: IANA's registries of special-purpose IPv4 and IPv6 addresses (RFC 6890 and its updates). Where a registry calls a small
//! part of a special block public, the whole block counts as special here: nobody loses anything that anybody runs a service on.
//! An address that carries an IPv4 address is judged by what a packet would reach. This file must never look at a name.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are not public: first address and length of the prefix.
const SPECIAL_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),        // this network; 0.0.0.0 connects to the host itself
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // shared by the customers of a provider (CGNAT)
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // looks public, but is Azure's metadata and agent service inside every virtual machine
    ([169, 254, 0, 0], 16),   // link-local, and the metadata services of most clouds
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // relays of 6to4, given up
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, and the broadcast address
];

/// The only block of IPv6 that holds public unicast addresses.
const UNICAST_V6: ([u16; 8], u32) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Blocks within [`UNICAST_V6`] that are not public.
const SPECIAL_V6: [([u16; 8], u32); 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments: Teredo, benchmarks, ORCHID and others
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4: carries any IPv4 address
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// The well-known prefix of NAT64 (RFC 6052): the last 32 bits are an IPv4 address. Its sibling for local use, 64:ff9b:1::/48,
/// is outside of [`UNICAST_V6`] and thereby special.
const NAT64: ([u16; 8], u32) = ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Tells whether an address is meant for the whole internet.
pub fn is_public(address: IpAddr) -> bool {
    // The system connects to ::ffff:a.b.c.d over IPv4.
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !SPECIAL_V4.iter().any(|(first, length)| {
        let first = Ipv4Addr::from_octets(*first).to_bits();
        (bits ^ first).leading_zeros() >= *length
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if is_within(address, NAT64) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    is_within(address, UNICAST_V6) && !SPECIAL_V6.iter().any(|block| is_within(address, *block))
}

fn is_within(address: Ipv6Addr, (first, length): ([u16; 8], u32)) -> bool {
    (address.to_bits() ^ Ipv6Addr::from_segments(first).to_bits()).leading_zeros() >= length
}

/// Where the rules that fit one request let it connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The address that a rule's `host` is.
    pub address: Option<IpAddr>,
    /// The `networks` of the rules.
    pub networks: Vec<IpNet>,
}

impl Reach {
    /// Tells whether the request may connect to an address: a public one, or one that a rule names.
    pub fn permits(&self, address: IpAddr) -> bool {
        is_public(address)
            || self.address == Some(address)
            || self
                .networks
                .iter()
                .any(|network| network.contains(&address) || network.contains(&address.to_canonical()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
            "3fff:1000::1",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn special_addresses() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            // IPv6 itself: unspecified, loopback, private, link-local, site-local, multicast, discard, SRv6, documentation.
            "::",
            "::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff:ffff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "100::1",
            "100:0:0:1::1",
            "5f00::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "1fff::1",
            // Protocol assignments: Teredo, benchmarks, ORCHID.
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            // IPv4 in other clothes: mapped, compatible, translated, NAT64, its local form, 6to4.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:0:0:0:1:808:808",
            "2002:7f00:1::",
            "2002:808:808::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_rule_names_addresses_or_networks() {
        let reach = Reach {
            address: Some("10.0.0.7".parse().unwrap()),
            networks: vec!["192.168.4.0/24".parse().unwrap(), "fd12::/16".parse().unwrap()],
        };
        for (address, permitted) in [
            ("10.0.0.7", true),
            ("10.0.0.8", false),
            ("192.168.4.200", true),
            ("::ffff:192.168.4.200", true),
            ("192.168.5.1", false),
            ("fd12:3::1", true),
            ("fd13::1", false),
            ("127.0.0.1", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(reach.permits(address.parse().unwrap()), permitted, "{address}");
        }
        assert!(!Reach::default().permits("::ffff:10.0.0.7".parse().unwrap()));
        // A mapped address is another text than the one that the rule names.
        assert!(!reach.permits("::ffff:10.0.0.7".parse().unwrap()));
    }
}
