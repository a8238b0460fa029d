//! A shard: the sole writer of its executions.
//!
//! One turn = drain the mailbox, `step` each event, one commit, then answer and begin new work. Nothing is told
//! to anyone before its commit. Steps of machines that use JSONata are taken on the lane and come back as messages.
//! A shard must never wait for a task, nor for the lane.

mod after_commit;
mod answer;
mod away;
mod hand_out;
mod live;
mod mocked;
mod redrive;
mod revival;
mod start;
mod stop;
mod timers;
mod turn;

use crate::activities::Activities;
use crate::alarm::Recovered;
use crate::allotment::Allotment;
use crate::clock::Clock;
use crate::deletions::Deletions;
use crate::endings::Endings;
use crate::error::StartError;
use crate::ids::Ids;
use crate::integration::Integration;
use crate::lane::{Lane, Stepped};
use crate::limits;
use crate::load::ShardLoad;
use crate::observer::Observer;
use crate::quiescence::{Hold, Place};
use crate::request::{StartRequest, Started};
use crate::revive::Reviver;
use crate::stall::Stall;
pub(crate) use answer::Answer;
pub(crate) use hand_out::{HandOut, HandOutRefusal};
use live::Live;
pub(crate) use redrive::{Redrive, Redriving};
use revival::Revival;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{EventKind, Quotas, StateMachine, Timestamp, WorkId};
use stepwell_store::{Changes, ExecutionId, LogLine, Store};
pub(crate) use stop::Stop;
use timers::Timers;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;
use tracing::warn;
use turn::Turn;

/// What reaches a shard.
pub(crate) enum Message {
    /// StartExecution.
    Start {
        request: Box<StartRequest>,
        machine: Arc<StateMachine>,
        reply: oneshot::Sender<Result<Started, StartError>>,
    },
    /// StopExecution.
    Stop(Stop),
    /// RedriveExecution.
    Redrive(Redrive),
    /// An ended execution was read back to be redriven.
    Redriving(Box<Redriving>),
    /// Somebody answers a task with its token.
    Answer(Answer),
    /// A worker wants the task of an activity that was offered.
    HandOut(Box<HandOut>),
    /// A worker has had a task for a while.
    Delivered { id: ExecutionId, work: WorkId },
    /// A worker was given a task and has not got it.
    Undelivered { id: ExecutionId, work: WorkId },
    /// A task ended, or has come a step further. Virtual time waits until that is known here.
    TaskEnded(Occurrence, Option<Hold>),
    /// A step came back from the lane.
    Stepped(Box<Stepped>),
    /// An execution that is not in memory, or was not a moment ago, has something to do.
    Wake {
        id: ExecutionId,
        permit: Option<OwnedSemaphorePermit>,
        hold: Hold,
        recovered: Option<Arc<Recovered>>,
    },
    /// An execution was read back.
    Revived(Box<Revival>),
    /// End after at most `grace`.
    ShutDown { grace: Duration, reply: oneshot::Sender<()> },
}

/// What waits for an execution that is being read back.
pub(crate) enum Asked {
    Stop(Stop),
    Answer(Answer),
    /// A task that its worker has not got comes back.
    Return(WorkId),
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
    pub(crate) reviver: Reviver,
    pub(crate) integration: Arc<dyn Integration>,
    pub(crate) activities: Arc<Activities>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) quotas: Quotas,
    /// Of all open executions, whether they are in memory or not.
    pub(crate) open: Allotment,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) deletions: Arc<Deletions>,
}

/// What a shard shares with those who ask for something.
pub(crate) struct Ties {
    pub(crate) endings: Arc<Endings>,
    pub(crate) stall: Arc<Stall>,
    pub(crate) load: Arc<ShardLoad>,
    /// Its place among those who may be at work, where time is virtual.
    pub(crate) place: Place,
}

