//! The answer of TestState: values as JSON texts, numbers as numbers (API: TestStateOutput, InspectionData).
//!
//! A stage whose text is longer than a payload may be is left out: no client expects it.

use serde_json::{Map, Value, json};
use stepwell_asl::test_state::Report;
use stepwell_integrations::Exchange;

use super::request::Wish;

/// The members that are numbers.
const NUMBERS: [&str; 3] = ["maxConcurrency", "toleratedFailureCount", "toleratedFailurePercentage"];

pub(super) fn of(report: &Report, wish: &Wish, payload_bytes: usize) -> Value {
    let mut answer = Map::new();
    if let Some(output) = &report.output {
        answer.insert("output".to_owned(), json!(output.to_string()));
    }
    if let Some(error) = &report.error {
        answer.extend(error.error.as_ref().map(|error| ("error".to_owned(), json!(error))));
        answer.extend(error.cause.as_ref().map(|cause| ("cause".to_owned(), json!(cause))));
    }
    if wish.inspects {
        answer.insert("inspectionData".to_owned(), inspection(report, wish, payload_bytes));
    }
    answer.extend(report.next.as_ref().map(|next| ("nextState".to_owned(), json!(next))));
    answer.insert("status".to_owned(), json!(report.status.as_str()));
    Value::Object(answer)
}

/// The same with what an HTTP task has sent and got.
pub(super) fn with_exchange(mut answer: Value, exchange: Exchange) -> Value {
    if let Some(Value::Object(data)) = answer.get_mut("inspectionData") {
        data.extend(exchange.request.map(|request| ("request".to_owned(), request)));
        data.extend(exchange.response.map(|response| ("response".to_owned(), response)));
    }
    answer
}

fn inspection(report: &Report, wish: &Wish, payload_bytes: usize) -> Value {
    let inspected = &report.inspected;
    let mut data = Map::new();
    data.insert("input".to_owned(), json!(wish.input));
    for (name, value) in &inspected.stages {
        if NUMBERS.contains(name) {
            data.insert((*name).to_owned(), value.clone());
            continue;
        }
        let text = value.to_string();
        if text.len() <= payload_bytes {
            data.insert((*name).to_owned(), json!(text));
        }
    }
    if !inspected.variables.is_empty() {
        data.insert("variables".to_owned(), json!(json!(inspected.variables).to_string()));
    }
    let details = &inspected.error_details;
    let members = [
        ("catchIndex", details.catch_index.map(|index| json!(index))),
        ("retryIndex", details.retry_index.map(|index| json!(index))),
        ("retryBackoffIntervalSeconds", details.retry_backoff_seconds.map(|seconds| json!(seconds))),
    ];
    let members: Map<String, Value> =
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    if !members.is_empty() {
        data.insert("errorDetails".to_owned(), Value::Object(members));
    }
    Value::Object(data)
}
