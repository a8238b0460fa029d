//! The tasks of activities inside a shard: looked up, offered to workers, handed out, taken back.
//!
//! A task is handed out when that is durable, and not before; where its worker turns out to be gone, that is made durable
//! as well, and another one gets it.

use super::away::{Asker, Queued};
use super::live::Running;
use super::turn::{Reply, Turn};
use super::{Asked, Message, Occurrence, Shard};
use crate::activities::{Delivery, HandedTask, Offered, same_account};
use crate::limits;
use std::sync::Arc;
use stepwell_asl::{Activity, Doer, EventKind, StatesError, TaskToken, TaskWork, WorkId};
use stepwell_store::{ExecutionId, StoreError};
use tokio::sync::oneshot;
use tracing::warn;

/// A worker wants a task that was offered.
pub(crate) struct HandOut {
    pub(crate) activity: String,
    pub(crate) offered: Offered,
    pub(crate) worker_name: Option<String>,
    pub(crate) reply: HandOutReply,
}

pub(crate) type HandOutReply = oneshot::Sender<Result<HandedTask, HandOutRefusal>>;

/// Why a worker does not get a task.
pub(crate) enum HandOutRefusal {
    /// It has ended.
    Gone,
    /// That could not be made durable.
    Store(StoreError),
}

/// What a worker is told after the commit.
pub(super) struct HandingOut {
    pub(super) activity: String,
    pub(super) offered: Offered,
    pub(super) token: String,
    pub(super) input: String,
    pub(super) reply: HandOutReply,
}

/// What the cause of a task without an activity says (API reference, DeleteActivity).
const NO_ACTIVITY: &str = "The activity ARN does not exist.";

impl Shard {
    /// Begins the task of an activity: asks whether that exists, then lets the task wait for a worker.
    pub(super) fn begin_activity(&mut self, id: ExecutionId, task: TaskWork) {
        let Doer::Worker { scheduled, again } = task.doer else { return };
        let Some(live) = self.live.get_mut(&id) else { return };
        let (work, execution_arn) = (task.work, live.execution_arn().to_owned());
        if scheduled {
            live.tasks.remove(&work);
            live.offered.insert(work, task.resource.clone());
            let offered = Offered { id, execution_arn, work, again };
            return self.activities.offer(&task.resource, offered);
        }
        let (store, home) = (self.store.clone(), self.sender.clone());
        let looked_up = tokio::spawn(async move {
            let exists = loop {
                match store.activity(&task.resource).await {
                    Ok(found) => break found.is_some() && same_account(&task.resource, &execution_arn),
                    Err(StoreError::Closed) => return,
                    Err(failure) => {
                        warn!(%failure, "an activity cannot be looked up; trying again");
                        tokio::time::sleep(limits::REVIVAL_RETRY).await;
                    }
                }
            };
            let kind = if exists {
                EventKind::ActivityScheduled { work }
            } else {
                EventKind::TaskFailed { work, error: StatesError::runtime(NO_ACTIVITY) }
            };
            // The shard ends only with the server; then it is looked up again after the restart.
            let _ = home.send(Message::TaskEnded(Occurrence { id, kind, log: Vec::new() }, None)).await;
        });
        live.tasks.insert(work, Running::new(looked_up.abort_handle(), false));
    }

    /// Hands a task out to a worker that still waits for it.
    pub(super) fn hand_out(&mut self, hand_out: HandOut, turn: &mut Turn) {
        let Offered { id, work, again, .. } = hand_out.offered;
        let is_offered = self.live.get(&id).is_some_and(|live| live.offered.contains_key(&work));
        if self.closing.is_some() {
            // It stays as it is until the next start: the worker hears that the server ends.
            return;
        }
        if !is_offered {
            // The worker may be gone; that changes nothing here.
            let _ = hand_out.reply.send(Err(HandOutRefusal::Gone));
            return;
        }
        if hand_out.reply.is_closed() {
            return self.activities.put_back(&hand_out.activity, hand_out.offered);
        }
        let worker_name = hand_out.worker_name.clone();
        let kind = if again {
            EventKind::TaskStartedAgain { work, worker_name }
        } else {
            EventKind::TaskStarted { work, worker_name }
        };
        let occurrence = Occurrence { id, kind, log: Vec::new() };
        if self.is_laned(id) {
            let askers = vec![Asker::HandOut(Box::new(hand_out))];
            return self.queue(Queued { occurrence, askers }, turn);
        }
        let moved = self.step_now(&occurrence, turn);
        self.promise(hand_out, moved, turn);
    }

