//! What a client claims to be and to have signed: the `Authorization` header, or the same in a presigned address.
//!
//! A claim is checked before the body is read, as far as that goes: scope, age, and that everything that decides what the
//! request means is signed. It must never take anything from a header that is there twice.

use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use stepwell_asl::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::canonical::{Canonical, EMPTY_SHA256, decoded};
use super::signature::{Scope, Signature, basic, parse_basic};
use super::{ALGORITHM, TERMINATOR};
use crate::auth::AuthError;
use crate::limits;

/// The digest of the payload, as the client tells it.
const PAYLOAD_HEADER: &str = "x-amz-content-sha256";

/// Who signed, when, for what, and the signature.
pub(crate) struct Claim {
    /// The id of the access key.
    pub(crate) key_id: String,
    scope: Scope,
    signed_at: Timestamp,
    /// `signed_at` as it is signed.
    moment: String,
    signed_headers: Vec<String>,
    signature: Signature,
    /// How long a presigned address holds.
    presigned: Option<Duration>,
    /// The payload's digest, when the client tells it.
    payload_sha256: Option<String>,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Claim({} {})", self.key_id, self.scope)
    }
}

impl Claim {
    /// Reads what a request claims. Errors: `MissingToken`, `Incomplete`, `Session`.
    pub(crate) fn read(parts: &Parts) -> Result<Claim, AuthError> {
        for name in ["authorization", "host", "date", "x-amz-date", "x-amz-target", PAYLOAD_HEADER] {
            if parts.headers.get_all(name).iter().nth(1).is_some() {
                return Err(AuthError::Incomplete(format!("The header '{name}' is there more than once.")));
            }
        }
        let claim = match text(&parts.headers, header::AUTHORIZATION.as_str()) {
            Some(authorization) => Claim::from_header(authorization, &parts.headers),
            None if is_presigned(parts) => Claim::from_query(parts),
            None => Err(AuthError::MissingToken),
        }?;
        let session = parts.headers.contains_key("x-amz-security-token")
            || query_value(parts, "X-Amz-Security-Token").is_some();
        if session { Err(AuthError::Session) } else { Ok(claim) }
    }

