//! StartSyncExecution (API reference, section 2.3): runs an Express execution and answers with what came of it, also when
//! that is a failure.

use std::sync::Arc;

use serde::Serialize;
use stepwell_executor::{ExpressEnd, StartError};

use super::error::ApiError;
use super::start_execution::{self, Wish};
use super::{Call, INCLUDED_DATA, Written};
use crate::limits;
use crate::server::Server;

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended<'a> {
    execution_arn: &'a str,
    state_machine_arn: &'a str,
    name: &'a str,
    start_date: f64,
    stop_date: f64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    input_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    output_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<&'a str>,
    billing_details: Billing,
}

/// Whether a payload is in the answer.
#[derive(Clone, Copy, Serialize)]
struct Details {
    included: bool,
}

/// What would be paid for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Billing {
    #[serde(rename = "billedMemoryUsedInMB")]
    billed_memory_used: u64,
    billed_duration_in_milliseconds: u64,
}

pub(super) async fn handle(server: &Server, mut call: Call) -> Result<Written, ApiError> {
    let included = call.fields.choice("includedData", &INCLUDED_DATA) != Some("METADATA_ONLY");
    let wish = Wish::read(server, &mut call).await?;
    if !wish.is_express() {
        return Err(ApiError::other_machine_type());
    }
    let request = wish.request(server)?;
    let (machine, name) = (Arc::clone(&request.machine), request.name.clone());
    let (input, trace_header) = (included.then(|| request.input.clone()), request.trace_header.clone());
    let end = server.executor.run_express(request, time_is_up(server)).await.map_err(refusal)?;
    let output = end.output.as_deref().filter(|_| included);
    let answer = Ended {
        execution_arn: &end.execution_arn,
        state_machine_arn: &machine.arn,
        name: &name,
        start_date: end.started_at.as_seconds(),
        stop_date: end.stopped_at.as_seconds(),
        status: end.status.as_str(),
        error: end.error.as_deref(),
        cause: end.cause.as_deref(),
        input: input.as_deref(),
        input_details: Details { included },
        output,
        output_details: Details { included },
        trace_header: trace_header.as_deref(),
        billing_details: billing(&end),
    };
    Written::of(&answer, output.map_or(0, str::len))
}

/// Begun steps are paid for, at least one of each.
fn billing(end: &ExpressEnd) -> Billing {
    let (step_bytes, step_milliseconds) = limits::BILLED_STEPS;
    let milliseconds = u64::try_from(end.stopped_at.0.saturating_sub(end.started_at.0)).unwrap_or_default();
    let steps = |amount: u64, step: u64| amount.div_ceil(step).max(1);
    Billing {
        billed_memory_used: steps(end.held_bytes as u64, step_bytes) * (step_bytes >> 20),
        billed_duration_in_milliseconds: steps(milliseconds, step_milliseconds) * step_milliseconds,
    }
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
            assert_eq!(billing.billed_duration_in_milliseconds, billed_milliseconds);
            assert_eq!(billing.billed_memory_used, billed_mebibytes);
        }
    }
}
