//! What one Express execution waits for: its tasks, its timers, its yields.
//!
//! Everything belongs to the execution's own future and ends with it. It must never outlive the execution.

use crate::clock::Clock;
use crate::integration::{Integration, TaskOutcome, TaskRequest};
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use stepwell_asl::{EventKind, StatesError, Timestamp, WorkId};
use tokio::task::JoinHandle;
use tracing::{debug, error};

/// Pending work.
#[derive(Default)]
pub(super) struct Work {
    running: FuturesUnordered<Abortable<BoxFuture<'static, (WorkId, TaskOutcome)>>>,
    tasks: BTreeMap<WorkId, AbortHandle>,
    timers: BTreeMap<WorkId, Timestamp>,
    due: BTreeSet<(Timestamp, WorkId)>,
    ready: VecDeque<WorkId>,
}

impl Work {
    /// Whether it is only time that can bring an event.
    pub(super) fn only_waits(&self) -> bool {
        self.tasks.is_empty() && self.ready.is_empty()
    }

    /// Whether a task runs under this work.
    pub(super) fn runs(&self, work: WorkId) -> bool {
        self.tasks.contains_key(&work)
    }

    /// The first timer.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn set_timer(&mut self, work: WorkId, at: Timestamp) {
        if let Some(earlier) = self.timers.insert(work, at) {
            self.due.remove(&(earlier, work));
        }
        self.due.insert((at, work));
    }

    pub(super) fn go_on(&mut self, work: WorkId) {
        self.ready.push_back(work);
    }

    /// Begins a task: on the execution's own task when it is the only one, otherwise beside it, so that modules run at the
    /// same time.
    pub(super) fn begin(&mut self, integration: &Arc<dyn Integration>, work: WorkId, request: TaskRequest) {
        let integration = Arc::clone(integration);
        let run = async move { (work, run_task(&*integration, request).await) };
        let run =
            if self.tasks.is_empty() { run.boxed() } else { Spawned(tokio::spawn(run)).ended().boxed() };
        let (handle, registration) = AbortHandle::new_pair();
        self.running.push(Abortable::new(run, registration));
        self.tasks.insert(work, handle);
    }

    pub(super) fn cancel(&mut self, work: WorkId) {
        if let Some(task) = self.tasks.remove(&work) {
            task.abort();
        }
        if let Some(at) = self.timers.remove(&work) {
            self.due.remove(&(at, work));
        }
        self.ready.retain(|ready| *ready != work);
    }

    /// The next event; timers that are due come first, so that no loop of states outruns the execution's own.
    pub(super) async fn next(&mut self, clock: &dyn Clock) -> EventKind {
        loop {
            let now = clock.now();
            let due = self.due.first().copied();
            if let Some((at, work)) = due.filter(|(at, _)| *at <= now) {
                self.due.remove(&(at, work));
                self.timers.remove(&work);
                return EventKind::TimerFired { work };
            }
            if let Some(work) = self.ready.pop_front() {
                // Others may have something to do too.
                tokio::task::yield_now().await;
                return EventKind::Continued { work };
            }
            let until = due.map_or(Timestamp(i64::MAX), |(at, _)| at);
            let ended = tokio::select! {
                biased;
                Some(ended) = self.running.next(), if !self.running.is_empty() => ended,
                () = clock.sleep_until(until) => continue,
            };
            let Ok((work, outcome)) = ended else { continue };
            if self.tasks.remove(&work).is_none() {
                // It was cancelled a moment ago.
                continue;
            }
            return match outcome.result {
                Ok(result) => EventKind::TaskSucceeded { work, result },
                Err(error) => EventKind::TaskFailed { work, error },
            };
        }
    }
}

/// A task of the runtime that ends with whoever waits for it.
struct Spawned(JoinHandle<(WorkId, TaskOutcome)>);

impl Spawned {
    async fn ended(mut self) -> (WorkId, TaskOutcome) {
        match (&mut self.0).await {
            Ok(ended) => ended,
            // The runtime ends, and everything with it: a panic was caught inside.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a task. What it logged is told to the server's log: nothing is kept of an Express execution.
async fn run_task(integration: &dyn Integration, request: TaskRequest) -> TaskOutcome {
    let arn = request.execution_arn.clone();
    let outcome = AssertUnwindSafe(integration.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        error!("an integration panicked; its task failed");
        let cause = "The integration failed inside the server; its log has the details.";
        TaskOutcome { result: Err(StatesError::new("Lambda.ServiceException", cause)), log: Vec::new() }
    });
    for line in &outcome.log {
        debug!(execution = %arn, state = %line.state, level = %line.level, message = %line.message, "a module logged");
    }
    outcome
}
