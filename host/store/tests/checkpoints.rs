//! Executions stored as a journal with checkpoints: what `step` makes of real definitions is read back whole after every
//! transition, by replaying what came after the last checkpoint; and a transition costs the same however large a Map
//! state is.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use serde_json::{Value, json};
use std::sync::Arc;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Diverged, Event, EventKind, Execution, ExecutionContext, Quotas, StateMachine, StatesError, Status,
    Timestamp, Work, replay, step,
};
use stepwell_store::{
    Backend, Changes, ExecutionId, KeyRange, Loaded, MachineId, MemoryBackend, Moved, ProblemKind, Space,
    StartRecord, Store, StoreError, Tracked, Wake, check_records, limits,
};

const SEEDS: u64 = 150;
/// An execution that takes more transitions than this is stuck.
const TRANSITIONS: usize = 5_000;
const MACHINE: MachineId = MachineId([7; 16]);
const ID: ExecutionId = ExecutionId([1; 16]);

/// Loops over a Parallel state with a Map state in it, that again with a Parallel state in it, all with variables
/// and retries; then a Map state without items.
const NESTED: &str = r#"{
  "StartAt": "Init", "TimeoutSeconds": 9000000,
  "States": {
    "Init": {"Type": "Pass", "Assign": {"round": 0, "note": "n"}, "Next": "Both"},
    "Both": {
      "Type": "Parallel", "Next": "Count", "ResultPath": "$.both", "Assign": {"seen.$": "$"},
      "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}],
      "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "Count"}],
      "Branches": [
        {"StartAt": "Items", "States": {"Items": {
          "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "End": true,
          "Retry": [{"ErrorEquals": ["Bad"], "MaxAttempts": 1}],
          "ItemSelector": {"item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "note.$": "$note"},
          "ItemProcessor": {"StartAt": "Mark", "States": {
            "Mark": {"Type": "Pass", "Assign": {"mine.$": "$.item"}, "Next": "Pair"},
            "Pair": {"Type": "Parallel", "Next": "Work", "ResultPath": "$.pair", "Branches": [
              {"StartAt": "Left", "States": {"Left": {"Type": "Wait", "Seconds": 1, "End": true}}},
              {"StartAt": "Right", "States": {
                "Right": {"Type": "Pass", "Assign": {"own.$": "$mine"}, "Next": "Right2"},
                "Right2": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:right",
                  "Parameters": {"own.$": "$own"}, "End": true}}}
            ]},
            "Work": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work",
              "Parameters": {"item.$": "$mine"}, "TimeoutSeconds": 60, "End": true,
              "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 2}]}
          }}
        }}},
        {"StartAt": "Aside", "States": {"Aside": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:aside",
          "Assign": {"aside.$": "$"}, "Next": "Rest"}, "Rest": {"Type": "Wait", "Seconds": 5, "End": true}}}
      ]
    },
    "Count": {"Type": "Pass", "Assign": {"round.$": "States.MathAdd($round, 1)"}, "Next": "Again"},
    "Again": {"Type": "Choice", "Default": "None",
      "Choices": [{"Variable": "$round", "NumericLessThan": 3, "Next": "Both"}]},
    "None": {"Type": "Map", "ItemsPath": "$.nothing", "Next": "Last",
      "ItemProcessor": {"StartAt": "Never", "States": {"Never": {"Type": "Succeed"}}}},
    "Last": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:last", "End": true}
  }
}"#;

fn context(quotas: Quotas) -> ExecutionContext {
    ExecutionContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".to_owned(),
        execution_name: "e".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
        state_machine_name: "m".to_owned(),
        region: "us-east-1".to_owned(),
        start_time: Timestamp(0),
        seed: 5,
        quotas,
        version: None,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
    }
}

/// One execution in memory and in a store.
struct Run {
    machine: StateMachine,
    backend: MemoryBackend,
    store: Store,
    tracked: Tracked,
    execution: Execution,
    now: Timestamp,
    /// After which time a rest is long enough to be parked.
    parked_after: Timestamp,
    /// Whether every transition is followed by a checkpoint.
    eager: bool,
}