    /// What the worker hears after the commit of the step that has handed the task out, or has not.
    pub(super) fn promise(&mut self, hand_out: HandOut, moved: bool, turn: &mut Turn) {
        let HandOut { activity, offered, reply, .. } = hand_out;
        let work = offered.work;
        let execution = self.live.get(&offered.id).map(|live| &live.execution).filter(|_| moved);
        let promised = execution.and_then(|execution| {
            let Activity::Task(task) = &execution.branches.get(&work.branch)?.activity else { return None };
            let token = TaskToken::issue(&execution.context, work);
            (task.work == work).then(|| (token, task.parameters.to_string()))
        });
        match promised {
            Some((token, input)) => {
                let handing_out = HandingOut { activity, offered, token, input, reply };
                turn.replies.push(Reply::HandOut(Box::new(handing_out)));
            }
            // The worker may be gone; that changes nothing here.
            None => drop(reply.send(Err(HandOutRefusal::Gone))),
        }
    }

    /// The task is handed out, durably: the worker gets it, or it comes back.
    pub(super) fn handed_out(&mut self, handing_out: HandingOut) {
        let HandingOut { offered, token, input, reply, .. } = handing_out;
        let Offered { id, work, .. } = offered;
        if let Some(live) = self.live.get_mut(&id) {
            live.offered.remove(&work);
        }
        let delivery = Delivery { id, work, home: Some(self.sender.clone()) };
        // Where nobody waits any more, dropping the task brings it back.
        let _ = reply.send(Ok(HandedTask { token, input, delivery }));
    }

    /// The commit has failed: the worker hears of it, and the task waits for another one.
    pub(super) fn not_handed_out(&mut self, handing_out: HandingOut, failure: &StoreError) {
        let HandingOut { activity, offered, reply, .. } = handing_out;
        // The worker may be gone; that changes nothing here.
        let _ = reply.send(Err(HandOutRefusal::Store(failure.clone())));
        let Offered { id, work, .. } = offered;
        let handed_out = self.pending_task(id, work).is_some_and(|task| task.submitted);
        let Some(live) = self.live.get_mut(&id) else { return };
        if handed_out {
            // The commit that failed was stored all the same.
            live.offered.remove(&work);
            let kind = EventKind::TaskReturned { work };
            self.ready.push_back(Occurrence { id, kind, log: Vec::new() });
        } else if live.offered.contains_key(&work) {
            self.activities.put_back(&activity, offered);
        }
    }

    /// After an execution was read back: every task that was handed out, and of which it is not known that it arrived,
    /// is for another worker. Nobody can say any more.
    pub(super) fn take_back(&mut self, id: ExecutionId) {
        let Some(live) = self.live.get(&id) else { return };
        let undelivered = live.execution.branches.values().filter_map(|branch| match &branch.activity {
            Activity::Task(task) => (task.submitted && !task.delivered).then_some(task.work),
            Activity::Ready { .. }
            | Activity::Waiting { .. }
            | Activity::BackingOff { .. }
            | Activity::Joining => None,
        });
        self.ready.extend(undelivered.map(|work| {
            let kind = EventKind::TaskReturned { work };
            Occurrence { id, kind, log: Vec::new() }
        }));
    }

    /// A worker was given a task and has not got it: another one may, once that is durable.
    pub(super) fn undelivered(&mut self, id: ExecutionId, work: WorkId, turn: &mut Turn) {
        if self.live.contains_key(&id) {
            self.apply(Occurrence { id, kind: EventKind::TaskReturned { work }, log: Vec::new() }, turn);
        } else {
            // Nobody but this asks, so nothing bounds it but the workers.
            self.revive_for(id, Asked::Return(work));
        }
    }

    /// A worker has had its task for a while. One that has ended by then needs no record of that.
    pub(super) fn delivered(&mut self, id: ExecutionId, work: WorkId, turn: &mut Turn) {
        self.apply(Occurrence { id, kind: EventKind::TaskDelivered { work }, log: Vec::new() }, turn);
    }

    /// A task no longer waits for a worker.
    pub(super) fn withdraw(&mut self, id: ExecutionId, work: WorkId) {
        let activity = self.live.get_mut(&id).and_then(|live| live.offered.remove(&work));
        if let Some(activity) = activity {
            Arc::clone(&self.activities).withdraw(&activity, id, work);
        }
    }
}
