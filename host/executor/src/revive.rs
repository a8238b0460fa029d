//! Brings executions from the store back into memory: checkpoint, then the journal through `step` again.
//!
//! It must never give out an execution whose replay does not tell the recorded history.

use crate::error::StartError;
use crate::expressions::Expressions;
use crate::limits;
use crate::machines::Machines;
use serde_json::Value;
use std::sync::Arc;
use std::{panic, thread};
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator};
use stepwell_asl::{Changed, Diverged, Execution, Recorded, StateMachine, Timestamp, replay};
use stepwell_store::{ExecutionId, Loaded, RedriveRecord, Store, StoreError, Stranded, Tracked};
use tokio::sync::oneshot;

/// An execution as the store has it, ready to go on.
pub(crate) struct Revived {
    pub(crate) machine: Arc<StateMachine>,
    pub(crate) tracked: Tracked,
    pub(crate) execution: Execution,
    /// When its last event happened.
    pub(crate) last_event_at: Timestamp,
}

/// The same of one that ended without success, to be redriven.
pub(crate) struct Ended {
    pub(crate) revived: Revived,
    /// The tokens of its redrives.
    pub(crate) record: RedriveRecord,
    /// Which version of the record its machine has; none where that is gone or is being deleted.
    pub(crate) machine_version: Option<u64>,
}

/// Why an execution cannot be brought back.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ReviveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Definition(#[from] StartError),
    #[error(
        "taking its recorded events again leads to another history than the recorded one, from event {} on: another \
         version of the server has recorded it, or a record is damaged", .0.event_id
    )]
    Diverged(Diverged),
    #[error("taking its recorded events again failed")]
    Failed,
}

impl ReviveError {
    /// Whether another try may help.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            ReviveError::Store(StoreError::Full | StoreError::Unknown)
                | ReviveError::Definition(StartError::Store(StoreError::Full | StoreError::Unknown))
        )
    }

    /// The store's word, for those who asked for something else.
    pub(crate) fn into_store_error(self) -> StoreError {
        match self {
            ReviveError::Store(failure) | ReviveError::Definition(StartError::Store(failure)) => failure,
            ReviveError::Definition(_) | ReviveError::Diverged(_) | ReviveError::Failed => {
                StoreError::Invalid("the execution cannot be continued; the server's log says why")
            }
        }
    }
}

/// An execution that was not brought back.
pub(crate) struct NotRevived {
    pub(crate) failure: ReviveError,
    /// As far as ending it takes, where no other try helps; none where not even that can be read.
    pub(crate) stranded: Option<Box<Stranded>>,
}

/// Reads executions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reviver {
    pub(crate) store: Store,
    pub(crate) machines: Arc<Machines>,
    pub(crate) expressions: Arc<dyn Expressions>,
}

impl Reviver {
    /// An execution that has not ended; none of one that has. Only its shard may ask, and must not change it meanwhile.
    pub(crate) async fn revive(&self, id: ExecutionId) -> Result<Option<Revived>, ReviveError> {
        match self.store.load(id).await? {
            Some(loaded) => self.replayed(loaded).await.map(Some),
            None => Ok(None),
        }
    }

    /// An execution that ended without success, to be redriven; none of any other. As above, only its shard may ask.
    pub(crate) async fn revive_ended(&self, id: ExecutionId) -> Result<Option<Ended>, ReviveError> {
        let Some(loaded) = self.store.load_ended(id).await? else { return Ok(None) };
        let record = self.store.redrive_record(id).await?;
        let machine = self.store.machine(&loaded.execution.context.state_machine_arn).await?;
        let own = loaded.tracked.record().machine;
        let machine = machine.filter(|(machine, _)| machine.id == own && !machine.deleting);
        let machine_version = machine.map(|(_, version)| version);
        Ok(Some(Ended { revived: self.replayed(loaded).await?, record, machine_version }))
    }

    async fn replayed(&self, loaded: Loaded) -> Result<Revived, ReviveError> {
        let Loaded { mut tracked, execution, journal, last_event_at } = loaded;
        let machine = self.machines.get(tracked.record().machine, tracked.record().revision).await?;
        let (execution, changed) = self.replay(&machine, execution, journal).await?;
        tracked.replayed(changed);
        Ok(Revived { machine, tracked, execution, last_event_at })
    }

    /// The same; and where an execution cannot be continued, what it takes to end it.
    pub(crate) async fn revive_or_strand(&self, id: ExecutionId) -> Result<Option<Revived>, NotRevived> {
        let failure = match self.revive(id).await {
            Ok(revived) => return Ok(revived),
            Err(failure) => failure,
        };
        let stranded =
            if failure.is_transient() { None } else { self.store.stranded(id).await.ok().flatten() };
        Err(NotRevived { failure, stranded: stranded.map(Box::new) })
    }

    async fn replay(
        &self,
        machine: &Arc<StateMachine>,
        execution: Execution,
        journal: Vec<Recorded>,
    ) -> Result<(Execution, Changed), ReviveError> {
        let evaluator = Patient(Arc::clone(&self.expressions));
        if !machine.uses_jsonata() || journal.is_empty() {
            return replay(machine, execution, journal, &evaluator).map_err(ReviveError::Diverged);
        }
        // Evaluations may take long, and need a deep stack: a thread of their own.
        let (done, outcome) = oneshot::channel();
        let machine = Arc::clone(machine);
        let work = move || {
            let replayed = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                replay(&machine, execution, journal, &evaluator)
            }));
            // Nobody waits any more when this fails.
            let _ = done.send(replayed.map_err(|_| ReviveError::Failed));
        };
        let thread = thread::Builder::new().name("stepwell-replay".to_owned());
        thread.stack_size(limits::STEP_STACK_BYTES).spawn(work).map_err(|_| ReviveError::Failed)?;
        outcome.await.map_err(|_| ReviveError::Failed)??.map_err(ReviveError::Diverged)
    }
}

/// Evaluates however long it takes: nobody else waits for the thread.
struct Patient(Arc<dyn Expressions>);

impl Evaluator for Patient {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        self.0.evaluate(evaluation, &mut || {})
    }
}