impl Run {
    fn new(definition: &str, input: Value, quotas: Quotas) -> Run {
        let backend = MemoryBackend::new();
        let record = StartRecord {
            machine: MACHINE,
            revision: 1,
            revision_id: None,
            revised_at: Timestamp(0),
            input: input.to_string(),
            trace_header: None,
            observation: None,
        };
        Run {
            machine: StateMachine::parse(definition).unwrap(),
            store: Store::new(Arc::new(backend.clone())),
            backend,
            tracked: Tracked::new(ID, record, false),
            execution: Execution::new(context(quotas), input),
            now: Timestamp(0),
            parked_after: Timestamp(i64::MAX),
            eager: false,
        }
    }

    /// Moves the execution in memory and adds what that changed.
    fn apply(&mut self, kind: &EventKind, changes: &mut Changes) {
        let execution = std::mem::replace(&mut self.execution, Execution::placeholder());
        let event = Event { at: self.now, kind: kind.clone() };
        let mut transition = step(&self.machine, execution, event, &NoEvaluator);
        let (at, parked_after) = (self.now, self.parked_after);
        let moved = Moved { at, event: kind, transition: &mut transition, parked_after };
        changes.transition(&mut self.tracked, moved).unwrap();
        self.execution = transition.execution;
        if self.eager && self.running() {
            changes.checkpoint(&mut self.tracked, &self.execution).unwrap();
        }
    }

    async fn commit_one(&mut self, kind: EventKind) -> usize {
        let mut changes = Changes::new();
        self.apply(&kind, &mut changes);
        let bytes = changes.bytes();
        self.store.commit(changes).await.unwrap();
        bytes
    }

    /// What the store makes of it: the checkpoint, and the journal taken again.
    async fn read_back(&self) -> Option<(Tracked, Execution)> {
        let Loaded { mut tracked, execution, journal, .. } = self.store.load(ID).await.unwrap()?;
        let (execution, changed) = replay(&self.machine, execution, journal, &NoEvaluator).unwrap();
        tracked.replayed(changed);
        Some((tracked, execution))
    }

    /// A restart, or a failed commit: goes on from what is stored.
    async fn restart(&mut self) {
        (self.tracked, self.execution) = self.read_back().await.unwrap();
    }

    /// An execution that ended without success, ready to be redriven.
    async fn read_ended(&self) -> Option<(Tracked, Execution)> {
        let Loaded { mut tracked, execution, journal, .. } = self.store.load_ended(ID).await.unwrap()?;
        let (execution, changed) = replay(&self.machine, execution, journal, &NoEvaluator).unwrap();
        tracked.replayed(changed);
        Some((tracked, execution))
    }

    /// Takes it back from its end.
    async fn redrive(&mut self) {
        (self.tracked, self.execution) = self.read_ended().await.unwrap();
        let number = self.execution.progress.redrive.map_or(0, |redrive| redrive.count) + 1;
        self.commit_one(EventKind::Redrive { number }).await;
    }

    fn running(&self) -> bool {
        self.execution.progress.status == Status::Running
    }

    async fn parts(&self) -> usize {
        let range = KeyRange::prefix(ID.0.to_vec());
        self.backend.scan(Space::new(b'p'), range, false, 1_000).await.unwrap().items.len()
    }

    async fn check(&self, place: &str) {
        let standing = self.store.standing(ID).await.unwrap().unwrap();
        let progress = &self.execution.progress;
        assert_eq!((standing.status, standing.last_event_id), (progress.status, progress.last_event_id));
        assert_eq!(standing.output, progress.output.as_ref().map(Value::to_string), "{place}");
        assert_eq!((standing.error, standing.cause), (progress.error.clone(), progress.cause.clone()));
        assert_eq!(
            (standing.context, standing.stopped_at),
            (self.execution.context.clone(), progress.stop_time)
        );
        let read = self.read_back().await.map(|(_, execution)| execution);
        assert_eq!(read.as_ref(), self.running().then_some(&self.execution), "{place}");
        assert_eq!(standing.redrive, progress.redrive, "{place}");
        let ended = self.read_ended().await.map(|(_, execution)| execution);
        let goes_on = !matches!(progress.status, Status::Running | Status::Succeeded);
        assert_eq!(ended.as_ref(), goes_on.then_some(&self.execution), "{place}");
        let records = check_records(Arc::new(self.backend.clone()), &mut |_| {}).await.unwrap();
        // This store has no machine and no definition.
        let wrong = records.examples.iter().find(|problem| problem.kind != ProblemKind::Definition);
        assert_eq!(wrong, None, "{place}");
        self.check_lists(place).await;
    }

