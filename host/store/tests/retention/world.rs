//! Many executions of real definitions over a backend that fails and crashes, driven as an executor drives them: after a
//! failed commit, what is stored goes on. Names are few, so they are used again as soon as they are free.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Event, EventKind, Execution, ExecutionContext, Quotas, StateMachine, StatesError, Status, Timestamp,
    Work, replay, step,
};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{
    Changes, Closed, ExecutionId, Loaded, LogLine, MachineId, MachineRecord, MemoryBackend, Moved,
    StartRecord, Store, Tracked, check_records,
};

/// Names in use at a time, for each machine.
const NAMES: u64 = 6;
/// A rest longer than this is parked, in milliseconds.
const PARK_AFTER: i64 = 1_000;
/// A Map state with waits and tasks: checkpoints in parts, executions that rest.
pub(crate) const WIDE: &str = r#"{"StartAt": "All", "States": {
  "All": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 4, "Next": "Rest",
    "Catch": [{"ErrorEquals": ["Bad"], "ResultPath": null, "Next": "Rest"}],
    "ItemProcessor": {"StartAt": "One", "States": {
      "One": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:one", "Assign": {"v.$": "$"}, "Next": "Nap"},
      "Nap": {"Type": "Wait", "Seconds": 30, "End": true}}}},
  "Rest": {"Type": "Wait", "Seconds": 60, "Next": "Last"},
  "Last": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:last", "End": true}}}"#;

/// A loop: a journal that takes several batches to remove.
pub(crate) const LONG: &str = r#"{"StartAt": "Init", "States": {
  "Init": {"Type": "Pass", "Assign": {"round": 0}, "Next": "Work"},
  "Work": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "Next": "Count",
    "Assign": {"round.$": "States.MathAdd($round, 1)"}, "ResultPath": null},
  "Count": {"Type": "Choice", "Default": "Done", "Choices": [{"Variable": "$round", "NumericLessThan": 270, "Next": "Work"}]},
  "Done": {"Type": "Succeed"}}}"#;

/// An execution in memory.
pub(crate) struct Live {
    machine: usize,
    tracked: Tracked,
    pub(crate) execution: Execution,
}

/// The executions, what they are stored in, and what is known of them beside.
pub(crate) struct World {
    pub(crate) inner: MemoryBackend,
    pub(crate) twin: Arc<FaultBackend>,
    pub(crate) store: Store,
    machines: Vec<(MachineId, StateMachine)>,
    pub(crate) live: BTreeMap<ExecutionId, Live>,
    /// Every execution that was ever begun, and its name. It may not have been stored.
    pub(crate) begun: BTreeMap<ExecutionId, String>,
    /// Those that a removal was asked for.
    pub(crate) doomed: BTreeSet<ExecutionId>,
    pub(crate) random: fastrand::Rng,
    pub(crate) now: Timestamp,
    /// Whether every transition is followed by a checkpoint.
    pub(crate) eager: bool,
    /// Names that were used again.
    pub(crate) reused: u64,
    /// Times at which an execution was half removed.
    pub(crate) half_removed: u64,
}

impl World {
    pub(crate) async fn new(seed: u64) -> World {
        let inner = MemoryBackend::new();
        let twin =
            Arc::new(FaultBackend::new(Arc::new(inner.clone()), FaultPlan { seed, ..FaultPlan::none() }));
        let store = Store::new(twin.clone());
        let mut machines = Vec::new();
        for (number, definition) in [(1, WIDE), (2, LONG)] {
            let id = MachineId([number; 16]);
            let mut changes = Changes::new();
            changes.machine(&machine_record(id, number), definition, None).unwrap();
            store.commit(changes).await.unwrap();
            machines.push((id, StateMachine::parse(definition).unwrap()));
        }
        World {
            inner,
            twin,
            store,
            machines,
            live: BTreeMap::new(),
            begun: BTreeMap::new(),
            doomed: BTreeSet::new(),
            random: fastrand::Rng::with_seed(seed),
            now: Timestamp(1_000),
            eager: seed % 2 == 1,
            reused: 0,
            half_removed: 0,
        }
    }

    /// The next life of the process: nothing is in memory but what the store lists as running.
    pub(crate) async fn reopen(&mut self) {
        self.twin = Arc::new(self.twin.restart().await);
        self.store = Store::new(self.twin.clone());
        self.live.clear();
        for id in self.begun.keys().copied().collect::<Vec<_>>() {
            self.reload(id).await;
        }
    }

