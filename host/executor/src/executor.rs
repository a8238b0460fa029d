//! The executor: routes requests to shards, recovers what was open, shuts down in good order.

use crate::clock::Clock;
use crate::error::{ExecutorError, StartError, StopError};
use crate::integration::Integration;
use crate::limits;
use crate::machines::Machines;
use crate::request::{StartRequest, Started};
use crate::shard::{Message, Shard};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::Timestamp;
use stepwell_store::Store;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

/// How an executor is set up.
#[derive(Clone, Copy, Debug)]
pub struct ExecutorConfig {
    /// Shards; each is a task of its own. At least 1.
    pub shards: usize,
}

impl Default for ExecutorConfig {
    fn default() -> ExecutorConfig {
        ExecutorConfig { shards: std::thread::available_parallelism().map_or(2, usize::from) }
    }
}

/// Drives all executions of a store. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    shards: Arc<[mpsc::Sender<Message>]>,
}

impl Executor {
    /// Starts the shards and hands them every execution that has not ended.
    pub async fn open(
        store: Store,
        integration: Arc<dyn Integration>,
        clock: Arc<dyn Clock>,
        config: ExecutorConfig,
    ) -> Result<Executor, ExecutorError> {
        let machines = Arc::new(Machines::new(store.clone()));
        let shards = (0..config.shards.max(1)).map(|_| {
            let (sender, inbox) = mpsc::channel(limits::MAILBOX);
            let parts = (store.clone(), Arc::clone(&machines), Arc::clone(&integration), Arc::clone(&clock));
            tokio::spawn(Shard::new(parts, sender.clone(), inbox).run());
            sender
        });
        let executor = Executor { shards: shards.collect() };
        executor.recover(&store).await?;
        Ok(executor)
    }

    /// Starts an execution; answers when the start is durable. Repeating a request whose execution still runs
    /// with the same input answers the same (API: StartExecution, idempotency).
    pub async fn start(&self, request: StartRequest) -> Result<Started, StartError> {
        let (reply, answer) = oneshot::channel();
        let shard = self.shard(&request.execution_arn);
        let message = Message::Start { request: Box::new(request), reply };
        shard.try_send(message).map_err(|_| StartError::Busy)?;
        answer.await.unwrap_or(Err(StartError::ShuttingDown))
    }

    /// Stops an execution; answers with the time at which it ended, now or earlier (API: StopExecution).
    pub async fn stop(
        &self,
        execution_arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Timestamp, StopError> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Stop { execution_arn: execution_arn.to_owned(), error, cause, reply };
        self.shard(execution_arn).try_send(message).map_err(|_| StopError::Busy)?;
        answer.await.unwrap_or(Err(StopError::ShuttingDown))
    }

    /// Begins no new task, gives the running ones up to `grace` to end, and commits their results. What still
    /// runs then is aborted, and runs again after a restart with the same idempotency key.
    pub async fn shut_down(&self, grace: Duration) {
        let mut done = Vec::new();
        for shard in self.shards.iter() {
            let (reply, answer) = oneshot::channel();
            if shard.send(Message::ShutDown { grace, reply }).await.is_ok() {
                done.push(answer);
            }
        }
        for answer in done {
            // An error means that the shard has already ended.
            let _ = answer.await;
        }
    }

    async fn recover(&self, store: &Store) -> Result<(), ExecutorError> {
        let mut after = None;
        let mut recovered = 0_u64;
        loop {
            let page = store.open_executions(after, limits::RECOVERY_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            for id in page {
                let (Some(execution), Some(record)) =
                    (store.checkpoint(id).await?, store.start_record(id).await?)
                else {
                    error!(execution = ?id, "an open execution has no checkpoint; it is left alone");
                    continue;
                };
                let shard = self.shard(&execution.context.execution_arn);
                let message = Message::Recover { id, record, execution: Box::new(execution) };
                if shard.send(message).await.is_err() {
                    error!("a shard ended while executions were recovered");
                }
                recovered += 1;
            }
        }
        if recovered > 0 {
            info!(executions = recovered, "recovered open executions");
        }
        Ok(())
    }

    /// The shard that owns an ARN. Only meaningful within this process: nothing of it is stored.
    fn shard(&self, execution_arn: &str) -> &mpsc::Sender<Message> {
        let mut hasher = DefaultHasher::new();
        execution_arn.hash(&mut hasher);
        let shards = self.shards.len() as u64;
        let index = usize::try_from(hasher.finish() % shards).unwrap_or_default();
        &self.shards[index]
    }
}
