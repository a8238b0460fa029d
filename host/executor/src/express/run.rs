//! One Express execution: the loop of `step` and of what it asks for.
//!
//! Every event goes through `step`, and nothing else changes the execution. It must never write to the store.

use super::room::{Outgrown, Share};
use super::work::Work as Pending;
use super::{ExpressEnd, Shared};
use crate::error::StartError;
use crate::integration::TaskRequest;
use crate::lane::{Home, Job};
use crate::limits;
use crate::observer::{Observed, Tally};
use crate::quiescence::Guest;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Command, Event, EventKind, Execution, ExecutionContext, HistoryDetails, HistoryEvent, StateMachine,
    Status, TaskWork, Timestamp, Transition, Work, WorkId, json_bytes, step,
};
use stepwell_store::{ExecutionId, Observation};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::error;

/// What is known of an execution beside its context.
pub(super) struct Facts {
    pub(super) id: ExecutionId,
    pub(super) machine: Arc<StateMachine>,
    pub(super) trace_header: Option<String>,
    /// None: nobody watches it.
    pub(super) observation: Option<Observation>,
    pub(super) share: Share,
}

/// An execution in memory.
pub(super) struct Run {
    shared: Arc<Shared>,
    facts: Facts,
    /// What those who count have not been told yet.
    tally: Tally,
    /// A placeholder while a step has it.
    execution: Execution,
    pending: Pending,
    size: Size,
    last_event_at: Timestamp,
    /// Where time is virtual.
    guest: Option<Guest>,
}

/// What an execution holds, measured when it may have doubled.
#[derive(Default)]
struct Size {
    measured: usize,
    /// Bytes of texts recorded since.
    recorded: usize,
}

impl Run {
    pub(super) fn new(shared: Arc<Shared>, mut facts: Facts, context: ExecutionContext, input: Value) -> Run {
        facts.observation = facts.observation.filter(|observation| shared.observer.observes(observation));
        let tally = Tally { express: true, started: 1, ..Tally::default() };
        let guest = shared.quiescence.guest();
        let last_event_at = context.start_time;
        let (pending, size) = (Pending::default(), Size::default());
        let execution = Execution::new(context, input);
        Run { shared, facts, tally, execution, pending, size, last_event_at, guest }
    }

    pub(super) fn context(&self) -> &ExecutionContext {
        &self.execution.context
    }

    pub(super) fn trace_header(&self) -> Option<&str> {
        self.facts.trace_header.as_deref()
    }

    /// Takes the first step, if it can be taken here and now. Many executions need no other. Errors: `Broken`.
    pub(super) fn begin_at_once(&mut self) -> Result<Option<ExpressEnd>, StartError> {
        if self.facts.machine.uses_jsonata() {
            return Ok(None);
        }
        let (execution, event) = self.take(EventKind::Start);
        let transition = self.step_here(execution, event)?;
        self.absorb(transition, Duration::ZERO)
    }

    /// Goes on to the end, or begins. Errors: `Broken`; `ShuttingDown` when there is nobody any more to take a step.
    pub(super) async fn complete(mut self) -> Result<ExpressEnd, StartError> {
        let mut event = if self.execution.progress.last_event_id == 0 {
            EventKind::Start
        } else {
            self.next_event().await
        };
        loop {
            if let Some(end) = self.step(event).await? {
                return Ok(end);
            }
            event = self.next_event().await;
        }
    }

    async fn next_event(&mut self) -> EventKind {
        // Time passes without it as long as nothing else can happen to it.
        if let (Some(guest), Some(due)) = (&mut self.guest, self.pending.next_due())
            && self.pending.only_waits()
        {
            guest.rest(due);
        }
        let event = self.pending.next(&*self.shared.clock).await;
        if let Some(guest) = &mut self.guest {
            guest.work();
        }
        event
    }

    async fn step(&mut self, kind: EventKind) -> Result<Option<ExpressEnd>, StartError> {
        let (execution, event) = self.take(kind);
        if !self.facts.machine.uses_jsonata() {
            let transition = self.step_here(execution, event)?;
            return self.absorb(transition, Duration::ZERO);
        }
        let began = Instant::now();
        let (home, answer) = oneshot::channel();
        let lane = self.shared.lane.upgrade().ok_or(StartError::ShuttingDown)?;
        let machine = Arc::clone(&self.facts.machine);
        lane.submit(Job { id: self.facts.id, machine, execution, event, home: Home::Express(home) });
        drop(lane);
        let transition = answer.await.map_err(|_| StartError::ShuttingDown)?;
        let transition = transition.ok_or_else(|| self.broken())?;
        self.absorb(transition, began.elapsed())
    }

    fn step_here(&self, execution: Execution, event: Event) -> Result<Transition, StartError> {
        let machine = &self.facts.machine;
        let transition = catch_unwind(AssertUnwindSafe(|| step(machine, execution, event, &NoEvaluator)));
        transition.map_err(|_| self.broken())
    }

    fn broken(&self) -> StartError {
        error!(id = ?self.facts.id, "a step of an Express execution panicked; the execution is lost");
        StartError::Broken
    }

    fn take(&mut self, kind: EventKind) -> (Execution, Event) {
        // History never runs backwards, even when the clock does.
        self.last_event_at = self.last_event_at.max(self.shared.clock.now());
        let execution = std::mem::replace(&mut self.execution, Execution::placeholder());
        (execution, Event { at: self.last_event_at, kind })
    }

