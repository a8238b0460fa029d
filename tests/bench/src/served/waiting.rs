//! A great many executions that wait: what they cost in memory and on disk, how the server comes back after kill -9, and
//! whether they slow down the others.
//!
//! The baseline is an empty store: the first starts beside the last, and a second server in turn with the full one.

use super::api::{Api, Ends};
use super::child::{Programs, Running, Setup};
use super::fill::{self, Filled, fill};
use super::load::{Client, Load, keep_busy};
use super::machines::{Machines, STEPS, check_end};
use super::process::Usage;
use crate::guest::INPUT;
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample, Window};
use crate::store_kind::StoreKind;
use anyhow::{Context as _, ensure};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Clients of the workflows that run beside those that wait.
pub const BUSY: u32 = 16;
/// Most executions that are looked at and stopped, one after the other, at random.
const PICKED: u64 = 1_000;

/// What was measured.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What keeps the bytes.
    pub store: StoreKind,
    /// How the clients learnt of ends.
    pub ends: Ends,
    /// Executions that wait.
    pub executions: u64,
    /// How their starts went.
    pub filled: Filled,
    /// The server before the first start.
    pub empty: Usage,
    /// The server with all of them.
    pub full: Usage,
    /// Bytes on disk that they added.
    pub disk_bytes: u64,
    /// After kill -9. None where nothing outlives the process.
    pub restart: Option<Restart>,
    /// DescribeExecution at random, one after the other.
    pub looks: Sample,
    /// StopExecution at random, one after the other.
    pub stops: Sample,
    /// Workflows of ten steps on the empty store and on the full one.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used during the rounds; none when unknown.
    pub others: Option<f64>,
}

/// From the start of the process after kill -9.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// Until DescribeExecution has told of an execution that waits.
    pub described: Duration,
    /// Until StartExecution has been answered.
    pub started: Duration,
    /// The server then.
    pub usage: Usage,
}

/// The empty store, then the full one; one step each.
#[derive(Clone, Debug)]
pub struct Round {
    /// The baseline.
    pub empty: Load,
    /// The store with the executions that wait.
    pub full: Load,
}

/// Measures all of it. Must be called on a thread that may block.
pub fn measure(
    runtime: &Handle,
    programs: &Programs,
    store: StoreKind,
    directory: &Path,
    executions: u64,
    plan: Plan,
) -> anyhow::Result<Waiting> {
    let setup = |name| Setup { stepwell: programs.stepwell.clone(), store, directory: directory.join(name) };
    let full = setup("full");
    let mut server = full.start().context("the server does not start")?;
    let (machines, ends, prefix) = runtime.block_on(prepare(&server))?;
    eprintln!("starting {executions} executions that wait, over {} ...", store.name());
    let (empty, disk_before) = (server.usage()?, full.disk_bytes()?);
    let clients = runtime.block_on(Api::open_many(server.address, ends, fill::CLIENTS))?;
    let request = |number| (name(number), INPUT.to_owned());
    let (clients, filled) = runtime.block_on(fill(clients, &machines.waits, executions, request))?;
    drop(clients);
    let (usage, disk_bytes) = (server.usage()?, full.disk_bytes()?.saturating_sub(disk_before));
    let mut restart = None;
    if store.is_durable() {
        eprintln!("killing the server and starting it again ...");
        server.kill9()?;
        let begun = Instant::now();
        server = full.start().context("the server does not start again")?;
        restart = Some(runtime.block_on(come_back(&server, begun, &machines, &prefix, executions))?);
    }
    let picks = executions.min(PICKED);
    let (looks, stops) = runtime.block_on(pick(&server, &prefix, executions, picks))?;
    eprintln!("measuring workflows on an empty store and beside those that wait ...");
    let other = setup("empty").start().context("the second server does not start")?;
    let (machines_of_other, ends_of_other, _) = runtime.block_on(prepare(&other))?;
    ensure!(ends == ends_of_other, "two servers of the same program differ");
    let mut busy = runtime.block_on(Busy::open(&server, ends, &machines))?;
    let mut busy_of_other = runtime.block_on(Busy::open(&other, ends, &machines_of_other))?;
    let children = || Ok::<_, anyhow::Error>(server.usage()?.cpu + other.usage()?.cpu);
    let (quiet, before, mut rounds) = (QuietWatch::start(), children()?, Vec::new());
    for _ in 0..plan.rounds.max(1) {
        let (empty, full);
        (busy_of_other, empty) = runtime.block_on(keep_busy(busy_of_other, plan, || other.usage()))?;
        (busy, full) = runtime.block_on(keep_busy(busy, plan, || server.usage()))?;
        rounds.push(Round { empty: empty.times(STEPS), full: full.times(STEPS) });
    }
    let others = quiet.others_beside(children()?.saturating_sub(before));
    let full = usage;
    Ok(Waiting {
        store,
        ends,
        executions,
        filled,
        empty,
        full,
        disk_bytes,
        restart,
        looks,
        stops,
        rounds,
        others,
    })
}

