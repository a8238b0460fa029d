//! StopExecution inside a shard.

use super::away::{Asker, Queued};
use super::live::Live;
use super::turn::{Reply, Turn};
use super::{Occurrence, Shard};
use crate::error::StopError;
use stepwell_asl::{EventKind, Timestamp};
use stepwell_store::StoreError;
use tokio::sync::oneshot;

impl Shard {
    pub(super) async fn stop(
        &mut self,
        execution_arn: &str,
        error: Option<String>,
        cause: Option<String>,
        reply: oneshot::Sender<Result<Timestamp, StopError>>,
        turn: &mut Turn,
    ) {
        let Some(id) = self.names.get(execution_arn).copied() else {
            let answer = self.stopped_at(execution_arn).await;
            // The caller may be gone; that changes nothing here.
            let _ = reply.send(answer);
            return;
        };
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

    /// When an execution that is not open ended.
    async fn stopped_at(&self, execution_arn: &str) -> Result<Timestamp, StopError> {
        let missing = || StopError::DoesNotExist { arn: execution_arn.to_owned() };
        let id = self.store.execution_id(execution_arn).await?.ok_or_else(missing)?;
        let execution = self.store.checkpoint(id).await?.ok_or_else(missing)?;
        execution
            .progress
            .stop_time
            .ok_or(StopError::Store(StoreError::Invalid("an open execution is not in memory")))
    }
}
