//! After the commit of a turn: answer, begin new work, abort what is no longer pending; or undo the turn.

use super::away::{Gone, Queued};
use super::live::{Live, Running};
use super::turn::{Reply, Turn};
use super::{Message, Occurrence, Shard};
use crate::allotment::Lot;
use crate::endings::holding;
use crate::error::{AnswerError, RedriveError, StartError, StopError};
use crate::integration::{TaskOutcome, TaskRequest};
use crate::limits;
use crate::observer::Observed;
use crate::revive::Revived;
use futures_util::FutureExt;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{
    BranchId, Command, Doer, EventKind, Execution, StatesError, Status, TaskToken, TaskWork, Timestamp, Work,
    WorkId,
};
use stepwell_store::{ExecutionId, StoreError};
use tokio::time::Instant;
use tracing::{debug, error, warn};

impl Shard {
    /// Makes a turn durable. `Ok` is the point of no return: only then does anything become visible.
    pub(super) async fn commit(&mut self, mut turn: Turn) {
        let changes = std::mem::take(&mut turn.changes);
        let outcome = match turn.broken.take() {
            Some(failure) => Err(failure),
            None if changes.is_empty() => Ok(()),
            None => {
                self.ties.stall.begin();
                let began = Instant::now();
                let committed = self.store.commit(changes).await;
                turn.tally.commit = began.elapsed();
                committed
            }
        };
        match outcome {
            Ok(()) => {
                self.ties.stall.end();
                self.carry_out(turn);
            }
            Err(failure) => self.undo(turn, failure).await,
        }
    }

    /// Tells those who watch what has become durable.
    fn tell(&self, turn: &mut Turn) {
        if turn.tally.transitions > 0 || !turn.tally.ended.is_empty() {
            self.observer.count(&turn.tally);
        }
        for (id, events) in std::mem::take(&mut turn.observed) {
            let Some(live) = self.live.get(&id) else { continue };
            let record = live.tracked.record();
            let Some(observation) = &record.observation else { continue };
            self.observer.observe(Observed {
                execution: Some(id),
                observation,
                context: &live.execution.context,
                trace_header: record.trace_header.as_deref(),
                redrive_count: live.execution.progress.redrive.map_or(0, |redrive| redrive.count.into()),
                events,
            });
        }
    }

    fn carry_out(&mut self, mut turn: Turn) {
        self.tell(&mut turn);
        // Before anyone is told: who hears that one has ended may start another.
        self.give_back(&mut turn);
        for reply in turn.replies {
            // A caller that no longer waits has its answer in the store.
            match reply {
                Reply::Start(reply, started) => drop(reply.send(Ok(started))),
                Reply::Stop(reply, stopped_at) => drop(reply.send(Ok(stopped_at))),
                Reply::Redrive(reply, redriven_at) => drop(reply.send(Ok(redriven_at))),
                Reply::Answer { id, work, reply, outcome } => {
                    if let Some(live) = self.live.get_mut(&id).filter(|_| outcome.is_ok()) {
                        // Who has answered before its call was over may go on: nobody waits for the result.
                        live.tasks.remove(&work);
                    }
                    drop(reply.send(outcome));
                }
                Reply::HandOut(handing_out) => self.handed_out(*handing_out),
            }
        }
        for (id, work) in turn.submitted {
            if let Some(live) = self.live.get_mut(&id) {
                live.tasks.remove(&work);
            }
        }
        for (id, began, commands) in turn.commands {
            for command in commands {
                match command {
                    Command::Dispatch(work) => self.dispatch(id, work, began.elapsed()),
                    Command::Cancel(work) => self.cancel(id, work),
                    Command::StopJob(job) => self.stop_job(id, *job),
                }
            }
        }
        for id in turn.touched {
            self.release_redrives(id);
            self.forget_if_ended(id);
            self.settle(id);
            self.begin_next(id);
            self.rest(id);
        }
        for id in turn.stranded {
            self.sweep(id);
            self.ties.endings.tell(id, || self.ties.place.hold());
            self.release_stranded(id);
        }
    }

