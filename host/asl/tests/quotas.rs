//! The bounds of an execution: payloads, variables, history events, iterations at a time, and what one step may grow to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use std::collections::VecDeque;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Command, Event, EventKind, Execution, ExecutionContext, HistoryDetails, HistoryEvent, Quotas,
    StateMachine, Status, Timestamp, Work, limits, step,
};

/// No step may record more text than this with the default quotas.
const LARGEST_STEP: usize = limits::STEP_BYTES + 5 * limits::PAYLOAD_BYTES;

/// Runs a machine whose tasks return their input, with timers that fire at once. Gives the execution, its history and
/// the most branches that waited at a time.
fn run(definition: &Value, input: Value, quotas: Quotas) -> (Execution, Vec<HistoryEvent>, usize) {
    let machine = StateMachine::parse(&definition.to_string()).unwrap();
    let context = ExecutionContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".to_owned(),
        execution_name: "e".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
        state_machine_name: "m".to_owned(),
        region: "us-east-1".to_owned(),
        start_time: Timestamp(0),
        seed: 7,
        quotas,
        version: None,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
    };
    let mut execution = Execution::new(context, input);
    let (mut history, mut most, mut at) = (Vec::new(), 0, Timestamp(0));
    let mut events = VecDeque::from([EventKind::Start]);
    while let Some(kind) = events.pop_front() {
        let transition = step(&machine, execution, Event { at, kind }, &NoEvaluator);
        execution = transition.execution;
        // Each payload is in the text of the events that have it; the rest is small.
        let text: usize = transition.history.iter().map(|event| format!("{:?}", event.details).len()).sum();
        assert!(text < LARGEST_STEP, "one step recorded {text} bytes");
        history.extend(transition.history);
        most = most.max(execution.branches.len());
        for command in transition.commands {
            match command {
                Command::Dispatch(Work::Task(task)) => {
                    events.push_back(EventKind::TaskSucceeded { work: task.work, result: task.parameters });
                }
                Command::Dispatch(Work::Timer { work, at: due }) => {
                    at = at.max(due);
                    events.push_back(EventKind::TimerFired { work });
                }
                Command::Dispatch(Work::Continue { work }) => events.push_back(EventKind::Continued { work }),
                Command::Cancel(_) | Command::StopJob(_) => {}
            }
        }
    }
    (execution, history, most)
}

fn machine(states: &Value) -> Value {
    json!({"StartAt": "First", "States": states})
}

fn map(processor: &Value, more: &Value) -> Value {
    let mut map = json!({"Type": "Map", "ItemProcessor": processor, "End": true});
    map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    machine(&json!({"First": map}))
}

fn pass_item() -> Value {
    json!({"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": true}}})
}

fn error_of(execution: &Execution) -> &str {
    assert_eq!(execution.progress.status, Status::Failed, "{:?}", execution.progress.output);
    execution.progress.error.as_deref().unwrap_or_default()
}

#[test]
fn a_history_ends_at_its_quota_with_a_failure() {
    let looping = machine(&json!({
        "First": {"Type": "Pass", "Next": "Second"},
        "Second": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "Never"}], "Default": "First"},
        "Never": {"Type": "Succeed"},
    }));
    let fan = map(
        &json!({"StartAt": "Item", "States": {"Item": {"Type": "Wait", "Seconds": 1, "Next": "Then"}, "Then": {"Type": "Pass", "End": true}}}),
        &json!({}),
    );
    for (definition, input) in [(looping, json!({})), (fan, json!((0..10_000).collect::<Vec<_>>()))] {
        for quota in [25_000, 101] {
            let quotas = Quotas { history_events: quota, ..Quotas::default() };
            let (execution, history, _) = run(&definition, input.clone(), quotas);
            assert_eq!(error_of(&execution), "States.Runtime");
            assert_eq!(history.len() as u64, quota, "the last place is for the end");
            assert!(matches!(history.last().unwrap().details, HistoryDetails::ExecutionFailed { .. }));
            assert!(history.iter().zip(1..).all(|(event, id)| event.id == id));
            assert_eq!(execution.pending(), []);
        }
    }
}

#[test]
fn payloads_are_measured_where_they_arise() {
    let text = "x".repeat(1_000);
    let quotas = Quotas { payload_bytes: 2_000, ..Quotas::default() };
    let twice = json!({"a.$": "$", "b.$": "$"});
    let task = "arn:aws:lambda:us-east-1:123456789012:function:echo";
    let pass = json!({"First": {"Type": "Pass", "Parameters": twice, "End": true}});
    let called = json!({"First": {"Type": "Task", "Resource": task, "Parameters": twice, "ResultSelector": {}, "End": true}});
    let assigned = json!({"First": {"Type": "Pass", "Assign": {"v": twice}, "End": true}});
    let joined = json!({"First": {
        "Type": "Parallel", "End": true, "ResultSelector": {},
        "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}},
                     {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}}],
    }});
    for (states, origin) in [(pass, "First"), (called, task), (assigned, "First"), (joined, "First")] {
        let (execution, _, _) = run(&machine(&states), json!(text), quotas);
        assert_eq!(error_of(&execution), "States.DataLimitExceeded", "{states}");
        assert!(execution.progress.cause.as_deref().unwrap().contains(&format!("'{origin}'")));
        let (execution, _, _) = run(&machine(&states), json!("short"), quotas);
        assert_eq!(execution.progress.status, Status::Succeeded, "{states}");
    }
}

