//! StartExecution (API reference, section 2.3; idempotency, section 1.12).

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stepwell_asl::{Starter, TestCase};
use stepwell_executor::{StartError, StartRequest, Started};
use uuid::{Builder, Uuid};

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
    if let Some(starter) = call.starter.take() {
        return Ok(told(&wish.start_for(server, starter).await?));
    }
    let started = match (wish.repeatable(&call), wish.is_express()) {
        (_, true) => {
            let request = wish.request(server)?;
            server.executor.start_express(request).await.map_err(refusal)?
        }
        (Some(repeatable), false) => wish.start_once(server, &repeatable).await?,
        (None, false) => wish.start(server).await?,
    };
    Ok(told(&started))
}

fn told(started: &Started) -> Value {
    json!({"executionArn": started.execution_arn, "startDate": started.started_at.as_seconds()})
}

/// The name of an execution that a task starts without naming it: a repetition of the attempt makes the same.
pub(crate) fn name_for(starter: &Starter) -> String {
    let digest: [u8; 32] = Sha256::digest(&starter.idempotency_key).into();
    Builder::from_random_bytes(std::array::from_fn(|index| digest[index])).into_uuid().to_string()
}

/// What is to be started.
pub(super) struct Wish {
    /// The ARN as it was given.
    arn: String,
    target: StartTarget,
    /// Name of the test case whose mocks are wanted.
    case: Option<String>,
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
        let (arn, case) = test_case(server, &arn);
        let arn = MachineArn::parse(arn)?.without_label()?;
        name.as_deref().map_or(Ok(()), check_name)?;
        let input = input.unwrap_or_else(|| "{}".to_owned());
        let input_value = parse_input(&input)?;
        let target = StartTarget::of(server, &arn).await?;
        let case = case.map(|case| known_case(server, &target.machine.name, case)).transpose()?;
        // The header of the request wins over the member of the body.
        let trace_header = call.trace_header.take().or(trace_header);
        Ok(Wish { arn: arn.text, target, case, name, input, input_value, trace_header })
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
        let test_case = self.case.map(|name| {
            Box::new(TestCase { machine: machine.name.clone(), name, run: execution_arn.clone() })
        });
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
            test_case,
            starter: None,
        })
    }

    async fn start(self, server: &Server) -> Result<Started, ApiError> {
        server.executor.start(self.request(server)?).await.map_err(refusal)
    }

    /// Starts it for a task, once for each attempt, also when what the attempt has started has ended already. Express
    /// executions are started at least once.
    async fn start_for(mut self, server: &Server, starter: Starter) -> Result<Started, ApiError> {
        if self.is_express() {
            let request = self.request(server)?;
            return server.executor.start_express(request).await.map_err(refusal);
        }
        if self.name.is_none() {
            self.name = Some(name_for(&starter));
        }
        let request = StartRequest { starter: Some(starter.clone()), ..self.request(server)? };
        match server.executor.start(request).await.map_err(refusal) {
            Err(ApiError::ExecutionAlreadyExists(arn)) => {
                let earlier = started_by(server, &arn, &starter).await?;
                earlier.ok_or(ApiError::ExecutionAlreadyExists(arn))
            }
            outcome => outcome,
        }
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

/// The execution with this ARN, if this attempt of a task has started it.
pub(crate) async fn started_by(
    server: &Server,
    arn: &str,
    starter: &Starter,
) -> Result<Option<Started>, ApiError> {
    let Some(id) = server.store.execution_id(arn).await? else { return Ok(None) };
    let Some(standing) = server.store.standing(id).await? else { return Ok(None) };
    let context = standing.context;
    let is_ours = context.starter.is_some_and(|other| other.idempotency_key == starter.idempotency_key);
    Ok(is_ours.then(|| Started { execution_arn: arn.to_owned(), started_at: context.start_time }))
}

/// The ARN without the test case behind it (Developer Guide, "Using mocked service integrations"), where this server has
/// any.
fn test_case<'t>(server: &Server, arn: &'t str) -> (&'t str, Option<&'t str>) {
    let split = arn.rsplit_once('#').filter(|_| server.mocks.is_some());
    split.map_or((arn, None), |(arn, case)| (arn, Some(case)))
}

/// Errors: `ValidationException`.
fn known_case(server: &Server, machine: &str, case: &str) -> Result<String, ApiError> {
    let mocks = server.mocks.as_deref();
    if mocks.is_some_and(|mocks| mocks.has(machine, case)) {
        return Ok(case.to_owned());
    }
    let known: Vec<&str> = mocks.into_iter().flat_map(|mocks| mocks.cases(machine)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let message = format!(
        "The state machine '{machine}' has no test case '{case}' in the mocks of this server; it has: {known}"
    );
    Err(ApiError::Validation { message, reason: None })
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
            "Too many Express executions run at the same time, or hold too much data; try again".into(),
        ),
        StartError::TooManyOpen { most } => ApiError::too_many_open(most),
        StartError::Busy => ApiError::Throttling,
        StartError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()),
        StartError::Store(error) => error.into(),
    }
}
