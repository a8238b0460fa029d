//! Returns its input and what it knows of its execution.

use serde::Serialize;
use serde_json::value::RawValue;
use stepwell::{TaskError, log};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Echo {
    input: Box<RawValue>,
    context: Context,
    time_left: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    execution_arn: String,
    state_name: String,
    attempt: u32,
    idempotency_key: String,
    task_token: Option<String>,
}

#[stepwell::task]
fn echo(input: Box<RawValue>) -> Result<Echo, TaskError> {
    log::info!("echo in rust");
    let context = stepwell::context();
    let context = Context {
        execution_arn: context.execution_arn,
        state_name: context.state_name,
        attempt: context.attempt,
        idempotency_key: context.idempotency_key,
        task_token: context.task_token,
    };
    Ok(Echo { input, context, time_left: !stepwell::remaining().is_zero() })
}
