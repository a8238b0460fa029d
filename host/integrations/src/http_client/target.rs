//! A URL taken apart: where a request goes, and what it asks for there.
//!
//! It must never read as a host what resolvers take for another one: see `stepwell-net`.

use super::ClientError;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use stepwell_net::Host;

/// What cannot stand in a URL as it is. A percent sign can: it may belong to something that is encoded already.
const NO_URL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) is_https: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Begins with a slash.
    path: String,
    /// Without the question mark.
    query: String,
}

impl Target {
    /// Reads a URL. What stands behind a `#` is the caller's own affair and not sent.
    pub(crate) fn parse(url: &str) -> Result<Target, ClientError> {
        let wrong = |text| Err(ClientError::Url(text));
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return wrong("the URL must begin with https:// or http://"),
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return wrong("the URL must not hold a user name");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let port = match port {
            "" => default_port(is_https),
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return wrong("the URL's port is none"),
            },
            _ => return wrong("the URL's port is not a number"),
        };
        let Some(host) = Host::parse(host) else {
            return wrong("the URL's host is neither a name nor an address");
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Target { is_https, host, port, path: encoded(&path), query: encoded(query) })
    }

    /// Adds to the query what is encoded already.
    pub(crate) fn add_query(&mut self, more: &str) {
        if !self.query.is_empty() && !more.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(more);
    }

    /// The query, without the question mark.
    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    /// The same place with another query, which is encoded already.
    pub(crate) fn with_query(&self, query: String) -> Target {
        Target { query, ..self.clone() }
    }

    /// The value of the header `host`: without the port when it is the scheme's own.
    pub(crate) fn authority(&self) -> String {
        if self.port == default_port(self.is_https) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What the first line of a request asks for.
    pub(crate) fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// As text.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.path_and_query())
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NO_URL).to_string()
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_as_everybody_does() {
        for (url, written) in [
            ("https://api.example.com", "https://api.example.com/"),
            ("HTTPS://API.example.com:443/a b?c=d e#f", "https://api.example.com/a%20b?c=d%20e"),
            ("http://api.example.com:8080?x=%20", "http://api.example.com:8080/?x=%20"),
            ("http://[::1]:80/ü", "http://[::1]/%C3%BC"),
            ("http://10.0.0.7.", "http://10.0.0.7/"),
        ] {
            assert_eq!(Target::parse(url).unwrap().url(), written, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in [
            "",
            "api.example.com",
            "ftp://api.example.com",
            "https://user@api.example.com",
            "https://user:pw@evil.example/",
            "https://api.example.com:0",
            "https://api.example.com:99999",
            "https://api.example.com:x",
            "https:///path",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://exa mple.com/",
            "http://a\r\nb/",
        ] {
            assert!(matches!(Target::parse(url), Err(ClientError::Url(_))), "{url}");
        }
    }

    #[test]
    fn nothing_in_a_url_ends_the_first_line() {
        let target = Target::parse("http://a.example/x\r\nHost: b\r\n?q=\r\n").unwrap();
        assert_eq!(target.path_and_query(), "/x%0D%0AHost:%20b%0D%0A?q=%0D%0A");
    }
}
