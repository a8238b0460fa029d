//! Express executions: each runs as one future, in memory alone, and is forgotten at its end.
//!
//! A synchronous one runs on its caller's task, and at most once. An asynchronous one has a record in the store from before
//! its start is answered until some time after its end: what a crash leaves is run again from the beginning, so it runs
//! at least once. Their events go to the observer. Nothing here may touch what Standard executions store.

mod owed;
mod room;
mod run;
mod runs_on;
mod work;

use crate::clock::Clock;
use crate::error::StartError;
use crate::ids::{Ids, seed_of};
use crate::integration::Integration;
use crate::lane::Lane;
use crate::limits;
use crate::machines::Machines;
use crate::observer::Observer;
use crate::quiescence::Quiescence;
use crate::request::{StartRequest, Started};
use owed::Owed;
use room::{Room, Share};
use run::{Facts, Run};
use runs_on::RunsOn;
use std::sync::{Arc, Weak};
use std::time::Duration;
use stepwell_asl::{ExecutionContext, Quotas, Status, Timestamp};
use stepwell_store::{ExecutionId, ExpressRecord, Observation, Store};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tracing::warn;
use uuid::Uuid;

/// What Express executions may take together.
#[derive(Clone, Copy, Debug)]
pub struct ExpressBounds {
    /// Running at the same time.
    pub executions: usize,
    /// Bytes of their data, as JSON text, beyond which new starts are refused.
    pub bytes: usize,
    /// The same for one of them; one that grows beyond it is ended.
    pub execution_bytes: usize,
}

impl Default for ExpressBounds {
    fn default() -> ExpressBounds {
        ExpressBounds {
            executions: limits::EXPRESS_EXECUTIONS,
            bytes: limits::EXPRESS_BYTES,
            execution_bytes: limits::EXPRESS_EXECUTION_BYTES,
        }
    }
}

/// How an Express execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressEnd {
    /// Its ARN.
    pub execution_arn: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// `Succeeded`, `Failed` or `TimedOut`.
    pub status: Status,
    /// Once succeeded: JSON text.
    pub output: Option<String>,
    /// Otherwise, if there is one.
    pub error: Option<String>,
    /// Likewise.
    pub cause: Option<String>,
    /// The most data that it held, in bytes of JSON text.
    pub held_bytes: usize,
}

/// Runs Express executions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Express(Arc<Shared>);

/// What all of them share.
pub(crate) struct Shared {
    store: Store,
    machines: Arc<Machines>,
    integration: Arc<dyn Integration>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    /// The shards keep it: it ends with the last of them.
    lane: Weak<Lane>,
    ids: Arc<Ids>,
    quotas: Quotas,
    quiescence: Quiescence,
    room: Arc<Room>,
    owed: Owed,
    /// Tells the starts of this process from those that an earlier one has left.
    process: u64,
    runtime: Handle,
    /// Set when nothing may run any more.
    stop: watch::Sender<bool>,
}

/// What [`Express::open`] is given.
pub(crate) struct ExpressParts {
    pub(crate) store: Store,
    pub(crate) machines: Arc<Machines>,
    pub(crate) integration: Arc<dyn Integration>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lane: Weak<Lane>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) quotas: Quotas,
    pub(crate) quiescence: Quiescence,
    pub(crate) bounds: ExpressBounds,
}

impl Express {
    /// Begins, and runs again what an earlier process has left. Time is held until that has been read.
    pub(crate) fn open(parts: ExpressParts) -> Express {
        let hold = parts.quiescence.hold();
        let shared = Shared {
            owed: Owed::new(parts.store.clone()),
            store: parts.store,
            machines: parts.machines,
            integration: parts.integration,
            observer: parts.observer,
            clock: parts.clock,
            lane: parts.lane,
            ids: parts.ids,
            quotas: Quotas { history_events: limits::EXPRESS_EVENTS, ..parts.quotas },
            quiescence: parts.quiescence,
            room: Arc::new(Room::new(parts.bounds)),
            process: Uuid::new_v4().as_u64_pair().0,
            runtime: Handle::current(),
            stop: watch::Sender::new(false),
        };
        let express = Express(Arc::new(shared));
        tokio::spawn(owed::clean(Arc::downgrade(&express.0), express.0.stop.subscribe()));
        tokio::spawn(owed::run_again(express.clone(), hold));
        express
    }

    /// Runs an execution to its end, unless `until` is ready before: then it is given up, and nobody hears of it again. When
    /// the caller goes away it runs on.
    pub(crate) async fn run(
        &self,
        request: StartRequest,
        until: impl Future<Output = ()>,
    ) -> Result<ExpressEnd, StartError> {
        let mut run = self.prepare(request).await?.1;
        if let Some(end) = run.begin_at_once()? {
            return Ok(end);
        }
        let mut running = RunsOn::new(self.0.runtime.clone(), Box::pin(run.complete()));
        let mut stopped = self.0.stop.subscribe();
        tokio::select! {
            biased;
            end = &mut running => return end,
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = until => {}
        }
        running.give_up();
        Err(StartError::ShuttingDown)
    }

    /// Starts an execution; answers when the start is durable.
    pub(crate) async fn start(&self, request: StartRequest) -> Result<Started, StartError> {
        let (input, machine) = (request.input.clone(), Arc::clone(&request.machine));
        let (id, run) = self.prepare(request).await?;
        let record = ExpressRecord {
            process: self.0.process,
            machine: machine.id,
            revision: machine.revision,
            context: run.context().clone(),
            input,
            trace_header: run.trace_header().map(str::to_owned),
            observation: Observation::of(&machine),
        };
        let (reply, answer) = oneshot::channel();
        // A caller that goes away must not leave a start that is stored and never run.
        tokio::spawn(owed::start(Arc::clone(&self.0), id, record, run, reply));
        answer.await.unwrap_or(Err(StartError::ShuttingDown))
    }

    /// Accepts no more executions, and gives the running ones up to `grace`. Asynchronous ones that still run then are run
    /// again by the next start.
    pub(crate) async fn shut_down(&self, grace: Duration) {
        // What uses JSONata needs it until its end; the shards may let go of it before.
        let lane = self.0.lane.upgrade();
        self.0.room.close();
        if tokio::time::timeout(grace, self.0.room.emptied()).await.is_err() {
            warn!(running = self.0.room.running(), "Express executions did not end in time and are dropped");
        }
        self.0.stop.send_replace(true);
        drop(lane);
        self.0.owed.settle().await;
    }

    /// An execution that has not begun, and its id. Errors: `Full` and those of its definition.
    async fn prepare(&self, request: StartRequest) -> Result<(ExecutionId, Run), StartError> {
        let share = Share::take(&self.0.room, request.input.len())?;
        let machine = self.0.machines.get(request.machine.id, request.machine.revision).await?;
        let id = self.0.ids.next();
        let context = ExecutionContext {
            execution_arn: format!("{}:{}", request.execution_arn, Uuid::from_bytes(id.0)),
            execution_name: request.name,
            role_arn: request.machine.role_arn.clone(),
            state_machine_arn: request.machine.arn.clone(),
            state_machine_name: request.machine.name.clone(),
            region: request.region,
            start_time: self.0.clock.now(),
            seed: seed_of(id),
            quotas: self.0.quotas,
            version: request.version,
            alias: request.alias,
            test_case: request.test_case,
            token_key: stepwell_asl::TokenKey::default(),
            starter: request.starter,
        };
        let observation = Observation::of(&request.machine);
        let facts = Facts { id, machine, trace_header: request.trace_header, observation, share };
        Ok((id, Run::new(Arc::clone(&self.0), facts, context, request.input_value)))
    }
}
