//! StartExecution (API reference, section 2.3; idempotency, section 1.12).

use serde_json::{Value, json};
use stepwell_executor::{StartError, StartRequest, Started};
use uuid::Uuid;

use super::arn::{MachineArn, check_key, execution_arn};
use super::constraints::check_name;
use super::error::ApiError;
use super::start_target::StartTarget;
use super::unnamed_start::UnnamedStart;
use super::{Answer, Call, json_text};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("stateMachineArn", 1, limits::ARN_CHARACTERS);
    let name = fields.text("name", 1, limits::NAME_CHARACTERS);
    let input = fields.payload("input", server.executor.quotas().payload_bytes);
    let trace_header = fields.text("traceHeader", 0, limits::TRACE_HEADER_CHARACTERS);
    if let Some(header) = trace_header.as_deref().filter(|header| !header.is_ascii()) {
        fields.pattern("traceHeader", header, "\\p{ASCII}*");
    }
    fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    name.as_deref().map_or(Ok(()), check_name)?;
    let input = input.unwrap_or_else(|| "{}".to_owned());
    let input_value = parse_input(&input)?;
    let target = StartTarget::of(server, &arn).await?;
    // The header of the request wins over the member of the body.
    let trace_header = call.trace_header.or(trace_header);
    let repeatable = match (&name, &call.invocation_id) {
        (None, Some(id)) => Some(UnnamedStart::of(id, &arn.text, &input)),
        (Some(_), _) | (None, None) => None,
    };
    let wish = Wish { target, input, input_value, trace_header };
    let started = match repeatable {
        Some(repeatable) => wish.start_once(server, &repeatable).await?,
        None => wish.start(server, name).await?,
    };
    Ok(json!({"executionArn": started.execution_arn, "startDate": started.started_at.as_seconds()}))
}

/// What is to be started, but for its name.
struct Wish {
    target: StartTarget,
    input: String,
    input_value: Value,
    trace_header: Option<String>,
}

impl Wish {
    /// Starts it under this name, or under a new one.
    async fn start(self, server: &Server, name: Option<String>) -> Result<Started, ApiError> {
        let fresh_name = name.is_none();
        // Version 7 looks the same, and names that follow each other are stored next to each other.
        let name = name.unwrap_or_else(|| Uuid::now_v7().to_string());
        let execution_arn = execution_arn(&self.target.machine.arn, &name);
        check_key(&execution_arn)?;
        let request = StartRequest {
            machine: self.target.machine,
            name,
            fresh_name,
            execution_arn,
            region: server.identity.region.clone(),
            input: self.input,
            input_value: self.input_value,
            trace_header: self.trace_header,
            version: self.target.version,
            alias: self.target.alias,
        };
        server.executor.start(request).await.map_err(refusal)
    }

    /// Starts it unless an earlier try of the same call has.
    async fn start_once(self, server: &Server, call: &UnnamedStart) -> Result<Started, ApiError> {
        let machine = self.target.machine.arn.clone();
        if let Some(started) = call.started(server, &machine).await? {
            return Ok(started);
        }
        match self.start(server, Some(call.name(server.clock.now()))).await {
            // Another try came in between, and its execution has ended already.
            Err(ApiError::ExecutionAlreadyExists(arn)) => {
                let started = call.started(server, &machine).await?;
                started.ok_or(ApiError::ExecutionAlreadyExists(arn))
            }
            outcome => outcome,
        }
    }
}

fn parse_input(input: &str) -> Result<Value, ApiError> {
    if input.is_empty() {
        return Err(ApiError::InvalidExecutionInput("Invalid execution input.".to_owned()));
    }
    json_text::parse(input).map_err(ApiError::InvalidExecutionInput)
}

fn refusal(error: StartError) -> ApiError {
    match error {
        StartError::AlreadyExists { arn } => ApiError::ExecutionAlreadyExists(arn),
        StartError::Definition { .. } => ApiError::internal(&error),
        StartError::Busy => ApiError::Throttling,
        StartError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()),
        StartError::Store(error) => error.into(),
    }
}
