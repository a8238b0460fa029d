//! StartExecution (API reference, section 2.3; idempotency, section 1.12).

use serde_json::{Value, json};
use stepwell_executor::{StartError, StartRequest, Started};
use uuid::Uuid;

use super::arn::{MachineArn, check_key, execution_arn, express_arn};
use super::constraints::check_name;
use super::error::ApiError;
use super::start_target::StartTarget;
use super::unnamed_start::UnnamedStart;
use super::{Answer, Call, json_text, machine};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let request = read(server, &mut call).await?;
    let started = if machine::is_express(&request.machine) {
        server.executor.start_express(request).await
    } else if let Some(repeatable) = repeatable(&call, &request) {
        return start_once(server, request, &repeatable).await.map(|started| answer(&started));
    } else {
        server.executor.start(request).await
    };
    started.map(|started| answer(&started)).map_err(refusal)
}

fn answer(started: &Started) -> Value {
    json!({"executionArn": started.execution_arn, "startDate": started.started_at.as_seconds()})
}

/// What an SDK may ask for again without knowing that it was done: a start without a name.
fn repeatable(call: &Call, request: &StartRequest) -> Option<UnnamedStart> {
    let machine = call.fields.value("stateMachineArn")?.as_str()?;
    let id = call.invocation_id.as_deref().filter(|_| request.fresh_name)?;
    Some(UnnamedStart::of(id, machine, &request.input))
}

/// Starts an execution unless an earlier try of the same call has.
async fn start_once(
    server: &Server,
    mut request: StartRequest,
    call: &UnnamedStart,
) -> Result<Started, ApiError> {
    let machine = request.machine.arn.clone();
    if let Some(started) = call.started(server, &machine).await? {
        return Ok(started);
    }
    request.name = call.name(server.clock.now());
    request.execution_arn = execution_arn(&machine, &request.name);
    request.fresh_name = false;
    match server.executor.start(request).await.map_err(refusal) {
        // Another try came in between, and its execution has ended already.
        Err(ApiError::ExecutionAlreadyExists(arn)) => {
            let started = call.started(server, &machine).await?;
            started.ok_or(ApiError::ExecutionAlreadyExists(arn))
        }
        outcome => outcome,
    }
}

/// What is to be started. Reads no more members than both ways to start an execution have.
pub(super) async fn read(server: &Server, call: &mut Call) -> Result<StartRequest, ApiError> {
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
    let fresh_name = name.is_none();
    // Version 7 looks the same, and names that follow each other are stored next to each other.
    let name = name.unwrap_or_else(|| Uuid::now_v7().to_string());
    check_name(&name)?;
    let input = input.unwrap_or_else(|| "{}".to_owned());
    let input_value = parse_input(&input)?;
    let StartTarget { machine, version, alias } = StartTarget::of(server, &arn).await?;
    let execution_arn = if machine::is_express(&machine) {
        express_arn(&machine.arn, &name)
    } else {
        execution_arn(&machine.arn, &name)
    };
    check_key(&execution_arn)?;
    Ok(StartRequest {
        machine,
        name,
        fresh_name,
        execution_arn,
        region: server.identity.region.clone(),
        input,
        input_value,
        // The header of the request wins over the member of the body.
        trace_header: call.trace_header.take().or(trace_header),
        version,
        alias,
    })
}

fn parse_input(input: &str) -> Result<Value, ApiError> {
    if input.is_empty() {
        return Err(ApiError::InvalidExecutionInput("Invalid execution input.".to_owned()));
    }
    json_text::parse(input).map_err(ApiError::InvalidExecutionInput)
}

pub(super) fn refusal(error: StartError) -> ApiError {
    match error {
        StartError::AlreadyExists { arn } => ApiError::ExecutionAlreadyExists(arn),
        StartError::Definition { .. } | StartError::Broken => ApiError::internal(&error),
        StartError::Full => ApiError::ExecutionLimitExceeded(
            "Too many Express executions run at the same time, or hold too much data; try again",
        ),
        StartError::Busy => ApiError::Throttling,
        StartError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()),
        StartError::Store(error) => error.into(),
    }
}
