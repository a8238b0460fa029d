//! A shard: the sole writer of its executions.
//!
//! One turn = drain the mailbox, `step` each event, one commit, then answer and begin new work. Nothing is told
//! to anyone before its commit. Steps of machines that use JSONata are taken on the lane and come back as messages.
//! A shard must never wait for a task, nor for the lane.

mod after_commit;
mod away;
mod live;
mod start;
mod stop;
mod timers;
mod turn;

use crate::clock::Clock;
use crate::error::{StartError, StopError};
use crate::integration::Integration;
use crate::lane::{Lane, Stepped};
use crate::limits;
use crate::machines::Machines;
use crate::request::{StartRequest, Started};
use live::Live;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{EventKind, Execution, Quotas, Timestamp};
use stepwell_store::{ExecutionId, LogLine, StartRecord, Store};
use timers::Timers;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::error;
use turn::Turn;

/// What reaches a shard.
pub(crate) enum Message {
    /// StartExecution.
    Start { request: Box<StartRequest>, reply: oneshot::Sender<Result<Started, StartError>> },
    /// StopExecution.
    Stop {
        execution_arn: String,
        error: Option<String>,
        cause: Option<String>,
        reply: oneshot::Sender<Result<Timestamp, StopError>>,
    },
    /// A task ended.
    TaskEnded(Occurrence),
    /// A step came back from the lane.
    Stepped(Box<Stepped>),
    /// An execution that was open when the executor started.
    Recover { id: ExecutionId, record: StartRecord, execution: Box<Execution> },
    /// End after at most `grace`.
    ShutDown { grace: Duration, reply: oneshot::Sender<()> },
}

/// An event for one execution, with the log lines that came with it. Kept until it is committed.
#[derive(Clone)]
pub(crate) struct Occurrence {
    pub(crate) id: ExecutionId,
    pub(crate) kind: EventKind,
    pub(crate) log: Vec<LogLine>,
}

/// What all shards are given.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) machines: Arc<Machines>,
    pub(crate) integration: Arc<dyn Integration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) quotas: Quotas,
}

/// One shard.
pub(crate) struct Shard {
    store: Store,
    machines: Arc<Machines>,
    integration: Arc<dyn Integration>,
    clock: Arc<dyn Clock>,
    lane: Arc<Lane>,
    quotas: Quotas,
    /// For the tasks that this shard starts, and for the lane.
    sender: mpsc::Sender<Message>,
    inbox: mpsc::Receiver<Message>,
    live: BTreeMap<ExecutionId, Live>,
    names: BTreeMap<String, ExecutionId>,
    timers: Timers,
    /// Events that need no waiting: yields, and those of a failed commit.
    ready: VecDeque<Occurrence>,
    closing: Option<Closing>,
}

/// A shut-down under way.
struct Closing {
    until: Instant,
    reply: oneshot::Sender<()>,
}

impl Shard {
    pub(crate) fn new(parts: Parts, sender: mpsc::Sender<Message>, inbox: mpsc::Receiver<Message>) -> Shard {
        let Parts { store, machines, integration, clock, lane, quotas } = parts;
        Shard {
            store,
            machines,
            integration,
            clock,
            lane,
            quotas,
            sender,
            inbox,
            live: BTreeMap::new(),
            names: BTreeMap::new(),
            timers: Timers::default(),
            ready: VecDeque::new(),
            closing: None,
        }
    }

    /// Runs until it is shut down.
    pub(crate) async fn run(mut self) {
        while !self.may_end() {
            let first = self.next_message().await;
            self.turn(first).await;
        }
        for live in self.live.values_mut() {
            live.abort_tasks();
        }
        if let Some(closing) = self.closing {
            // Nobody waits any more when this fails.
            let _ = closing.reply.send(());
        }
    }

    fn may_end(&self) -> bool {
        self.closing
            .as_ref()
            .is_some_and(|closing| Instant::now() >= closing.until || !self.live.values().any(Live::is_busy))
    }

    /// Waits until there is something to do: a message, a due timer, or an event left from the last turn.
    async fn next_message(&mut self) -> Option<Message> {
        if !self.ready.is_empty() {
            return self.inbox.try_recv().ok();
        }
        let sleep = match (&self.closing, self.timers.next_due()) {
            (Some(closing), _) => Some(closing.until.saturating_duration_since(Instant::now())),
            (None, Some(due)) => {
                let milliseconds =
                    u64::try_from(due.0.saturating_sub(self.clock.now().0)).unwrap_or_default();
                Some(Duration::from_millis(milliseconds).min(limits::TIMER_SLEEP))
            }
            (None, None) => None,
        };
        match sleep {
            Some(sleep) => tokio::time::timeout(sleep, self.inbox.recv()).await.ok().flatten(),
            None => self.inbox.recv().await,
        }
    }

    /// One turn, as the head of this file says.
    async fn turn(&mut self, first: Option<Message>) {
        let mut turn = Turn::default();
        let mut next = first;
        while let Some(message) = next {
            self.handle(message, &mut turn).await;
            next = if turn.is_full() { None } else { self.inbox.try_recv().ok() };
        }
        while !turn.is_full() {
            let Some(occurrence) = self.ready.pop_front() else { break };
            self.apply(occurrence, &mut turn);
        }
        self.fire_timers(&mut turn);
        self.commit(turn).await;
    }

    async fn handle(&mut self, message: Message, turn: &mut Turn) {
        match message {
            Message::Start { request, reply } => self.start(*request, reply, turn).await,
            Message::Stop { execution_arn, error, cause, reply } => {
                self.stop(&execution_arn, error, cause, reply, turn).await;
            }
            Message::TaskEnded(occurrence) => self.apply(occurrence, turn),
            Message::Stepped(stepped) => self.came_back(*stepped, turn).await,
            Message::Recover { id, record, execution } => self.adopt(id, record, *execution).await,
            Message::ShutDown { grace, reply } => {
                self.closing = Some(Closing { until: Instant::now() + grace, reply });
            }
        }
    }

    /// Takes over an execution from the store and begins the work that it owes.
    async fn adopt(&mut self, id: ExecutionId, record: StartRecord, execution: Execution) {
        match self.machines.get(record.machine, record.revision).await {
            Ok(machine) => {
                self.names.insert(execution.context.execution_arn.clone(), id);
                self.live.insert(id, Live::new(machine, record, execution));
                self.dispatch_pending(id);
            }
            Err(failure) => {
                let arn = &execution.context.execution_arn;
                error!(execution = %arn, %failure, "an open execution cannot be continued; it is left as it is");
            }
        }
    }

    fn fire_timers(&mut self, turn: &mut Turn) {
        if self.closing.is_some() {
            return;
        }
        let now = self.clock.now();
        while !turn.is_full() {
            let Some((id, work)) = self.timers.pop_due(now) else { break };
            if let Some(live) = self.live.get_mut(&id) {
                live.timers.remove(&work);
            }
            self.apply(Occurrence { id, kind: EventKind::TimerFired { work }, log: Vec::new() }, turn);
        }
    }
}