    /// Puts what is stored of an execution in the place of what is in memory.
    async fn reload(&mut self, id: ExecutionId) {
        self.live.remove(&id);
        let Some(Loaded { mut tracked, execution, journal, .. }) = self.store.load(id).await.unwrap() else {
            return;
        };
        let stored = tracked.record().machine;
        let machine = self.machines.iter().position(|(id, _)| *id == stored).unwrap();
        let (execution, changed) =
            replay(&self.machines[machine].1, execution, journal, &NoEvaluator).unwrap();
        tracked.replayed(changed);
        self.live.insert(id, Live { machine, tracked, execution });
    }

    /// Starts an execution under one of few names, unless that is in use.
    pub(crate) async fn start(&mut self) -> Option<ExecutionId> {
        let machine = self.random.usize(0..self.machines.len());
        let arn = arn(machine, self.random.u64(0..NAMES));
        if self.store.execution_id(&arn).await.unwrap().is_some() {
            return None;
        }
        self.reused += u64::from(self.begun.values().any(|begun| *begun == arn));
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(self.begun.len() as u64 + 1).to_be_bytes());
        let id = ExecutionId(id);
        self.begun.insert(id, arn.clone());
        let items: Vec<Value> = (0..self.random.u64(1..9)).map(|number| json!({"number": number})).collect();
        let input = json!({"items": items});
        let record = start_record(self.machines[machine].0, &input);
        let context = context(arn, self.now);
        let tracked = Tracked::new(id, record, false);
        self.live.insert(id, Live { machine, tracked, execution: Execution::new(context, input) });
        let mut changes = Changes::new();
        self.apply(id, &EventKind::Start, &mut changes);
        self.commit(&[id], changes).await;
        Some(id)
    }

    /// Moves a few executions, each by a few events, in one commit.
    pub(crate) async fn go_on(&mut self) {
        let mut changes = Changes::new();
        let ids: Vec<ExecutionId> = self.live.keys().copied().filter(|_| self.random.bool()).collect();
        for id in &ids {
            for _ in 0..self.random.usize(1..40) {
                if self.live[id].execution.progress.status == Status::Running {
                    let kind = self.next_event(*id);
                    self.apply(*id, &kind, &mut changes);
                }
            }
        }
        self.commit(&ids, changes).await;
    }

    /// Commits; what failed goes on from what is stored.
    pub(crate) async fn commit(&mut self, ids: &[ExecutionId], changes: Changes) {
        let failed = self.store.commit(changes).await.is_err();
        if self.twin.crashed() {
            return self.reopen().await;
        }
        for id in ids {
            if failed {
                self.reload(*id).await;
            } else if self.live[id].execution.progress.status != Status::Running {
                self.live.remove(id);
            }
        }
    }

    pub(crate) fn apply(&mut self, id: ExecutionId, kind: &EventKind, changes: &mut Changes) {
        let live = self.live.get_mut(&id).unwrap();
        let before = live.execution.progress.last_event_id;
        let execution = std::mem::replace(&mut live.execution, Execution::placeholder());
        let event = Event { at: self.now, kind: kind.clone() };
        let mut transition = step(&self.machines[live.machine].1, execution, event, &NoEvaluator);
        let moved_on = !transition.history.is_empty();
        let parked_after = Timestamp(self.now.0 + PARK_AFTER);
        let moved = Moved { at: self.now, event: kind, transition: &mut transition, parked_after };
        changes.transition(&mut live.tracked, moved).unwrap();
        live.execution = transition.execution;
        let running = live.execution.progress.status == Status::Running;
        if self.eager && running && moved_on {
            changes.checkpoint(&mut live.tracked, &live.execution).unwrap();
        }
        if moved_on && matches!(kind, EventKind::TaskSucceeded { .. }) {
            let logged = LogLine {
                at: self.now,
                level: "info".to_owned(),
                state: "One".to_owned(),
                attempt: 0,
                message: "done".to_owned(),
            };
            changes.log(id, before + 1, &[logged]).unwrap();
        }
    }

    /// What one of the pending works of an execution comes to.
    pub(crate) fn next_event(&mut self, id: ExecutionId) -> EventKind {
        let mut pending = self.live[&id].execution.pending();
        match pending.swap_remove(self.random.usize(0..pending.len())) {
            Work::Continue { work } => EventKind::Continued { work },
            Work::Timer { work, at } => {
                self.now = self.now.max(at);
                EventKind::TimerFired { work }
            }
            Work::Task(task) if self.live[&id].machine == 0 && self.random.u8(0..20) == 0 => {
                EventKind::TaskFailed { work: task.work, error: StatesError::new("Bad", "b") }
            }
            Work::Task(task) => {
                EventKind::TaskSucceeded { work: task.work, result: json!({"of": task.parameters}) }
            }
        }
    }

    /// Drives an execution event by event until it is parked.
    pub(crate) async fn park(&mut self) {
        while self.store.wakes(None, Timestamp(i64::MAX), 1).await.unwrap().0.is_empty() {
            let Some(id) = self.live.iter().find(|(_, live)| live.machine == 0).map(|(id, _)| *id) else {
                self.start().await;
                continue;
            };
            let kind = self.next_event(id);
            let mut changes = Changes::new();
            self.apply(id, &kind, &mut changes);
            self.commit(&[id], changes).await;
        }
    }

    /// Stops an execution.
    pub(crate) async fn stop(&mut self, id: ExecutionId) {
        let mut changes = Changes::new();
        self.apply(id, &EventKind::Stop { error: None, cause: None }, &mut changes);
        self.commit(&[id], changes).await;
    }

    /// A pass of removal, of up to so many batches, over what ended before a time.
    pub(crate) async fn remove(&mut self, before: Timestamp, batches: usize) {
        let expired = self.store.expired(None, before, 50).await.unwrap();
        assert!(expired.is_sorted() && expired.iter().all(|closed| closed.at < before), "{expired:?}");
        let mut rest: &[Closed] = &expired;
        for _ in 0..batches {
            if rest.is_empty() {
                break;
            }
            // Of these, any number may be in the batch.
            self.doomed.extend(rest.iter().map(|closed| closed.id));
            match self.store.remove(rest).await {
                Ok(removal) => rest = &rest[removal.executions..],
                Err(_) => break,
            }
        }
        if self.twin.crashed() {
            self.reopen().await;
        }
    }

    /// All that must be true at any moment: every execution is there as a whole, or not at all for anyone who asks.
    pub(crate) async fn check(&mut self, place: &str) {
        let (mut whole, mut running) = (0, 0);
        for (id, arn) in &self.begun {
            let standing = self.store.standing(*id).await.unwrap();
            let named = self.store.execution_id(arn).await.unwrap();
            assert_eq!(standing.is_some(), named == Some(*id), "{place}: {id:?} {arn}");
            let Some(standing) = standing else { continue };
            let history = self.store.history(*id, 1, usize::MAX, false).await.unwrap().events;
            assert_eq!(history.len() as u64, standing.last_event_id, "{place}: {id:?}");
            whole += 1;
            running += u64::from(standing.is_running());
            assert!(!standing.is_running() || self.live.contains_key(id), "{place}: {id:?}");
        }
        let mut listed = BTreeSet::new();
        for (machine, _) in &self.machines {
            let executions = self.store.executions(*machine, None, None, 1_000).await.unwrap();
            listed.extend(executions.into_iter().map(|(id, _)| id));
        }
        assert_eq!(listed.len() as u64, whole, "{place}");
        let found = check_records(Arc::new(self.inner.clone()), &mut |_| {}).await.unwrap();
        assert!(found.is_sound(), "{place}: {:#?}", found.examples);
        assert_eq!((found.executions, found.running), (whole, running), "{place}");
        self.half_removed += found.half_removed;
    }
}

