//! A task's result, or its error, from what the other side answered (API reference, section 6.6).
//!
//! As on AWS the body of an error is dropped, unless somebody has asked for it.

use crate::http_client::{ClientError, Reply};
use crate::limits;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use stepwell_asl::StatesError;

/// What a response is to the task.
pub(super) fn of_reply(reply: &Reply, keeps_error_body: bool) -> Result<Value, StatesError> {
    let status = reply.status.as_u16();
    if !reply.status.is_success() {
        let cause = if keeps_error_body { error_document(reply) } else { reply.reason.clone() };
        return Err(StatesError::new(format!("States.Http.StatusCode.{status}"), cause));
    }
    if let Some(content_type) = binary(&reply.headers) {
        let cause = format!("The response's content type '{content_type}' is not supported by HTTP tasks");
        return Err(StatesError::runtime(cause));
    }
    let Ok(text) = std::str::from_utf8(&reply.body) else {
        return Err(StatesError::runtime("The response's body cannot be read as text"));
    };
    Ok(json!({
        "Headers": headers(&reply.headers),
        "ResponseBody": parsed(text),
        "StatusCode": status,
        "StatusText": reply.reason,
    }))
}

/// Why there was no response.
pub(super) fn of_failure(error: &ClientError) -> StatesError {
    match error {
        ClientError::Url(_) => StatesError::runtime(format!("The field 'ApiEndpoint' is not valid: {error}")),
        ClientError::TooLarge(_) => StatesError::data_limit_exceeded("http"),
        ClientError::NotPublic(_) | ClientError::Connection(_) | ClientError::Timeout(_) => {
            StatesError::new("States.Http.Socket", error.to_string())
        }
    }
}

/// Names, each with all of its values.
pub(super) fn headers(headers: &HeaderMap) -> Value {
    let all = headers.keys().map(|name| {
        let values = headers.get_all(name).iter();
        let values = values.map(|value| json!(String::from_utf8_lossy(value.as_bytes())));
        (name.as_str().to_owned(), values.collect())
    });
    Value::Object(all.collect::<Map<_, _>>())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// The content type, where it is one of those that no task can take.
fn binary(headers: &HeaderMap) -> Option<String> {
    let told = headers.get(CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
    let essence = told.split(';').next().unwrap_or_default().trim().to_owned();
    let kinds = ["image/", "audio/", "video/"];
    let is_binary =
        essence == "application/octet-stream" || kinds.iter().any(|kind| essence.starts_with(kind));
    is_binary.then_some(essence)
}

/// The response to a failed request as JSON text; a long body is cut, and then no JSON any more.
fn error_document(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body);
    let body = if text.len() <= limits::ERROR_BODY_BYTES {
        parsed(&text)
    } else {
        json!(&text[..text.floor_char_boundary(limits::ERROR_BODY_BYTES)])
    };
    let document = |headers: Value| {
        json!({
            "Headers": headers,
            "ResponseBody": body,
            "StatusCode": reply.status.as_u16(),
            "StatusText": reply.reason,
        })
        .to_string()
    };
    let whole = document(headers(&reply.headers));
    // A cause that is cut would be no JSON: headers go first.
    if whole.chars().count() <= limits::CAUSE_CHARACTERS { whole } else { document(json!({})) }
}
