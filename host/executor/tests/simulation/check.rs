//! What must be true at the end of a run, and at every crash.

use crate::client::Client;
use crate::shop::{DEFINITION, Expected, arn, expected, is_busy_item, is_stopped, items};
use crate::tally::Tally;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{Execution, HistoryDetails, HistoryEvent, StateMachine, Status, Timestamp, replay};
use stepwell_store::{ExecutionId, MemoryBackend, Standing, Store, check_records};

static MACHINE: LazyLock<StateMachine> = LazyLock::new(|| StateMachine::parse(DEFINITION).unwrap());

/// Open executions that are replayed at a crash, at most.
const REPLAYED_AT_A_CRASH: usize = 2;

/// Everything that a finished run has left: what was acknowledged is there, every order came to what it should, once.
pub(crate) async fn check(store: &Store, orders: u64, client: &Client, tally: &mut Tally) {
    for number in 0..orders {
        let place = format!("order {number}");
        let id = store.execution_id(&arn(number)).await.unwrap().unwrap();
        let standing = store.standing(id).await.unwrap().unwrap();
        if let Some(started_at) = client.started.get(&number) {
            assert_eq!(standing.context.start_time, *started_at, "{place}: its start");
        }
        let redriven = client.redriven.get(&number).map_or(0, Vec::len);
        assert_eq!(
            standing.redrive.map_or(0, |redrive| redrive.count as usize),
            redriven,
            "{place}: redrives"
        );
        if let Some(stopped_at) = client.stopped.get(&number).filter(|_| redriven == 0) {
            assert_eq!(standing.stopped_at, Some(*stopped_at), "{place}: its end");
        }
        let history = store.history(id, 1, 10_000, false).await.unwrap().events;
        check_history(&history, redriven, &place);
        check_result(&standing, &history, number, redriven, &place);
        let mut reversed = store.history(id, u64::MAX, 10_000, true).await.unwrap().events;
        reversed.reverse();
        assert_eq!(reversed, history);
        let steps = check_replay(store, id, &standing, history.len(), &place).await;
        tally.steps += steps;
        tally.events += history.len() as u64;
        tally.executions += 1;
        tally.mix((id.0, standing.status.as_str(), format!("{history:?}")));
    }
}

fn check_result(standing: &Standing, history: &[HistoryEvent], number: u64, redriven: usize, place: &str) {
    let expected = expected(number, redriven);
    if standing.status == Status::Aborted {
        assert!(is_stopped(number), "{place}: nobody stopped it");
        assert_eq!(standing.error.as_deref(), Some("Cancelled"), "{place}");
        return check_attempts(
            history,
            number,
            &Expected { charges: (0, expected.charges.1), ..expected },
            place,
        );
    }
    assert_eq!(standing.status, expected.status, "{place}");
    let output = standing.output.as_ref().map(|text| serde_json::from_str(text).unwrap());
    let got = output.or(standing.error.clone().map(Value::String));
    assert_eq!(got, Some(expected.result.clone()), "{place}");
    check_attempts(history, number, &expected, place);
}

fn check_history(history: &[HistoryEvent], redriven: usize, place: &str) {
    for (index, event) in history.iter().enumerate() {
        assert_eq!(event.id, index as u64 + 1, "{place}: ids are dense");
        assert!(event.previous_event_id < event.id, "{place}");
        assert!(index == 0 || history[index - 1].timestamp <= event.timestamp, "{place}: time runs forward");
    }
    let ends = history.iter().filter(|event| {
        matches!(
            event.details,
            HistoryDetails::ExecutionSucceeded { .. }
                | HistoryDetails::ExecutionFailed { .. }
                | HistoryDetails::ExecutionAborted { .. }
        )
    });
    assert_eq!(ends.count(), 1 + redriven, "{place}: it ends once, and once more after every redrive");
}

