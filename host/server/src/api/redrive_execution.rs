//! RedriveExecution (API reference, sections 2.3 and 4): an execution that ended without success goes on.
//!
//! What depends on clocks and machines is judged here, once for this operation and for what DescribeExecution says of it;
//! whether the execution has ended is decided where that can change.

use serde_json::json;
use stepwell_asl::{Status, Timestamp};
use stepwell_executor::RedriveError;
use stepwell_store::Standing;

use super::error::ApiError;
use super::{Answer, Call, execution};
use crate::limits;
use crate::server::Server;

/// The pattern of `clientToken`.
const PATTERN: &str = "[!-~]+";

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("executionArn", 1, limits::ARN_CHARACTERS);
    let token = fields.text("clientToken", 1, limits::CLIENT_TOKEN_CHARACTERS);
    if let Some(token) = token.as_ref().filter(|token| !token.chars().all(|one| one.is_ascii_graphic())) {
        fields.pattern("clientToken", token, PATTERN);
    }
    fields.check()?;
    let id = execution::find(server, &arn).await?;
    let standing = execution::read(server, id, &arn).await?;
    // One that runs may do so because of this very request: the executor knows its token.
    if !standing.is_running()
        && let Some(reason) = obstacle(server, &standing).await?
    {
        return Err(ApiError::ExecutionNotRedrivable(reason));
    }
    let redriven_at = server.executor.redrive(&arn, token).await.map_err(refusal)?;
    Ok(json!({"redriveDate": redriven_at.as_seconds()}))
}

/// Why an execution cannot be redriven, in the API's words; none where it can.
pub(super) async fn obstacle(server: &Server, execution: &Standing) -> Result<Option<String>, ApiError> {
    // Only whether one that has failed could be redriven depends on its machine.
    let failed = !matches!(execution.status, Status::Running | Status::Succeeded);
    let machine_stays = !failed || {
        let machine = server.executor.machine(&execution.context.state_machine_arn).await?;
        machine.is_some_and(|machine| machine.id == execution.start.machine && !machine.deleting)
    };
    Ok(judge(execution, machine_stays, server.clock.now()))
}

fn judge(execution: &Standing, machine_stays: bool, now: Timestamp) -> Option<String> {
    let status = execution.status;
    let started = execution.context.start_time;
    let since = |time: Timestamp| now.0.saturating_sub(time.0);
    let reason = if matches!(status, Status::Running | Status::Succeeded) {
        return Some(RedriveError::NotRedrivable { status }.to_string());
    } else if !machine_stays {
        return Some(RedriveError::MachineDeleting.to_string());
    } else if started < limits::REDRIVE_LAUNCH {
        "Execution was started before the launch of RedriveExecution"
    } else if execution.last_event_id.saturating_add(2) > execution.context.quotas.history_events {
        return Some(RedriveError::HistoryFull.to_string());
    } else if since(started) > limits::EXECUTION_MILLISECONDS {
        "Execution has exceeded the max execution time"
    } else if since(execution.stopped_at.unwrap_or(now)) > limits::REDRIVE_MILLISECONDS {
        "Execution redrivable period exceeded"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

fn refusal(error: RedriveError) -> ApiError {
    match error {
        RedriveError::DoesNotExist { arn } => ApiError::ExecutionDoesNotExist(arn),
        RedriveError::NotRedrivable { .. }
        | RedriveError::MachineDeleting
        | RedriveError::HistoryFull
        | RedriveError::Diverged => ApiError::ExecutionNotRedrivable(error.to_string()),
        RedriveError::TooManyOpen { most } => ApiError::too_many_open(most),
        RedriveError::Busy => ApiError::Throttling,
        RedriveError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()),
        RedriveError::Store(error) => error.into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use stepwell_asl::{ExecutionContext, Quotas};
    use stepwell_store::{MachineId, StartRecord};

    /// The start of all executions here.
    const START: Timestamp = Timestamp(1_800_000_000_000);

    pub(in super::super) fn execution(status: Status, took_milliseconds: i64) -> Standing {
        let start = StartRecord {
            machine: MachineId([0; 16]),
            revision: 1,
            revision_id: None,
            revised_at: START,
            input: "{ \"a\":1 }".into(),
            trace_header: None,
            observation: None,
        };
        let context = ExecutionContext {
            execution_arn: "e".into(),
            execution_name: "e".into(),
            role_arn: "r".into(),
            state_machine_arn: "m".into(),
            state_machine_name: "m".into(),
            region: "us-east-1".into(),
            start_time: START,
            seed: 0,
            quotas: Quotas::default(),
            version: None,
            alias: None,
            test_case: None,
            token_key: stepwell_asl::TokenKey::default(),
            starter: None,
        };
        Standing {
            start,
            context,
            status,
            output: None,
            error: None,
            cause: None,
            stopped_at: Some(Timestamp(START.0 + took_milliseconds)),
            last_event_id: 0,
            redrive: None,
        }
    }

    #[test]
    fn only_unsuccessful_executions_can_be_redriven() {
        let judged = |status| judge(&execution(status, 0), true, START);
        for status in [Status::Running, Status::Succeeded] {
            let reason = format!("Execution is {} and cannot be redriven", status.as_str());
            assert_eq!(judged(status), Some(reason));
        }
        for status in [Status::Failed, Status::TimedOut, Status::Aborted] {
            assert_eq!(judged(status), None);
        }
    }

    #[test]
    fn a_redrive_is_possible_for_14_days_of_one_year_while_the_machine_and_room_are_there() {
        let mut failed = execution(Status::Failed, 1_000);
        let after = |milliseconds: i64| Timestamp(START.0 + 1_000 + milliseconds);
        let judged = |execution: &Standing, machine, now| judge(execution, machine, now).unwrap_or_default();
        let window = limits::REDRIVE_MILLISECONDS;
        assert_eq!(judged(&failed, true, after(window)), "");
        assert_eq!(judged(&failed, true, after(window + 1)), "Execution redrivable period exceeded");
        assert_eq!(judged(&failed, false, after(0)), "State machine is in DELETING status");
        failed.last_event_id = 24_998;
        assert_eq!(judged(&failed, true, after(0)), "");
        failed.last_event_id = 24_999;
        assert_eq!(judged(&failed, true, after(0)), "Execution history event limit exceeded");
        let year = limits::EXECUTION_MILLISECONDS;
        let long = execution(Status::Failed, year);
        assert_eq!(judged(&long, true, Timestamp(START.0 + year)), "");
        let reason = "Execution has exceeded the max execution time";
        assert_eq!(judged(&long, true, Timestamp(START.0 + year + 1)), reason);
        failed.context.start_time = Timestamp(limits::REDRIVE_LAUNCH.0 - 1);
        let reason = "Execution was started before the launch of RedriveExecution";
        assert_eq!(judged(&failed, true, after(0)), reason);
    }
}