    /// Brings memory back to what the store holds, and keeps the events for another try: nothing is lost.
    async fn undo(&mut self, turn: Turn, failure: StoreError) {
        // A name that somebody else took at the same moment: the others only have to be tried again.
        let conflict = failure == StoreError::Conflict;
        // Nothing but requests, which are answered: there is nothing that a new one would have to wait for.
        if turn.occurrences.is_empty() {
            self.ties.stall.end();
        } else {
            self.ties.stall.refused(&failure);
        }
        if !conflict {
            warn!(%failure, events = turn.occurrences.len(), "a commit failed");
        }
        turn.leaving.into_iter().for_each(Lot::keep);
        let mut handing_out = Vec::new();
        for reply in turn.replies {
            // A caller that no longer waits needs no answer.
            match reply {
                Reply::Start(reply, _) => drop(reply.send(Err(StartError::Store(failure.clone())))),
                Reply::Stop(reply, _) => drop(reply.send(Err(StopError::Store(failure.clone())))),
                Reply::Redrive(reply, _) => drop(reply.send(Err(RedriveError::Store(failure.clone())))),
                Reply::Answer { reply, .. } => {
                    drop(reply.send(Err(AnswerError::Store(failure.clone()))));
                }
                Reply::HandOut(task) => handing_out.push(*task),
            }
        }
        if !conflict {
            tokio::time::sleep(limits::COMMIT_RETRY).await;
        }
        let touched: BTreeSet<ExecutionId> = turn.touched.into_iter().collect();
        for id in &touched {
            self.reload(*id).await;
        }
        for task in handing_out {
            self.not_handed_out(task, &failure);
        }
        for occurrence in turn.occurrences.into_iter().rev() {
            match self.live.get_mut(&occurrence.id).and_then(|live| live.away.as_mut()) {
                Some(away) => away.retry(Queued::unasked(occurrence)),
                None => self.ready.push_front(occurrence),
            }
        }
        for id in touched {
            self.begin_next(id);
            self.release_redrives(id);
        }
        for id in turn.stranded {
            self.release_stranded(id);
        }
    }

    /// Lets the next event of an execution of the lane begin.
    fn settle(&mut self, id: ExecutionId) {
        if let Some(away) = self.live.get_mut(&id).and_then(|live| live.away.as_mut()) {
            away.settle();
        }
    }

    /// Puts the stored checkpoint in the place of the one in memory. A commit whose outcome was unknown may have
    /// been stored: then its events come too late on the second try, and its work is dispatched here.
    async fn reload(&mut self, id: ExecutionId) {
        match self.reviver.revive(id).await {
            Ok(Some(Revived { tracked, execution, .. })) => {
                let Some(live) = self.live.get_mut(&id) else { return };
                (live.tracked, live.execution) = (tracked, execution);
                self.settle(id);
                self.dispatch_pending(id);
            }
            Ok(None) => self.forget_unlisted(id).await,
            // Never go on from memory that the store may not hold.
            Err(failure) => {
                error!(%failure, "an execution cannot be read back; it is left to the next start");
                self.forget(id, &Gone::Unread(failure.into_store_error()));
            }
        }
    }

    /// Forgets an execution that the store lists nowhere among the running ones: its start was not stored, or its end
    /// was.
    async fn forget_unlisted(&mut self, id: ExecutionId) {
        let gone = match self.store.standing(id).await {
            Ok(None) => Gone::NeverStarted,
            Ok(Some(standing)) => Gone::Ended(standing.stopped_at.unwrap_or_else(|| self.clock.now())),
            Err(failure) => Gone::Unread(failure),
        };
        self.forget(id, &gone);
    }

    /// Begins all pending work that does not run yet, and drops what is no longer pending.
    pub(super) fn dispatch_pending(&mut self, id: ExecutionId) {
        let Some(live) = self.live.get(&id) else { return };
        let pending = live.execution.pending();
        let owed: BTreeSet<WorkId> = pending.iter().map(work_id).collect();
        let running = live.tasks.keys().chain(live.timers.keys()).chain(live.offered.keys());
        let running: Vec<WorkId> = running.copied().collect();
        let running = running.into_iter().filter(|work| !owed.contains(work));
        running.for_each(|work| self.cancel(id, work));
        let runs_here: BTreeSet<WorkId> = pending.iter().filter_map(runs_here).collect();
        if let Some(live) = self.live.get_mut(&id) {
            // A failed commit that was stored all the same may have said that others do it now.
            live.tasks.retain(|work, _| runs_here.contains(work));
        }
        for work in pending {
            let runs = match &work {
                Work::Task(task) => self.live.get(&id).is_some_and(|live| live.runs(task)),
                Work::Timer { .. } | Work::Continue { .. } => false,
            };
            match work {
                // Read back after a commit that failed, the time of a task is the one from its step again.
                Work::Timer { work, at } => self.set_timer(id, work, at, true),
                Work::Task(_) if runs => {}
                Work::Task(_) | Work::Continue { .. } => self.dispatch(id, work, Duration::ZERO),
            }
        }
    }