/// One shard.
pub(crate) struct Shard {
    store: Store,
    reviver: Reviver,
    integration: Arc<dyn Integration>,
    activities: Arc<Activities>,
    clock: Arc<dyn Clock>,
    /// When this life began.
    began_at: Timestamp,
    lane: Arc<Lane>,
    ids: Arc<Ids>,
    quotas: Quotas,
    open: Allotment,
    observer: Arc<dyn Observer>,
    deletions: Arc<Deletions>,
    ties: Ties,
    /// For the tasks that this shard starts, and for the lane.
    sender: mpsc::Sender<Message>,
    inbox: mpsc::Receiver<Message>,
    live: BTreeMap<ExecutionId, Live>,
    names: BTreeMap<String, ExecutionId>,
    /// Executions that are being read back, with the requests that wait for it.
    reviving: BTreeMap<ExecutionId, Vec<Asked>>,
    /// Requests to redrive executions that are being read back, or are redriven and not committed yet.
    redriving: BTreeMap<ExecutionId, Vec<Redrive>>,
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
    pub(crate) fn new(
        parts: Parts,
        ties: Ties,
        sender: mpsc::Sender<Message>,
        inbox: mpsc::Receiver<Message>,
    ) -> Shard {
        let Parts { store, reviver, integration, activities, clock, lane, ids, quotas, .. } = parts;
        let Parts { open, observer, deletions, .. } = parts;
        Shard {
            store,
            reviver,
            integration,
            activities,
            began_at: clock.now(),
            clock,
            lane,
            ids,
            quotas,
            open,
            observer,
            deletions,
            ties,
            sender,
            inbox,
            live: BTreeMap::new(),
            names: BTreeMap::new(),
            reviving: BTreeMap::new(),
            redriving: BTreeMap::new(),
            timers: Timers::default(),
            ready: VecDeque::new(),
            closing: None,
        }
    }

    /// Runs until it is shut down.
    pub(crate) async fn run(mut self) {
        self.note_rest();
        while !self.may_end() {
            let first = self.next_message().await;
            self.ties.place.work();
            self.turn(first).await;
            self.ties.load.set(self.live.len(), self.timers.len());
            self.note_rest();
        }
        for live in self.live.values_mut() {
            live.abort_tasks();
            live.stays_open();
        }
        self.write_checkpoints().await;
        self.ties.endings.close();
        if let Some(closing) = self.closing {
            // Nobody waits any more when this fails.
            let _ = closing.reply.send(());
        }
    }

    /// Leaves nothing to replay: another version of the server may go on from here.
    async fn write_checkpoints(&mut self) {
        let mut changes = Changes::new();
        let mut ids: Vec<ExecutionId> = self.live.keys().copied().collect();
        while let Some(id) = ids.pop() {
            if let Some(live) = self.live.get_mut(&id).filter(|live| live.is_idle())
                && let Err(failure) = changes.checkpoint(&mut live.tracked, &live.execution)
            {
                warn!(%failure, execution = ?id, "no checkpoint at the end; its journal is replayed");
            }
            if changes.entries() < limits::LAST_CHECKPOINTS && !ids.is_empty() {
                continue;
            }
            if !changes.is_empty()
                && let Err(failure) = self.store.commit(std::mem::take(&mut changes)).await
            {
                warn!(%failure, "no checkpoints at the end; the journals are replayed");
                return;
            }
        }
    }

    /// Lets virtual time go on when nothing is under way any more. A task that runs is, and so is everything that is
    /// neither a timer nor waits for an event from outside.
    fn note_rest(&mut self) {
        if self.ties.place.is_watched()
            && self.closing.is_none()
            && self.ready.is_empty()
            && self.reviving.is_empty()
            && !self.live.values().any(Live::is_busy_or_queued)
        {
            self.ties.place.rest(self.timers.next_due());
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
        match (&self.closing, self.timers.next_due()) {
            (Some(closing), _) => {
                let left = closing.until.saturating_duration_since(Instant::now());
                return tokio::time::timeout(left, self.inbox.recv()).await.ok().flatten();
            }
            (None, Some(due)) => tokio::select! {
                biased;
                message = self.inbox.recv() => message,
                () = self.clock.sleep_until(due) => None,
            },
            (None, None) => self.inbox.recv().await,
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
            Message::Start { request, machine, reply } => self.start(*request, machine, reply, turn),
            Message::Stop(stop) => self.stop(stop, turn),
            Message::Redrive(redrive) => self.redrive(redrive),
            Message::Redriving(redriving) => self.redriving(*redriving, turn).await,
            Message::Answer(answer) => self.answer(answer, turn),
            Message::HandOut(hand_out) => self.hand_out(*hand_out, turn),
            Message::Delivered { id, work } => self.delivered(id, work, turn),
            Message::Undelivered { id, work } => self.undelivered(id, work, turn),
            Message::TaskEnded(occurrence, hold) => {
                self.apply(occurrence, turn);
                // The shard holds time itself now.
                drop(hold);
            }
            Message::Stepped(stepped) => self.came_back(*stepped, turn).await,
            Message::Wake { id, permit, hold, recovered } => {
                self.wake(id, permit, recovered);
                // The shard holds time itself now.
                drop(hold);
            }
            Message::Revived(revival) => self.revived(*revival, turn).await,
            Message::ShutDown { grace, reply } => {
                self.closing = Some(Closing { until: Instant::now() + grace, reply });
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
