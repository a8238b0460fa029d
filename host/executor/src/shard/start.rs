//! StartExecution inside a shard: names are unique, repeats are idempotent.

use super::away::{Asker, Queued};
use super::live::Live;
use super::turn::{Reply, Turn};
use super::{Occurrence, Shard};
use crate::error::StartError;
use crate::ids::seed_of;
use crate::request::{StartRequest, Started};
use std::sync::Arc;
use stepwell_asl::{EventKind, Execution, ExecutionContext, StateMachine, TokenKey};
use stepwell_store::{Observation, StartRecord, Tracked};
use tokio::sync::oneshot;

type StartReply = oneshot::Sender<Result<Started, StartError>>;

impl Shard {
    /// The caller has looked into the store: the name is unused as far as that tells.
    pub(super) fn start(
        &mut self,
        request: StartRequest,
        machine: Arc<StateMachine>,
        reply: StartReply,
        turn: &mut Turn,
    ) {
        if self.closing.is_some() {
            // The caller may be gone; that changes nothing here.
            let _ = reply.send(Err(StartError::ShuttingDown));
            return;
        }
        let Some(reply) = self.join_start(&request, reply) else { return };
        match self.existing(&request) {
            Ok(Some(started)) => turn.replies.push(Reply::Start(reply, started)),
            Ok(None) => self.begin(request, machine, reply, turn),
            Err(failure) => drop(reply.send(Err(failure))),
        }
    }

    /// Lets the caller wait for a start that it repeats while that is with the lane; otherwise gives the reply back.
    fn join_start(&mut self, request: &StartRequest, reply: StartReply) -> Option<StartReply> {
        let live = self.names.get(&request.execution_arn).and_then(|id| self.live.get_mut(id));
        let Some(live) = live.filter(|live| live.tracked.record().input == request.input) else {
            return Some(reply);
        };
        let Some(starters) = live.away.as_mut().and_then(|away| away.starters()) else { return Some(reply) };
        starters.push(Asker::Start(reply));
        None
    }

    /// The execution in memory that has the name, if the request repeats its start; an error if it does not.
    fn existing(&self, request: &StartRequest) -> Result<Option<Started>, StartError> {
        let arn = &request.execution_arn;
        let Some(live) = self.names.get(arn).and_then(|id| self.live.get(id)) else { return Ok(None) };
        if live.tracked.record().input == request.input && live.stopped_at().is_none() {
            return Ok(Some(Started { execution_arn: arn.clone(), started_at: live.started_at() }));
        }
        Err(StartError::AlreadyExists { arn: arn.clone() })
    }

    fn begin(
        &mut self,
        request: StartRequest,
        machine: Arc<StateMachine>,
        reply: StartReply,
        turn: &mut Turn,
    ) {
        let open = match self.open.take(&request.execution_arn) {
            Ok(open) => open,
            // The caller may be gone; that changes nothing here.
            Err(exhausted) => return drop(reply.send(Err(StartError::TooManyOpen { most: exhausted.most }))),
        };
        let id = self.ids.next();
        let now = self.clock.now();
        let record = StartRecord {
            machine: request.machine.id,
            revision: request.machine.revision,
            revision_id: request.machine.revision_id.clone(),
            revised_at: request.machine.updated_at,
            input: request.input,
            trace_header: request.trace_header,
            observation: Observation::of(&request.machine),
        };
        let context = ExecutionContext {
            execution_arn: request.execution_arn,
            execution_name: request.name,
            role_arn: request.machine.role_arn.clone(),
            state_machine_arn: request.machine.arn.clone(),
            state_machine_name: request.machine.name.clone(),
            region: request.region,
            start_time: now,
            seed: seed_of(id),
            quotas: self.quotas,
            version: request.version,
            alias: request.alias,
            test_case: request.test_case,
            token_key: if machine.gives_tokens() { self.ids.token_key(id) } else { TokenKey::default() },
            starter: request.starter,
        };
        let started = Started { execution_arn: context.execution_arn.clone(), started_at: now };
        self.names.insert(context.execution_arn.clone(), id);
        let tracked = Tracked::new(id, record, request.fresh_name);
        let live = Live::new(machine, tracked, Execution::new(context, request.input_value), open);
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