#[test]
fn an_oversized_result_can_be_caught() {
    let states = json!({
        "First": {
            "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:echo",
            "Parameters": {"a.$": "$", "b.$": "$"}, "End": true,
            "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "ResultPath": null, "Next": "Caught"}],
        },
        "Caught": {"Type": "Pass", "End": true},
    });
    let quotas = Quotas { payload_bytes: 2_000, ..Quotas::default() };
    let (execution, _, _) = run(&machine(&states), json!("x".repeat(1_000)), quotas);
    assert_eq!(execution.progress.status, Status::Succeeded);
}

#[test]
fn as_many_iterations_run_as_may() {
    let wait = json!({"StartAt": "Item", "States": {"Item": {"Type": "Wait", "Seconds": 1, "End": true}}});
    let items = json!((0..200).collect::<Vec<_>>());
    for (more, quota, expected) in [
        (json!({}), 40, 40),
        (json!({"MaxConcurrency": 0}), 40, 40),
        (json!({"MaxConcurrency": 7}), 40, 7),
        (json!({"MaxConcurrency": 100}), 40, 40),
        (json!({"MaxConcurrency": 100}), 1_000, 100),
        (json!({}), 1_000, 200),
    ] {
        let quotas = Quotas { map_concurrency: quota, ..Quotas::default() };
        let (execution, _, most) = run(&map(&wait, &more), items.clone(), quotas);
        assert_eq!(execution.progress.output, Some(items.clone()), "{more}");
        assert_eq!(most, expected + 1, "{more}, quota {quota}");
    }
}

#[test]
fn large_payloads_are_cut_into_many_steps() {
    let text = "x".repeat(limits::PAYLOAD_BYTES - 10);
    let mut states = json!({});
    for number in 0..60 {
        states[format!("S{number}")] = json!({"Type": "Pass", "Next": format!("S{}", number + 1)});
    }
    states["S60"] = json!({"Type": "Pass", "End": true});
    let chain = json!({"StartAt": "S0", "States": states});
    let (execution, _, _) = run(&chain, json!(text), Quotas::default());
    assert_eq!(execution.progress.status, Status::Succeeded);
    // Every iteration is given the whole input.
    let all = map(
        &pass_item(),
        &json!({"ItemsPath": "$.items", "ItemSelector": {"all.$": "$.text"}, "ResultSelector": {}}),
    );
    let input = json!({"items": (0..100).collect::<Vec<_>>(), "text": "x".repeat(200_000)});
    let (execution, _, _) = run(&all, input, Quotas::default());
    assert_eq!(error_of(&execution), "States.DataLimitExceeded", "the results together are too large");
}

#[test]
fn nothing_grows_without_bound() {
    let mut bomb = json!({});
    for number in 0..2_000 {
        bomb[format!("k{number}.$")] = json!("$");
    }
    let text = json!("x".repeat(limits::PAYLOAD_BYTES - 10));
    let (execution, _, _) = run(
        &machine(&json!({"First": {"Type": "Pass", "Parameters": bomb, "End": true}})),
        text.clone(),
        Quotas::default(),
    );
    assert_eq!(error_of(&execution), "States.Runtime");
    let branch = |number| json!({"StartAt": format!("B{number}"), "States": {format!("B{number}"): {"Type": "Pass", "End": true}}});
    let branches: Vec<Value> = (0..200).map(branch).collect();
    let wide = machine(&json!({"First": {"Type": "Parallel", "Branches": branches, "End": true}}));
    let (execution, _, _) = run(&wide, text, Quotas::default());
    assert_eq!(error_of(&execution), "States.Runtime");
    let deeper = machine(&json!({
        "First": {"Type": "Pass", "Parameters": {"a.$": "$"}, "Next": "Again"},
        "Again": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "Never"}], "Default": "First"},
        "Never": {"Type": "Succeed"},
    }));
    let (execution, _, _) = run(&deeper, json!(1), Quotas::default());
    assert_eq!(error_of(&execution), "States.Runtime");
    assert!(
        execution.progress.cause.as_deref().unwrap().contains("nested more than"),
        "{:?}",
        execution.progress.cause
    );
}

#[test]
fn variables_have_a_quota_of_their_own() {
    let mut states = json!({});
    for number in 0..50 {
        states[format!("S{number}")] = json!({"Type": "Pass", "Assign": {format!("v{number}.$"): "$"}, "Next": format!("S{}", number + 1)});
    }
    states["S50"] = json!({"Type": "Pass", "End": true});
    let chain = json!({"StartAt": "S0", "States": states});
    let (execution, history, _) = run(&chain, json!("x".repeat(250_000)), Quotas::default());
    assert_eq!(error_of(&execution), "States.DataLimitExceeded");
    let exits =
        history.iter().filter(|event| matches!(event.details, HistoryDetails::StateExited { .. })).count();
    assert_eq!(exits, 41, "10 MiB of 250,002 bytes each");
    // The same variable again and again takes its place once.
    let mut same = chain;
    for number in 0..50 {
        same["States"][format!("S{number}")]["Assign"] = json!({"v.$": "$"});
    }
    let (execution, _, _) = run(&same, json!("x".repeat(250_000)), Quotas::default());
    assert_eq!(execution.progress.status, Status::Succeeded);
    // So does one of many that fill the quota almost.
    let mut full = same;
    for number in 0..50 {
        full["States"][format!("S{number}")]["Assign"] = json!({format!("v{}.$", number.min(40)): "$"});
    }
    let (execution, _, _) = run(&full, json!("x".repeat(250_000)), Quotas::default());
    assert_eq!(execution.progress.status, Status::Succeeded);
}
