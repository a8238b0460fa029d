//! The HTTP reply that AWS would have seen: results of optimised integrations carry it, and definitions select around
//! it (API reference, section 6.3).
//!
//! It must never be taken for a reply that there was: nothing went over a wire.

use serde_json::{Map, Value, json};
use std::time::{Duration, UNIX_EPOCH};
use stepwell_asl::Timestamp;

/// `SdkHttpMetadata` of a reply with these headers, in this order.
pub fn http_metadata(headers: Vec<(&'static str, String)>) -> Value {
    let all: Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    let one: Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json!({"AllHttpHeaders": all, "HttpHeaders": one, "HttpStatusCode": 200})
}

/// The value of header `Date`.
pub fn date(at: Timestamp) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or_default()))
}

/// Adds what every optimised integration adds to the members of a result: the reply of `bytes` bytes of `content_type`
/// that has brought it, and its request id. The members then are in the order of their names (recorded).
pub fn decorate(
    mut result: Map<String, Value>,
    (content_type, bytes): (&str, usize),
    at: Timestamp,
) -> Value {
    let request_id = uuid::Uuid::new_v4().to_string();
    let headers = vec![
        ("Content-Length", bytes.to_string()),
        ("Content-Type", content_type.to_owned()),
        ("Date", date(at)),
        ("connection", "keep-alive".to_owned()),
        ("x-amzn-RequestId", request_id.clone()),
    ];
    result.insert("SdkHttpMetadata".to_owned(), http_metadata(headers));
    result.insert("SdkResponseMetadata".to_owned(), json!({"RequestId": request_id}));
    result.sort_keys();
    Value::Object(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decorated_result_has_its_members_in_order() {
        let result = json!({"StartDate": 1, "ExecutionArn": "a"});
        let Value::Object(members) = result else { unreachable!() };
        let decorated = decorate(members, ("application/x-amz-json-1.0", 161), Timestamp(0));
        let names: Vec<&String> = decorated.as_object().unwrap().keys().collect();
        assert_eq!(names, ["ExecutionArn", "SdkHttpMetadata", "SdkResponseMetadata", "StartDate"]);
        let headers = &decorated["SdkHttpMetadata"]["AllHttpHeaders"];
        assert_eq!(headers["Content-Length"], json!(["161"]));
        assert_eq!(headers["Date"], json!(["Thu, 01 Jan 1970 00:00:00 GMT"]));
        assert_eq!(headers["x-amzn-RequestId"][0], decorated["SdkResponseMetadata"]["RequestId"]);
    }
}
