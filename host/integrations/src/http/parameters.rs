//! What the parameters of `http:invoke` say (Developer Guide, "HTTP Task fields").
//!
//! What AWS refuses is refused with `States.Runtime`; so are members that nobody knows. It must never send anything.

use super::encoding::{self, ArrayFormat};
use super::headers;
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use stepwell_asl::StatesError;

/// The methods that a task may use.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"];
/// Every member.
const MEMBERS: [&str; 8] = [
    "ApiEndpoint",
    "Authentication",
    "Headers",
    "InvocationConfig",
    "Method",
    "QueryParameters",
    "RequestBody",
    "Transform",
];

/// A task's wishes.
pub(super) struct Parameters {
    pub(super) endpoint: String,
    pub(super) method: Method,
    pub(super) connection_arn: Option<String>,
    /// Names as they are written, in order.
    pub(super) headers: Vec<(String, String)>,
    /// Not encoded.
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    /// How the body is to be URL-encoded, if it is.
    pub(super) form: Option<ArrayFormat>,
    /// Whether the cause of an error tells the response (Stepwell's own).
    pub(super) keeps_error_body: Option<bool>,
    /// The header that tells runs of the same attempt apart from others (Stepwell's own).
    pub(super) idempotency_header: Option<String>,
}

impl Parameters {
    /// Reads them. `strict`: as AWS has them, without Stepwell's own members.
    pub(super) fn read(parameters: &Value, strict: bool) -> Result<Parameters, StatesError> {
        let Some(members) = parameters.as_object() else {
            return Err(StatesError::runtime("The parameters of an HTTP task must be an object"));
        };
        if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(unsupported(unknown));
        }
        let endpoint = required(members, "ApiEndpoint")?.to_owned();
        let method = required(members, "Method")?;
        let Some(method) = METHODS.contains(&method).then(|| Method::try_from(method).ok()).flatten() else {
            let names = METHODS.join(", ");
            return Err(wrong("Method", &format!("must be one of {names}, but was '{method}'")));
        };
        let configuration = structure(members, "InvocationConfig")?;
        let authentication = structure(members, "Authentication")?;
        check_members("Authentication", authentication, &["ConnectionArn"])?;
        let own: &[&str] = if strict { &[] } else { &["KeepErrorBody", "IdempotencyHeader"] };
        check_members("InvocationConfig", configuration, &[&["ConnectionArn"], own].concat())?;
        if configuration.is_some_and(|members| members.contains_key("ConnectionArn"))
            && authentication.is_some()
        {
            return Err(wrong("Authentication", "and InvocationConfig cannot both name a connection"));
        }
        let connection_arn = match configuration.and_then(|members| members.get("ConnectionArn")) {
            Some(arn) => Some(text("InvocationConfig.ConnectionArn", arn)?.to_owned()),
            None => match authentication {
                Some(members) => Some(required_in("Authentication", members, "ConnectionArn")?.to_owned()),
                None => None,
            },
        };
        let own = |name: &str| configuration.and_then(|members| members.get(name));
        let (body, form) = (given(members, "RequestBody").cloned(), transform(members)?);
        Ok(Parameters {
            endpoint,
            method,
            connection_arn,
            headers: headers(members)?,
            query: query(members)?,
            body,
            form,
            keeps_error_body: own("KeepErrorBody")
                .map(|keeps| boolean("KeepErrorBody", keeps))
                .transpose()?,
            idempotency_header: own("IdempotencyHeader").map(idempotency_header).transpose()?,
        })
    }
}

/// The header whose name is given, for the key of an attempt.
fn idempotency_header(name: &Value) -> Result<String, StatesError> {
    let place = "InvocationConfig.IdempotencyHeader";
    let name = text(place, name)?;
    check_header(name, "")?;
    Ok(name.to_owned())
}

fn headers(members: &Map<String, Value>) -> Result<Vec<(String, String)>, StatesError> {
    let mut found = Vec::new();
    for (name, value) in structure(members, "Headers")?.into_iter().flatten() {
        let values: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                vec![value]
            }
        };
        for value in values {
            if value.is_object() || value.is_array() {
                return Err(wrong(&format!("Headers.{name}"), "must be a string or an array of strings"));
            }
            let value = encoding::plain(value);
            check_header(name, &value)?;
            found.push((name.clone(), value));
        }
    }
    Ok(found)
}

fn check_header(name: &str, value: &str) -> Result<(), StatesError> {
    let Ok(header) = HeaderName::try_from(name) else {
        return Err(wrong("Headers", &format!("holds '{name}', which is not the name of a header")));
    };
    if headers::is_forbidden(&header) {
        return Err(wrong("Headers", &format!("holds '{name}', which an HTTP task cannot set")));
    }
    if HeaderValue::try_from(value).is_err() {
        return Err(wrong(&format!("Headers.{name}"), "holds characters that no header can hold"));
    }
    Ok(())
}

