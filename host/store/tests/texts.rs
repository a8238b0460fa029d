//! Long texts of a journal: stored once, read back whole, checked, and removed with their execution.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use serde_json::{Value, json};
use std::sync::Arc;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Event, EventKind, Execution, ExecutionContext, HistoryDetails, Quotas, StateMachine, Status, Timestamp,
    Work, replay, step,
};
use stepwell_store::{
    Backend, Batch, Changes, Closed, ExecutionId, KeyRange, MachineId, MachineRecord, MemoryBackend, Moved,
    ProblemKind, Space, StartRecord, Store, Tracked, check_records, limits,
};

const MACHINE: MachineId = MachineId([7; 16]);
const ID: ExecutionId = ExecutionId([1; 16]);
const WAITS: usize = 5;

fn definition() -> String {
    let states: serde_json::Map<String, Value> = (0..WAITS)
        .map(|n| (format!("W{n}"), json!({"Type": "Wait", "Seconds": 1, "Next": format!("W{}", n + 1)})))
        .chain([(format!("W{WAITS}"), json!({"Type": "Succeed"}))])
        .collect();
    json!({"StartAt": "W0", "States": states}).to_string()
}

fn context() -> ExecutionContext {
    let quotas = Quotas { payload_bytes: 1 << 20, ..Quotas::default() };
    ExecutionContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".to_owned(),
        execution_name: "e".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
        state_machine_name: "m".to_owned(),
        region: "us-east-1".to_owned(),
        start_time: Timestamp(0),
        seed: 5,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
        version: None,
        quotas,
    }
}

fn machine_record() -> MachineRecord {
    serde_json::from_value(json!({
        "id": MACHINE, "arn": context().state_machine_arn, "name": "m", "machine_type": "STANDARD",
        "role_arn": "r", "created_at": 0, "updated_at": 0, "revision": 1,
    }))
    .unwrap()
}

/// A finished execution whose payload has so many bytes; the store's bytes per transition.
async fn run(store: &Store, payload: usize) -> Vec<usize> {
    let mut changes = Changes::new();
    changes.machine(&machine_record(), &definition(), None).unwrap();
    store.commit(changes).await.unwrap();
    let input = json!("x".repeat(payload - 2));
    let record = StartRecord {
        machine: MACHINE,
        revision: 1,
        revision_id: None,
        revised_at: Timestamp(0),
        input: input.to_string(),
        trace_header: None,
        observation: None,
    };
    let (mut tracked, mut execution) = (Tracked::new(ID, record, false), Execution::new(context(), input));
    let machine = StateMachine::parse(&definition()).unwrap();
    let (mut now, mut event, mut bytes) = (Timestamp(0), EventKind::Start, Vec::new());
    loop {
        let mut transition = step(&machine, execution, Event { at: now, kind: event.clone() }, &NoEvaluator);
        let mut changes = Changes::new();
        let moved =
            Moved { at: now, event: &event, transition: &mut transition, parked_after: Timestamp(i64::MAX) };
        changes.transition(&mut tracked, moved).unwrap();
        bytes.push(changes.bytes());
        store.commit(changes).await.unwrap();
        execution = transition.execution;
        match execution.pending().into_iter().next() {
            Some(Work::Timer { work, at }) => (now, event) = (at, EventKind::TimerFired { work }),
            other => {
                assert!(other.is_none(), "{other:?}");
                return bytes;
            }
        }
    }
}

async fn keys_of(backend: &MemoryBackend) -> Vec<Space> {
    let mut spaces = Vec::new();
    for space in Space::readable() {
        let page = backend.scan(space, KeyRange::prefix(ID.0.to_vec()), false, 100).await.unwrap();
        spaces.extend(page.items.iter().map(|_| space));
    }
    spaces
}

const LONG: usize = limits::TEXT_APART_BYTES * 4;

