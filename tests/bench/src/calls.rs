//! Module calls through `Sandbox::invoke`, against a bare wasmtime loop on the same module.
//!
//! Both sides give every call a fresh instance. The sandbox is called as the server calls it: from async tasks of
//! another runtime than the guests', one call after the other for each caller.

use crate::baseline::BareLoop;
use crate::guest::{INPUT, answers};
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample, Window};
use anyhow::{Context as _, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stepwell_sandbox::{Call, CallContext, CallHost, Grants, LogLevel, Manifest, Sandbox, SandboxConfig};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Longer than any call: a call that runs into it is a failure of the benchmark.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// One level of concurrency.
#[derive(Clone, Debug)]
pub struct Level {
    /// Callers, each with one call at a time.
    pub callers: u32,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// The bare loop, then the sandbox; one call each.
#[derive(Clone, Debug)]
pub struct Round {
    /// The bare wasmtime loop.
    pub bare: Sample,
    /// `Sandbox::invoke`.
    pub sandbox: Sample,
}

/// A module on both sides, ready to be called.
pub struct Rig {
    bare: BareLoop,
    sandbox: Sandbox,
    digest: Arc<str>,
}

impl Rig {
    /// Compiles the module for both sides; the sandbox keeps its files in `directory`. Must be called on a thread that may
    /// block, as all of this.
    pub fn open(runtime: &Handle, directory: &Path, wasm: Vec<u8>) -> anyhow::Result<Rig> {
        let bare = BareLoop::new(&wasm)?;
        let sandbox = Sandbox::open(SandboxConfig::new(directory)).context("the sandbox does not open")?;
        let installed =
            runtime.block_on(sandbox.install(wasm, &Manifest::default())).context("the guest is refused")?;
        Ok(Rig { bare, sandbox, digest: installed.digest.into() })
    }

    /// Measures one level.
    pub fn measure(&self, runtime: &Handle, callers: u32, plan: Plan) -> anyhow::Result<Level> {
        let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
        for _ in 0..plan.rounds.max(1) {
            self.bare.run(callers, plan.warm_up)?;
            let bare = self.bare.run(callers, plan.window)?;
            runtime.block_on(self.invoke(callers, plan.warm_up))?;
            let sandbox = runtime.block_on(self.invoke(callers, plan.window))?;
            rounds.push(Round { bare, sandbox });
        }
        Ok(Level { callers, rounds, others: quiet.others() })
    }

    /// Lets so many callers invoke the module until the window is over.
    async fn invoke(&self, callers: u32, length: Duration) -> anyhow::Result<Sample> {
        let window = Window::open();
        let end = Instant::now() + length;
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            tasks.spawn(invoke_until(self.sandbox.clone(), Arc::clone(&self.digest), end));
        }
        let mut latencies = Vec::new();
        while let Some(caller) = tasks.join_next().await {
            latencies.extend(caller??);
        }
        let count = latencies.len() as u64;
        Ok(window.close(|| count, || latencies))
    }
}

async fn invoke_until(sandbox: Sandbox, digest: Arc<str>, end: Instant) -> anyhow::Result<Vec<Duration>> {
    let host = deaf();
    let mut latencies = Vec::new();
    let mut last = Instant::now();
    loop {
        let output = sandbox.invoke(&digest, call(&host)).await?;
        ensure!(answers(&output.result), "the guest answered {}", output.result);
        let now = Instant::now();
        latencies.push(now.duration_since(last));
        last = now;
        if now >= end {
            return Ok(latencies);
        }
    }
}

fn call(host: &Arc<dyn CallHost>) -> Call {
    let context = CallContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:orders:1001".to_owned(),
        state_name: "ReserveStock".to_owned(),
        attempt: 0,
        idempotency_key: "1001/2/0".to_owned(),
        task_token: None,
    };
    Call {
        input: INPUT.to_owned(),
        context,
        grants: Arc::new(Grants::default()),
        queue: Arc::from("bench"),
        timeout: CALL_TIMEOUT,
        host: Arc::clone(host),
    }
}

/// A host that listens to nothing.
pub(crate) fn deaf() -> Arc<dyn CallHost> {
    Arc::new(Deaf)
}

/// Listens to nothing.
struct Deaf;

impl CallHost for Deaf {
    fn log(&self, _level: LogLevel, _message: &str) {}
    fn heartbeat(&self) {}
}
