//! Spans and log records in OTLP's JSON form: names in lower camel case, ids in hexadecimal digits, 64-bit numbers as
//! text.

use serde_json::{Map, Value, json};
use stepwell_asl::Timestamp;

use super::{Kind, LogRecord, Span, SpanEvent};

/// An ExportTraceServiceRequest.
pub(super) fn traces(resource: &Value, spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope(), "spans": spans}]}]})
}

/// An ExportLogsServiceRequest.
pub(super) fn logs(resource: &Value, records: &[LogRecord]) -> Value {
    let records: Vec<Value> = records.iter().map(log).collect();
    json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope(), "logRecords": records}]}]})
}

/// The resource with these attributes.
pub(super) fn resource(attributes: &[(String, String)]) -> Value {
    let attributes: Vec<Value> = attributes.iter().map(|(name, value)| attribute(name, value)).collect();
    json!({"attributes": attributes})
}

fn scope() -> Value {
    json!({"name": "stepwell", "version": env!("CARGO_PKG_VERSION")})
}

fn span(span: &Span) -> Value {
    let kind = match span.kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    };
    let mut members = Map::new();
    members.insert("traceId".into(), json!(hex(&span.trace)));
    members.insert("spanId".into(), json!(hex(&span.id)));
    if let Some(parent) = &span.parent {
        members.insert("parentSpanId".into(), json!(hex(parent)));
    }
    members.insert("name".into(), json!(span.name));
    members.insert("kind".into(), json!(kind));
    members.insert("startTimeUnixNano".into(), json!(nanoseconds(span.begun_at)));
    members.insert("endTimeUnixNano".into(), json!(nanoseconds(span.ended_at)));
    members.insert("attributes".into(), attributes(&span.attributes));
    if !span.events.is_empty() {
        members.insert("events".into(), span.events.iter().map(event).collect());
    }
    if let Some(message) = &span.failure {
        members.insert("status".into(), json!({"code": 2, "message": message}));
    }
    Value::Object(members)
}

fn event(event: &SpanEvent) -> Value {
    json!({
        "timeUnixNano": nanoseconds(event.at),
        "name": event.name,
        "attributes": attributes(&event.attributes),
    })
}

fn log(log: &LogRecord) -> Value {
    let is_bad = ["Failed", "Aborted", "TimedOut"].iter().any(|end| log.event_type.ends_with(end));
    let (number, text) = if is_bad { (17, "ERROR") } else { (9, "INFO") };
    let arn = log.record["execution_arn"].as_str().unwrap_or_default();
    json!({
        "timeUnixNano": nanoseconds(log.at),
        "severityNumber": number,
        "severityText": text,
        "body": {"stringValue": log.record.to_string()},
        "attributes": [
            attribute("event.name", &log.event_type),
            attribute("aws.log.group.names", &log.group),
            attribute("stepwell.execution.arn", arn),
        ],
        "traceId": hex(&log.ids.trace),
        "spanId": hex(&log.ids.span),
    })
}

fn attributes(attributes: &[(&'static str, String)]) -> Value {
    attributes.iter().map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: &str, value: &str) -> Value {
    json!({"key": name, "value": {"stringValue": value}})
}

fn nanoseconds(at: Timestamp) -> String {
    // Before 1970 there are no traces.
    (i128::from(at.0.max(0)) * 1_000_000).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
        text
    })
}
