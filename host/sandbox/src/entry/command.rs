//! Programs: `wasi:cli/run`. The input is on standard input, the result on standard output.
//!
//! Exit status 0: standard output is the result, JSON text; nothing at all is `null`. Any other: the program failed, and
//! standard output may name the error as `{"error": NAME, "cause": TEXT}`; otherwise it is `Sandbox.Exit`.

use super::{Outcome, from_module, named_error, result};
use crate::error::CallError;
use crate::state::CallState;
use wasmtime::Store;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;

/// Runs the program. Its standard input was set when the store was made.
pub(super) async fn call(
    command: &CommandPre<CallState>,
    store: &mut Store<CallState>,
) -> wasmtime::Result<Outcome> {
    let command = command.instantiate_async(&mut *store).await?;
    let status = match command.wasi_cli_run().call_run(&mut *store).await {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => error.downcast_ref::<I32Exit>().map(|exit| exit.0).ok_or_else(|| from_module(error))?,
    };
    let state = store.data();
    let written = state.captured();
    if status != 0 {
        let said = || state.log.error_tail();
        return Ok(Err(named_error(&written).unwrap_or_else(|| CallError::Exit { status, said: said() })));
    }
    Ok(result(written))
}