    /// It is in one list, and called when its time has come.
    async fn check_lists(&self, place: &str) {
        let listed = self.store.executions(MACHINE, None, None, 10).await.unwrap();
        let status = self.execution.progress.status;
        assert_eq!(
            listed.iter().map(|(id, one)| (*id, one.status)).collect::<Vec<_>>(),
            [(ID, status)],
            "{place}"
        );
        let open = self.store.open_executions(None, 10).await.unwrap().len();
        let wakes = self.store.wakes(None, Timestamp(i64::MAX), 10).await.unwrap().0;
        let rest = self.execution.rests_until(self.parked_after);
        assert_eq!(open, usize::from(self.running() && rest.is_none()), "{place}");
        let wake = rest
            .and_then(|rest| rest.due)
            .map(|at| (Wake { at, id: ID }, context(Quotas::default()).execution_arn));
        assert_eq!(wakes, wake.into_iter().collect::<Vec<_>>(), "{place}");
    }
}

/// What a random one of the pending works comes to.
fn next_event(run: &mut Run, random: &mut fastrand::Rng) -> EventKind {
    let mut pending = run.execution.pending();
    // The execution's own time-out comes first in the list and seldom in life.
    if pending.len() > 1 && random.u32(0..500) > 0 {
        pending.remove(0);
    }
    match pending.swap_remove(random.usize(0..pending.len())) {
        Work::Continue { work } => EventKind::Continued { work },
        Work::Timer { work, at } => {
            run.now = run.now.max(at);
            EventKind::TimerFired { work }
        }
        Work::Task(task) => match random.u8(0..12) {
            0 => EventKind::TaskFailed { work: task.work, error: StatesError::new("Busy", "b") },
            1 => EventKind::TaskFailed { work: task.work, error: StatesError::new("Bad", "b") },
            _ => EventKind::TaskSucceeded { work: task.work, result: json!({"of": task.parameters}) },
        },
    }
}

async fn simulate(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let items: Vec<Value> = (0..random.u64(0..12)).map(|number| json!({"number": number})).collect();
    let mut run = Run::new(NESTED, json!({"items": items, "nothing": []}), Quotas::default());
    // Executions that checkpoint always, and those that rest.
    run.eager = seed % 5 == 1;
    if seed % 5 == 2 {
        run.parked_after = Timestamp(1_000);
    }
    run.commit_one(EventKind::Start).await;
    let mut transitions = 0;
    while run.running() {
        let mut changes = Changes::new();
        for _ in 0..random.usize(1..5) {
            if run.running() {
                let kind = next_event(&mut run, &mut random);
                run.apply(&kind, &mut changes);
                transitions += 1;
            }
        }
        if random.u8(0..8) == 0 {
            // The commit fails: what is stored goes on, and what the changes named is made anew.
            run.restart().await;
            continue;
        }
        run.store.commit(changes).await.unwrap();
        run.check(&format!("seed {seed}, transition {transitions}")).await;
        if run.running() && random.u8(0..20) == 0 {
            let mut changes = Changes::new();
            changes.checkpoint(&mut run.tracked, &run.execution).unwrap();
            run.store.commit(changes).await.unwrap();
            run.check(&format!("seed {seed}, a checkpoint after transition {transitions}")).await;
        }
        if run.running() && random.u8(0..8) == 0 {
            // A restart: what follows from the rest is made anew.
            run.restart().await;
        }
        assert!(transitions < TRANSITIONS, "seed {seed}: stuck");
        if !run.running() && run.execution.progress.status != Status::Succeeded && random.u8(0..4) > 0 {
            run.now = run.now.plus_milliseconds(random.i64(0..2));
            run.redrive().await;
            run.check(&format!("seed {seed}, redriven")).await;
        }
    }
    let succeeded = run.execution.progress.status == Status::Succeeded;
    let left = if succeeded && run.tracked.leaves_parts() { vec![ID] } else { Vec::new() };
    assert_eq!(run.store.leftovers(10).await.unwrap(), left, "seed {seed}");
    let before = run.parts().await;
    run.store.sweep(ID).await.unwrap();
    if !succeeded {
        assert_eq!(run.parts().await, before, "seed {seed}: a redrive may need them");
        return;
    }
    assert_eq!((run.parts().await, run.store.leftovers(10).await.unwrap()), (0, Vec::new()), "seed {seed}");
    run.check(&format!("seed {seed}, swept")).await;
}