#[tokio::test]
async fn a_long_payload_is_stored_once_and_read_back_whole() {
    let backend = MemoryBackend::new();
    let store = Store::new(Arc::new(backend.clone()));
    let bytes = run(&store, LONG).await;
    assert!(bytes[0] > LONG, "{bytes:?}");
    // So large a journal gets a checkpoint at once, which has the payload as well.
    assert!(bytes[0] < LONG * 2 + 4_096, "{bytes:?}");
    assert!(bytes[1..].iter().all(|bytes| *bytes < limits::TEXT_APART_BYTES), "{bytes:?}");
    let history = store.history(ID, 1, 100, false).await.unwrap();
    let payload = json!("x".repeat(LONG - 2)).to_string();
    let mut texts = 0;
    for mut event in history.events {
        event.details.payloads_mut(&mut |text| {
            assert!(*text == payload || text.len() < 100, "event {}", event.id);
            texts += usize::from(*text == payload);
        });
    }
    assert_eq!(texts, 2 + 2 * WAITS + 2, "the start, every state entered and exited, the end");
    let standing = store.standing(ID).await.unwrap().unwrap();
    assert_eq!((standing.start.input, standing.output), (payload.clone(), Some(payload)));
    let (execution, journal) = store.whole_journal(ID).await.unwrap().unwrap();
    let machine = StateMachine::parse(&definition()).unwrap();
    let replayed = replay(&machine, execution, journal, &NoEvaluator).unwrap();
    assert_eq!(replayed.0.progress.status, Status::Succeeded);
}

#[tokio::test]
async fn short_payloads_stay_in_their_records() {
    let backend = MemoryBackend::new();
    let store = Store::new(Arc::new(backend.clone()));
    run(&store, limits::TEXT_APART_BYTES - 1).await;
    let texts = backend.scan(Space::new(b'b'), KeyRange::all(), false, 10).await.unwrap();
    assert!(texts.items.is_empty());
}

#[tokio::test]
async fn what_looks_like_a_mark_is_read_as_it_was_written() {
    let store = Store::new(Arc::new(MemoryBackend::new()));
    let cause = format!("\0#{:032x}", 7);
    let record = StartRecord {
        machine: MACHINE,
        revision: 1,
        revision_id: None,
        revised_at: Timestamp(0),
        input: "1".to_owned(),
        trace_header: None,
        observation: None,
    };
    let machine = StateMachine::parse(&definition()).unwrap();
    let mut tracked = Tracked::new(ID, record, false);
    let mut execution = Execution::new(context(), json!(1));
    for event in [EventKind::Start, EventKind::Stop { error: None, cause: Some(cause.clone()) }] {
        let mut transition =
            step(&machine, execution, Event { at: Timestamp(1), kind: event.clone() }, &NoEvaluator);
        let mut changes = Changes::new();
        let moved = Moved {
            at: Timestamp(1),
            event: &event,
            transition: &mut transition,
            parked_after: Timestamp(i64::MAX),
        };
        changes.transition(&mut tracked, moved).unwrap();
        store.commit(changes).await.unwrap();
        execution = transition.execution;
    }
    let history = store.history(ID, 1, 100, false).await.unwrap();
    assert_eq!(
        history.events.last().unwrap().details,
        HistoryDetails::ExecutionAborted { error: None, cause: Some(cause) }
    );
}

#[tokio::test]
async fn a_check_finds_texts_that_are_missing_changed_or_nobodys() {
    let space = Space::new(b'b');
    for (damage, kind) in [
        ("missing", ProblemKind::Unreadable),
        ("changed", ProblemKind::Unreadable),
        ("orphan", ProblemKind::Orphan),
    ] {
        let backend = MemoryBackend::new();
        let store = Store::new(Arc::new(backend.clone()));
        run(&store, LONG).await;
        let sound = check_records(Arc::new(backend.clone()), &mut |_| ()).await.unwrap();
        assert!(sound.is_sound(), "{sound:?}");
        let texts = backend.scan(space, KeyRange::all(), false, 10).await.unwrap();
        let (key, value) = texts.items.into_iter().next().unwrap();
        let mut batch = Batch::new();
        match damage {
            "missing" => batch.delete(space, key),
            "changed" => batch.put(space, key, b"other".to_vec()),
            _ => batch.put(space, [[9; 16].as_slice(), &key[16..]].concat(), value.to_vec()),
        };
        backend.commit(batch).await.unwrap();
        let found = check_records(Arc::new(backend), &mut |_| ()).await.unwrap();
        assert!(found.examples.iter().any(|problem| problem.kind == kind), "{damage}: {found:?}");
    }
}

#[tokio::test]
async fn they_go_with_their_execution() {
    let backend = MemoryBackend::new();
    let store = Store::new(Arc::new(backend.clone()));
    run(&store, LONG).await;
    assert!(keys_of(&backend).await.contains(&Space::new(b'b')));
    let closed: Vec<Closed> = store.expired(None, Timestamp(i64::MAX), 10).await.unwrap();
    assert_eq!(store.remove(&closed).await.unwrap().executions, 1);
    assert_eq!(keys_of(&backend).await, Vec::<Space>::new());
}
