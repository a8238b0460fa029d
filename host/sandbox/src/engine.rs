//! wasmtime's `Engine` and `Linker` as this sandbox needs them, by measurement.
//!
//! The pool resets an instance's memory instead of mapping it anew, which is what makes a fresh instance per call
//! affordable: 43 microseconds with the pool's defaults, 11 with memory kept resident, the page-map scan and without
//! wasmtime's concurrency support. Whatever is linked here, every module can call: nothing may be linked that reaches
//! files, the network or the environment without a grant.

use crate::bindings::Task;
use crate::config::SandboxConfig;
use crate::error::SandboxError;
use crate::filesystem;
use crate::limits;
use crate::state::CallState;
use std::hash::{DefaultHasher, Hash, Hasher};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Builds the engine with room for so many calls at once.
pub(crate) fn build(config: &SandboxConfig, call_slots: u32) -> Result<Engine, SandboxError> {
    let mut settings = settings();
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config, call_slots)?));
    Engine::new(&settings).map_err(|error| setup(&error))
}

/// Builds an engine that compiles for the one that runs, and has no room for any call.
pub(crate) fn for_compiling() -> Result<Engine, SandboxError> {
    Engine::new(&settings()).map_err(|error| setup(&error))
}

/// What compiled code depends on.
fn settings() -> Config {
    let mut settings = Config::new();
    settings
        .epoch_interruption(true)
        .memory_init_cow(true)
        .concurrency_support(false)
        .max_wasm_stack(limits::MAX_WASM_STACK_BYTES)
        .async_stack_size(limits::FIBRE_STACK_BYTES);
    settings
}

/// Sizes the pool. `slots_needed` in `loaded.rs` relies on these numbers.
fn pool(config: &SandboxConfig, call_slots: u32) -> Result<PoolingAllocationConfig, SandboxError> {
    let memory_limit_bytes = usize::try_from(config.memory_limit_bytes)
        .map_err(|_| SandboxError::Setup("the memory limit is larger than the address space".to_owned()))?;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(call_slots)
        .total_core_instances(call_slots.saturating_mul(limits::MAX_CORE_INSTANCES_PER_COMPONENT))
        .total_memories(call_slots)
        .total_tables(call_slots.saturating_mul(limits::TABLES_PER_CALL))
        .total_stacks(call_slots)
        .max_core_instances_per_component(limits::MAX_CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(limits::MAX_MEMORIES_PER_COMPONENT)
        .max_tables_per_component(limits::MAX_TABLES_PER_COMPONENT)
        .max_core_instance_size(limits::MAX_INSTANCE_BYTES)
        .max_component_instance_size(limits::MAX_INSTANCE_BYTES)
        .max_memory_size(memory_limit_bytes)
        .table_elements(limits::MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(limits::MEMORY_KEEP_RESIDENT_BYTES)
        .table_keep_resident(limits::TABLE_KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(limits::TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    Ok(pool)
}

/// Links what modules may import: world `task`, WASI 0.2 and its HTTP. What of it is granted, each call's `CallState` says.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<CallState>, SandboxError> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(|error| setup(&error))?;
    filesystem::add_to_linker(&mut linker, CallState::files).map_err(|error| setup(&error))?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).map_err(|error| setup(&error))?;
    Task::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)
        .map_err(|error| setup(&error))?;
    Ok(linker)
}

/// Returns a number that changes with wasmtime's version, the processor and every setting that compiled code depends on.
pub(crate) fn compatibility(engine: &Engine) -> u64 {
    // The hasher may change with the compiler: that only costs compiling once more.
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Makes an error of this crate from one of wasmtime's at start.
fn setup(error: &wasmtime::Error) -> SandboxError {
    SandboxError::Setup(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compiling_engine_makes_the_running_one_takes() {
        let running = build(&SandboxConfig::new("unused"), limits::MIN_CONCURRENT_CALLS).unwrap();
        assert_eq!(compatibility(&running), compatibility(&for_compiling().unwrap()));
    }
}
