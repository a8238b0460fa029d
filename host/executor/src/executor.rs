//! The executor: routes requests to shards, shuts down in good order.
//!
//! It must never decide for an execution: its shard does.

mod open;
mod shards;

use crate::activities::Activities;
use crate::allotment::Allotment;
use crate::deletions::Deletions;
use crate::endings::let_go;
use crate::error::{RedriveError, SkipError, StartError, StopError, WaitError};
use crate::express::{Express, ExpressBounds, ExpressEnd};
use crate::integration::{Integration, TaskOutcome, TaskRequest};
use crate::limits;
use crate::load::Load;
use crate::machines::Machines;
use crate::request::{StartRequest, Started};
use crate::shard::{Message, Redrive, Stop};
use crate::skipper::Skipper;
pub(crate) use shards::Shards;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{Diagnostic, Quotas, Resource, StateMachine, Timestamp};
use stepwell_store::{ExecutionId, MachineId, MachineRecord, Store, StoreError};
use tokio::sync::oneshot;

/// How an executor is set up.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// Shards; each is a task of its own. At least 1.
    pub shards: usize,
    /// The bounds that new executions get.
    pub quotas: Quotas,
    /// Messages that may wait for one shard; more requests are refused as busy. At least 1.
    pub mailbox: usize,
    /// How long executions are kept after their end; none: for ever.
    pub retention: Option<Duration>,
    /// For simulations: ids of new executions, and what is random about them, follow from it and from the clock. No two
    /// executors of one store may have the same. None: the operating system's randomness.
    pub seed: Option<u64>,
    /// What Express executions may take.
    pub express: ExpressBounds,
    /// How many executions may be open, not counting Express ones; filled with those that the store has.
    pub open_executions: Allotment,
}

impl Default for ExecutorConfig {
    fn default() -> ExecutorConfig {
        let shards = std::thread::available_parallelism().map_or(2, usize::from);
        ExecutorConfig {
            shards,
            quotas: Quotas::default(),
            mailbox: limits::MAILBOX,
            retention: None,
            seed: None,
            express: ExpressBounds::default(),
            open_executions: Allotment::unbounded(),
        }
    }
}

/// Drives all executions of a store. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    pub(crate) store: Store,
    pub(crate) activities: Arc<Activities>,
    machines: Arc<Machines>,
    pub(crate) shards: Shards,
    integration: Arc<dyn Integration>,
    quotas: Quotas,
    skipper: Skipper,
    express: Express,
    deletions: Arc<Deletions>,
}

impl Executor {
    /// What the shards have to do at this moment.
    pub fn load(&self) -> Load {
        let mut load = Load::default();
        for shard in self.shards.0.iter() {
            let waiting = shard.sender.max_capacity().saturating_sub(shard.sender.capacity());
            shard.load.add_to(&mut load, waiting);
        }
        load
    }

    /// The bounds that new executions get.
    pub fn quotas(&self) -> Quotas {
        self.quotas
    }

    /// Whether it can run tasks with this resource.
    pub fn runs(&self, resource: &Resource) -> bool {
        self.integration.runs(resource)
    }

    /// Runs a task that belongs to no execution: nothing of it is kept. Dropping the future aborts it.
    pub async fn run_task(&self, request: TaskRequest) -> TaskOutcome {
        self.integration.run(request).await
    }

    /// What of a machine this executor cannot run; empty when it can run all of it.
    pub fn unsupported(&self, machine: &StateMachine) -> Vec<Diagnostic> {
        machine.unsupported(|resource| self.integration.runs(resource))
    }

    /// The machine that has this ARN, as it is in the store at this moment.
    pub async fn machine(&self, arn: &str) -> Result<Option<Arc<MachineRecord>>, StoreError> {
        self.machines.record(arn).await
    }

    /// Has the executions of a machine end at their next transition, because it is being deleted (API:
    /// DeleteStateMachine). To be said again after a restart.
    pub fn begin_deletion(&self, machine: MachineId) {
        self.deletions.add(machine);
    }

    /// The machine is gone, and none of its executions runs any more.
    pub fn end_deletion(&self, machine: MachineId) {
        self.deletions.remove(machine);
    }

    /// Starts an execution; answers when the start is durable. Repeating a request whose execution still runs
    /// with the same input answers the same (API: StartExecution, idempotency).
    pub async fn start(&self, request: StartRequest) -> Result<Started, StartError> {
        let machine = self.machines.get(request.machine.id, request.machine.revision).await?;
        let mut tries = 0;
        loop {
            if !request.fresh_name
                && let Some(started) = self.existing(&request).await?
            {
                return Ok(started);
            }
            let (reply, answer) = oneshot::channel();
            let shard = self.shards.of(&request.execution_arn);
            if let Some(refusal) = shard.stall.refusal() {
                return Err(refusal);
            }
            let (request, machine) = (Box::new(request.clone()), Arc::clone(&machine));
            let message = Message::Start { request, machine, reply };
            shard.sender.try_send(message).map_err(|_| StartError::Busy)?;
            tries += 1;
            match answer.await.unwrap_or(Err(StartError::ShuttingDown)) {
                // Somebody had taken a name of the same commit since it was looked up, maybe this one.
                Err(StartError::Store(StoreError::Conflict)) if tries < limits::START_TRIES => {}
                outcome => return outcome,
            }
        }
    }

    /// Starts an Express execution; answers when the start is durable. It runs at least once: again from the beginning when
    /// the process ends before it does. No two starts are the same.
    pub async fn start_express(&self, request: StartRequest) -> Result<Started, StartError> {
        self.express.start(request).await
    }

