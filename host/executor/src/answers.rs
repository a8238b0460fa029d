//! What those outside do with tasks: answer them by their tokens, and ask for those of activities (API: SendTaskSuccess,
//! SendTaskFailure, SendTaskHeartbeat, GetActivityTask).
//!
//! A token finds its execution by itself, and the execution says whether it is its own. Nothing of a token may be
//! believed before that.

use crate::activities::HandedTask;
use crate::error::{AnswerError, PollError};
use crate::executor::Executor;
use crate::shard::{Answer, HandOut, HandOutRefusal, Message};
use serde_json::Value;
use stepwell_asl::{StatesError, TaskToken};
use tokio::sync::oneshot;

/// What somebody says of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskAnswer {
    /// It has ended with this result.
    Succeeded(Value),
    /// It has failed.
    Failed(StatesError),
    /// It goes on.
    Heartbeat,
}

impl Executor {
    /// Answers a task. `Ok` means that the answer is durable and the only one; a heartbeat is kept in memory, because
    /// after a restart its time begins anew.
    pub async fn answer_task(&self, token: &TaskToken, answer: TaskAnswer) -> Result<(), AnswerError> {
        let arn = token.execution_arn();
        // What names no execution cannot be told from what somebody made up.
        let id = self.store.execution_id(arn).await?.ok_or(AnswerError::Forged)?;
        let standing = self.store.standing(id).await?.ok_or(AnswerError::DoesNotExist)?;
        if !token.is_genuine(&standing.context) {
            return Err(AnswerError::Forged);
        }
        if !standing.is_running() {
            return Err(AnswerError::Closed);
        }
        let (reply, outcome) = oneshot::channel();
        let answer = Answer { id, work: token.work(), says: answer, reply };
        let shard = self.shards.of(arn);
        shard.sender.try_send(Message::Answer(answer)).map_err(|_| AnswerError::Busy)?;
        outcome.await.unwrap_or(Err(AnswerError::ShuttingDown))
    }

    /// Waits for a task of an activity, and hands it out. Whoever drops the future before has not got it, and whoever
    /// drops the task must say whether it was delivered.
    pub async fn activity_task(
        &self,
        activity_arn: &str,
        worker_name: Option<String>,
    ) -> Result<HandedTask, PollError> {
        loop {
            let ticket = self.activities.poll(activity_arn)?.ticket().await;
            let Some(offered) = ticket.take() else { continue };
            let (reply, outcome) = oneshot::channel();
            let shard = self.shards.of(&offered.execution_arn);
            let (activity, worker_name) = (activity_arn.to_owned(), worker_name.clone());
            let hand_out = HandOut { activity, offered, worker_name, reply };
            // An error means that the shard has ended, and that the task is left to the next start.
            if shard.sender.send(Message::HandOut(Box::new(hand_out))).await.is_err() {
                return Err(PollError::ShuttingDown);
            }
            match outcome.await {
                Ok(Ok(task)) => return Ok(task),
                // It has ended meanwhile: another one may come.
                Ok(Err(HandOutRefusal::Gone)) => {}
                Ok(Err(HandOutRefusal::Store(failure))) => return Err(PollError::Store(failure)),
                Err(_) => return Err(PollError::ShuttingDown),
            }
        }
    }
}
