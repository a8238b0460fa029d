//! ListExecutions (API reference, section 2.3): executions of a machine, newest first.

use serde_json::{Value, json};
use stepwell_asl::Status;
use stepwell_store::{ExecutionId, ExecutionSummary};

use super::arn::MachineArn;
use super::error::ApiError;
use super::page_token::{self, PageRequest};
use super::{Answer, Call, machine};
use crate::limits;
use crate::server::Server;

/// In the order of AWS's messages.
const STATUSES: [&str; 6] = ["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"];
const REDRIVE_FILTERS: [&str; 2] = ["REDRIVEN", "NOT_REDRIVEN"];

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.text("stateMachineArn", 1, limits::ARN_CHARACTERS);
    let map_run = fields.text("mapRunArn", 1, limits::LONG_ARN_CHARACTERS);
    let filter = fields.choice("statusFilter", &STATUSES);
    let redrive_filter = fields.choice("redriveFilter", &REDRIVE_FILTERS);
    let page = PageRequest::read(fields, limits::LIST_EXECUTIONS_TOKEN_CHARACTERS);
    fields.check()?;
    let arn = match (arn, map_run) {
        (Some(arn), None) => arn,
        // This release runs no Distributed Map, so no map run exists.
        (None, Some(map_run)) => return Err(ApiError::ResourceNotFound(map_run)),
        (Some(_), Some(_)) | (None, None) => {
            return Err(ApiError::validation(
                "Exactly one of stateMachineArn and mapRunArn must be specified",
            ));
        }
    };
    let arn = MachineArn::parse(&arn)?;
    if redrive_filter.is_some() || filter == Some("PENDING_REDRIVE") {
        return Err(ApiError::validation(
            "redriveFilter and the statusFilter PENDING_REDRIVE can only be used with mapRunArn",
        ));
    }
    let (record, _) = machine::require(server, &arn).await?;
    if machine::is_express(&record) {
        return Err(ApiError::other_machine_type());
    }
    let now = server.clock.now();
    let scope = ["ListExecutions", record.arn.as_str(), filter.unwrap_or_default()];
    let mut before = page.position(&scope, now)?.map(execution_id).transpose()?;
    let status = filter.and_then(Status::from_name);
    let mut found = Vec::new();
    // The store may give less than asked for, so only an empty answer is the end.
    while found.len() < page.items {
        let more = server.store.executions(record.id, status, before, page.items - found.len()).await?;
        let Some((last, _)) = more.last() else { break };
        before = Some(*last);
        found.extend(more);
    }
    let more =
        found.len() == page.items && !server.store.executions(record.id, status, before, 1).await?.is_empty();
    let items: Vec<Value> = found.iter().map(|(_, summary)| item(&record.arn, summary)).collect();
    let mut answer = json!({"executions": items});
    if let (true, Some(before)) = (more, before) {
        answer["nextToken"] = json!(page_token::issue(&scope, &before.0, now));
    }
    Ok(answer)
}

fn item(machine_arn: &str, summary: &ExecutionSummary) -> Value {
    let mut item = json!({
        "executionArn": summary.execution_arn,
        "stateMachineArn": machine_arn,
        "name": summary.name(),
        "status": summary.status.as_str(),
        "startDate": summary.started_at.as_seconds(),
    });
    if let Some(stopped_at) = summary.stopped_at {
        item["stopDate"] = json!(stopped_at.as_seconds());
    }
    item["redriveCount"] = json!(0);
    item
}

fn execution_id(position: Vec<u8>) -> Result<ExecutionId, ApiError> {
    position.try_into().map(ExecutionId).map_err(|_| ApiError::InvalidToken)
}