/// Query parameters: an object of texts or lists, a list of such objects, or a text.
fn query(members: &Map<String, Value>) -> Result<Vec<(String, String)>, StatesError> {
    let mut found = Vec::new();
    match given(members, "QueryParameters") {
        None => {}
        Some(Value::Object(parameters)) => add_query(&mut found, parameters),
        Some(Value::String(text)) => add_query_text(&mut found, text),
        Some(Value::Array(items)) => {
            for item in items {
                match item {
                    Value::Object(parameters) => add_query(&mut found, parameters),
                    Value::String(text) => add_query_text(&mut found, text),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                        return Err(wrong("QueryParameters", "must hold objects or strings"));
                    }
                }
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) => {
            return Err(wrong("QueryParameters", "must be an object, an array or a string"));
        }
    }
    Ok(found)
}

fn add_query(found: &mut Vec<(String, String)>, parameters: &Map<String, Value>) {
    for (name, value) in parameters {
        match value {
            Value::Array(items) => {
                found.extend(items.iter().map(|item| (name.clone(), encoding::plain(item))));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                found.push((name.clone(), encoding::plain(value)));
            }
        }
    }
}

/// A text such as `a=1&b=2`; what is encoded in it already is not encoded twice.
fn add_query_text(found: &mut Vec<(String, String)>, text: &str) {
    for part in text.trim_start_matches('?').split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        found.push((encoding::decoded(name), encoding::decoded(value)));
    }
}

fn transform(members: &Map<String, Value>) -> Result<Option<ArrayFormat>, StatesError> {
    let Some(transform) = structure(members, "Transform")? else { return Ok(None) };
    check_members("Transform", Some(transform), &["RequestBodyEncoding", "RequestEncodingOptions"])?;
    let options = structure(transform, "RequestEncodingOptions")?;
    check_members("Transform.RequestEncodingOptions", options, &["ArrayFormat"])?;
    let place = "Transform.RequestEncodingOptions.ArrayFormat";
    let arrays = match options.and_then(|options| options.get("ArrayFormat")) {
        None => ArrayFormat::default(),
        Some(name) => {
            let name = text(place, name)?;
            let why = format!("must be one of INDICES, REPEAT, COMMAS, BRACKETS, but was '{name}'");
            ArrayFormat::parse(name).ok_or_else(|| wrong(place, &why))?
        }
    };
    let place = "Transform.RequestBodyEncoding";
    match transform.get("RequestBodyEncoding").map(|name| text(place, name)).transpose()? {
        None | Some("NONE") => Ok(None),
        Some("URL_ENCODED") => Ok(Some(arrays)),
        Some(other) => Err(wrong(place, &format!("must be one of NONE, URL_ENCODED, but was '{other}'"))),
    }
}

/// A member; null counts as absent.
fn given<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn structure<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, StatesError> {
    match given(members, name) {
        None => Ok(None),
        Some(value) => value.as_object().map(Some).ok_or_else(|| wrong(name, "must be an object")),
    }
}

fn required<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, StatesError> {
    match given(members, name) {
        None => Err(StatesError::runtime(format!("The field '{name}' is required but was missing"))),
        Some(value) => text(name, value),
    }
}

fn required_in<'a>(place: &str, members: &'a Map<String, Value>, name: &str) -> Result<&'a str, StatesError> {
    let place = format!("{place}.{name}");
    match given(members, name) {
        None => Err(StatesError::runtime(format!("The field '{place}' is required but was missing"))),
        Some(value) => text(&place, value),
    }
}

fn text<'a>(place: &str, value: &'a Value) -> Result<&'a str, StatesError> {
    value.as_str().ok_or_else(|| wrong(place, "must be a string"))
}

fn boolean(place: &str, value: &Value) -> Result<bool, StatesError> {
    value.as_bool().ok_or_else(|| wrong(&format!("InvocationConfig.{place}"), "must be true or false"))
}

fn check_members(
    place: &str,
    members: Option<&Map<String, Value>>,
    known: &[&str],
) -> Result<(), StatesError> {
    let unknown = members.into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |(name, _)| Err(unsupported(&format!("{place}.{name}"))))
}

fn unsupported(place: &str) -> StatesError {
    StatesError::runtime(format!("The field '{place}' is not supported by HTTP tasks"))
}

fn wrong(place: &str, why: &str) -> StatesError {
    StatesError::runtime(format!("The field '{place}' {why}"))
}
