//! StopExecution inside a shard.

use super::away::{Asker, Queued};
use super::live::Live;
use super::turn::{Reply, Turn};
use super::{Asked, Occurrence, Shard};
use crate::error::StopError;
use crate::limits;
use stepwell_asl::{EventKind, Status, Timestamp};
use stepwell_store::{ExecutionId, StoreError, Stranded};
use tokio::sync::oneshot;
use tracing::warn;

/// A request to stop an execution.
pub(crate) struct Stop {
    pub(crate) execution_arn: String,
    /// Whom the store has under this ARN. The shard may have one that is not stored yet.
    pub(crate) id: Option<ExecutionId>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) reply: oneshot::Sender<Result<Timestamp, StopError>>,
}

impl Shard {
    /// Stops an execution, at once if it is in memory, otherwise when it is.
    pub(super) fn stop(&mut self, stop: Stop, turn: &mut Turn) {
        let Some(id) = self.names.get(&stop.execution_arn).copied().or(stop.id) else {
            // The caller may be gone; that changes nothing here.
            let _ = stop.reply.send(Err(StopError::DoesNotExist { arn: stop.execution_arn }));
            return;
        };
        if !self.live.contains_key(&id) {
            if self.reviving.len() >= limits::REVIVALS_ASKED && !self.reviving.contains_key(&id) {
                // The caller may be gone; that changes nothing here.
                let _ = stop.reply.send(Err(StopError::Busy));
                return;
            }
            return self.revive_for(id, Asked::Stop(stop));
        }
        let Stop { error, cause, reply, .. } = stop;
        let kind = EventKind::Stop { error, cause };
        let occurrence = Occurrence { id, kind, log: Vec::new() };
        if self.is_laned(id) {
            return self.queue(Queued { occurrence, askers: vec![Asker::Stop(reply)] }, turn);
        }
        // The caller is told when the commit fails, and decides whether to ask again.
        self.step_now(&occurrence, turn);
        let stopped_at = self.live.get(&id).and_then(Live::stopped_at);
        turn.replies.push(Reply::Stop(reply, stopped_at.unwrap_or_else(|| self.clock.now())));
    }

    /// Ends an execution that cannot be continued, after its recorded history. Until that is committed it counts as being
    /// read back: nobody reads it meanwhile.
    pub(super) fn stop_stranded(
        &mut self,
        id: ExecutionId,
        stranded: Stranded,
        stops: Vec<Stop>,
        turn: &mut Turn,
    ) {
        let at = self.clock.now().max(stranded.last_event_at());
        warn!(execution = stranded.execution_arn(), "an execution that cannot be continued is stopped");
        let mut asked = None;
        for Stop { error, cause, reply, .. } in stops {
            asked.get_or_insert((error, cause));
            turn.replies.push(Reply::Stop(reply, at));
        }
        let (error, cause) = asked.unwrap_or_default();
        turn.leaving.push(self.open.taken(stranded.execution_arn()));
        let kept = turn.changes.abort(stranded, at, error, cause);
        turn.keep(kept);
        turn.count();
        turn.tally.ended.push(Status::Aborted);
        self.reviving.insert(id, Vec::new());
        turn.stranded.push(id);
    }

    /// Lets those ask again who came while a stranded execution was being ended.
    pub(super) fn release_stranded(&mut self, id: ExecutionId) {
        for asked in self.reviving.remove(&id).unwrap_or_default() {
            self.revive_for(id, asked);
        }
        self.release_redrives(id);
    }

    /// Gives back the places of those that the turn has ended among the open executions of their accounts.
    pub(super) fn give_back(&mut self, turn: &mut Turn) {
        turn.leaving.clear();
        for id in &turn.touched {
            if let Some(live) = self.live.get_mut(id).filter(|live| live.stopped_at().is_some()) {
                live.ended();
            }
        }
    }

    /// Answers those who wanted to stop an execution that has ended.
    pub(super) async fn stopped_before(&self, id: ExecutionId, stops: Vec<Stop>) {
        if stops.is_empty() {
            return;
        }
        let standing = self.store.standing(id).await;
        for Stop { execution_arn: arn, reply, .. } in stops {
            let answer = match &standing {
                // It was removed since its name was looked up.
                Ok(None) => Err(StopError::DoesNotExist { arn }),
                Ok(Some(standing)) => standing.stopped_at.ok_or(StopError::Store(StoreError::Invalid(
                    "an execution that is in no list of running ones has not ended",
                ))),
                Err(failure) => Err(StopError::Store(failure.clone())),
            };
            // The caller may be gone; that changes nothing here.
            let _ = reply.send(answer);
        }
    }
}
