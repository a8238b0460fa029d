//! Components of world `task`: the function `run` of `wit/task.wit`.

use super::{Outcome, from_module};
use crate::bindings::TaskPre;
use crate::failure::task_error;
use crate::state::CallState;
use wasmtime::Store;

/// Calls `run` with the input.
pub(super) async fn call(
    task: &TaskPre<CallState>,
    store: &mut Store<CallState>,
    input: &str,
) -> wasmtime::Result<Outcome> {
    let task = task.instantiate_async(&mut *store).await?;
    let outcome = task.stepwell_task_handler().call_run(store, input).await.map_err(from_module)?;
    Ok(outcome.map_err(|error| task_error(error.error, error.cause)))
}