pub(crate) fn arn(machine: usize, number: u64) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:m{}:e{number}", machine + 1)
}

pub(crate) fn start_record(machine: MachineId, input: &Value) -> StartRecord {
    StartRecord {
        machine,
        revision: 1,
        revision_id: None,
        revised_at: Timestamp(0),
        input: input.to_string(),
        trace_header: None,
        observation: None,
    }
}

pub(crate) fn context(execution_arn: String, start_time: Timestamp) -> ExecutionContext {
    ExecutionContext {
        execution_name: execution_arn.rsplit(':').next().unwrap().to_owned(),
        execution_arn,
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
        state_machine_name: "m".to_owned(),
        region: "us-east-1".to_owned(),
        start_time,
        seed: 5,
        quotas: Quotas::default(),
        version: None,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
    }
}

pub(crate) fn machine_record(id: MachineId, number: u8) -> MachineRecord {
    MachineRecord {
        id,
        arn: format!("arn:aws:states:us-east-1:123456789012:stateMachine:m{number}"),
        name: format!("m{number}"),
        machine_type: "STANDARD".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision: 1,
        revision_id: None,
        logging_configuration: None,
        tracing_configuration: None,
        encryption_configuration: None,
        deleting: false,
        next_version: 1,
        created_with: None,
    }
}