fn name(number: u64) -> String {
    format!("waiting-{number:09}")
}

/// Installs the machines, finds out how ends can be learnt, and what stands before the name in ARNs of those that wait.
async fn prepare(server: &Running) -> anyhow::Result<(Machines, Ends, String)> {
    let mut api = Api::open(server.address, Ends::Polling).await?;
    let machines = Machines::install(&mut api).await?;
    let execution = api.start(&machines.step, "the-first", INPUT).await?;
    check_end(&execution, &api.ended(&execution).await?)?;
    let ends = api.choose_ends(&execution).await?;
    let first = api.start(&machines.waits, "the-first", INPUT).await?;
    let prefix = first.strip_suffix("the-first").context("an ARN without the name")?.to_owned();
    Ok((machines, ends, prefix))
}

/// Measures from `begun` on. All were acknowledged, so each must be known.
async fn come_back(
    server: &Running,
    begun: Instant,
    machines: &Machines,
    prefix: &str,
    executions: u64,
) -> anyhow::Result<Restart> {
    let mut api = Api::open(server.address, Ends::Polling).await?;
    check_waits(&mut api, &format!("{prefix}{}", name(executions / 2))).await?;
    let described = begun.elapsed();
    api.start(&machines.waits, "after-the-restart", INPUT).await?;
    Ok(Restart { described, started: begun.elapsed(), usage: server.usage()? })
}

async fn check_waits(api: &mut Api, execution: &str) -> anyhow::Result<()> {
    let seen = api.describe(execution).await?;
    ensure!(seen.status == "RUNNING", "{execution} should wait and is {}", seen.status);
    Ok(())
}

/// Looks at so many executions at random, then stops so many, and looks at them again.
async fn pick(
    server: &Running,
    prefix: &str,
    executions: u64,
    picks: u64,
) -> anyhow::Result<(Sample, Sample)> {
    let mut api = Api::open(server.address, Ends::Polling).await?;
    // The same ones in every run.
    let mut dice = fastrand::Rng::with_seed(7);
    let numbers: Vec<String> =
        (0..picks).map(|_| format!("{prefix}{}", name(dice.u64(0..executions)))).collect();
    let (window, mut latencies) = (Window::open(), Vec::new());
    for execution in &numbers {
        let begun = Instant::now();
        check_waits(&mut api, execution).await?;
        latencies.push(begun.elapsed());
    }
    let looks = window.close(|| picks, || latencies);
    let (window, mut latencies) = (Window::open(), Vec::new());
    for execution in &numbers {
        let begun = Instant::now();
        api.stop(execution).await?;
        latencies.push(begun.elapsed());
    }
    let stops = window.close(|| picks, || latencies);
    for execution in &numbers {
        let seen = api.describe(execution).await?;
        ensure!(seen.status == "ABORTED", "{execution} was stopped and is {}", seen.status);
    }
    Ok((looks, stops))
}

/// A client that runs workflows of ten steps.
struct Busy {
    api: Api,
    machine: String,
    next_number: Arc<AtomicU64>,
}

impl Busy {
    async fn open(server: &Running, ends: Ends, machines: &Machines) -> anyhow::Result<Vec<Busy>> {
        let next_number = Arc::new(AtomicU64::new(0));
        let clients = Api::open_many(server.address, ends, BUSY).await?.into_iter();
        let busy = |api| Busy { api, machine: machines.steps.clone(), next_number: Arc::clone(&next_number) };
        Ok(clients.map(busy).collect())
    }
}

impl Client for Busy {
    async fn turn(&mut self) -> anyhow::Result<()> {
        let name = format!("busy-{:012}", self.next_number.fetch_add(1, Ordering::Relaxed));
        let execution = self.api.start(&self.machine, &name, INPUT).await?;
        check_end(&execution, &self.api.ended(&execution).await?)
    }
}
