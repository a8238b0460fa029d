//! ListExecutions (API reference, section 2.3): executions of a machine, or of a version or an alias of it,
//! newest first.

use serde_json::{Value, json};
use stepwell_asl::Status;
use stepwell_store::{ExecutionId, ExecutionSummary, MachineId, MachineRecord};

use super::arn::{MachineArn, Qualifier, qualified_arn};
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
    let (record, _) = find(server, &arn).await?;
    if machine::is_express(&record) {
        return Err(ApiError::other_machine_type());
    }
    let scope = ["ListExecutions", arn.text.as_str(), filter.unwrap_or_default()];
    let before = page.position(server, &scope).await?.map(execution_id).transpose()?;
    let search = Search { machine: record.id, status: filter.and_then(Status::from_name), arn: &arn };
    let (found, next) = search.page(server, before, page.items).await?;
    let items: Vec<Value> = found.iter().map(|summary| item(&record.arn, summary)).collect();
    let mut answer = json!({"executions": items});
    if let Some(next) = next {
        answer["nextToken"] = json!(page_token::issue(server, &scope, &next.0).await);
    }
    Ok(answer)
}

/// The machine that an ARN names, itself or by a version or an alias that exists. Errors: `StateMachineDoesNotExist`.
async fn find(server: &Server, arn: &MachineArn) -> Result<(MachineRecord, u64), ApiError> {
    let missing = || ApiError::StateMachineDoesNotExist(arn.text.clone());
    let (record, read) = machine::find(server, &arn.machine).await?.ok_or_else(missing)?;
    let exists = match &arn.qualifier {
        None => true,
        Some(Qualifier::Version(number)) => server.store.machine_version(record.id, *number).await?.is_some(),
        Some(Qualifier::Alias(alias)) => server.store.machine_alias(record.id, alias).await?.is_some(),
    };
    if exists { Ok((record, read)) } else { Err(missing()) }
}

/// Which executions are looked for.
struct Search<'a> {
    machine: MachineId,
    status: Option<Status>,
    arn: &'a MachineArn,
}

impl Search<'_> {
    /// Up to `items` executions older than `before`, and where the next page goes on. A search for those of a version or
    /// an alias looks at a bounded number of the machine's: its pages may hold fewer than asked for, or none.
    async fn page(
        &self,
        server: &Server,
        mut before: Option<ExecutionId>,
        items: usize,
    ) -> Result<(Vec<ExecutionSummary>, Option<ExecutionId>), ApiError> {
        let mut found = Vec::new();
        let mut examined = 0;
        let most = if self.arn.qualifier.is_some() { limits::EXECUTIONS_EXAMINED } else { usize::MAX };
        // The store may give less than asked for, so only an empty answer is the end.
        while found.len() < items && examined < most {
            let more = self.read(server, before, items - found.len()).await?;
            let Some((last, _)) = more.last() else { return Ok((found, None)) };
            before = Some(*last);
            examined += more.len();
            found.extend(more.into_iter().map(|(_, summary)| summary).filter(|summary| self.wants(summary)));
        }
        let is_more = !self.read(server, before, 1).await?.is_empty();
        Ok((found, before.filter(|_| is_more)))
    }

    async fn read(
        &self,
        server: &Server,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, ExecutionSummary)>, ApiError> {
        Ok(server.store.executions(self.machine, self.status, before, limit).await?)
    }

    fn wants(&self, summary: &ExecutionSummary) -> bool {
        match &self.arn.qualifier {
            None => true,
            Some(Qualifier::Version(number)) => summary.version == Some(*number),
            Some(Qualifier::Alias(alias)) => summary.alias.as_ref() == Some(alias),
        }
    }
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
    if let Some(version) = summary.version {
        item["stateMachineVersionArn"] = json!(qualified_arn(machine_arn, version));
    }
    if let Some(alias) = &summary.alias {
        item["stateMachineAliasArn"] = json!(qualified_arn(machine_arn, alias));
    }
    item["redriveCount"] = json!(summary.redrive.map_or(0, |redrive| redrive.count));
    if let Some(redrive) = summary.redrive {
        item["redriveDate"] = json!(redrive.at.as_seconds());
    }
    item
}

fn execution_id(position: Vec<u8>) -> Result<ExecutionId, ApiError> {
    position.try_into().map(ExecutionId).map_err(|_| ApiError::InvalidToken)
}
