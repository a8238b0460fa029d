//! A great many executions that have ended: what it costs to look at them, and to page through the list of them.
//!
//! The baseline is a second server with a thousandth of them (at least a page), asked the same in turn.

use super::api::{Api, Ends};
use super::child::{Programs, Running, Setup};
use super::fill::{self, Filled, fill};
use super::machines::Machines;
use super::process::Usage;
use crate::guest::INPUT;
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample, Window};
use crate::store_kind::StoreKind;
use anyhow::{Context as _, ensure};
use std::path::Path;
use std::time::Instant;
use tokio::runtime::Handle;

/// Executions on a page, and the fewest that a server has.
pub const PAGE: u64 = 100;
/// How many times fewer the baseline has.
const FEWER: u64 = 1_000;

/// The requests that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// DescribeExecution of a random one.
    Describe,
    /// GetExecutionHistory of a random one.
    History,
    /// ListExecutions, the first page.
    List,
    /// The same of those that have succeeded.
    ListSucceeded,
    /// The same of those that run: there are none.
    ListRunning,
    /// The page that follows a random page's token.
    ListDeep,
}

/// All of them, in the order of the rows.
pub const LOOKS: [Look; 6] =
    [Look::Describe, Look::History, Look::List, Look::ListSucceeded, Look::ListRunning, Look::ListDeep];

impl Look {
    /// In words, for the report.
    pub fn words(self) -> &'static str {
        match self {
            Look::Describe => "DescribeExecution at random",
            Look::History => "GetExecutionHistory at random",
            Look::List => "ListExecutions, first page",
            Look::ListSucceeded => "ListExecutions SUCCEEDED",
            Look::ListRunning => "ListExecutions RUNNING (none)",
            Look::ListDeep => "ListExecutions, a later page",
        }
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What keeps the bytes.
    pub store: StoreKind,
    /// Executions that are stored.
    pub executions: u64,
    /// Executions that the baseline has.
    pub few: u64,
    /// How their starts went.
    pub filled: Filled,
    /// The server with all of them.
    pub usage: Usage,
    /// Bytes on disk that they take.
    pub disk_bytes: u64,
    /// By round and by look: the baseline, then the server with many.
    pub rounds: Vec<Vec<[Sample; 2]>>,
    /// Share of the processors that others used during the rounds; none when unknown.
    pub others: Option<f64>,
}

/// A server with so many executions, and one client.
struct Side {
    server: Running,
    api: Api,
    machine: String,
    prefix: String,
    executions: u64,
    /// Tokens of pages spread over the list.
    tokens: Vec<String>,
    dice: fastrand::Rng,
}

/// Measures all of it. Must be called on a thread that may block.
pub fn measure(
    runtime: &Handle,
    programs: &Programs,
    store: StoreKind,
    directory: &Path,
    executions: u64,
    plan: Plan,
) -> anyhow::Result<Stored> {
    let setup = |name| Setup { stepwell: programs.stepwell.clone(), store, directory: directory.join(name) };
    let few = (executions / FEWER).max(2 * PAGE);
    eprintln!("running {executions} executions to their end, over {} ...", store.name());
    let full = setup("many");
    let (mut many, filled) = runtime.block_on(Side::fill(full.start()?, executions))?;
    let (mut less, _) = runtime.block_on(Side::fill(setup("few").start()?, few))?;
    let (usage, disk_bytes) = (many.server.usage()?, full.disk_bytes()?);
    eprintln!("looking at them ...");
    let children = |less: &Side, many: &Side| anyhow::Ok(less.server.usage()?.cpu + many.server.usage()?.cpu);
    let (quiet, before, mut rounds) = (QuietWatch::start(), children(&less, &many)?, Vec::new());
    for _ in 0..plan.rounds.max(1) {
        let mut round = Vec::new();
        for look in LOOKS {
            let baseline = runtime.block_on(less.look(look, plan))?;
            round.push([baseline, runtime.block_on(many.look(look, plan))?]);
        }
        rounds.push(round);
    }
    let others = quiet.others_beside(children(&less, &many)?.saturating_sub(before));
    Ok(Stored { store, executions, few, filled, usage, disk_bytes, rounds, others })
}

fn name(number: u64) -> String {
    format!("stored-{number:09}")
}

impl Side {
    async fn fill(server: Running, executions: u64) -> anyhow::Result<(Side, Filled)> {
        let mut api = Api::open(server.address, Ends::Polling).await?;
        let machine = Machines::install(&mut api).await?.pass;
        let clients = Api::open_many(server.address, Ends::Polling, fill::CLIENTS).await?;
        let request = |number| (name(number), INPUT.to_owned());
        let (clients, filled) = fill(clients, &machine, executions, request).await?;
        drop(clients);
        while api.any_runs(&machine).await? {
            tokio::task::yield_now().await;
        }
        let first = api.start(&machine, "the-last", INPUT).await?;
        let prefix = first.strip_suffix("the-last").context("an ARN without the name")?.to_owned();
        let dice = fastrand::Rng::with_seed(7);
        let tokens = Vec::new();
        let mut side = Side { server, api, machine, prefix, executions, tokens, dice };
        side.gather_tokens().await?;
        Ok((side, filled))
    }

    /// Pages through the list: at most as long as a hundred pages take.
    async fn gather_tokens(&mut self) -> anyhow::Result<()> {
        let mut token = None;
        for _ in 0..(self.executions / PAGE).clamp(1, 100) {
            let page = self.api.list(&self.machine, None, PAGE, token.as_deref()).await?;
            token = page.next_token;
            let Some(next) = &token else { break };
            self.tokens.push(next.clone());
        }
        ensure!(!self.tokens.is_empty(), "the list has one page only");
        Ok(())
    }

    async fn look(&mut self, look: Look, plan: Plan) -> anyhow::Result<Sample> {
        let warm = Instant::now();
        while warm.elapsed() < plan.warm_up {
            self.once(look).await?;
        }
        let (window, begun, mut latencies) = (Window::open(), Instant::now(), Vec::new());
        while begun.elapsed() < plan.window / u32::try_from(LOOKS.len()).unwrap_or(u32::MAX) {
            let before = Instant::now();
            self.once(look).await?;
            latencies.push(before.elapsed());
        }
        let count = latencies.len() as u64;
        Ok(window.close(|| count, || latencies))
    }

    async fn once(&mut self, look: Look) -> anyhow::Result<()> {
        let random = format!("{}{}", self.prefix, name(self.dice.u64(0..self.executions)));
        let token = self.dice.choice(&self.tokens).cloned();
        let (status, token, expected) = match look {
            Look::Describe => {
                let seen = self.api.describe(&random).await?;
                ensure!(seen.status == "SUCCEEDED", "{random} is {}", seen.status);
                return Ok(());
            }
            Look::History => {
                ensure!(!self.api.history(&random).await?.is_empty(), "{random} has no history");
                return Ok(());
            }
            Look::List => (None, None, PAGE),
            Look::ListSucceeded => (Some("SUCCEEDED"), None, PAGE),
            Look::ListRunning => (Some("RUNNING"), None, 0),
            Look::ListDeep => (None, token, 1),
        };
        let page = self.api.list(&self.machine, status, PAGE, token.as_deref()).await?;
        let listed = page.executions.len() as u64;
        ensure!(listed >= expected && (expected > 0 || listed == 0), "a page has {listed} executions");
        Ok(())
    }
}