#[tokio::test]
async fn every_state_of_an_execution_is_read_back_as_it_was() {
    let only = std::env::var("STEPWELL_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        println!("seed {seed}; repeat with STEPWELL_SEED={seed}");
        simulate(seed).await;
    }
}

const MAP: &str = r#"{"StartAt": "All", "States": {"All": {
  "Type": "Map", "End": true, "ResultPath": "$.done", "ItemsPath": "$.items",
  "ItemProcessor": {"StartAt": "One", "States": {"One": {
    "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:one", "End": true}}}
}}}"#;

fn wide(history_events: u64, map_concurrency: u64) -> Quotas {
    Quotas { history_events, map_concurrency, ..Quotas::default() }
}

/// Bytes of the start, and of the transitions after it.
async fn map_costs(items: u64) -> (usize, Vec<usize>) {
    let items: Vec<u64> = (0..items).collect();
    let mut run = Run::new(MAP, json!({"items": items}), wide(1_000_000, 40));
    let start = run.commit_one(EventKind::Start).await;
    let mut costs = Vec::new();
    let mut tasks = std::collections::VecDeque::from(run.execution.pending());
    while run.running() {
        let Some(Work::Task(task)) = tasks.pop_front() else { panic!("a task is pending") };
        let kind = EventKind::TaskSucceeded { work: task.work, result: json!({"number": task.parameters}) };
        costs.push(run.commit_one(kind).await);
        if tasks.is_empty() {
            tasks = run.execution.pending().into();
        }
    }
    assert_eq!(run.execution.progress.status, Status::Succeeded);
    (start, costs)
}

#[tokio::test]
async fn a_transition_costs_the_same_however_large_the_map_is() {
    let mut means = Vec::new();
    for items in [100, 1_000, 10_000] {
        let (start, costs) = map_costs(items).await;
        let (last, others) = costs.split_last().unwrap();
        // The last 40 begin no other iteration.
        let mean = others[..others.len() - 39].iter().sum::<usize>() / (others.len() - 39);
        let largest = others.iter().max().unwrap();
        println!(
            "{items} items: start {start} B; {} transitions, mean {mean} B, largest {largest} B; last {last} B",
            others.len()
        );
        // The largest writes a checkpoint as well, of what 64 transitions have changed.
        assert!(*largest < 100_000, "a transition of {items} items wrote {largest} bytes");
        means.push(mean);
    }
    assert!(means[2] < 1_000 && means[2] < means[1] * 12 / 10, "{means:?}");
}

#[tokio::test]
async fn a_plain_transition_writes_one_record_with_each_payload_once() {
    let definition = r#"{"StartAt": "A", "States": {
      "A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:a", "Next": "B"},
      "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:b", "Assign": {"v": 1}, "Next": "C"},
      "C": {"Type": "Wait", "Seconds": 1, "End": true}}}"#;
    let large = json!({"large": "x".repeat(50_000)});
    let mut run = Run::new(definition, large.clone(), Quotas::default());
    // The input is that of the execution, of its first state and of its first task.
    let start = run.commit_one(EventKind::Start).await;
    assert!((50_000..52_000).contains(&start), "{start}");
    for _ in 0..2 {
        let Some(Work::Task(task)) = run.execution.pending().pop() else { panic!("a task is pending") };
        let mut changes = Changes::new();
        // A result is also an output, the next input and the next task's.
        run.apply(&EventKind::TaskSucceeded { work: task.work, result: large.clone() }, &mut changes);
        assert_eq!(changes.entries(), 1);
        assert!((50_000..51_500).contains(&changes.bytes()), "{}", changes.bytes());
        run.store.commit(changes).await.unwrap();
        run.check("after the task").await;
    }
    let Some(Work::Timer { work, .. }) = run.execution.pending().pop() else { panic!("a timer is pending") };
    run.now = Timestamp(1_000);
    run.commit_one(EventKind::TimerFired { work }).await;
    run.check("at the end").await;
    // It never had a checkpoint: there is nothing to sweep.
    assert_eq!((run.parts().await, run.store.leftovers(10).await.unwrap()), (0, Vec::new()));
}

