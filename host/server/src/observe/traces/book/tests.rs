//! Histories and the spans that they come to.

use serde_json::json;
use stepwell_asl::HistoryDetails as D;

use super::*;

fn heard() -> Heard {
    Heard::test("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
}

fn entered(state_type: StateType, name: &str) -> D {
    D::StateEntered { state_type, name: name.into(), input: "{\"secret\":1}".into() }
}

fn exited(state_type: StateType, name: &str) -> D {
    D::StateExited { state_type, name: name.into(), output: "{}".into(), assigned_variables: Vec::new() }
}

fn scheduled() -> D {
    let request = json!({"input": "{\"FunctionName\":\"charge\"}"});
    let task = json!({"resource_type": "lambda", "resource": "invoke", "region": "r", "request": request});
    serde_json::from_value(json!({"TaskScheduled": task})).unwrap()
}

fn failed() -> D {
    let (resource_type, resource) = ("lambda".to_owned(), "invoke".to_owned());
    D::TaskFailed { resource_type, resource, error: Some("Busy".into()), cause: Some("later".into()) }
}

fn succeeded() -> D {
    D::TaskSucceeded { resource_type: "lambda".into(), resource: "invoke".into(), output: "1".into() }
}

fn history(events: Vec<(u64, D)>) -> Vec<HistoryEvent> {
    let numbered = events.into_iter().zip(1..);
    numbered
        .map(|((previous_event_id, details), id)| HistoryEvent {
            id,
            previous_event_id,
            timestamp: Timestamp(i64::try_from(id).unwrap() * 10),
            details,
        })
        .collect()
}

fn started() -> D {
    serde_json::from_value(json!({"ExecutionStarted": {"input": "{}", "role_arn": "r"}})).unwrap()
}

fn spans(history: &[HistoryEvent]) -> Vec<Span> {
    let mut book = Book::new(&heard());
    let mut spans = Vec::new();
    for event in history {
        book.apply(event, &mut spans);
    }
    spans
}

/// Each span with the name of its parent.
fn tree(spans: &[Span]) -> Vec<(&str, &str)> {
    let name = |id: Option<[u8; 8]>| {
        spans.iter().find(|span| Some(span.id) == id).map_or("-", |span| span.name.as_str())
    };
    spans.iter().map(|span| (span.name.as_str(), name(span.parent))).collect()
}

#[test]
fn states_calls_and_retries_have_their_place() {
    let history = history(vec![
        (0, started()),
        (0, entered(StateType::Task, "Pay")),
        (2, scheduled()),
        (3, failed()),
        (4, scheduled()),
        (5, succeeded()),
        (6, exited(StateType::Task, "Pay")),
        (7, entered(StateType::Pass, "Done")),
        (8, exited(StateType::Pass, "Done")),
        (9, D::ExecutionSucceeded { output: "1".into() }),
    ]);
    let spans = spans(&history);
    let expected =
        [("charge", "Pay"), ("charge", "Pay"), ("Pay", "machine"), ("Done", "machine"), ("machine", "-")];
    assert_eq!(tree(&spans), expected);
    assert_eq!(spans[0].failure.as_deref(), Some("Busy: later"));
    assert_eq!((spans[2].begun_at, spans[2].ended_at), (Timestamp(20), Timestamp(70)));
    let told: Vec<_> = spans[2].events.iter().map(|event| (event.name, event.at)).collect();
    assert_eq!(told, [("task_failed", Timestamp(40)), ("retry", Timestamp(50))]);
    assert!(spans[1].failure.is_none() && spans[2].failure.is_none() && spans[4].failure.is_none());
    assert_eq!(spans[4].parent, Some([0x53, 0x99, 0x5c, 0x3f, 0x42, 0xcd, 0x8a, 0xd8]));
    assert!(!format!("{spans:?}").contains("secret"));
}

#[test]
fn branches_and_iterations_lie_in_their_states() {
    let iteration = |index| D::MapIterationStarted { name: "Each".into(), index };
    let done = |index| D::MapIterationSucceeded { name: "Each".into(), index };
    let history = history(vec![
        (0, started()),
        (0, entered(StateType::Parallel, "Both")),
        (2, D::ParallelStateStarted),
        (3, entered(StateType::Pass, "Left")),
        (4, exited(StateType::Pass, "Left")),
        (3, entered(StateType::Map, "Each")),
        (6, D::MapStateStarted { length: 2 }),
        (7, iteration(0)),
        (8, entered(StateType::Pass, "Item")),
        (9, exited(StateType::Pass, "Item")),
        (10, done(0)),
        // A serial Map's next iteration points to the last state of the one before.
        (10, iteration(1)),
        (12, entered(StateType::Pass, "Item")),
        (13, exited(StateType::Pass, "Item")),
        (14, done(1)),
        (15, D::MapStateSucceeded),
        (15, exited(StateType::Map, "Each")),
        (17, D::ParallelStateSucceeded),
        (17, exited(StateType::Parallel, "Both")),
        (19, D::ExecutionSucceeded { output: "1".into() }),
    ]);
    let spans = spans(&history);
    let expected = [
        ("Left", "Both"),
        ("Item", "Each[0]"),
        ("Each[0]", "Each"),
        ("Item", "Each[1]"),
        ("Each[1]", "Each"),
        ("Each", "Both"),
        ("Both", "machine"),
        ("machine", "-"),
    ];
    assert_eq!(tree(&spans), expected);
    let mut ids: Vec<_> = spans.iter().map(|span| span.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
}

#[test]
fn a_failure_ends_everything_that_is_open() {
    let history = history(vec![
        (0, started()),
        (0, entered(StateType::Parallel, "Both")),
        (2, D::ParallelStateStarted),
        (3, entered(StateType::Wait, "Rest")),
        (3, entered(StateType::Fail, "No")),
        (5, D::ParallelStateFailed),
        (6, D::ExecutionFailed { error: Some("E".into()), cause: None }),
    ]);
    let spans = spans(&history);
    assert_eq!(tree(&spans), [("No", "Both"), ("Rest", "Both"), ("Both", "machine"), ("machine", "-")]);
    assert!(spans.iter().all(|span| span.failure.as_deref() == Some("E") && span.ended_at == Timestamp(70)));
}

#[test]
fn reading_the_beginning_again_comes_to_the_same_rest() {
    let history = history(vec![
        (0, started()),
        (0, entered(StateType::Wait, "Rest")),
        (2, exited(StateType::Wait, "Rest")),
        (3, D::ExecutionSucceeded { output: "1".into() }),
    ]);
    let whole = spans(&history);
    let mut book = Book::new(&heard());
    let mut rest = Vec::new();
    for event in &history[..2] {
        book.apply(event, &mut Vec::new());
    }
    assert!(book.expects(3) && !book.expects(2));
    for event in &history[2..] {
        book.apply(event, &mut rest);
    }
    assert_eq!(rest, whole);
    assert!(book.has_ended());
}
