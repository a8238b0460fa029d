//! wasmtime's `Engine` and `Linker` as the evaluator needs them.
//!
//! Nothing may be linked that reaches anything outside the call.

use crate::limits;
use crate::state::CallState;
use wasmtime::component::Linker;
use wasmtime::{Config, Engine};

/// Builds the engine.
pub(crate) fn build() -> wasmtime::Result<Engine> {
    let mut settings = Config::new();
    settings
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_backtrace_max_frames(None)
        .max_wasm_stack(limits::MAX_WASM_STACK_BYTES)
        .async_stack_size(limits::FIBRE_STACK_BYTES);
    Engine::new(&settings)
}

/// Links WASI 0.2, which the guest's standard library imports, with nothing granted (`CallState` holds no grants).
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}
