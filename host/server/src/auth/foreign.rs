//! Requests that web pages of others make: a server that asks nobody for a signature must not answer them.
//!
//! A page can have a browser send requests to 127.0.0.1, and with a name of its own that it points there (DNS rebinding)
//! also read the answers. It cannot choose the `Host`, `Origin` and `Sec-Fetch-Site` that the browser sends.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use super::AuthError;

/// Refuses what a browser sends for a page that is not of this machine. Errors: `Foreign`.
pub(super) fn check(parts: &Parts) -> Result<(), AuthError> {
    let host = text(&parts.headers, header::HOST.as_str());
    let host = host.or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str));
    if let Some(host) = host.filter(|host| !is_own(host)) {
        return Err(AuthError::Foreign(format!(
            "This server asks nobody for a signature and so answers only under names of this machine, not '{host}'. Make \
             an access key (stepwell key create), or start it with --allow-unauthenticated"
        )));
    }
    let origin = text(&parts.headers, header::ORIGIN.as_str());
    let from_elsewhere = origin.is_some_and(|origin| !is_own_origin(origin))
        || text(&parts.headers, "sec-fetch-site") == Some("cross-site");
    if from_elsewhere {
        return Err(AuthError::Foreign(
            "This server asks nobody for a signature and so takes no requests from web pages of other hosts"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Whether a `Host` names this machine: an address, or a name that resolves here whatever a name server says. SDKs put
/// `sync-` in front of it.
fn is_own(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.strip_prefix("sync-").unwrap_or(name).trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

fn is_own_origin(origin: &str) -> bool {
    origin.parse::<Uri>().ok().and_then(|origin| Some(is_own(origin.authority()?.as_str()))).unwrap_or(false)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // What is no text is nobody's name.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn is_let_in(headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn names_of_this_machine_are_answered() {
        for host in [
            "127.0.0.1:8083",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8083",
            "sync-localhost:8083",
            "a.localhost",
            "192.0.2.1",
            "localhost.:1",
            "sync-127.0.0.1:5",
        ] {
            assert!(is_let_in(&[("host", host)]), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "\u{e9}"] {
            assert!(!is_let_in(&[("host", host)]), "{host}");
        }
    }

    #[test]
    fn pages_of_others_are_not() {
        assert!(is_let_in(&[("host", "localhost"), ("origin", "http://localhost:3000")]));
        assert!(is_let_in(&[("host", "localhost"), ("sec-fetch-site", "same-origin")]));
        for (name, value) in
            [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
        {
            assert!(!is_let_in(&[("host", "localhost"), (name, value)]), "{name} {value}");
        }
    }
}