    /// Takes a step's result over, and does what it asks for. The step began so long ago: the time of a task counts from
    /// now, as for Standard executions.
    fn absorb(
        &mut self,
        mut transition: Transition,
        late: Duration,
    ) -> Result<Option<ExpressEnd>, StartError> {
        if transition.execution.progress.status != Status::Running {
            return Ok(Some(self.end(transition)));
        }
        let is_start = transition.history.first().is_some_and(|event| event.id == 1);
        if is_start {
            self.bound_time(&mut transition);
        }
        self.size.recorded += recorded_bytes(&mut transition.history);
        self.tell(&transition.execution, std::mem::take(&mut transition.history));
        self.execution = transition.execution;
        for command in transition.commands {
            match command {
                Command::Dispatch(work) => self.dispatch(work, late),
                Command::Cancel(work) => self.pending.cancel(work),
                // Express machines have no jobs.
                Command::StopJob(_) => {}
            }
        }
        match self.measure() {
            Ok(()) => Ok(None),
            Err(outgrown) => self.end_outgrown(outgrown).map(Some),
        }
    }

    /// Sees to it that the execution ends in time.
    fn bound_time(&mut self, transition: &mut Transition) {
        let latest = later(self.last_event_at, limits::EXPRESS_DURATION);
        let deadline = &mut transition.execution.progress.deadline;
        let at = deadline.map_or(latest, |deadline| deadline.min(latest));
        *deadline = Some(at);
        transition.commands.push(Command::Dispatch(Work::Timer { work: WorkId::EXECUTION, at }));
    }

    fn dispatch(&mut self, work: Work, late: Duration) {
        match work {
            Work::Task(task) => self.begin_task(task, late),
            Work::Timer { work, at } => {
                let is_task = work != WorkId::EXECUTION && self.pending.runs(work);
                self.pending.set_timer(work, if is_task { later(at, late) } else { at });
            }
            Work::Continue { work } => self.pending.go_on(work),
        }
    }

    fn begin_task(&mut self, task: TaskWork, late: Duration) {
        let request = TaskRequest {
            task_token: None,
            execution_arn: self.execution.context.execution_arn.clone(),
            state_name: task.state_name,
            resource: task.resource,
            parameters: task.parameters,
            attempt: task.attempt,
            idempotency_key: task.idempotency_key,
            deadline: task.deadline.map(|deadline| later(deadline, late)),
            pinned_at: Some(self.execution.context.start_time),
            test_case: self.execution.context.test_case.clone(),
        };
        self.pending.begin(&self.shared.integration, task.work, request);
    }

    /// Measures what the execution holds if that may have doubled since the last time.
    fn measure(&mut self) -> Result<(), Outgrown> {
        let Size { measured, recorded } = self.size;
        if recorded < measured.max(limits::EXPRESS_MEASURED_AFTER) {
            return Ok(());
        }
        let bytes = json_bytes(&self.execution);
        self.size = Size { measured: bytes, recorded: 0 };
        self.facts.share.hold(bytes)
    }

    fn end_outgrown(&mut self, Outgrown { bytes }: Outgrown) -> Result<ExpressEnd, StartError> {
        let error = "Stepwell.ExpressMemoryExceeded".to_owned();
        let cause = format!("The execution holds {bytes} bytes of data, more than there is room for here.");
        let (execution, event) = self.take(EventKind::Stop { error: Some(error), cause: Some(cause) });
        let transition = self.step_here(execution, event)?;
        Ok(self.end(transition))
    }

    /// Tells those who count, and those who watch this execution.
    fn tell(&mut self, execution: &Execution, events: Vec<HistoryEvent>) {
        self.tally.transitions += 1;
        self.tally.history_events += events.len() as u64;
        if execution.progress.status != Status::Running {
            self.tally.ended.push(execution.progress.status);
        }
        self.shared.observer.count(&self.tally);
        self.tally = Tally { express: true, ..Tally::default() };
        let Some(observation) = self.facts.observation.as_ref().filter(|_| !events.is_empty()) else {
            return;
        };
        self.shared.observer.observe(Observed {
            execution: None,
            observation,
            context: &execution.context,
            trace_header: self.facts.trace_header.as_deref(),
            redrive_count: 0,
            events,
        });
    }

    fn end(&mut self, transition: Transition) -> ExpressEnd {
        let Transition { execution, mut history, .. } = transition;
        let is_watched = self.facts.observation.is_some();
        let mut output = None;
        if let Some(HistoryDetails::ExecutionSucceeded { output: text }) =
            history.last_mut().map(|event| &mut event.details)
        {
            output = Some(if is_watched { text.clone() } else { std::mem::take(text) });
        }
        self.tell(&execution, history);
        let Execution { context, progress, .. } = execution;
        ExpressEnd {
            execution_arn: context.execution_arn,
            started_at: context.start_time,
            stopped_at: progress.stop_time.unwrap_or(self.last_event_at),
            // Nobody can stop one: it was ended here.
            status: if progress.status == Status::Aborted { Status::Failed } else { progress.status },
            output,
            error: progress.error,
            cause: progress.cause,
            held_bytes: self.facts.share.most(),
        }
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp(at.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

/// Bytes of all texts in these events.
fn recorded_bytes(history: &mut [HistoryEvent]) -> usize {
    let mut bytes = 0;
    for event in history {
        event.details.payloads_mut(&mut |text| bytes += text.len());
    }
    bytes
}
