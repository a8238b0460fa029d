//! RedriveExecution inside a shard: an ended execution is read back, and goes on as one more event of it.
//!
//! While it is read it counts as being read back: nobody else reads it, and requests for it wait. It must never be read
//! while it is in memory. That nobody removes it meanwhile is a condition of the commit.

use super::away::{Asker, Queued};
use super::live::Live;
use super::turn::{Reply, Turn};
use super::{Message, Occurrence, Shard};
use crate::error::RedriveError;
use crate::limits;
use crate::revive::{Ended, ReviveError, Revived};
use stepwell_asl::{EventKind, Status, Timestamp};
use stepwell_store::{ExecutionId, RedriveRecord};
use tokio::sync::oneshot;
use tracing::warn;

/// A request to redrive an execution.
pub(crate) struct Redrive {
    pub(crate) execution_arn: String,
    pub(crate) id: ExecutionId,
    pub(crate) client_token: Option<String>,
    pub(crate) reply: oneshot::Sender<Result<Timestamp, RedriveError>>,
}

/// An ended execution that was read back, or not.
pub(crate) struct Redriving {
    redrive: Redrive,
    outcome: Result<Option<Ended>, ReviveError>,
}

/// Who waits for a redrive, and the tokens to be stored with it.
pub(super) struct Redriver {
    pub(super) reply: oneshot::Sender<Result<Timestamp, RedriveError>>,
    token: Option<(RedriveRecord, String)>,
    /// ARN and version of the record of its machine.
    machine: (String, u64),
}

impl Shard {
    /// Begins to read the execution, unless it runs.
    pub(super) fn redrive(&mut self, redrive: Redrive) {
        let id = redrive.id;
        let refusal = if self.closing.is_some() {
            Some(RedriveError::ShuttingDown)
        } else if self.redriving.contains_key(&id) || self.reviving.contains_key(&id) {
            self.redriving.entry(id).or_default().push(redrive);
            return;
        } else if self.live.contains_key(&id) {
            // Also one whose end is not committed yet: it has not ended for anybody.
            Some(RedriveError::NotRedrivable { status: Status::Running })
        } else if self.reviving.len() >= limits::REVIVALS_ASKED {
            Some(RedriveError::Busy)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return redrive.refuse(refusal);
        }
        self.reviving.insert(id, Vec::new());
        let (reviver, home) = (self.reviver.clone(), self.sender.clone());
        tokio::spawn(async move {
            let outcome = reviver.revive_ended(id).await;
            // The shard ends only with the server; then the caller asks again.
            let _ = home.send(Message::Redriving(Box::new(Redriving { redrive, outcome }))).await;
        });
    }

    /// Goes on with an execution that was read back from its end.
    pub(super) async fn redriving(&mut self, redriving: Redriving, turn: &mut Turn) {
        let Redriving { redrive, outcome } = redriving;
        let id = redrive.id;
        let asked = self.reviving.remove(&id).unwrap_or_default();
        match outcome {
            Ok(Some(_)) if self.closing.is_some() => redrive.refuse(RedriveError::ShuttingDown),
            Ok(Some(Ended { machine_version: None, .. })) => redrive.refuse(RedriveError::MachineDeleting),
            Ok(Some(Ended { revived, .. })) if !has_room(&revived) => {
                redrive.refuse(RedriveError::HistoryFull);
            }
            Ok(Some(Ended { revived, record, machine_version: Some(version) })) => {
                let machine = (revived.execution.context.state_machine_arn.clone(), version);
                let Redrive { client_token, reply, .. } = redrive;
                let token = client_token.map(|token| (record, token));
                self.go_on(id, revived, Redriver { reply, token, machine }, turn);
            }
            Ok(None) => {
                let refusal = match self.store.standing(id).await {
                    Ok(None) => RedriveError::DoesNotExist { arn: redrive.execution_arn.clone() },
                    Ok(Some(standing)) => RedriveError::NotRedrivable { status: standing.status },
                    Err(failure) => RedriveError::Store(failure),
                };
                redrive.refuse(refusal);
            }
            Err(failure) => {
                warn!(execution = redrive.execution_arn, %failure, "an execution could not be redriven");
                redrive.refuse(match failure {
                    ReviveError::Diverged(_) => RedriveError::Diverged,
                    ReviveError::Store(_) | ReviveError::Definition(_) | ReviveError::Failed => {
                        RedriveError::Store(failure.into_store_error())
                    }
                });
            }
        }
        if self.live.contains_key(&id) {
            self.give_asked(id, asked, turn);
        } else {
            self.asked_before(id, asked).await;
            self.release_redrives(id);
        }
    }

    fn go_on(&mut self, id: ExecutionId, revived: Revived, redriver: Redriver, turn: &mut Turn) {
        let arn = revived.execution.context.execution_arn.clone();
        let open = match self.open.take(&arn) {
            Ok(open) => open,
            Err(exhausted) => {
                // The caller may be gone; that changes nothing here.
                let _ = redriver.reply.send(Err(RedriveError::TooManyOpen { most: exhausted.most }));
                return;
            }
        };
        let number = revived.execution.progress.redrive.map_or(0, |redrive| redrive.count) + 1;
        self.names.insert(arn, id);
        self.live.insert(id, Live::revived(revived, open));
        // Until it is known whether the commit was stored, nobody is told that it runs.
        self.redriving.entry(id).or_default();
        let occurrence = Occurrence { id, kind: EventKind::Redrive { number }, log: Vec::new() };
        if self.is_laned(id) {
            return self.queue(Queued { occurrence, askers: vec![Asker::Redrive(redriver)] }, turn);
        }
        self.step_now(&occurrence, turn);
        self.redriven(id, redriver, turn);
    }

    /// Adds what is stored beside the transition that a redrive made, and its answer.
    pub(super) fn redriven(&mut self, id: ExecutionId, redriver: Redriver, turn: &mut Turn) {
        let Redriver { reply, token, machine: (machine_arn, version) } = redriver;
        // A deletion that has begun finds that it runs, or it does not go on.
        turn.changes.expect_machine(&machine_arn, version);
        let redrive = self.live.get(&id).and_then(|live| live.execution.progress.redrive);
        let at = redrive.map_or_else(|| self.clock.now(), |redrive| redrive.at);
        if let Some((record, token)) = token {
            let kept = turn.changes.redrive_record(id, &record.with(token, at));
            turn.keep(kept);
        }
        // The caller is told when the commit fails, and decides whether to ask again.
        turn.replies.push(Reply::Redrive(reply, at));
    }

    /// Lets those ask who came while the execution was being read back, or while its redrive was not committed.
    pub(super) fn release_redrives(&mut self, id: ExecutionId) {
        for redrive in self.redriving.remove(&id).unwrap_or_default() {
            self.redrive(redrive);
        }
    }
}

/// Whether the history takes a redrive and an end after it: otherwise the event would change nothing.
fn has_room(revived: &Revived) -> bool {
    let last = revived.execution.progress.last_event_id;
    last.saturating_add(2) <= revived.execution.context.quotas.history_events
}

impl Redrive {
    fn refuse(self, refusal: RedriveError) {
        // The caller may be gone; that changes nothing here.
        let _ = self.reply.send(Err(refusal));
    }
}
