//! Whether a rule makes sense, and whether a request fits one.
//!
//! A rule is an entry of the manifest's `http`. Names are compared in lower case and without the dot at their end. What a name
//! resolves to is none of this file's business: see `stepwell-net`. It must never let anything through that no rule
//! names.

use super::failure::Failure;
use crate::manifest::{HttpRule, HttpScheme};
use http::Method;
use http::uri::{Scheme, Uri};
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use stepwell_net::{Host, Reach, is_number};
use wasmtime_wasi_http::Error;

/// Scheme, host and port of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: HttpScheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Target {
    /// Reads the target of a request.
    ///
    /// # Errors
    /// Another scheme, a user name, a host that is none, a port that is none.
    pub(super) fn of(uri: &Uri) -> Result<Self, Failure> {
        let scheme = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => HttpScheme::Https,
            Some(scheme) if *scheme == Scheme::HTTP => HttpScheme::Http,
            _ => {
                return Err(Failure::denied(
                    Error::HttpProtocolError,
                    "its scheme is neither http nor https",
                ));
            }
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(Failure::denied(Error::HttpRequestDenied, "it has a user name before its host"));
        }
        let invalid = |reason| Failure::denied(Error::HttpRequestUriInvalid, reason);
        let no_host =
            || Failure::denied(Error::HttpRequestDenied, "its host is neither a name nor an address");
        // The last colon behind a bracket, if any, begins the port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let port = match port {
            "" => default_port(scheme),
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().map_err(|_| invalid("its port is too large"))?
            }
            _ => return Err(invalid("its port is not a number")),
        };
        let host = Host::parse(host).ok_or_else(no_host)?;
        Ok(Self { scheme, host, port })
    }

    /// Returns the value of the header `host`: without the port when it is the scheme's own.
    pub(super) fn authority(&self) -> String {
        if self.port == default_port(self.scheme) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}:{}", scheme_name(self.scheme), self.host, self.port)
    }
}

fn scheme_name(scheme: HttpScheme) -> &'static str {
    match scheme {
        HttpScheme::Http => "http",
        HttpScheme::Https => "https",
    }
}

fn default_port(scheme: HttpScheme) -> u16 {
    match scheme {
        HttpScheme::Http => 80,
        HttpScheme::Https => 443,
    }
}

/// Finds the rules that fit a request and returns where they let it connect to.
///
/// # Errors
/// `HTTP-request-denied` when no rule fits, with the reason for the call's log.
pub(super) fn reach(rules: &[HttpRule], target: &Target, method: &Method) -> Result<Reach, Failure> {
    let denied = |reason| Err(Failure::denied(Error::HttpRequestDenied, reason));
    // CONNECT asks for a tunnel to somewhere else: no rule could name where to.
    if *method == Method::CONNECT {
        return denied("modules cannot open tunnels");
    }
    let mut host_named = false;
    let mut reach = None;
    for rule in rules {
        let Some(pattern) = Pattern::parse(&rule.host) else { continue };
        if !pattern.fits(&target.host) {
            continue;
        }
        host_named = true;
        let fits = rule.scheme == target.scheme
            && rule.port.unwrap_or(default_port(rule.scheme)) == target.port
            && (rule.methods.is_empty() || rule.methods.iter().any(|allowed| allowed == method.as_str()));
        if fits {
            let reach = reach.get_or_insert_with(Reach::default);
            if let Pattern::Host(Host::Address(address)) = pattern {
                reach.address = Some(address);
            }
            reach.networks.extend(rule.networks.iter().filter_map(|network| network.parse::<IpNet>().ok()));
        }
    }
    match reach {
        Some(reach) => Ok(reach),
        None if host_named => {
            denied("the manifest's rules for this host are for other schemes, ports or methods")
        }
        None => denied("no rule of the manifest names this host"),
    }
}

