//! The executor: routes requests to shards, recovers what was open, shuts down in good order.

use crate::clock::Clock;
use crate::error::{ExecutorError, StartError, StopError};
use crate::expressions::Expressions;
use crate::integration::Integration;
use crate::lane::Lane;
use crate::limits;
use crate::machines::Machines;
use crate::request::{StartRequest, Started};
use crate::shard::{Message, Parts, Shard};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{Diagnostic, Quotas, StateMachine, Timestamp};
use stepwell_store::{Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info};

/// How an executor is set up.
#[derive(Clone, Copy, Debug)]
pub struct ExecutorConfig {
    /// Shards; each is a task of its own. At least 1.
    pub shards: usize,
    /// The bounds that new executions get.
    pub quotas: Quotas,
}

impl Default for ExecutorConfig {
    fn default() -> ExecutorConfig {
        let shards = std::thread::available_parallelism().map_or(2, usize::from);
        ExecutorConfig { shards, quotas: Quotas::default() }
    }
}

/// Drives all executions of a store. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    shards: Arc<[mpsc::Sender<Message>]>,
    integration: Arc<dyn Integration>,
    quotas: Quotas,
}

impl Executor {
    /// Starts the shards and hands them every execution that has not ended.
    pub async fn open(
        store: Store,
        integration: Arc<dyn Integration>,
        expressions: Arc<dyn Expressions>,
        clock: Arc<dyn Clock>,
        config: ExecutorConfig,
    ) -> Result<Executor, ExecutorError> {
        let machines = Arc::new(Machines::new(store.clone()));
        let parts = Parts {
            store: store.clone(),
            machines,
            integration: Arc::clone(&integration),
            clock,
            lane: Arc::new(Lane::open(expressions)?),
            quotas: config.quotas,
        };
        let shards = (0..config.shards.max(1)).map(|_| {
            let (sender, inbox) = mpsc::channel(limits::MAILBOX);
            tokio::spawn(Shard::new(parts.clone(), sender.clone(), inbox).run());
            sender
        });
        let shards = shards.collect();
        // The shards alone keep the lane: it ends with the last of them.
        drop(parts);
        let executor = Executor { shards, integration, quotas: config.quotas };
        executor.recover(&store).await?;
        tokio::spawn(sweep_leftovers(store));
        Ok(executor)
    }

    /// The bounds that new executions get.
    pub fn quotas(&self) -> Quotas {
        self.quotas
    }

    /// What of a machine this executor cannot run; empty when it can run all of it.
    pub fn unsupported(&self, machine: &StateMachine) -> Vec<Diagnostic> {
        machine.unsupported(|resource| self.integration.runs(resource))
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
    /// runs then is aborted, and runs again after a restart with the same idempotency key. Steps that are under way
    /// get the same time; one that takes longer is lost, and is taken anew after a restart.
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

/// Removes what the executions that ended in an earlier life have left in the store. Those of this life remove
/// theirs themselves; that both may do it harms nothing.
async fn sweep_leftovers(store: Store) {
    loop {
        let swept = async {
            let page = store.leftovers(limits::LEFTOVERS_PAGE).await?;
            for id in &page {
                store.sweep(*id).await?;
            }
            Ok::<_, StoreError>(page.len())
        };
        match swept.await {
            Ok(0) => return,
            Ok(_) => {}
            Err(failure) => {
                debug!(%failure, "parts of ended executions stay until the next start");
                return;
            }
        }
    }
}
