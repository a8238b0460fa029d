//! Guests in every language: what a call costs against a bare wasmtime loop, what compiling and loading take, and what calls
//! in flight hold.
//!
//! The guests are the conformance guests of `guest-sdk`, built by `make languages`; a language that is not there is left
//! out, by name. `echo` is called for the costs, `slow` is what waits in flight.

use crate::calls::{Level, Rig, deaf};
use crate::guest::INPUT;
use crate::sample::{Plan, median};
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallContext, Grants, Manifest, Sandbox, SandboxConfig};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The languages that `guest-sdk` has.
pub const LANGUAGES: [&str; 6] = ["rust", "c", "zig", "javascript", "go", "python"];
/// Callers of a guest, one row each.
pub const CALLERS: [u32; 2] = [1, 2];
/// How often a module is loaded anew, for the median.
const LOADS: u32 = 5;
/// Calls that wait at the same time while memory is measured.
const IN_FLIGHT: u32 = 200;
/// What they are given: long enough that all of them wait at once.
const WAIT: &str = r#"{"beats":1,"pauseMilliseconds":4000}"#;

/// A language's figures.
#[derive(Clone, Debug)]
pub struct Language {
    /// Its name.
    pub name: &'static str,
    /// Size of the uploaded guest, in bytes.
    pub module_bytes: usize,
    /// Time from the upload to the module's being ready.
    pub compile: Duration,
    /// Time of the first call after a start of the sandbox, with the compiled file on disk; less a usual call: loading.
    pub load: Duration,
    /// Memory of the process per waiting call, in bytes.
    pub bytes_in_flight: u64,
    /// Calls, for each number of callers.
    pub levels: Vec<Level>,
}

/// Finds the guests of a language; none when they are not built.
pub fn guests(language: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests");
    let folder =
        std::env::var_os("STEPWELL_LANGUAGE_GUESTS").map_or_else(|| PathBuf::from(built), PathBuf::from);
    let read = |guest: &str| std::fs::read(folder.join(language).join(guest)).ok();
    Some((read("echo.wasm")?, read("slow.wasm")?))
}

/// Measures one language in a directory of its own.
pub fn measure(
    runtime: &Handle,
    directory: &Path,
    name: &'static str,
    (echo, slow): (Vec<u8>, Vec<u8>),
    plan: Plan,
) -> anyhow::Result<Language> {
    let module_bytes = echo.len();
    let rig = Rig::open(runtime, &directory.join("rig"), echo.clone())?;
    let levels =
        CALLERS.iter().map(|callers| rig.measure(runtime, *callers, plan)).collect::<Result<Vec<_>, _>>()?;
    drop(rig);
    let (compile, load) = runtime.block_on(start_up(&directory.join("load"), echo))?;
    let bytes_in_flight = runtime.block_on(in_flight(&directory.join("flight"), slow))?;
    Ok(Language { name, module_bytes, compile, load, bytes_in_flight, levels })
}

/// Times compiling once and loading some times.
async fn start_up(directory: &Path, wasm: Vec<u8>) -> anyhow::Result<(Duration, Duration)> {
    let started = Instant::now();
    let sandbox = open(directory)?;
    let digest = sandbox.install(wasm, &Manifest::default()).await.context("the guest is refused")?.digest;
    let compile = started.elapsed();
    drop(sandbox);
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        let sandbox = open(directory)?;
        let first = timed(&sandbox, &digest).await?;
        let usual = timed(&sandbox, &digest).await?;
        loads.push(first.saturating_sub(usual).as_secs_f64());
    }
    Ok((compile, Duration::from_secs_f64(median(loads))))
}

async fn timed(sandbox: &Sandbox, digest: &str) -> anyhow::Result<Duration> {
    let started = Instant::now();
    sandbox.invoke(digest, call(INPUT)).await?;
    Ok(started.elapsed())
}

/// Lets calls wait and looks at the process's memory meanwhile.
async fn in_flight(directory: &Path, wasm: Vec<u8>) -> anyhow::Result<u64> {
    let sandbox = open(directory)?;
    let digest: Arc<str> =
        sandbox.install(wasm, &Manifest::default()).await.context("the guest is refused")?.digest.into();
    // One that is over: what the first call of a module costs is not what a call costs.
    sandbox.invoke(&digest, call(r#"{"beats":0,"pauseMilliseconds":0}"#)).await?;
    let before = resident_bytes()?;
    let mut calls = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (sandbox, digest) = (sandbox.clone(), Arc::clone(&digest));
        calls.spawn(async move { sandbox.invoke(&digest, call(WAIT)).await });
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let during = resident_bytes()?;
    while let Some(ended) = calls.join_next().await {
        ended??;
    }
    Ok(during.saturating_sub(before) / u64::from(IN_FLIGHT))
}

fn open(directory: &Path) -> anyhow::Result<Sandbox> {
    Sandbox::open(SandboxConfig::new(directory)).context("the sandbox does not open")
}

fn call(input: &str) -> Call {
    Call {
        input: input.to_owned(),
        context: CallContext::default(),
        grants: Arc::new(Grants::default()),
        queue: Arc::from("bench"),
        timeout: Duration::from_mins(1),
        host: deaf(),
    }
}

/// Returns the resident memory of this process.
fn resident_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("no /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    ensure!(kib.is_some(), "the system does not tell the memory of this process");
    Ok(kib.unwrap_or_default() * 1_024)
}
