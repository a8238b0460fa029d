//! DescribeExecution (API reference, section 2.3; redrive fields, section 4).

use serde_json::{Value, json};
use stepwell_store::Standing;

use super::{Answer, Call, INCLUDED_DATA, execution, redrive_execution};
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
    let obstacle = redrive_execution::obstacle(server, &execution).await?;
    Ok(describe(&execution, included, obstacle))
}

fn describe(execution: &Standing, included: bool, obstacle: Option<String>) -> Value {
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
    set("redriveCount", Some(json!(execution.redrive.map_or(0, |redrive| redrive.count))));
    set("redriveDate", execution.redrive.map(|redrive| json!(redrive.at.as_seconds())));
    let status = if obstacle.is_some() { "NOT_REDRIVABLE" } else { "REDRIVABLE" };
    set("redriveStatus", Some(json!(status)));
    set("redriveStatusReason", obstacle.map(|reason| json!(reason)));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::redrive_execution::tests::execution;
    use stepwell_asl::Status;

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
