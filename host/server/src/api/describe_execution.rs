//! DescribeExecution (API reference, section 2.3; redrive fields, section 4).

use serde_json::{Value, json};
use stepwell_asl::{Status, Timestamp};
use stepwell_store::Standing;

use super::{Answer, Call, INCLUDED_DATA, execution};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("executionArn", 1, limits::ARN_CHARACTERS);
    let included = call.fields.choice("includedData", &INCLUDED_DATA) != Some("METADATA_ONLY");
    call.fields.check()?;
    answer(server, &arn, included).await
}

/// What DescribeExecution answers with all data.
pub(crate) async fn describe_whole(server: &Server, arn: &str) -> Answer {
    answer(server, arn, true).await
}

async fn answer(server: &Server, arn: &str, included: bool) -> Answer {
    let id = execution::find(server, arn).await?;
    let execution = execution::read(server, id, arn).await?;
    // Only whether one that has failed could be redriven depends on its machine.
    let failed = !matches!(execution.status, Status::Running | Status::Succeeded);
    let machine_exists = !failed || {
        let machine = server.executor.machine(&execution.context.state_machine_arn).await?;
        machine.is_some_and(|machine| !machine.deleting)
    };
    let redrive = redrive_obstacle(&execution, machine_exists, server.clock.now());
    Ok(describe(&execution, included, redrive))
}

fn describe(execution: &Standing, included: bool, redrive: Option<String>) -> Value {
    let mut answer = json!({
        "executionArn": execution.context.execution_arn,
        "stateMachineArn": execution.context.state_machine_arn,
        "name": execution.context.execution_name,
        "status": execution.status.as_str(),
        "startDate": execution.context.start_time.as_seconds(),
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            answer[name] = value;
        }
    };
    let details = json!({"included": included});
    let output = execution.output.as_ref();
    set("stateMachineVersionArn", execution.context.version_arn().map(|arn| json!(arn)));
    set("stateMachineAliasArn", execution.context.alias_arn().map(|arn| json!(arn)));
    set("stopDate", execution.stopped_at.map(|time| json!(time.as_seconds())));
    set("input", included.then(|| json!(execution.start.input)));
    set("inputDetails", Some(details.clone()));
    set("output", output.filter(|_| included).map(|output| json!(output)));
    set("outputDetails", output.map(|_| details));
    set("traceHeader", execution.start.trace_header.as_ref().map(|header| json!(header)));
    set("error", execution.error.as_ref().map(|error| json!(error)));
    set("cause", execution.cause.as_ref().map(|cause| json!(cause)));
    set("redriveCount", Some(json!(0)));
    let status = if redrive.is_some() { "NOT_REDRIVABLE" } else { "REDRIVABLE" };
    set("redriveStatus", Some(json!(status)));
    set("redriveStatusReason", redrive.map(|reason| json!(reason)));
    answer
}

/// Why an execution could not be redriven, in the API's words.
fn redrive_obstacle(execution: &Standing, machine_exists: bool, now: Timestamp) -> Option<String> {
    let status = execution.status;
    if matches!(status, Status::Running | Status::Succeeded) {
        return Some(format!("Execution is {} and cannot be redriven", status.as_str()));
    }
    let ended = execution.stopped_at.unwrap_or(now);
    if !machine_exists {
        Some("State machine is in DELETING status".to_owned())
    } else if execution.last_event_id >= execution.context.quotas.history_events - 1 {
        Some("Execution history event limit exceeded".to_owned())
    } else if now.0.saturating_sub(ended.0) > limits::REDRIVE_MILLISECONDS {
        Some("Execution redrivable period exceeded".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::ExecutionContext;
    use stepwell_store::StartRecord;

    fn execution(status: Status, stopped: i64) -> Standing {
        let start = StartRecord {
            machine: stepwell_store::MachineId([0; 16]),
            revision: 1,
            revision_id: None,
            revised_at: Timestamp(0),
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
            start_time: Timestamp(0),
            seed: 0,
            quotas: stepwell_asl::Quotas::default(),
            version: None,
            alias: None,
            token_key: stepwell_asl::TokenKey::default(),
        };
        Standing {
            start,
            context,
            status,
            output: None,
            error: None,
            cause: None,
            stopped_at: Some(Timestamp(stopped)),
            last_event_id: 0,
            redrive: None,
        }
    }

    #[test]
    fn only_unsuccessful_executions_can_be_redriven() {
        let obstacle = |status| redrive_obstacle(&execution(status, 0), true, Timestamp(0));
        for status in [Status::Running, Status::Succeeded] {
            let reason = format!("Execution is {} and cannot be redriven", status.as_str());
            assert_eq!(obstacle(status), Some(reason));
        }
        for status in [Status::Failed, Status::TimedOut, Status::Aborted] {
            assert_eq!(obstacle(status), None);
        }
    }

    #[test]
    fn redrive_ends_after_14_days_or_with_the_machine_or_a_full_history() {
        let mut failed = execution(Status::Failed, 1_000);
        let late = Timestamp(1_001 + limits::REDRIVE_MILLISECONDS);
        let reason = |execution: &Standing, machine, now| redrive_obstacle(execution, machine, now).unwrap();
        assert_eq!(reason(&failed, true, late), "Execution redrivable period exceeded");
        assert_eq!(reason(&failed, false, Timestamp(1_000)), "State machine is in DELETING status");
        failed.last_event_id = 24_999;
        assert_eq!(reason(&failed, true, Timestamp(1_000)), "Execution history event limit exceeded");
    }

    #[test]
    fn metadata_only_leaves_the_data_out() {
        let mut succeeded = execution(Status::Succeeded, 5);
        succeeded.output = Some("{\"b\":2}".to_owned());
        let whole = describe(&succeeded, true, None);
        assert_eq!((&whole["input"], &whole["output"]), (&json!("{ \"a\":1 }"), &json!("{\"b\":2}")));
        assert_eq!(whole["outputDetails"], json!({"included": true}));
        let bare = describe(&succeeded, false, None);
        assert_eq!((bare.get("input"), bare.get("output")), (None, None));
        assert_eq!(bare["inputDetails"], json!({"included": false}));
    }
}
