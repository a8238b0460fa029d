//! Executions that come back into memory, and those that leave it to rest.
//!
//! While one is read back it is in nobody's hands: requests for it wait here. It must never be read while it is in
//! memory.

use super::live::Live;
use super::stop::Stop;
use super::turn::Turn;
use super::{Asked, Message, Shard};
use crate::alarm::Recovered;
use crate::error::{AnswerError, StopError};
use crate::limits;
use crate::revive::{NotRevived, ReviveError, Revived};
use std::collections::btree_map::Entry;
use std::sync::Arc;
use stepwell_asl::Timestamp;
use stepwell_store::{ExecutionId, Stranded};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{error, warn};

/// An execution that was read back, or not.
pub(crate) struct Revival {
    pub(crate) id: ExecutionId,
    pub(crate) outcome: Result<Option<Revived>, NotRevived>,
    pub(crate) recovered: Option<Arc<Recovered>>,
}

impl Shard {
    /// Brings an execution back that has something to do, unless it is here already.
    pub(super) fn wake(
        &mut self,
        id: ExecutionId,
        permit: Option<OwnedSemaphorePermit>,
        recovered: Option<Arc<Recovered>>,
    ) {
        if self.closing.is_none() && !self.live.contains_key(&id) {
            self.begin_revival(id, permit, recovered);
        }
    }

    /// Brings an execution back that somebody wants something of.
    pub(super) fn revive_for(&mut self, id: ExecutionId, asked: Asked) {
        self.begin_revival(id, None, None);
        self.reviving.entry(id).or_default().push(asked);
    }

    fn begin_revival(
        &mut self,
        id: ExecutionId,
        permit: Option<OwnedSemaphorePermit>,
        recovered: Option<Arc<Recovered>>,
    ) {
        let Entry::Vacant(place) = self.reviving.entry(id) else { return };
        place.insert(Vec::new());
        let (reviver, home) = (self.reviver.clone(), self.sender.clone());
        tokio::spawn(async move {
            let outcome = reviver.revive_or_strand(id).await;
            drop(permit);
            // The shard ends only with the server; then the execution goes on after the restart.
            let _ = home.send(Message::Revived(Box::new(Revival { id, outcome, recovered }))).await;
        });
    }

    /// Goes on with an execution that was read back.
    pub(super) async fn revived(&mut self, revival: Revival, turn: &mut Turn) {
        let Revival { id, outcome, recovered } = revival;
        let asked = self.reviving.remove(&id).unwrap_or_default();
        self.revived_as(id, outcome, recovered, asked, turn).await;
        self.release_redrives(id);
    }

    async fn revived_as(
        &mut self,
        id: ExecutionId,
        outcome: Result<Option<Revived>, NotRevived>,
        recovered: Option<Arc<Recovered>>,
        asked: Vec<Asked>,
        turn: &mut Turn,
    ) {
        match outcome {
            Ok(Some(revived)) => {
                if let Some(recovered) = recovered {
                    recovered.count();
                }
                let arn = revived.execution.context.execution_arn.clone();
                let open = self.open.taken(&arn);
                self.names.insert(arn, id);
                self.live.insert(id, Live::revived(revived, open));
                self.dispatch_pending(id);
                self.forgive(id);
                self.take_back(id);
                self.give_asked(id, asked, turn);
                self.rest(id);
            }
            Ok(None) => self.asked_before(id, asked).await,
            Err(NotRevived { failure, stranded }) => {
                let refusal = failure.clone().into_store_error();
                let stops = refuse_answers(asked, &AnswerError::Store(refusal.clone()));
                match stranded {
                    Some(stranded) if !stops.is_empty() => self.stop_stranded(id, *stranded, stops, turn),
                    stranded => {
                        self.not_revived(id, stranded.as_deref(), &failure, recovered);
                        for stop in stops {
                            // The caller may be gone; that changes nothing here.
                            let _ = stop.reply.send(Err(StopError::Store(refusal.clone())));
                        }
                    }
                }
            }
        }
    }

    /// Gives an execution in memory what it was asked for meanwhile.
    pub(super) fn give_asked(&mut self, id: ExecutionId, asked: Vec<Asked>, turn: &mut Turn) {
        for asked in asked {
            match asked {
                Asked::Stop(stop) => self.stop(stop, turn),
                Asked::Answer(answer) => self.answer(answer, turn),
                Asked::Return(work) => self.undelivered(id, work, turn),
            }
        }
    }

    /// Answers those who asked something of an execution that has ended.
    pub(super) async fn asked_before(&mut self, id: ExecutionId, asked: Vec<Asked>) {
        let stops = refuse_answers(asked, &AnswerError::Closed);
        self.stopped_before(id, stops).await;
    }

    /// Tries again later where that may help. Where it does not, it is said once in a life of the server, and nothing
    /// but a request to stop the execution looks at it again.
    fn not_revived(
        &self,
        id: ExecutionId,
        stranded: Option<&Stranded>,
        failure: &ReviveError,
        recovered: Option<Arc<Recovered>>,
    ) {
        let execution = uuid::Uuid::from_bytes(id.0).simple();
        if let Some(stranded) = stranded {
            return error!(
                execution = stranded.execution_arn(), %failure,
                "an open execution cannot be continued and is left as it is; stop it (StopExecution), or run the \
                 version of the server that recorded it until it has ended"
            );
        }
        if !failure.is_transient() {
            return error!(
                %execution, %failure,
                "an open execution cannot be read and is left as it is; `stepwell store verify` tells what is damaged"
            );
        }
        warn!(%execution, %failure, "an open execution could not be read; trying again");
        let (home, hold) = (self.sender.clone(), self.ties.place.hold());
        tokio::spawn(async move {
            tokio::time::sleep(limits::REVIVAL_RETRY).await;
            // The shard ends only with the server.
            let _ = home.send(Message::Wake { id, permit: None, hold, recovered }).await;
        });
    }

    /// Lets an execution go that the store lists as parked: the alarm calls it when its time has come. One that is due
    /// before the alarm surely looks again stays.
    pub(super) fn rest(&mut self, id: ExecutionId) {
        let Some(live) = self.live.get(&id) else { return };
        let Some(rest) = live.tracked.parked() else { return };
        let soon = self
            .clock
            .now()
            .0
            .saturating_add(i64::try_from(2 * limits::TIMER_SLEEP.as_millis()).unwrap_or(i64::MAX));
        let is_late = rest.due.is_none_or(|due| due > Timestamp(soon));
        if is_late
            && live.is_idle()
            && live.heard_of.is_empty()
            && let Some(mut live) = self.drop_live(id)
        {
            live.stays_open();
        }
    }
}

/// Tells those who answer tasks that there is none to answer, and gives back who wants something else. A task whose
/// worker has not got it need not come back where its execution has ended.
fn refuse_answers(asked: Vec<Asked>, refusal: &AnswerError) -> Vec<Stop> {
    let stop = |asked| match asked {
        Asked::Stop(stop) => Some(stop),
        Asked::Answer(answer) => {
            // The caller may be gone; that changes nothing here.
            let _ = answer.reply.send(Err(refusal.clone()));
            None
        }
        Asked::Return(_) => None,
    };
    asked.into_iter().filter_map(stop).collect()
}
