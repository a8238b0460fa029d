//! The executor: routes requests to shards, has what was open woken up, shuts down in good order.

use crate::activities::Activities;
use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::deletions::Deletions;
use crate::endings::Endings;
use crate::error::{ExecutorError, RedriveError, SkipError, StartError, StopError, WaitError};
use crate::express::{Express, ExpressBounds, ExpressEnd, ExpressParts};
use crate::expressions::Expressions;
use crate::ids::Ids;
use crate::integration::{Integration, TaskOutcome, TaskRequest};
use crate::lane::Lane;
use crate::limits;
use crate::load::{Load, ShardLoad};
use crate::machines::Machines;
use crate::observer::{NoObserver, Observer};
use crate::quiescence::Quiescence;
use crate::request::{StartRequest, Started};
use crate::retention::Retention;
use crate::revive::Reviver;
use crate::shard::{Message, Parts, Redrive, Shard, Stop, Ties};
use crate::skipper::Skipper;
use crate::stall::Stall;
use crate::virtual_clock::{Skipping, VirtualClock};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{Diagnostic, Quotas, Resource, StateMachine, Timestamp};
use stepwell_store::{ExecutionId, MachineId, MachineRecord, Store, StoreError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::debug;

/// How an executor is set up.
#[derive(Clone, Copy, Debug)]
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

/// The shards, and who of them owns what.
#[derive(Clone)]
pub(crate) struct Shards(Arc<[ShardHandle]>);

/// A shard as others see it.
pub(crate) struct ShardHandle {
    pub(crate) sender: mpsc::Sender<Message>,
    /// Room for executions that are read back without anybody asking.
    pub(crate) revivals: Arc<Semaphore>,
    /// Who waits for the ends of its executions.
    pub(crate) endings: Arc<Endings>,
    /// Whether it gets its turns durable.
    pub(crate) stall: Arc<Stall>,
    /// What it has in memory.
    pub(crate) load: Arc<ShardLoad>,
}

impl Shards {
    /// The shard that owns an ARN. Only meaningful within this process: nothing of it is stored.
    pub(crate) fn of(&self, execution_arn: &str) -> &ShardHandle {
        let mut hasher = DefaultHasher::new();
        execution_arn.hash(&mut hasher);
        let shards = self.0.len() as u64;
        let index = usize::try_from(hasher.finish() % shards).unwrap_or_default();
        &self.0[index]
    }

    /// Whether they have all ended.
    pub(crate) fn ended(&self) -> bool {
        self.0.iter().all(|shard| shard.sender.is_closed())
    }
}

impl Executor {
    /// Starts the shards. What the store has open goes on by itself, and what somebody asks for first. Virtual time is
    /// skipped as its clock says.
    pub fn open(
        store: Store,
        integration: Arc<dyn Integration>,
        expressions: Arc<dyn Expressions>,
        clock: Arc<dyn Clock>,
        config: ExecutorConfig,
    ) -> Result<Executor, ExecutorError> {
        Executor::open_observed(store, integration, expressions, clock, config, Arc::new(NoObserver))
    }

    /// The same, and has executions watched.
    pub fn open_observed(
        store: Store,
        integration: Arc<dyn Integration>,
        expressions: Arc<dyn Expressions>,
        clock: Arc<dyn Clock>,
        config: ExecutorConfig,
        observer: Arc<dyn Observer>,
    ) -> Result<Executor, ExecutorError> {
        let machines = Arc::new(Machines::new(store.clone()));
        let reviver = Reviver {
            store: store.clone(),
            machines: Arc::clone(&machines),
            expressions: Arc::clone(&expressions),
        };
        let deletions = Arc::<Deletions>::default();
        let activities = Arc::<Activities>::default();
        let parts = Parts {
            store: store.clone(),
            reviver,
            integration: Arc::clone(&integration),
            activities: Arc::clone(&activities),
            clock: Arc::clone(&clock),
            lane: Arc::new(Lane::open(expressions)?),
            ids: Arc::new(Ids::new(config.seed, &clock)),
            quotas: config.quotas,
            observer,
            deletions: Arc::clone(&deletions),
        };
        let skipping = clock.as_virtual().map(VirtualClock::skipping);
        let quiescence = if skipping.is_some() { Quiescence::watched() } else { Quiescence::default() };
        let express = Express::open(ExpressParts {
            store: store.clone(),
            machines: Arc::clone(&machines),
            integration: Arc::clone(&integration),
            observer: Arc::clone(&parts.observer),
            clock: Arc::clone(&clock),
            lane: Arc::downgrade(&parts.lane),
            ids: Arc::clone(&parts.ids),
            quotas: config.quotas,
            quiescence: quiescence.clone(),
            bounds: config.express,
        });
        let shards = (0..config.shards.max(1)).map(|number| {
            let (sender, inbox) = mpsc::channel(config.mailbox.max(1));
            let (endings, stall) = (Arc::<Endings>::default(), Arc::<Stall>::default());
            let load = Arc::<ShardLoad>::default();
            let place = quiescence.place(number);
            let ties = Ties {
                endings: Arc::clone(&endings),
                stall: Arc::clone(&stall),
                load: Arc::clone(&load),
                place,
            };
            tokio::spawn(Shard::new(parts.clone(), ties, sender.clone(), inbox).run());
            ShardHandle { sender, revivals: Arc::new(Semaphore::new(limits::REVIVALS)), endings, stall, load }
        });
        let shards = Shards(shards.collect());
        // The shards alone keep the lane: it ends with the last of them.
        drop(parts);
        if let Some(keep) = config.retention {
            let clock = Arc::clone(&clock);
            tokio::spawn(Retention { store: store.clone(), shards: shards.clone(), clock, keep }.run());
        }
        let recovery = quiescence.hold();
        let skipper =
            Skipper { quiescence: quiescence.clone(), store: store.clone(), clock: Arc::clone(&clock) };
        let alarm = Alarm { store: store.clone(), shards: shards.clone(), clock, quiescence };
        tokio::spawn(alarm.clone().recover(recovery));
        tokio::spawn(alarm.ring());
        if skipping == Some(Skipping::Auto) {
            tokio::spawn(skipper.clone().run());
        }
        tokio::spawn(sweep_leftovers(store.clone()));
        Ok(Executor {
            store,
            activities,
            machines,
            shards,
            integration,
            quotas: config.quotas,
            skipper,
            express,
            deletions,
        })
    }

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
