//! DeleteStateMachine (API reference, section 2.1): deleting what is not there succeeds; running executions of the
//! machine are aborted.

use serde_json::json;
use stepwell_asl::Status;
use stepwell_executor::StopError;
use stepwell_store::MachineRecord;
use tokio::task::JoinSet;

use super::arn::MachineArn;
use super::error::ApiError;
use super::{Answer, Call, machine, stop_execution};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("stateMachineArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    if arn.qualified {
        let message =
            format!("A version or an alias cannot be deleted by DeleteStateMachine: '{}'", arn.text);
        return Err(ApiError::validation(message));
    }
    if let Some((record, _)) = machine::find(server, &arn.text).await? {
        abort_running(server, &record).await?;
        server.store.delete_machine(&record.arn).await?;
        // Whatever was started between the two: from now on nothing can be.
        abort_running(server, &record).await?;
    }
    Ok(json!({}))
}

/// Stops every running execution of a machine. The loop ends because a stopped execution leaves the index.
async fn abort_running(server: &Server, record: &MachineRecord) -> Result<(), ApiError> {
    let mut before = None;
    loop {
        let running =
            server.store.executions(record.id, Some(Status::Running), before, limits::STOPS_AT_ONCE).await?;
        let Some((last, _)) = running.last() else { return Ok(()) };
        before = Some(*last);
        let mut stops = JoinSet::new();
        for (_, summary) in running {
            let executor = server.executor.clone();
            stops.spawn(async move { executor.stop(&summary.execution_arn, None, None).await });
        }
        for stopped in stops.join_all().await {
            match stopped {
                // It has ended by itself, or its machine's removal was asked for twice.
                Ok(_) | Err(StopError::DoesNotExist { .. }) => {}
                Err(error) => return Err(stop_execution::refusal(error)),
            }
        }
    }
}
