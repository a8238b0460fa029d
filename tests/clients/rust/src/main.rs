//! The AWS SDK for Rust, unmodified, against the server whose address is its argument. Ends with an error where an answer
//! is not what the SDK makes of AWS's. It must never know how the server works inside.

use std::error::Error;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_sfn::config::{BehaviorVersion, ConfigBag, Intercept, Region, RuntimeComponents};
use aws_sdk_sfn::error::ProvideErrorMetadata as _;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType, StateMachineType, SyncExecutionStatus};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::endpoint::EndpointPrefix;

type Checked = Result<(), Box<dyn Error>>;

const ROLE_ARN: &str = "arn:aws:iam::123456789012:role/stepwell";
const PASS: &str = r#"{"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}}"#;
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Takes the prefix `sync-` off the host of StartSyncExecution and TestState: this SDK has no setting for it.
#[derive(Debug)]
struct NoHostPrefix;

impl Intercept for NoHostPrefix {
    fn name(&self) -> &'static str {
        "NoHostPrefix"
    }

    fn modify_before_retry_loop(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        configuration.interceptor_state().unset::<EndpointPrefix>();
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Checked {
    let endpoint = std::env::args().nth(1).ok_or("the server's address is missing")?;
    let configuration = aws_sdk_sfn::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .endpoint_url(endpoint)
        .http_client(Builder::new().build_http())
        .interceptor(NoHostPrefix)
        .build();
    let client = Client::from_conf(configuration);
    executions(&client).await?;
    println!("ok executions");
    errors(&client).await?;
    println!("ok errors");
    for (name, outcome) in [("express", express(&client).await), ("activities", activities(&client).await)] {
        match outcome {
            Err(error) if is_later_release(error.as_ref()) => {
                println!("skipped {name}: a later release has it")
            }
            outcome => {
                outcome?;
                println!("ok {name}");
            }
        }
    }
    Ok(())
}

/// Whether the server says that it does not know the operation, or the type of machine, yet.
fn is_later_release(error: &dyn Error) -> bool {
    let text = format!("{error:?}");
    text.contains("UnknownOperationException") || text.contains("later release")
}

fn name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("rust-{}", now.as_nanos())
}

async fn machine(
    client: &Client,
    definition: &str,
    kind: StateMachineType,
) -> Result<String, Box<dyn Error>> {
    let request = client.create_state_machine().name(name()).definition(definition).role_arn(ROLE_ARN);
    Ok(request.r#type(kind).send().await?.state_machine_arn)
}

async fn executions(client: &Client) -> Checked {
    let machine = machine(client, PASS, StateMachineType::Standard).await?;
    let input = r#"{"n":1}"#;
    let started = client.start_execution().state_machine_arn(machine).input(input).send().await?;
    let ended = ended(client, &started.execution_arn).await?;
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    assert_eq!(ended.output.as_deref(), Some(input));
    assert!(ended.stop_date.is_some_and(|stopped| stopped >= started.start_date));
    let mut pages = client
        .get_execution_history()
        .execution_arn(&started.execution_arn)
        .max_results(1)
        .into_paginator()
        .items()
        .send();
    let mut kinds = Vec::new();
    while let Some(event) = pages.next().await {
        kinds.push(event?.r#type);
    }
    let expected = [
        HistoryEventType::ExecutionStarted,
        HistoryEventType::PassStateEntered,
        HistoryEventType::PassStateExited,
        HistoryEventType::ExecutionSucceeded,
    ];
    assert_eq!(kinds, expected);
    Ok(())
}

async fn ended(
    client: &Client,
    arn: &str,
) -> Result<aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput, Box<dyn Error>> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let execution = client.describe_execution().execution_arn(arn).send().await?;
        if execution.status != ExecutionStatus::Running {
            return Ok(execution);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("{arn} still runs").into())
}

async fn errors(client: &Client) -> Checked {
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:missing";
    let Err(error) = client.describe_state_machine().state_machine_arn(arn).send().await else {
        return Err("a machine that does not exist is described".into());
    };
    let error = error.into_service_error();
    assert!(error.is_state_machine_does_not_exist(), "{error:?}");
    assert_eq!(error.message(), Some(format!("State Machine Does Not Exist: '{arn}'").as_str()));
    let request = client.create_state_machine().name(name()).definition("{}").role_arn(ROLE_ARN);
    let Err(error) = request.send().await else { return Err("a machine without states is made".into()) };
    assert!(error.into_service_error().is_invalid_definition());
    Ok(())
}

async fn express(client: &Client) -> Checked {
    let machine = machine(client, PASS, StateMachineType::Express).await?;
    let answer = client.start_sync_execution().state_machine_arn(machine).input(r#"{"n":2}"#).send().await?;
    assert_eq!(answer.status, SyncExecutionStatus::Succeeded);
    assert_eq!(answer.output.as_deref(), Some(r#"{"n":2}"#));
    Ok(())
}

async fn activities(client: &Client) -> Checked {
    let activity = client.create_activity().name(name()).send().await?.activity_arn;
    let definition =
        PASS.replace(r#""Pass""#, &format!(r#""Task", "Resource": "{activity}", "TimeoutSeconds": 60"#));
    let machine = machine(client, &definition, StateMachineType::Standard).await?;
    let started = client.start_execution().state_machine_arn(machine).input(r#"{"n":3}"#).send().await?;
    let task = client.get_activity_task().activity_arn(activity).worker_name("rust").send().await?;
    assert_eq!(task.input.as_deref(), Some(r#"{"n":3}"#));
    let token = task.task_token.ok_or("the task has no token")?;
    client.send_task_success().task_token(token).output(r#""done""#).send().await?;
    let ended = ended(client, &started.execution_arn).await?;
    assert_eq!(ended.output.as_deref(), Some(r#""done""#));
    Ok(())
}
