//! StartSyncExecution (API reference, section 2.3): runs an Express execution and answers with what came of it, also when
//! that is a failure.

use serde_json::{Value, json};
use stepwell_executor::{ExpressEnd, StartError};

use super::error::ApiError;
use super::start_execution::{self, Wish};
use super::{Answer, Call, INCLUDED_DATA};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let included = call.fields.choice("includedData", &INCLUDED_DATA) != Some("METADATA_ONLY");
    let wish = Wish::read(server, &mut call).await?;
    if !wish.is_express() {
        return Err(ApiError::other_machine_type());
    }
    let request = wish.request(server)?;
    let facts = json!({
        "stateMachineArn": request.machine.arn,
        "name": request.name,
        "inputDetails": {"included": included},
        "outputDetails": {"included": included},
    });
    let input = included.then(|| request.input.clone());
    let trace_header = request.trace_header.clone();
    let end = server.executor.run_express(request, time_is_up(server)).await.map_err(refusal)?;
    let mut answer = facts;
    for (member, text) in [("input", input), ("traceHeader", trace_header)] {
        if let Some(text) = text {
            answer[member] = Value::String(text);
        }
    }
    add(&mut answer, end, included);
    Ok(answer)
}

/// Adds what came of the execution.
fn add(answer: &mut Value, end: ExpressEnd, included: bool) {
    answer["billingDetails"] = billing(&end);
    answer["status"] = json!(end.status.as_str());
    answer["startDate"] = json!(end.started_at.as_seconds());
    answer["stopDate"] = json!(end.stopped_at.as_seconds());
    answer["executionArn"] = Value::String(end.execution_arn);
    let output = end.output.filter(|_| included);
    for (member, text) in [("output", output), ("error", end.error), ("cause", end.cause)] {
        if let Some(text) = text {
            answer[member] = Value::String(text);
        }
    }
}

/// What would be paid for: begun steps, at least one of each.
fn billing(end: &ExpressEnd) -> Value {
    let (step_bytes, step_milliseconds) = limits::BILLED_STEPS;
    let milliseconds = u64::try_from(end.stopped_at.0.saturating_sub(end.started_at.0)).unwrap_or_default();
    let steps = |amount: u64, step: u64| amount.div_ceil(step).max(1);
    json!({
        "billedMemoryUsedInMB": steps(end.held_bytes as u64, step_bytes) * (step_bytes >> 20),
        "billedDurationInMilliseconds": steps(milliseconds, step_milliseconds) * step_milliseconds,
    })
}

/// The server stops, and has waited as long as it may.
async fn time_is_up(server: &Server) {
    server.stopping().await;
    tokio::time::sleep(limits::SYNC_GRACE).await;
}

/// This operation has no error of its own for too many executions.
fn refusal(error: StartError) -> ApiError {
    if error == StartError::Full { ApiError::Throttling } else { start_execution::refusal(error) }
}

#[cfg(test)]
mod tests {
    use stepwell_asl::{Status, Timestamp};

    use super::*;

    fn end(milliseconds: i64, held_bytes: usize) -> ExpressEnd {
        ExpressEnd {
            execution_arn: "arn".to_owned(),
            started_at: Timestamp(1_000),
            stopped_at: Timestamp(1_000 + milliseconds),
            status: Status::Succeeded,
            output: Some("{}".to_owned()),
            error: None,
            cause: None,
            held_bytes,
        }
    }

    #[test]
    fn begun_steps_are_billed() {
        for (milliseconds, bytes, billed_milliseconds, billed_mebibytes) in
            [(0, 0, 100, 64), (100, 64 << 20, 100, 64), (101, (64 << 20) + 1, 200, 128)]
        {
            let billing = billing(&end(milliseconds, bytes));
            assert_eq!(billing["billedDurationInMilliseconds"], billed_milliseconds);
            assert_eq!(billing["billedMemoryUsedInMB"], billed_mebibytes);
        }
    }

    #[test]
    fn metadata_have_no_output() {
        for included in [true, false] {
            let mut answer = json!({});
            add(&mut answer, end(1, 1), included);
            assert_eq!(answer.get("output").is_some(), included);
            assert_eq!((answer.get("error"), &answer["status"]), (None, &json!("SUCCEEDED")));
        }
    }
}
