//! Making signatures: for the command line's requests, and for addresses that this server gives out.
//!
//! It must never print or log the secret.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use stepwell_asl::Timestamp;

use super::ALGORITHM;
use super::canonical::{Canonical, EMPTY_SHA256, encoded};
use super::signature::{Scope, Signature, basic};

/// What to sign with.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// The id of the access key.
    pub(crate) key_id: String,
    /// Its secret.
    pub(crate) secret: String,
    /// The server's region.
    pub(crate) region: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Credentials({})", self.key_id)
    }
}

impl Credentials {
    fn scope(&self, service: &str, moment: &str) -> Scope {
        let date = moment.get(..8).unwrap_or_default().to_owned();
        Scope { date, region: self.region.clone(), service: service.to_owned() }
    }
}

/// A request as far as it is signed.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    /// As on the wire.
    pub(crate) path: &'a str,
    /// As on the wire, without the question mark.
    pub(crate) query: &'a str,
    /// Host and port as the request will name them.
    pub(crate) host: &'a str,
    /// Header `X-Amz-Target`.
    pub(crate) target: Option<&'a str>,
    /// SHA-256 of the body, in hexadecimal digits.
    pub(crate) payload_sha256: &'a str,
}

/// The headers that sign a request.
pub(crate) fn authorization(
    credentials: &Credentials,
    service: &str,
    request: &Unsigned<'_>,
    now: Timestamp,
) -> [(&'static str, String); 3] {
    let moment = basic(now);
    let mut headers = HeaderMap::new();
    let mut signed_headers = vec!["host".to_owned()];
    let told = [
        ("x-amz-content-sha256", Some(request.payload_sha256)),
        ("x-amz-date", Some(moment.as_str())),
        ("x-amz-target", request.target),
    ];
    for (name, value) in told {
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            headers.insert(name, value);
            signed_headers.push(name.to_owned());
        }
    }
    let scope = credentials.scope(service, &moment);
    let canonical = Canonical {
        method: request.method,
        path: request.path,
        query: request.query,
        headers: &headers,
        host: request.host.as_bytes(),
        signed_headers: &signed_headers,
        payload_sha256: request.payload_sha256,
    };
    let signature = Signature::new(&credentials.secret, &scope, &moment, &canonical.digest()).to_hex();
    let (key_id, names) = (&credentials.key_id, signed_headers.join(";"));
    let authorization =
        format!("{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}");
    [
        ("authorization", authorization),
        ("x-amz-date", moment),
        ("x-amz-content-sha256", request.payload_sha256.to_owned()),
    ]
}

/// The query of an address that can be read with GET for a while by whoever has it.
pub(crate) fn presigned_query(
    credentials: &Credentials,
    service: &str,
    (path, query, host): (&str, &str, &str),
    now: Timestamp,
    valid: Duration,
) -> String {
    let moment = basic(now);
    let scope = credentials.scope(service, &moment);
    let credential = encoded(format!("{}/{scope}", credentials.key_id).as_bytes(), false);
    let query = format!(
        "{query}&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date={moment}&X-Amz-Expires={}\
         &X-Amz-SignedHeaders=host",
        valid.as_secs()
    );
    let canonical = Canonical {
        method: "GET",
        path,
        query: &query,
        headers: &HeaderMap::new(),
        host: host.as_bytes(),
        signed_headers: &["host".to_owned()],
        payload_sha256: EMPTY_SHA256,
    };
    let signature = Signature::new(&credentials.secret, &scope, &moment, &canonical.digest()).to_hex();
    format!("{query}&X-Amz-Signature={signature}")
}