#[tokio::test]
async fn an_execution_that_rests_is_parked_with_a_checkpoint_and_leaves_nothing_behind() {
    let definition = r#"{"StartAt": "A", "States": {
      "A": {"Type": "Wait", "Seconds": 100, "Next": "B"}, "B": {"Type": "Pass", "Assign": {"v": 1}, "Next": "C"},
      "C": {"Type": "Wait", "Seconds": 200, "Next": "D"},
      "D": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:d", "End": true}}}"#;
    let mut run = Run::new(definition, json!({}), Quotas::default());
    run.parked_after = Timestamp(10_000);
    run.commit_one(EventKind::Start).await;
    assert!(run.store.load(ID).await.unwrap().unwrap().journal.is_empty(), "there is nothing to replay");
    for (now, next) in [(100_000, Some(300_000)), (300_000, None)] {
        let Some(Work::Timer { work, .. }) = run.execution.pending().pop() else {
            panic!("a timer is pending")
        };
        (run.now, run.parked_after) = (Timestamp(now), Timestamp(now + 10_000));
        run.restart().await;
        run.commit_one(EventKind::TimerFired { work }).await;
        run.check("after a wait").await;
        let due = run.tracked.parked().map(|rest| rest.due.unwrap());
        assert_eq!(due, next.map(Timestamp));
    }
    let Some(Work::Task(task)) = run.execution.pending().pop() else { panic!("a task is pending") };
    run.commit_one(EventKind::TaskSucceeded { work: task.work, result: json!(1) }).await;
    run.check("at the end").await;
    for space in [b'c', b'p', b'q', b't'] {
        let rest = run.backend.scan(Space::new(space), KeyRange::all(), false, 1).await.unwrap().items;
        assert_eq!(rest, [], "{}", char::from(space));
    }
}

#[tokio::test]
async fn a_replay_that_tells_another_history_is_noticed() {
    let definition = |seconds: u64| {
        format!(
            r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Pass", "Result": {seconds}, "Next": "B"}},
              "B": {{"Type": "Wait", "Seconds": 1, "End": true}}}}}}"#
        )
    };
    let mut run = Run::new(&definition(1), json!({}), Quotas::default());
    run.commit_one(EventKind::Start).await;
    let other = StateMachine::parse(&definition(2)).unwrap();
    let Loaded { execution, journal, .. } = run.store.load(ID).await.unwrap().unwrap();
    // Started, entered, and then another output.
    assert_eq!(replay(&other, execution, journal, &NoEvaluator), Err(Diverged { event_id: 3 }));
}

#[tokio::test]
async fn a_gap_in_the_journal_is_reported() {
    let mut run = Run::new(MAP, json!({"items": [1, 2, 3]}), Quotas::default());
    run.commit_one(EventKind::Start).await;
    for _ in 0..2 {
        let Some(Work::Task(task)) = run.execution.pending().pop() else { panic!("a task is pending") };
        run.commit_one(EventKind::TaskSucceeded { work: task.work, result: json!(1) }).await;
    }
    let records = run.backend.scan(Space::new(b'j'), KeyRange::all(), false, 10).await.unwrap().items;
    let mut batch = stepwell_store::Batch::new();
    batch.delete(Space::new(b'j'), records[1].0.clone());
    run.backend.commit(batch).await.unwrap();
    let Err(StoreError::Corrupt { detail, .. }) = run.store.load(ID).await else {
        panic!("an incomplete journal was read")
    };
    assert!(detail.ends_with("of the history is missing"), "{detail}");
}

/// 60 iterations that each begin 500 more in the first transition: more branches than one batch holds.
fn very_wide() -> Run {
    let definition = r#"{"StartAt": "Outer", "States": {"Outer": {
      "Type": "Map", "End": true, "ItemsPath": "$.outer", "ItemSelector": {"inner.$": "$.inner"},
      "ItemProcessor": {"StartAt": "Inner", "States": {"Inner": {
        "Type": "Map", "End": true, "ItemsPath": "$.inner",
        "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Wait", "Seconds": 1, "End": true}}}
      }}}
    }}}"#;
    let (outer, inner): (Vec<u64>, Vec<u64>) = ((0..60).collect(), (0..500).collect());
    Run::new(definition, json!({"outer": outer, "inner": inner}), wide(1_000_000, 1_000))
}

