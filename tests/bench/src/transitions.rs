//! Durable transitions per second through the real executor over a store, against the disk's own syncs.
//!
//! A transition is one call of `step` whose history is committed. It must go through the executor's public API only, on a
//! real disk, and count only what is durable.

use crate::chain::{self, Work};
use crate::disk::{APPEND_BYTES, DiskLoop};
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample, Window};
use crate::served::process::written_bytes;
use crate::store_kind::StoreKind;
use crate::watched::{Committed, WatchedBackend};
use anyhow::{Context as _, ensure};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stepwell_executor::{Executor, ExecutorConfig, NoExpressions, SystemClock};
use stepwell_store::{Changes, Store};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Longest time that open executions get to end after a window; they need a fraction of a second.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);
/// Shortest time in which a transition's bytes are found out.
const WEIGHING: Duration = Duration::from_millis(50);

/// One level of concurrency.
#[derive(Clone, Debug)]
pub struct Level {
    /// What keeps the bytes.
    pub store: StoreKind,
    /// Executions that are open at any time.
    pub concurrent: u32,
    /// Bytes of one append of the bare loop: as many as a transition commits.
    pub append_bytes: usize,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
    /// What the store committed in all, windows and the time between them.
    pub committed: Committed,
    /// Executions started in all.
    pub started: u64,
}

/// The disk, then the executor.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// The bare loop: one append and fdatasync each.
    pub disk: Sample,
    /// The executor: one transition each.
    pub executor: Sample,
    /// Durable flushes in the executor's window.
    pub flushes: u64,
    /// Bytes committed in it, keys and values.
    pub bytes: u64,
    /// Bytes that the process wrote to disks in it, whole pages; 0 where the system does not count them.
    pub written: u64,
}

/// Measures one level with a store of its own in `directory`. Must be called on a thread that may block.
pub fn measure(
    runtime: &Handle,
    directory: &Path,
    store: StoreKind,
    concurrent: u32,
    plan: Plan,
) -> anyhow::Result<Level> {
    let mut disk = DiskLoop::create(directory)?;
    let rig = runtime.block_on(Rig::open(directory, store, concurrent))?;
    // How many bytes a transition weighs, which the bare loop then writes, too.
    let weighing = Plan { window: plan.warm_up.max(WEIGHING), warm_up: Duration::ZERO, ..plan };
    let weighed = runtime.block_on(rig.run(weighing))?;
    let append_bytes = weighed.bytes.checked_div(weighed.executor.count);
    let append_bytes = append_bytes.map_or(Ok(APPEND_BYTES), usize::try_from)?;
    let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
    for _ in 0..plan.rounds.max(1) {
        let disk = disk.run(plan.window, append_bytes)?;
        rounds.push(Round { disk, ..runtime.block_on(rig.run(plan))? });
    }
    let others = quiet.others();
    runtime.block_on(rig.check())?;
    let (committed, started) = (rig.backend.committed(), rig.next_number.load(Ordering::Relaxed));
    runtime.block_on(rig.close())?;
    Ok(Level { store, concurrent, append_bytes, rounds, others, committed, started })
}

/// The executor with its store and its workload.
struct Rig {
    backend: Arc<WatchedBackend>,
    store: Store,
    work: Arc<Work>,
    executor: Executor,
    concurrent: u32,
    next_number: AtomicU64,
}

impl Rig {
    async fn open(directory: &Path, store: StoreKind, concurrent: u32) -> anyhow::Result<Rig> {
        let backend = Arc::new(WatchedBackend::open(store, directory)?);
        let store = Store::new(Arc::clone(&backend) as _);
        let mut changes = Changes::new();
        changes.machine(&chain::machine(), &chain::definition(), None)?;
        store.commit(changes).await?;
        let work = Arc::new(Work::default());
        let (integration, clock) = (Arc::clone(&work) as _, Arc::new(SystemClock));
        let config = ExecutorConfig::default();
        let executor = Executor::open(store.clone(), integration, Arc::new(NoExpressions), clock, config)?;
        backend.vacant.add_permits(concurrent as usize);
        Ok(Rig { backend, store, work, executor, concurrent, next_number: AtomicU64::new(0) })
    }

    /// Keeps the level's number of executions open through warm-up and window, then lets them end. The bare loop's half of
    /// the round is left empty.
    async fn run(&self, plan: Plan) -> anyhow::Result<Round> {
        let begins = Instant::now() + plan.warm_up;
        let mut starts = JoinSet::new();
        self.start_until(begins, &mut starts).await?;
        drop(self.work.take_transition_times());
        let written = written_bytes("self");
        let (window, before) = (Window::open(), self.backend.committed());
        // From now, not from `begins`: a late start of the window must not shorten it.
        self.start_until(Instant::now() + plan.window, &mut starts).await?;
        let mut after = before;
        let count = || {
            after = self.backend.committed();
            after.transitions - before.transitions
        };
        let executor = window.close(count, || self.work.take_transition_times());
        let written = written_bytes("self").saturating_sub(written);
        while let Some(start) = starts.join_next().await {
            start??;
        }
        // All vacant again: every execution of the round has ended.
        let all = tokio::time::timeout(DRAIN_LIMIT, self.backend.vacant.acquire_many(self.concurrent)).await;
        drop(all.context("executions that were started do not end")??);
        let (flushes, bytes) = (after.flushes - before.flushes, after.bytes - before.bytes);
        Ok(Round { disk: Sample::default(), executor, flushes, bytes, written })
    }

    /// Starts an execution whenever there is a vacancy, until the given moment.
    async fn start_until(
        &self,
        end: Instant,
        starts: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        while let Ok(vacancy) = tokio::time::timeout_at(end, self.backend.vacant.acquire()).await {
            // The backend gives the permit back when it sees the end of the execution.
            vacancy?.forget();
            let request = self.work.start_request(self.next_number.fetch_add(1, Ordering::Relaxed));
            let executor = self.executor.clone();
            starts.spawn(async move {
                executor.start(request).await.context("an execution could not be started")?;
                Ok(())
            });
            while let Some(start) = starts.try_join_next() {
                start??;
            }
            if Instant::now() >= end {
                break;
            }
        }
        Ok(())
    }

    /// Checks that what was counted is what the store holds: a fast wrong executor must not win.
    async fn check(&self) -> anyhow::Result<()> {
        let (committed, started) = (self.backend.committed(), self.next_number.load(Ordering::Relaxed));
        ensure!(committed.ended == started, "{started} executions started, {} ended", committed.ended);
        let expected = started * chain::TRANSITIONS;
        ensure!(
            committed.transitions == expected,
            "{started} executions make {expected} transitions; {} were committed",
            committed.transitions
        );
        for number in [0, started / 2, started.saturating_sub(1)] {
            let arn = chain::execution_arn(number);
            let id = self.store.execution_id(&arn).await?.with_context(|| format!("{arn} is not stored"))?;
            let history = self.store.history(id, 1, 1_000, false).await?.events;
            let succeeded = history.last().is_some_and(|event| event.type_name() == "ExecutionSucceeded");
            let complete = history.len() as u64 == chain::EVENTS;
            ensure!(succeeded && complete, "{arn} has a wrong history: {} events", history.len());
        }
        Ok(())
    }

    async fn close(self) -> anyhow::Result<()> {
        self.executor.shut_down(Duration::from_secs(10)).await;
        self.store.close().await?;
        Ok(())
    }
}
