//! The baseline of module calls: a bare wasmtime loop around the same module.
//!
//! A fresh store and instance for each call, with the same engine settings and the same pool as the sandbox, generated
//! bindings and an empty WASI; no queue, no hand-over between threads, no time-out, no memory limit, no check of the
//! result. It must stay the leanest loop that gives a call a fresh instance of this module.

use crate::guest::{INPUT, answers};
use crate::sample::{Sample, Window};
use anyhow::{Context as _, anyhow};
use bindings::TaskPre;
use bindings::stepwell::task::{context, heartbeat, log};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, ensure, format_err,
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The generated host side of world `task`.
mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "task",
        exports: { default: async },
    });
}

/// The sandbox's settings, which its engine has by measurement (`host/sandbox/src/limits.rs`).
const CALL_SLOTS: u32 = stepwell_sandbox::limits::DEFAULT_CONCURRENT_CALLS;
const CORE_INSTANCES: u32 = 64;
const KEEP_RESIDENT_BYTES: usize = 1 << 20;
const SMALL_KEEP_RESIDENT_BYTES: usize = 64 << 10;
const INSTANCE_BYTES: usize = 4 << 20;
const WASM_STACK_BYTES: usize = 512 << 10;
const FIBRE_STACK_BYTES: usize = 2 << 20;
/// Epochs that no call lives to see.
const NO_DEADLINE: u64 = 1 << 40;

/// The module, compiled and linked, and the engine it runs in.
pub struct BareLoop {
    engine: Engine,
    task: TaskPre<Bare>,
}

impl BareLoop {
    /// Compiles and links the module.
    pub fn new(wasm: &[u8]) -> anyhow::Result<BareLoop> {
        BareLoop::compile(wasm).map_err(|error| anyhow!("the bare loop cannot load the guest: {error:#}"))
    }

    fn compile(wasm: &[u8]) -> wasmtime::Result<BareLoop> {
        let engine = Engine::new(&settings()?)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        bindings::Task::add_to_linker::<_, HasSelf<Bare>>(&mut linker, |bare| bare)?;
        let component = stepwell_sandbox::componentize(wasm).map_err(|error| format_err!("{error}"))?;
        let component = Component::new(&engine, &component)?;
        let task = TaskPre::new(linker.instantiate_pre(&component)?)?;
        Ok(BareLoop { engine, task })
    }

    /// Calls again and again until the window is over: on one thread per caller, but no more threads than processors,
    /// because more would only wait for each other.
    pub fn run(&self, callers: u32, length: Duration) -> anyhow::Result<Sample> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let callers = processors.min(callers as usize);
        // One more than the callers: they begin together, and none before the window is open.
        let ready = Barrier::new(callers + 1);
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..callers).map(|_| scope.spawn(|| self.call_until_over(&ready, length))).collect();
            let window = Window::open();
            ready.wait();
            let mut latencies = Vec::new();
            for thread in threads {
                latencies.extend(thread.join().map_err(|_| anyhow!("a calling thread panicked"))??);
            }
            let count = latencies.len() as u64;
            Ok(window.close(|| count, || latencies))
        })
    }

    fn call_until_over(&self, ready: &Barrier, length: Duration) -> anyhow::Result<Vec<Duration>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        ready.wait();
        let mut latencies = Vec::new();
        runtime.context("no runtime for a calling thread")?.block_on(async {
            let started = Instant::now();
            let mut last = started;
            while last.duration_since(started) < length {
                self.call().await.map_err(|error| anyhow!("a bare call failed: {error:#}"))?;
                let now = Instant::now();
                latencies.push(now.duration_since(last));
                last = now;
            }
            Ok(latencies)
        })
    }

    async fn call(&self) -> wasmtime::Result<()> {
        let bare = Bare { wasi: WasiCtxBuilder::new().build(), table: ResourceTable::new() };
        let mut store = Store::new(&self.engine, bare);
        store.set_epoch_deadline(NO_DEADLINE);
        let task = self.task.instantiate_async(&mut store).await?;
        let result = task.stepwell_task_handler().call_run(&mut store, INPUT).await?;
        let result = result.map_err(|failure| format_err!("{}: {}", failure.error, failure.cause))?;
        ensure!(answers(&result), "the guest answered {result}");
        Ok(())
    }
}

fn settings() -> wasmtime::Result<Config> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(CALL_SLOTS)
        .total_core_instances(CALL_SLOTS * CORE_INSTANCES)
        .total_memories(CALL_SLOTS)
        .total_tables(CALL_SLOTS * 2)
        .total_stacks(CALL_SLOTS)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(8)
        .max_tables_per_component(16)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_memory_size(usize::try_from(stepwell_sandbox::limits::DEFAULT_MEMORY_LIMIT_BYTES)?)
        .table_elements(100_000)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(SMALL_KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(SMALL_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut settings = Config::new();
    settings
        .epoch_interruption(true)
        .memory_init_cow(true)
        .concurrency_support(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBRE_STACK_BYTES)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(settings)
}

/// What a bare store holds.
struct Bare {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Bare {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

// The stub imports these and calls none of them while it answers with its input; the languages' guests log a line and
// ask for their context.

impl context::Host for Bare {
    fn current(&mut self) -> context::TaskContext {
        context::TaskContext {
            execution_arn: String::new(),
            state_name: String::new(),
            attempt: 0,
            idempotency_key: String::new(),
            task_token: None,
        }
    }

    fn remaining_milliseconds(&mut self) -> u64 {
        0
    }
}

impl log::Host for Bare {
    fn write(&mut self, _level: log::Level, _message: String) {}
}

impl heartbeat::Host for Bare {
    fn beat(&mut self) {}
}