/// Each attempt is recorded once: of the charge exactly; of the picks as many as a round has, or fewer where a
/// failed charge or a stop cut a round short.
fn check_attempts(history: &[HistoryEvent], number: u64, expected: &Expected, place: &str) {
    let inputs = history.iter().filter_map(|event| {
        let HistoryDetails::LambdaFunctionScheduled { request, .. } = &event.details else { return None };
        Some(request.input.as_str())
    });
    let inputs: Vec<&str> = inputs.collect();
    let scheduled = |wanted: &Value| {
        let wanted = wanted.to_string();
        inputs.iter().filter(|input| **input == wanted).count()
    };
    let charges = scheduled(&json!({"number": number}));
    assert!((expected.charges.0..=expected.charges.1).contains(&charges), "{place}: {charges} charges");
    let succeeded =
        history.last().is_some_and(|last| matches!(last.details, HistoryDetails::ExecutionSucceeded { .. }));
    for item in items(number) {
        let (picks, a_round) = (scheduled(&json!({"item": item})), 1 + usize::from(is_busy_item(item)));
        let least = if succeeded { a_round } else { 0 };
        assert!((least..=expected.rounds * a_round).contains(&picks), "{place}: item {item}: {picks} picks");
    }
}

/// Replaying everything recorded comes to the recorded history, and to where the store says that it stands. No event
/// that moved it is there twice. How many transitions there are.
async fn check_replay(
    store: &Store,
    id: ExecutionId,
    standing: &Standing,
    events: usize,
    place: &str,
) -> u64 {
    let (execution, journal) = replayed_from_start(store, id, place).await;
    let progress = &execution.progress;
    assert_eq!(progress.status, standing.status, "{place}: replayed");
    assert_eq!(progress.stop_time, standing.stopped_at, "{place}: replayed");
    assert_eq!(progress.last_event_id, events as u64, "{place}: replayed");
    journal
}

async fn replayed_from_start(store: &Store, id: ExecutionId, place: &str) -> (Execution, u64) {
    let (execution, journal) = store.whole_journal(id).await.unwrap().unwrap();
    let steps = journal.len() as u64;
    let mut moved: Vec<String> =
        journal.iter().map(|recorded| format!("{:?}", recorded.event.kind)).collect();
    moved.sort_unstable();
    assert!(moved.windows(2).all(|pair| pair[0] != pair[1]), "{place}: an event moved it twice");
    let (execution, _) = replay(&MACHINE, execution, journal, &NoEvaluator).expect(place);
    (execution, steps)
}

/// At a crash: what an open execution's checkpoint and the journal after it say is what its whole journal says.
pub(crate) async fn check_open(store: &Store, turn: u64, tally: &mut Tally) {
    let mut open: Vec<ExecutionId> = Vec::new();
    for (position, _) in store.open_executions(None, 1_000).await.unwrap() {
        open.extend(position.execution());
    }
    let (parked, _) = store.wakes(None, Timestamp(i64::MAX), 1_000).await.unwrap();
    open.extend(parked.iter().map(|(wake, _)| wake.id));
    let first = usize::try_from(turn).unwrap().checked_rem(open.len()).unwrap_or_default();
    for id in open.into_iter().skip(first).take(REPLAYED_AT_A_CRASH) {
        let loaded = store.load(id).await.unwrap().unwrap();
        let place = loaded.execution.context.execution_arn.clone();
        let (from_checkpoint, _) =
            replay(&MACHINE, loaded.execution, loaded.journal, &NoEvaluator).expect(&place);
        let (from_start, _) = replayed_from_start(store, id, &place).await;
        assert_eq!(from_checkpoint, from_start, "{place}: checkpoint and journal differ");
        tally.replayed_open += 1;
    }
}

/// No record contradicts another one.
pub(crate) async fn check_all_records(memory: &MemoryBackend) {
    let records = check_records(Arc::new(memory.clone()), &mut |_| {}).await.unwrap();
    assert!(records.is_sound(), "{:?}", records.examples);
}