    /// Begins work, so long after the beginning of the step that asked for it: the time of a task counts from now, not from
    /// then. A step may have waited for the evaluator or for its turn, and its commit for the disk.
    fn dispatch(&mut self, id: ExecutionId, work: Work, late: Duration) {
        match work {
            Work::Task(mut task) => {
                task.deadline = task.deadline.map(|deadline| later(deadline, late));
                self.begin_task(id, task);
            }
            Work::Timer { work, at } => {
                let is_task = self.live.get(&id).is_some_and(|live| live.is_task(work));
                self.set_timer(id, work, if is_task { later(at, late) } else { at }, false);
            }
            Work::Continue { work } => {
                self.ready.push_back(Occurrence { id, kind: EventKind::Continued { work }, log: Vec::new() });
            }
        }
    }

    /// Sets the timer of work; where it `keeps` the one that a task has, never earlier than that.
    fn set_timer(&mut self, id: ExecutionId, work: WorkId, at: Timestamp, keeps: bool) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let earlier = live.timers.get(&work).copied();
        let at = if keeps && live.is_task(work) { earlier.max(Some(at)).unwrap_or(at) } else { at };
        live.timers.insert(work, at);
        if let Some(earlier) = earlier {
            self.timers.clear(earlier, id, work);
        }
        self.timers.set(at, id, work);
    }

    fn begin_task(&mut self, id: ExecutionId, task: TaskWork) {
        if self.closing.is_some() {
            // It stays pending, and runs after the restart.
            return;
        }
        let Some(task) = self.begin_mocked(id, task) else { return };
        if let Doer::Worker { .. } = task.doer {
            return self.begin_activity(id, task);
        }
        let Some(live) = self.live.get_mut(&id) else { return };
        let (work, doer) = (task.work, task.doer);
        let submission = task.submission.clone().map(|submission| *submission);
        let request = request(&live.execution, task);
        let awaits_job = submission.is_some();
        let (integration, sender) = (Arc::clone(&self.integration), self.sender.clone());
        let hold = self.ties.place.hold();
        let running = tokio::spawn(async move {
            let (outcome, kept) = match submission {
                None => (unpanicked(integration.run(request)).await, Some(hold)),
                // What waits for the end of something else does not keep time from being skipped to that.
                Some(submission) => holding(hold, unpanicked(integration.finish(request, submission))).await,
            };
            let kind = match (outcome.result, doer) {
                (Ok(output), Doer::Callback | Doer::Job { submitted: false }) => {
                    EventKind::TaskSubmitted { work, output }
                }
                (Ok(result), Doer::Integration | Doer::Worker { .. } | Doer::Job { submitted: true }) => {
                    EventKind::TaskSucceeded { work, result }
                }
                (Err(error), _) => EventKind::TaskFailed { work, error },
            };
            // The shard ends only with the server; then the task runs again after the restart.
            let _ = sender.send(Message::TaskEnded(Occurrence { id, kind, log: outcome.log }, kept)).await;
        });
        live.tasks.insert(work, Running::new(running.abort_handle(), awaits_job));
    }

    /// Has a job stopped that nobody waits for any more. While the server ends, too: that its task was aborted is durable.
    fn stop_job(&self, id: ExecutionId, job: TaskWork) {
        let Some(live) = self.live.get(&id) else { return };
        let submission = job.submission.clone().map(|submission| *submission);
        let request = request(&live.execution, job);
        if self.integration.mocked(&request).is_some() {
            return;
        }
        let (integration, hold) = (Arc::clone(&self.integration), self.ties.place.hold());
        tokio::spawn(async move {
            let stop = AssertUnwindSafe(integration.stop(request, submission)).catch_unwind();
            if !matches!(tokio::time::timeout(limits::STOP_JOB, stop).await, Ok(Ok(()))) {
                warn!(execution = ?id, "a job could not be stopped; it goes on by itself");
            }
            drop(hold);
        });
    }

    fn cancel(&mut self, id: ExecutionId, work: WorkId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        if let Some(task) = live.tasks.remove(&work) {
            task.abort();
        }
        live.heard_of.remove(&work);
        if let Some(at) = live.timers.remove(&work) {
            self.timers.clear(at, id, work);
        }
        self.withdraw(id, work);
    }

    fn forget_if_ended(&mut self, id: ExecutionId) {
        let Some(live) = self.live.get(&id) else { return };
        let progress = &live.execution.progress;
        if progress.status == Status::Running {
            return;
        }
        // From what the others have left, a redrive goes on.
        let succeeded = progress.status == Status::Succeeded;
        if succeeded && live.tracked.leaves_parts() && progress.last_branch > BranchId::ROOT {
            self.sweep(id);
        }
        let stopped_at = live.stopped_at().unwrap_or_else(|| self.clock.now());
        self.forget(id, &Gone::Ended(stopped_at));
    }

    /// Removes what an ended execution with several branches has left in the store; nobody waits for it. What a
    /// crash or a failure leaves, the next start removes ([`crate::Executor::open`]).
    fn sweep(&self, id: ExecutionId) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(failure) = store.sweep(id).await {
                debug!(%failure, execution = ?id, "an ended execution's parts stay until the next start");
            }
        });
    }

    /// Drops an execution from memory, and answers those who wait for an event of it.
    pub(super) fn forget(&mut self, id: ExecutionId, gone: &Gone) {
        if let Some(mut live) = self.drop_live(id) {
            match gone {
                // It is in the store as it was.
                Gone::Unread(_) => live.stays_open(),
                Gone::Ended(_) | Gone::NeverStarted => live.ended(),
            }
            if let Some(away) = live.away {
                away.dismiss(gone);
            }
        }
        self.release_redrives(id);
        self.ties.endings.tell(id, || self.ties.place.hold());
    }

    /// Drops an execution from memory, with its tasks and timers.
    pub(super) fn drop_live(&mut self, id: ExecutionId) -> Option<Live> {
        let mut live = self.live.remove(&id)?;
        live.abort_tasks();
        self.names.remove(live.execution_arn());
        for (work, at) in &live.timers {
            self.timers.clear(*at, id, *work);
        }
        for (work, activity) in &live.offered {
            self.activities.withdraw(activity, id, *work);
        }
        Some(live)
    }
}