#[tokio::test]
async fn a_transition_of_more_branches_than_a_batch_holds_is_stored() {
    let mut run = very_wide();
    let mut changes = Changes::new();
    run.apply(&EventKind::Start, &mut changes);
    assert!(run.execution.branches.len() > limits::BATCH_ENTRIES);
    assert!(changes.entries() < limits::BATCH_ENTRIES);
    run.store.commit(changes).await.unwrap();
    run.check("begun").await;
    run.commit_one(EventKind::Stop { error: None, cause: None }).await;
    run.check("stopped").await;
    run.redrive().await;
    run.check("redriven").await;
}

#[tokio::test]
async fn what_a_failed_commit_has_left_behind_is_not_read() {
    let definition = r#"{"StartAt": "First", "States": {
      "First": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:first", "Next": "All"},
      "All": {"Type": "Map", "End": true, "MaxConcurrency": 2,
        "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Wait", "Seconds": 1, "End": true}}}}}}"#;
    let mut run = Run::new(definition, json!({}), Quotas::default());
    run.commit_one(EventKind::Start).await;
    let Some(Work::Task(task)) = run.execution.pending().pop() else { panic!("a task is pending") };
    let event = |count: u64| {
        let items: Vec<u64> = (0..count).collect();
        EventKind::TaskSucceeded { work: task.work, result: json!(items) }
    };
    run.eager = true;
    run.commit_one(event(5)).await;
    // The same key as that of the iteration that has not begun yet, from a commit that did not come to its end.
    let range = KeyRange::prefix([&ID.0[..], b"s"].concat());
    let (last, value) = run.backend.scan(Space::new(b'p'), range, true, 1).await.unwrap().items.remove(0);
    let mut stray = last.to_vec();
    *stray.last_mut().unwrap() += 1;
    let mut batch = stepwell_store::Batch::new();
    batch.put(Space::new(b'p'), stray, value);
    run.backend.commit(batch).await.unwrap();
    run.check("with a stray record").await;
}

#[tokio::test]
async fn a_missing_part_is_reported_and_a_running_execution_is_not_swept() {
    let mut run = Run::new(MAP, json!({"items": [1, 2, 3]}), Quotas::default());
    run.eager = true;
    run.commit_one(EventKind::Start).await;
    assert!(matches!(run.store.sweep(ID).await, Err(StoreError::Invalid(_))));
    let range = KeyRange::prefix([&ID.0[..], b"s"].concat());
    run.backend.delete_range(Space::new(b'p'), range, 1).await.unwrap();
    let Err(StoreError::Corrupt { detail, .. }) = run.store.load(ID).await else {
        panic!("an incomplete execution was read")
    };
    assert_eq!(detail, "2 of its 3 branches are there");
    assert!(run.store.standing(ID).await.unwrap().is_some());
}

#[tokio::test]
async fn the_largest_variables_and_a_long_history_can_be_stored() {
    // Numbers take more room stored than as text.
    let numbers = vec![0.5; 60_000];
    let states = (0..43).map(|number| {
        let next = number + 1;
        format!(
            r#""S{number}": {{"Type": "Pass", "Assign": {{"v{number}.$": "$.numbers"}}, "Next": "S{next}"}}, "#
        )
    });
    let states: String = states.collect();
    let definition = format!(
        r#"{{"StartAt": "S0", "States": {{{states} "S43": {{"Type": "Wait", "Seconds": 1, "End": true}}}}}}"#
    );
    let mut run = Run::new(&definition, json!({"numbers": numbers}), Quotas::default());
    let mut changes = Changes::new();
    run.apply(&EventKind::Start, &mut changes);
    while let Some(Work::Continue { work }) = run.execution.pending().pop() {
        run.apply(&EventKind::Continued { work }, &mut changes);
        run.store.commit(std::mem::take(&mut changes)).await.unwrap();
    }
    assert!(run.execution.progress.variable_bytes > 10_000_000);
    run.check("all variables set").await;
    let history = run.store.history(ID, 1, 1_000, false).await.unwrap().events;
    assert_eq!(history.len() as u64, run.execution.progress.last_event_id);
    assert!(history.iter().zip(1..).all(|(event, id)| event.id == id));
    let mut reversed = run.store.history(ID, u64::MAX, 1_000, true).await.unwrap().events;
    reversed.reverse();
    assert_eq!(reversed, history);
}
