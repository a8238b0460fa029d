//! The request that a task and its connection make together: values of the connection win (Developer Guide, "Merging
//! EventBridge connection and HTTP Task definition data").
//!
//! Composed without the connection's additions it is what may be shown to those who must not see secrets.

use super::encoding;
use super::headers;
use super::parameters::Parameters;
use crate::connections::Additions;
use crate::http_client::{Outgoing, Target};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use stepwell_asl::StatesError;

/// A request, readable.
#[derive(Clone)]
pub(super) struct Composed {
    pub(super) target: Target,
    pub(super) method: Method,
    /// As they are written, in order.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    /// Where the headers say nothing of it.
    content_type: Option<&'static str>,
}

/// What every request of a server has.
pub(super) struct Fixed {
    pub(super) region: String,
    /// How much of a response is asked for, in bytes.
    pub(super) range_bytes: usize,
    /// The same for every run of an attempt.
    pub(super) idempotency_key: String,
}

/// Puts a request together.
pub(super) fn compose(
    parameters: &Parameters,
    additions: &Additions,
    fixed: &Fixed,
) -> Result<Composed, StatesError> {
    let target = target(parameters, additions)?;
    let (body, content_type) = body(parameters, additions)?;
    let mut all = parameters.headers.clone();
    if let Some(name) = &parameters.idempotency_header {
        all.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        all.push((name.clone(), fixed.idempotency_key.clone()));
    }
    let own = [
        ("User-Agent".to_owned(), format!("Amazon|StepFunctions|HttpInvoke|{}", fixed.region)),
        ("Range".to_owned(), format!("bytes=0-{}", fixed.range_bytes)),
    ];
    let all = over(over(all, &additions.headers), &own);
    Ok(Composed { target, method: parameters.method.clone(), headers: all, body, content_type })
}

impl Composed {
    /// The same for the client. Errors: a header of the connection is none; its value is not told.
    pub(super) fn outgoing(&self) -> Result<Outgoing, StatesError> {
        let mut all = HeaderMap::new();
        for (name, value) in &self.headers {
            let header = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let Some((name, value)) = header else {
                return Err(StatesError::runtime(format!("The header '{name}' is none that can be sent")));
            };
            if !headers::is_ours(&name) {
                all.append(name, value);
            }
        }
        if let Some(content_type) = self.content_type
            && !all.contains_key(CONTENT_TYPE)
        {
            all.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let body = self.body.clone().map(Bytes::from);
        Ok(Outgoing { target: self.target.clone(), method: self.method.clone(), headers: all, body })
    }
}

/// Those headers, and these in the place of what has the same name.
fn over(mut headers: Vec<(String, String)>, winners: &[(String, String)]) -> Vec<(String, String)> {
    headers.retain(|(name, _)| !winners.iter().any(|(winner, _)| winner.eq_ignore_ascii_case(name)));
    headers.extend(winners.iter().cloned());
    headers
}

fn target(parameters: &Parameters, additions: &Additions) -> Result<Target, StatesError> {
    let target = Target::parse(&parameters.endpoint)
        .map_err(|error| StatesError::runtime(format!("The field 'ApiEndpoint' is not valid: {error}")))?;
    let is_added = |name: &str| additions.query.iter().any(|(added, _)| added == name);
    // What the URL says already stays as it is written.
    let own = target.query().split('&').filter(|part| !part.is_empty());
    let own = own
        .filter(|part| !is_added(&encoding::decoded(part.split_once('=').map_or(*part, |(name, _)| name))));
    let mut target = target.with_query(own.collect::<Vec<_>>().join("&"));
    let query: Vec<_> = parameters
        .query
        .iter()
        .filter(|(name, _)| !is_added(name))
        .chain(&additions.query)
        .cloned()
        .collect();
    target.add_query(&encoding::pairs(&query));
    Ok(target)
}

/// The body, and its type where no header tells.
fn body(
    parameters: &Parameters,
    additions: &Additions,
) -> Result<(Option<String>, Option<&'static str>), StatesError> {
    let body = match &parameters.body {
        Some(Value::Object(members)) => Value::Object(merged(members.clone(), additions)),
        None if additions.body.is_empty() => return Ok((None, None)),
        None => Value::Object(merged(Map::new(), additions)),
        Some(_) if !additions.body.is_empty() => {
            let cause =
                "The field 'RequestBody' must be an object, because the connection has body parameters";
            return Err(StatesError::runtime(cause));
        }
        // A text goes as it is, encoded or not: nobody knows what it holds.
        Some(Value::String(text)) => return Ok((Some(text.clone()), Some("text/plain; charset=UTF-8"))),
        Some(other) => other.clone(),
    };
    match parameters.form {
        None => Ok((Some(body.to_string()), Some("application/json; charset=UTF-8"))),
        Some(arrays) => {
            let form = encoding::form(&body, arrays).ok_or_else(|| {
                StatesError::runtime("The field 'RequestBody' is nested too deep to be URL-encoded")
            })?;
            Ok((Some(form), Some("application/x-www-form-urlencoded")))
        }
    }
}

fn merged(mut members: Map<String, Value>, additions: &Additions) -> Map<String, Value> {
    members.extend(additions.body.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))));
    members
}
