//! StartExecution inside a shard: names are unique, repeats are idempotent.

use super::away::{Asker, Queued};
use super::live::Live;
use super::turn::{Reply, Turn};
use super::{Occurrence, Shard};
use crate::error::StartError;
use crate::request::{StartRequest, Started};
use stepwell_asl::{EventKind, Execution, ExecutionContext};
use stepwell_store::{ExecutionId, StartRecord};
use tokio::sync::oneshot;

type StartReply = oneshot::Sender<Result<Started, StartError>>;

impl Shard {
    pub(super) async fn start(&mut self, request: StartRequest, reply: StartReply, turn: &mut Turn) {
        if self.closing.is_some() {
            // The caller may be gone; that changes nothing here.
            let _ = reply.send(Err(StartError::ShuttingDown));
            return;
        }
        let Some(reply) = self.join_start(&request, reply) else { return };
        match self.existing(&request).await {
            Ok(Some(started)) => turn.replies.push(Reply::Start(reply, started)),
            Ok(None) => self.begin(request, reply, turn).await,
            Err(failure) => drop(reply.send(Err(failure))),
        }
    }

    /// Lets the caller wait for a start that it repeats while that is with the lane; otherwise gives the reply back.
    fn join_start(&mut self, request: &StartRequest, reply: StartReply) -> Option<StartReply> {
        let live = self.names.get(&request.execution_arn).and_then(|id| self.live.get_mut(id));
        let Some(live) = live.filter(|live| live.record.input == request.input) else { return Some(reply) };
        let Some(starters) = live.away.as_mut().and_then(|away| away.starters()) else { return Some(reply) };
        starters.push(Asker::Start(reply));
        None
    }

    /// The execution that already has the name, if the request repeats its start; an error if it does not.
    async fn existing(&self, request: &StartRequest) -> Result<Option<Started>, StartError> {
        let arn = &request.execution_arn;
        if let Some(live) = self.names.get(arn).and_then(|id| self.live.get(id)) {
            let repeats = live.record.input == request.input && live.stopped_at().is_none();
            let started_at = live.started_at();
            if repeats {
                return Ok(Some(Started { execution_arn: arn.clone(), started_at }));
            }
            return Err(StartError::AlreadyExists { arn: arn.clone() });
        }
        // All open executions of this shard are in memory: one that only the store knows has ended.
        match self.store.execution_id(arn).await? {
            Some(_) => Err(StartError::AlreadyExists { arn: arn.clone() }),
            None => Ok(None),
        }
    }

    async fn begin(&mut self, request: StartRequest, reply: StartReply, turn: &mut Turn) {
        let machine = match self.machines.get(request.machine.id, request.machine.revision).await {
            Ok(machine) => machine,
            Err(failure) => return drop(reply.send(Err(failure))),
        };
        let id = ExecutionId(*uuid::Uuid::now_v7().as_bytes());
        let now = self.clock.now();
        let record = StartRecord {
            machine: request.machine.id,
            revision: request.machine.revision,
            revision_id: request.machine.revision_id,
            revised_at: request.machine.updated_at,
            input: request.input,
            trace_header: request.trace_header,
        };
        let context = ExecutionContext {
            execution_arn: request.execution_arn,
            execution_name: request.name,
            role_arn: request.machine.role_arn,
            state_machine_arn: request.machine.arn,
            state_machine_name: request.machine.name,
            region: request.region,
            start_time: now,
            seed: seed(id),
            quotas: self.quotas,
        };
        let started = Started { execution_arn: context.execution_arn.clone(), started_at: now };
        self.names.insert(context.execution_arn.clone(), id);
        let live = Live::new(machine, record, Execution::new(context, request.input_value));
        self.live.insert(id, live);
        let occurrence = Occurrence { id, kind: EventKind::Start, log: Vec::new() };
        if self.is_laned(id) {
            return self.queue(Queued { occurrence, askers: vec![Asker::Start(reply)] }, turn);
        }
        // The caller is told when the commit fails, and decides whether to ask again.
        self.step_now(&occurrence, turn);
        turn.replies.push(Reply::Start(reply, started));
    }
}

/// The random half of a version 7 UUID.
fn seed(id: ExecutionId) -> u64 {
    id.0[8..].iter().fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}
