//! Measures what a fresh call costs: through `Sandbox::invoke`, and in a bare wasmtime loop for comparison.
//!
//! ```sh
//! cargo run --release -p stepwell-sandbox --example fresh_call -- modules/target/wasm32-wasip2/release/stub.wasm
//! ```
//!
//! The guest is any module that answers any JSON without calling the host, such as the unpatched test guest `stub`.
//! Both sides make a new store and a new instance for every call. The bare loop calls on the measuring thread; the
//! sandbox hands every call to its own threads and back.

use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallContext, CallHost, LogLevel, Sandbox, SandboxConfig};
use wasmtime::component::{Component, ComponentType, Lift, Linker, ResourceTable};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

const INPUT: &str = r#"{"orderId":"1001","items":[{"sku":"CUP","n":1}]}"#;
const CALLS: u32 = 20_000;
const CONCURRENT: u32 = 64;

type AnyError = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let path = std::env::args().nth(1).ok_or("usage: fresh_call MODULE.wasm")?;
    let wasm = std::fs::read(path)?;
    bare(&wasm).await?;
    let directory = std::env::temp_dir().join(format!("stepwell-fresh-call-{}", std::process::id()));
    let sandbox = Sandbox::open(SandboxConfig::new(&directory))?;
    let digest = sandbox.install(wasm).await?.digest;
    one_at_a_time(&sandbox, &digest).await?;
    many_at_once(&sandbox, &digest).await?;
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// Discards everything.
struct Silent;

impl CallHost for Silent {
    fn log(&self, _: LogLevel, _: &str) {}
    fn heartbeat(&self) {}
}

fn call() -> Call {
    let context = CallContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:orders:1".into(),
        state_name: "ReserveStock".into(),
        idempotency_key: "1-2-0".into(),
        ..CallContext::default()
    };
    Call { input: INPUT.into(), context, timeout: Duration::from_secs(30), host: Arc::new(Silent) }
}

/// Calls again only when the previous call has answered.
async fn one_at_a_time(sandbox: &Sandbox, digest: &str) -> Result<(), AnyError> {
    let mut durations = Vec::with_capacity(CALLS as usize);
    let started = Instant::now();
    for _ in 0..CALLS {
        let call_started = Instant::now();
        sandbox.invoke(digest, call()).await?;
        durations.push(call_started.elapsed());
    }
    report("Sandbox::invoke, one at a time", started.elapsed(), CALLS, durations);
    Ok(())
}

/// Keeps many callers busy at once.
async fn many_at_once(sandbox: &Sandbox, digest: &str) -> Result<(), AnyError> {
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CONCURRENT {
        let (sandbox, digest) = (sandbox.clone(), digest.to_owned());
        callers.spawn(async move {
            let mut durations = Vec::new();
            for _ in 0..CALLS / CONCURRENT {
                let call_started = Instant::now();
                sandbox.invoke(&digest, call()).await.map_err(|error| error.to_string())?;
                durations.push(call_started.elapsed());
            }
            Ok::<_, String>(durations)
        });
    }
    let mut durations = Vec::new();
    for caller in callers.join_all().await {
        durations.extend(caller?);
    }
    let calls = u32::try_from(durations.len())?;
    report(&format!("Sandbox::invoke, {CONCURRENT} at once"), started.elapsed(), calls, durations);
    Ok(())
}

/// Prints the median and the rate.
fn report(what: &str, total: Duration, calls: u32, mut durations: Vec<Duration>) {
    durations.sort_unstable();
    let median = durations[durations.len() / 2];
    let rare = durations[durations.len() * 99 / 100];
    println!(
        "{what:32} p50 {:6.1} us   p99 {:7.1} us   mean per call {:6.1} us",
        median.as_secs_f64() * 1e6,
        rare.as_secs_f64() * 1e6,
        total.as_secs_f64() * 1e6 / f64::from(calls),
    );
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

#[derive(ComponentType, Lift)]
#[component(record)]
struct TaskError {
    error: String,
    cause: String,
}

/// The same guest, the same engine settings, nothing around it.
async fn bare(wasm: &[u8]) -> Result<(), AnyError> {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, wasm)?;
    let mut linker = Linker::<Bare>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.define_unknown_imports_as_traps(&component)?;
    let pre = linker.instantiate_pre(&component)?;
    let handler = component
        .get_export_index(None, "stepwell:task/handler@0.1.0")
        .and_then(|handler| component.get_export_index(Some(&handler), "run"))
        .ok_or("the module does not export stepwell:task/handler.run")?;
    let mut durations = Vec::with_capacity(CALLS as usize);
    let started = Instant::now();
    for _ in 0..CALLS {
        let call_started = Instant::now();
        let bare = Bare { wasi: WasiCtxBuilder::new().build(), table: ResourceTable::new() };
        let mut store = Store::new(&engine, bare);
        store.set_epoch_deadline(1 << 40);
        let instance = pre.instantiate_async(&mut store).await?;
        let run = instance.get_typed_func::<(&str,), (Result<String, TaskError>,)>(&mut store, handler)?;
        let (result,) = run.call_async(&mut store, (INPUT,)).await?;
        result.map_err(|error| format!("{}: {}", error.error, error.cause))?;
        drop(store);
        durations.push(call_started.elapsed());
    }
    report("bare wasmtime loop", started.elapsed(), CALLS, durations);
    Ok(())
}
