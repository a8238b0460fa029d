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
    let wish = Wish::read(server, &mut call).await?;
    let started = match (wish.repeatable(&call), wish.is_express()) {
        (_, true) => {
            let request = wish.request(server)?;
            server.executor.start_express(request).await.map_err(refusal)?
        }
        (Some(repeatable), false) => wish.start_once(server, &repeatable).await?,
        (None, false) => wish.start(server).await?,
    };
    Ok(json!({"executionArn": started.execution_arn, "startDate": started.started_at.as_seconds()}))
}

/// What is to be started.
pub(super) struct Wish {
    /// The ARN as it was given.
    arn: String,
    target: StartTarget,
    name: Option<String>,
    input: String,
    input_value: Value,
    trace_header: Option<String>,
}

impl Wish {
    /// Reads no more members than both ways to start an execution have.
    pub(super) async fn read(server: &Server, call: &mut Call) -> Result<Wish, ApiError> {
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
        let trace_header = call.trace_header.take().or(trace_header);
        Ok(Wish { arn: arn.text, target, name, input, input_value, trace_header })
    }

    /// Whether its machine is of type EXPRESS.
    pub(super) fn is_express(&self) -> bool {
        machine::is_express(&self.target.machine)
    }

    /// The call as one that may come again; none that names its execution does.
    fn repeatable(&self, call: &Call) -> Option<UnnamedStart> {
        let id = call.invocation_id.as_deref().filter(|_| self.name.is_none())?;
        Some(UnnamedStart::of(id, &self.arn, &self.input))
    }

    /// The same for the executor.
    pub(super) fn request(self, server: &Server) -> Result<StartRequest, ApiError> {
        let fresh_name = self.name.is_none();
        let is_express = self.is_express();
        // Version 7 looks the same, and names that follow each other are stored next to each other.
        let name = self.name.unwrap_or_else(|| Uuid::now_v7().to_string());
        let machine = self.target.machine;
        let arn = if is_express { express_arn } else { execution_arn };
        let execution_arn = arn(&machine.arn, &name);
        check_key(&execution_arn)?;
        Ok(StartRequest {
            machine,
            name,
            fresh_name,
            execution_arn,
            region: server.identity.region.clone(),
            input: self.input,
            input_value: self.input_value,
            trace_header: self.trace_header,
            version: self.target.version,
            alias: self.target.alias,
        })
    }

    async fn start(self, server: &Server) -> Result<Started, ApiError> {
        server.executor.start(self.request(server)?).await.map_err(refusal)
    }

    /// Starts it unless an earlier try of the same call has.
    async fn start_once(mut self, server: &Server, call: &UnnamedStart) -> Result<Started, ApiError> {
        let machine = self.target.machine.arn.clone();
        if let Some(started) = call.started(server, &machine).await? {
            return Ok(started);
        }
        self.name = Some(call.name(server.clock.now()));
        match self.start(server).await {
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