/// A rule's `host`.
#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    /// Exactly one host.
    Host(Host),
    /// Every name below one: the text that such a name ends with, beginning with a dot.
    Below(String),
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("*.") {
            return match Host::parse(rest)? {
                Host::Name(name) => Some(Self::Below(format!(".{name}"))),
                Host::Address(_) => None,
            };
        }
        // In a manifest the brackets of an IPv6 address may be left out.
        text.parse::<Ipv6Addr>()
            .map(|address| Host::Address(IpAddr::V6(address)))
            .ok()
            .or_else(|| Host::parse(text))
            .map(Self::Host)
    }

    fn fits(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Host(expected), host) => expected == host,
            (Self::Below(end), Host::Name(name)) => name.len() > end.len() && name.ends_with(end.as_str()),
            (Self::Below(_), Host::Address(_)) => false,
        }
    }
}

/// Tells whether host, port and networks of a rule make sense; names the wrong member and says why.
pub(crate) fn check_rule(rule: &HttpRule) -> Result<(), (&'static str, String)> {
    if Pattern::parse(&rule.host).is_none() {
        return Err(("host", why_no_host(&rule.host).to_owned()));
    }
    if rule.port == Some(0) {
        return Err(("port", "must not be 0".to_owned()));
    }
    match rule.networks.iter().find(|network| network.parse::<IpNet>().is_err()) {
        Some(network) => {
            Err(("networks", format!("{network:?}: networks are written like 10.1.0.0/16 or fd00:1::/32")))
        }
        None => Ok(()),
    }
}