    fn from_header(authorization: &str, headers: &HeaderMap) -> Result<Claim, AuthError> {
        let incomplete = |what: &str| AuthError::Incomplete(format!("Authorization header requires {what}."));
        let members = authorization.trim_start().strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' '));
        let members = members.ok_or_else(|| incomplete(&format!("the algorithm '{ALGORITHM}'")))?;
        let member = |name: &str| {
            let found = members.split(',').find_map(|member| {
                member.trim().strip_prefix(name).and_then(|member| member.strip_prefix('='))
            });
            found.ok_or_else(|| incomplete(&format!("'{name}' parameter")))
        };
        let dates = "existence of either a 'X-Amz-Date' or a 'Date' header";
        let (signed_at, date_header) = match (text(headers, "x-amz-date"), text(headers, "date")) {
            (Some(moment), _) => (parse_basic(moment), "x-amz-date"),
            (None, Some(date)) => (parse_http_date(date), "date"),
            (None, None) => return Err(incomplete(dates)),
        };
        let signed_at = signed_at.ok_or_else(|| {
            AuthError::Incomplete(
                "Date must be in ISO-8601 'basic format', like 20261122T163228Z.".to_owned(),
            )
        })?;
        let signature = member("Signature")?;
        let claim = Claim::new(member("Credential")?, member("SignedHeaders")?, signature, signed_at)?;
        claim.check_signed(headers, &["host", date_header])?;
        Ok(Claim { payload_sha256: text(headers, PAYLOAD_HEADER).map(str::to_owned), ..claim })
    }

    /// A presigned address carries the same behind its `?`. It has no body, so only GET can be meant.
    fn from_query(parts: &Parts) -> Result<Claim, AuthError> {
        let value = |name: &str| {
            let missing =
                || AuthError::Incomplete(format!("AWS query-string parameters must include '{name}'."));
            query_value(parts, name).ok_or_else(missing)
        };
        if value("X-Amz-Algorithm")? != ALGORITHM || parts.method != Method::GET {
            return Err(AuthError::Incomplete(format!("Only GET can be presigned, with {ALGORITHM}.")));
        }
        let signed_at = parse_basic(&value("X-Amz-Date")?).ok_or_else(|| {
            AuthError::Incomplete("X-Amz-Date must be in ISO-8601 'basic format'.".to_owned())
        })?;
        let seconds = value("X-Amz-Expires")?.parse().ok().map(Duration::from_secs);
        let presigned = seconds.filter(|valid| *valid <= limits::LONGEST_PRESIGNED).ok_or_else(|| {
            AuthError::Incomplete(format!(
                "X-Amz-Expires must be a number of seconds up to {}.",
                limits::LONGEST_PRESIGNED.as_secs()
            ))
        })?;
        let (credential, signed_headers) = (value("X-Amz-Credential")?, value("X-Amz-SignedHeaders")?);
        let claim = Claim::new(&credential, &signed_headers, &value("X-Amz-Signature")?, signed_at)?;
        claim.check_signed(&parts.headers, &["host"])?;
        Ok(Claim { presigned: Some(presigned), payload_sha256: Some(EMPTY_SHA256.to_owned()), ..claim })
    }

    fn new(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        signed_at: Timestamp,
    ) -> Result<Claim, AuthError> {
        let wrong = || {
            AuthError::Incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
                    .to_owned(),
            )
        };
        let [key_id, date, region, service, TERMINATOR] = credential.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(wrong());
        };
        let signature = Signature::parse(signature)
            .ok_or_else(|| AuthError::Incomplete("Signature must be 64 hexadecimal digits.".to_owned()))?;
        Ok(Claim {
            key_id: key_id.to_owned(),
            scope: Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() },
            signed_at,
            moment: basic(signed_at),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature,
            presigned: None,
            payload_sha256: None,
        })
    }

    /// What decides the meaning of a request must be signed: `required`, and all headers of AWS that are there.
    fn check_signed(&self, headers: &HeaderMap, required: &[&str]) -> Result<(), AuthError> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        let amz = headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
        // The payload's digest is part of what is signed, whether its header is or not.
        let amz = amz.filter(|name| *name != PAYLOAD_HEADER);
        let unsigned: Vec<&str> =
            required.iter().copied().chain(amz).filter(|name| !is_signed(name)).collect();
        if unsigned.is_empty() {
            return Ok(());
        }
        Err(AuthError::Signature(format!(
            "There were headers present in the request which must be signed and were not: {}",
            unsigned.join(", ")
        )))
    }

    /// Checks what needs neither the secret nor the body: that the scope is this server's, and that the claim is neither
    /// too old nor from the future. Errors: `Signature`.
    pub(crate) fn check_scope(&self, region: &str, service: &str, now: Timestamp) -> Result<(), AuthError> {
        let Scope { date, region: its_region, service: its_service } = &self.scope;
        let wrong = |message: String| Err(AuthError::Signature(message));
        if its_region != region {
            return wrong(format!(
                "Credential should be scoped to a valid region: '{region}', not '{its_region}'."
            ));
        }
        if its_service != service {
            return wrong(format!("Credential should be scoped to correct service: '{service}'."));
        }
        if self.moment.get(..8) != Some(date.as_str()) {
            return wrong(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date}' \
                 != '{}', from '{}'.",
                self.moment.get(..8).unwrap_or_default(),
                self.moment
            ));
        }
        if self.signed_at > plus(now, limits::CLOCK_SKEW) {
            let latest = basic(plus(now, limits::CLOCK_SKEW));
            return wrong(format!(
                "Signature not yet current: {} is still later than {latest} ({} + 5 min.)",
                self.moment,
                basic(now)
            ));
        }
        if plus(self.signed_at, self.presigned.unwrap_or(limits::CLOCK_SKEW)) < now {
            if self.presigned.is_some() {
                return wrong("Signature expired: the address was valid for less time than that".to_owned());
            }
            let earliest = basic(now.plus_milliseconds(-milliseconds(limits::CLOCK_SKEW)));
            let (moment, now) = (&self.moment, basic(now));
            return wrong(format!(
                "Signature expired: {moment} is now earlier than {earliest} ({now} - 5 min.)"
            ));
        }
        Ok(())
    }

    /// The payload's digest as the client tells it: then the signature can be verified before the body is there.
    /// Errors: `Signature`, when the payload is said not to be signed.
    pub(crate) fn payload_sha256(&self) -> Result<Option<&str>, AuthError> {
        let Some(told) = self.payload_sha256.as_deref() else { return Ok(None) };
        if told.len() == EMPTY_SHA256.len() && told.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Some(told));
        }
        Err(AuthError::Signature(format!(
            "The payload must be signed as a whole: {PAYLOAD_HEADER} has to be its SHA-256, not '{told}'."
        )))
    }

    /// Whether the holder of `secret` has signed this request with this payload. Errors: `Signature`.
    pub(crate) fn verify(&self, secret: &str, parts: &Parts, payload_sha256: &str) -> Result<(), AuthError> {
        let query = parts.uri.query().unwrap_or_default();
        let canonical = Canonical {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: &if self.presigned.is_some() { without_signature(query) } else { query.to_owned() },
            headers: &parts.headers,
            host: host(parts),
            signed_headers: &self.signed_headers,
            payload_sha256,
        };
        let ours = Signature::new(secret, &self.scope, &self.moment, &canonical.digest());
        if ours.is(&self.signature) { Ok(()) } else { Err(AuthError::mismatch()) }
    }
}

/// The host that was asked for.
fn host(parts: &Parts) -> &[u8] {
    let authority = || parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    parts.headers.get(header::HOST).map(header::HeaderValue::as_bytes).or_else(authority).unwrap_or_default()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_presigned(parts: &Parts) -> bool {
    query_value(parts, "X-Amz-Algorithm").is_some() || query_value(parts, "X-Amz-Signature").is_some()
}

fn query_value(parts: &Parts, name: &str) -> Option<String> {
    let mut pairs = parts.uri.query().unwrap_or_default().split('&');
    let value = pairs.find_map(|part| part.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')))?;
    String::from_utf8(decoded(value)).ok()
}

fn without_signature(query: &str) -> String {
    let others = query.split('&').filter(|part| !part.starts_with("X-Amz-Signature="));
    others.collect::<Vec<_>>().join("&")
}

fn parse_http_date(text: &str) -> Option<Timestamp> {
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Timestamp(date.unix_timestamp().checked_mul(1_000)?))
}

fn plus(at: Timestamp, duration: Duration) -> Timestamp {
    at.plus_milliseconds(milliseconds(duration))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