/// What an integration does, which must not take the shard down.
async fn unpanicked(run: impl Future<Output = TaskOutcome>) -> TaskOutcome {
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| {
        error!("an integration panicked; its task failed");
        let cause = "The integration failed inside the server; its log has the details.";
        TaskOutcome { result: Err(StatesError::new("Lambda.ServiceException", cause)), log: Vec::new() }
    })
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp(at.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

fn work_id(work: &Work) -> WorkId {
    match work {
        Work::Task(task) => task.work,
        Work::Timer { work, .. } | Work::Continue { work } => *work,
    }
}

/// The work if it is a task that something runs for in this process, and not one that waits for a worker.
fn runs_here(work: &Work) -> Option<WorkId> {
    match work {
        Work::Task(task) => (!matches!(task.doer, Doer::Worker { scheduled: true, .. })).then_some(task.work),
        Work::Timer { .. } | Work::Continue { .. } => None,
    }
}

/// A task of an execution, for whoever runs it.
pub(super) fn request(execution: &Execution, task: TaskWork) -> TaskRequest {
    let token = (task.doer == Doer::Callback).then(|| TaskToken::issue(&execution.context, task.work));
    TaskRequest {
        task_token: token,
        execution_arn: execution.context.execution_arn.clone(),
        state_name: task.state_name,
        resource: task.resource,
        parameters: task.parameters,
        attempt: task.attempt,
        idempotency_key: task.idempotency_key,
        deadline: task.deadline,
        pinned_at: Some(execution.pinned_at()),
        test_case: execution.context.test_case.clone(),
    }
}