/// Says what is wrong with the host of a rule.
fn why_no_host(text: &str) -> &'static str {
    let name = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        "must not be empty"
    } else if text.contains(['/', '@', '?', '#']) {
        "is a host only, without scheme, user, path or query"
    } else if text.contains('*') {
        "a star stands for all names below one and is the whole first part, like *.example.com"
    } else if text.contains(':') {
        "is neither a host without a port nor an IPv6 address; `port` is a member of its own"
    } else if !text.is_ascii() {
        "names have ASCII letters only; write others in the form that begins with xn--"
    } else if is_number(name.rsplit('.').next().unwrap_or_default()) {
        "an IPv4 address has four decimal numbers, like 10.0.0.7"
    } else {
        "is neither a host's name, nor an address, nor like *.example.com"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule for https and a host.
    fn rule(host: &str) -> HttpRule {
        serde_json::from_value(serde_json::json!({ "host": host })).unwrap()
    }

    fn rules(text: &str) -> Vec<HttpRule> {
        serde_json::from_str(text).unwrap()
    }

    /// Judges a request: the name of its error or `allowed`.
    fn judge(rules: &[HttpRule], method: &str, uri: &str) -> String {
        let Ok(uri) = uri.parse::<Uri>() else { return "no URI".to_owned() };
        let method: Method = method.parse().unwrap();
        let reach = Target::of(&uri).and_then(|target| reach(rules, &target, &method));
        reach.map_or_else(|failure| format!("{:?}", failure.error), |_| "allowed".to_owned())
    }

    #[test]
    fn hosts_of_rules_that_make_sense() {
        for host in [
            "example.com",
            "EXAMPLE.com.",
            "localhost",
            "a-b.c_d.example",
            "xn--bcher-kva.example",
            "*.example.com",
            "*.local",
            "1password.com",
            "10.0.0.7",
            "::1",
            "[::1]",
            "fd00::7",
            "[fd00::7]",
            "::ffff:10.0.0.7",
            "0x.example",
            "3.example",
        ] {
            assert_eq!(check_rule(&rule(host)), Ok(()), "{host}");
        }
    }

    #[test]
    fn hosts_of_rules_that_make_none() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "abcdefgh.".repeat(30));
        for (host, why) in [
            ("", "empty"),
            ("https://example.com", "without scheme"),
            ("example.com/path", "without scheme"),
            ("user@example.com", "without scheme, user"),
            ("example.com:443", "without a port"),
            ("[::1]:443", "without a port"),
            ("10.0.0.7:80", "without a port"),
            ("[10.0.0.7]", "neither"),
            ("fe80::1%eth0", "IPv6"),
            ("[::1", "IPv6"),
            ("*", "star"),
            ("*.", "star"),
            ("*example.com", "star"),
            ("a.*.example.com", "star"),
            ("*.*.example.com", "star"),
            ("*.10.0.0.7", "star"),
            ("example.*", "star"),
            ("127.1", "four decimal numbers"),
            ("0x7f.1", "four decimal numbers"),
            ("2130706433", "four decimal numbers"),
            ("0x7f000001", "four decimal numbers"),
            ("0177.0.0.1", "four decimal numbers"),
            ("10.0.0.256", "four decimal numbers"),
            ("10.0.0.7.1", "four decimal numbers"),
            ("bücher.example", "xn--"),
            ("a..b", "neither"),
            (".example.com", "neither"),
            ("example.com..", "neither"),
            ("-a.example", "neither"),
            ("a-.example", "neither"),
            ("exa mple.com", "neither"),
            ("exa%6dple.com", "neither"),
            (&long_label, "neither"),
            (&long_name, "neither"),
        ] {
            let (member, reason) = check_rule(&rule(host)).unwrap_err();
            assert_eq!(member, "host", "{host}");
            assert!(reason.contains(why), "{host}: {reason}");
        }
    }

    #[test]
    fn ports_and_networks_of_rules() {
        let networks = |networks: &[&str]| HttpRule {
            networks: networks.iter().map(|&network| network.to_owned()).collect(),
            ..rule("example.com")
        };
        assert_eq!(check_rule(&networks(&["10.1.0.0/16", "fd00::/8", "10.0.0.7/32"])), Ok(()));
        for wrong in ["10.0.0.7", "10.0.0.0/33", "10.0/16", "example.com/8", ""] {
            let (member, reason) = check_rule(&networks(&["10.1.0.0/16", wrong])).unwrap_err();
            assert_eq!(member, "networks", "{wrong}");
            assert!(reason.contains(&format!("{wrong:?}")), "{reason}");
        }
        assert_eq!(check_rule(&HttpRule { port: Some(0), ..rule("a.example") }).unwrap_err().0, "port");
    }

    #[test]
    fn every_member_of_a_rule_must_fit() {
        let rules = rules(
            r#"[{"host":"API.example.com."},
                {"scheme":"http","host":"api.example.com","port":8080,"methods":["GET","HEAD"]},
                {"host":"*.shop.example"},
                {"scheme":"http","host":"10.0.0.7"},
                {"host":"[fd00::7]","port":8443}]"#,
        );
        for (method, uri, expected) in [
            ("GET", "https://api.example.com/", "allowed"),
            ("PATCH", "https://API.EXAMPLE.COM/x?y", "allowed"),
            ("GET", "https://api.example.com.:443/", "allowed"),
            ("GET", "https://api.example.com:/", "allowed"),
            ("PURGE", "https://api.example.com/", "allowed"),
            ("GET", "http://api.example.com:8080/", "allowed"),
            ("HEAD", "http://api.example.com:8080/", "allowed"),
            ("GET", "https://a.shop.example/", "allowed"),
            ("GET", "https://a.b.Shop.Example/", "allowed"),
            ("GET", "http://10.0.0.7/", "allowed"),
            ("GET", "https://[fd00::7]:8443/", "allowed"),
            ("GET", "https://[FD00:0::0007]:8443/", "allowed"),
            // Another scheme, port, method, host.
            ("GET", "http://api.example.com/", "HttpRequestDenied"),
            ("GET", "https://api.example.com:8080/", "HttpRequestDenied"),
            ("GET", "https://api.example.com:80/", "HttpRequestDenied"),
            ("POST", "http://api.example.com:8080/", "HttpRequestDenied"),
            ("get", "http://api.example.com:8080/", "HttpRequestDenied"),
            ("CONNECT", "https://api.example.com/", "HttpRequestDenied"),
            ("GET", "https://example.com/", "HttpRequestDenied"),
            ("GET", "https://x.api.example.com/", "HttpRequestDenied"),
            ("GET", "https://api.example.com.evil.example/", "HttpRequestDenied"),
            ("GET", "https://evilshop.example/", "HttpRequestDenied"),
            ("GET", "https://shop.example/", "HttpRequestDenied"),
            ("GET", "https://.shop.example/", "HttpRequestDenied"),
            ("GET", "https://10.0.0.7/", "HttpRequestDenied"),
            ("GET", "http://10.0.0.8/", "HttpRequestDenied"),
            ("GET", "http://[::ffff:10.0.0.7]/", "HttpRequestDenied"),
            ("GET", "https://[fd00::8]:8443/", "HttpRequestDenied"),
            // Not even a target.
            ("GET", "https://user@api.example.com/", "HttpRequestDenied"),
            ("GET", "https://api.example.com:pw@evil.example/", "HttpRequestDenied"),
            ("GET", "https://api.example.com:99999/", "HttpRequestUriInvalid"),
            ("GET", "ftp://api.example.com/", "HttpProtocolError"),
            ("GET", "/path", "HttpProtocolError"),
        ] {
            assert_eq!(judge(&rules, method, uri), expected, "{method} {uri}");
        }
        assert_eq!(judge(&[], "GET", "https://api.example.com/"), "HttpRequestDenied");
    }

    #[test]
    fn other_writings_of_an_ipv4_address_are_nothing() {
        let rules = rules(r#"[{"scheme":"http","host":"127.0.0.1"},{"scheme":"http","host":"*.example"}]"#);
        assert_eq!(judge(&rules, "GET", "http://127.0.0.1/"), "allowed");
        assert_eq!(judge(&rules, "GET", "http://127.0.0.1./"), "allowed");
        for host in [
            "127.1",
            "127.0.1",
            "0x7f.1",
            "0x7f.0.0.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.01",
            "127.0.0.1.0",
            "0x7F.0x1",
            "1.0x",
            "a.1",
        ] {
            assert_eq!(judge(&rules, "GET", &format!("http://{host}/")), "HttpRequestDenied", "{host}");
        }
    }

    #[test]
    fn the_reasons_tell_what_to_change() {
        let rules = rules(r#"[{"host":"api.example"}]"#);
        let reason = |uri: &str| {
            let target = Target::of(&uri.parse().unwrap()).unwrap();
            reach(&rules, &target, &Method::GET).unwrap_err().reason.unwrap()
        };
        assert!(reason("https://api.example:1/").contains("other schemes, ports or methods"));
        assert!(reason("https://other.example/").contains("no rule"));
    }

    #[test]
    fn the_reach_is_that_of_the_rules_that_fit() {
        let rules = rules(
            r#"[{"host":"db.example","networks":["10.0.0.0/8"]},
                {"host":"*.example","networks":["192.168.0.0/16"]},
                {"host":"db.example","methods":["POST"],"networks":["127.0.0.0/8"]},
                {"host":"10.0.0.7"}]"#,
        );
        let reached =
            |uri: &str| reach(&rules, &Target::of(&uri.parse().unwrap()).unwrap(), &Method::GET).unwrap();
        let networks = |networks: &[&str]| networks.iter().map(|network| network.parse().unwrap()).collect();
        let expected = Reach { address: None, networks: networks(&["10.0.0.0/8", "192.168.0.0/16"]) };
        assert_eq!(reached("https://db.example/"), expected);
        let expected = Reach { address: Some("10.0.0.7".parse().unwrap()), networks: Vec::new() };
        assert_eq!(reached("https://10.0.0.7/"), expected);
    }

    #[test]
    fn targets_are_written_without_surprises() {
        for (uri, target, authority) in [
            ("https://User.Example:443/a?secret", "https://user.example:443", "user.example"),
            ("http://user.example.:443", "http://user.example:443", "user.example:443"),
            ("http://[::1]", "http://[::1]:80", "[::1]"),
            ("https://[::1]:8443", "https://[::1]:8443", "[::1]:8443"),
        ] {
            let read = Target::of(&uri.parse().unwrap()).unwrap();
            assert_eq!((read.to_string().as_str(), read.authority().as_str()), (target, authority), "{uri}");
        }
    }
}