    /// Runs an Express execution to its end (API: StartSyncExecution), at most once. Given up, with `ShuttingDown`, when
    /// `until` is ready first. It runs on when the caller goes away.
    pub async fn run_express(
        &self,
        request: StartRequest,
        until: impl Future<Output = ()>,
    ) -> Result<ExpressEnd, StartError> {
        self.express.run(request, until).await
    }

    /// The execution that has the name already, if the request repeats its start; an error if it does not. What is
    /// not committed yet only the shard knows.
    async fn existing(&self, request: &StartRequest) -> Result<Option<Started>, StartError> {
        let arn = &request.execution_arn;
        let Some(id) = self.store.execution_id(arn).await? else { return Ok(None) };
        match self.store.standing(id).await? {
            Some(standing) if standing.is_running() && standing.start.input == request.input => {
                let started_at = standing.context.start_time;
                Ok(Some(Started { execution_arn: arn.clone(), started_at }))
            }
            Some(_) | None => Err(StartError::AlreadyExists { arn: arn.clone() }),
        }
    }

    /// Stops an execution; answers with the time at which it ended, now or earlier (API: StopExecution).
    pub async fn stop(
        &self,
        execution_arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Timestamp, StopError> {
        let id = self.store.execution_id(execution_arn).await?;
        let (reply, answer) = oneshot::channel();
        let stop = Stop { execution_arn: execution_arn.to_owned(), id, error, cause, reply };
        let shard = self.shards.of(execution_arn);
        shard.sender.try_send(Message::Stop(stop)).map_err(|_| StopError::Busy)?;
        answer.await.unwrap_or(Err(StopError::ShuttingDown))
    }

    /// Has an execution that ended without success go on; answers with the time of the redrive when it is durable (API:
    /// RedriveExecution). The same `client_token` again, within 15 minutes and among the last ten, is answered alike and
    /// changes nothing. What depends on clocks and machines is for the caller to check.
    pub async fn redrive(
        &self,
        execution_arn: &str,
        client_token: Option<String>,
    ) -> Result<Timestamp, RedriveError> {
        let mut tries = 0;
        loop {
            let Some(id) = self.store.execution_id(execution_arn).await? else {
                return Err(RedriveError::DoesNotExist { arn: execution_arn.to_owned() });
            };
            if let Some(redriven_at) = self.redriven_before(id, client_token.as_deref()).await? {
                return Ok(redriven_at);
            }
            let (reply, answer) = oneshot::channel();
            let shard = self.shards.of(execution_arn);
            let (execution_arn, token) = (execution_arn.to_owned(), client_token.clone());
            let redrive = Redrive { execution_arn, id, client_token: token, reply };
            shard.sender.try_send(Message::Redrive(redrive)).map_err(|_| RedriveError::Busy)?;
            tries += 1;
            match answer.await.unwrap_or(Err(RedriveError::ShuttingDown)) {
                // Something of the same commit had changed since it was read, maybe this execution.
                Err(RedriveError::Store(StoreError::Conflict)) if tries < limits::START_TRIES => {}
                // The same request may have come twice at the same time.
                Err(refusal @ RedriveError::NotRedrivable { .. }) => {
                    let redriven_at = self.redriven_before(id, client_token.as_deref()).await?;
                    return redriven_at.ok_or(refusal);
                }
                outcome => return outcome,
            }
        }
    }

    /// When the redrive was that this token stands for.
    async fn redriven_before(
        &self,
        id: ExecutionId,
        client_token: Option<&str>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(token) = client_token else { return Ok(None) };
        let keep = i64::try_from(limits::REDRIVE_TOKEN_KEPT.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(self.skipper.clock.now().0.saturating_sub(keep));
        Ok(self.store.redrive_record(id).await?.redriven_at(token, since))
    }

    /// Waits until an execution, which the store has, is no longer running. Waits in memory of a few bytes, and reads
    /// the store at the beginning and at the end.
    pub async fn wait(&self, execution_arn: &str, id: ExecutionId) -> Result<(), WaitError> {
        let endings = &self.shards.of(execution_arn).endings;
        loop {
            // Before the look: an end between the two is told.
            let waiter = endings.enter(id)?;
            let standing = self.store.standing(id).await?;
            if standing.is_none_or(|standing| !standing.is_running()) {
                return Ok(());
            }
            let_go();
            waiter.told().await;
        }
    }

    /// Waits until nothing is under way, and moves virtual time to the next timer. `None` when there is none.
    pub async fn skip_to_next(&self) -> Result<Option<Timestamp>, SkipError> {
        if self.skipper.quiescence.is_watched() { self.skipper.once().await } else { Err(SkipError::Real) }
    }

    /// Begins no new task, gives the running ones up to `grace` to end, and commits their results. What still
    /// runs then is aborted, and runs again after a restart with the same idempotency key. Steps that are under way
    /// get the same time; one that takes longer is lost, and is taken anew after a restart. So are asynchronous Express
    /// executions, from their beginning.
    pub async fn shut_down(&self, grace: Duration) {
        let mut done = Vec::new();
        for shard in self.shards.0.iter() {
            let (reply, answer) = oneshot::channel();
            if shard.sender.send(Message::ShutDown { grace, reply }).await.is_ok() {
                done.push(answer);
            }
        }
        self.express.shut_down(grace).await;
        for answer in done {
            // An error means that the shard has already ended.
            let _ = answer.await;
        }
    }
}
