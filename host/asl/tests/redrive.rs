//! RedriveExecution, state by state (API reference, section 4): what goes on, what is not run again, and what the history
//! says of it.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use serde_json::{Value, json};
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Event, EventKind, Execution, ExecutionContext, Quotas, StateMachine, StatesError, Status, TaskWork,
    Timestamp, TokenKey, Work, WorkId, step,
};

const TASK: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

/// An execution, and the types of the events since it was last looked at.
struct Run {
    machine: StateMachine,
    execution: Execution,
    now: Timestamp,
    events: Vec<String>,
    /// Causal parents of the same events.
    causes: Vec<u64>,
}

impl Run {
    fn start(states: &Value, input: Value) -> Run {
        let first = states.as_object().unwrap().keys().next().unwrap().clone();
        Run::of(&json!({"StartAt": first, "States": states}), input, Quotas::default())
    }

    fn of(definition: &Value, input: Value, quotas: Quotas) -> Run {
        let text = |name: &str| name.to_owned();
        let context = ExecutionContext {
            execution_arn: text("arn:aws:states:us-east-1:123456789012:execution:m:e"),
            execution_name: text("e"),
            role_arn: text("arn:aws:iam::123456789012:role/r"),
            state_machine_arn: text("arn:aws:states:us-east-1:123456789012:stateMachine:m"),
            state_machine_name: text("m"),
            region: text("us-east-1"),
            start_time: Timestamp(0),
            seed: 3,
            quotas,
            version: None,
            alias: None,
            test_case: None,
            token_key: TokenKey::default(),
            starter: None,
        };
        let mut run = Run {
            machine: StateMachine::parse(&definition.to_string()).unwrap(),
            execution: Execution::new(context, input),
            now: Timestamp(0),
            events: Vec::new(),
            causes: Vec::new(),
        };
        run.send(EventKind::Start);
        run
    }

    fn send(&mut self, kind: EventKind) {
        let event = Event { at: self.now, kind };
        let transition = step(&self.machine, self.execution.clone(), event, &NoEvaluator);
        self.execution = transition.execution;
        for event in transition.history {
            self.events.push(event.type_name());
            self.causes.push(event.previous_event_id);
        }
    }

    /// The events since the last look.
    fn seen(&mut self) -> Vec<String> {
        self.causes.clear();
        std::mem::take(&mut self.events)
    }

    fn status(&self) -> Status {
        self.execution.progress.status
    }

    fn redrives(&self) -> u32 {
        self.execution.progress.redrive.map_or(0, |redrive| redrive.count)
    }

    /// Redrives, and lets everything happen that is due by then.
    fn redrive(&mut self) {
        self.send(EventKind::Redrive { number: self.redrives() + 1 });
        self.go_on();
    }

    fn go_on(&mut self) {
        while let Some(kind) = self.execution.pending().into_iter().find_map(|work| match work {
            Work::Continue { work } => Some(EventKind::Continued { work }),
            Work::Timer { work, at } if at <= self.now && work != WorkId::EXECUTION => {
                Some(EventKind::TimerFired { work })
            }
            Work::Timer { .. } | Work::Task(_) => None,
        }) {
            self.send(kind);
        }
    }

    fn tasks(&self) -> Vec<TaskWork> {
        let pending = self.execution.pending().into_iter();
        pending.filter_map(|work| if let Work::Task(task) = work { Some(task) } else { None }).collect()
    }

    fn fail(&mut self, name: &str) {
        let work = self.tasks()[0].work;
        self.send(EventKind::TaskFailed { work, error: StatesError::new(name, "as asked") });
    }

    fn succeed(&mut self, result: Value) {
        let work = self.tasks()[0].work;
        self.send(EventKind::TaskSucceeded { work, result });
    }

    fn stop(&mut self) {
        self.send(EventKind::Stop { error: None, cause: None });
    }
}

fn task() -> Value {
    json!({"Type": "Task", "Resource": TASK, "End": true})
}

#[test]
fn a_task_is_scheduled_again_with_its_retries_and_its_time_out() {
    let mut failing = task();
    failing["TimeoutSeconds"] = json!(10);
    failing["Retry"] = json!([{"ErrorEquals": ["Busy"], "MaxAttempts": 1, "IntervalSeconds": 1}]);
    let first = json!({"Type": "Pass", "Assign": {"kept": 1}, "Next": "Try"});
    let mut run = Run::start(&json!({"First": first, "Try": failing}), json!({"a": 1}));
    let keys = |run: &Run| run.tasks()[0].idempotency_key.clone();
    let before = keys(&run);
    run.fail("Busy");
    run.now = run.now.plus_seconds(1);
    run.go_on();
    run.fail("Busy");
    assert_eq!((run.status(), run.execution.progress.error.as_deref()), (Status::Failed, Some("Busy")));
    let ended = run.execution.progress.last_event_id;
    run.seen();
    run.now = run.now.plus_seconds(100);
    run.redrive();
    assert_eq!(
        run.causes,
        [ended, ended + 1, ended + 2],
        "the end leads to the redrive, and that to the task"
    );
    assert_eq!(run.seen(), ["ExecutionRedriven", "LambdaFunctionScheduled", "LambdaFunctionStarted"]);
    assert_eq!((run.status(), run.execution.progress.error.as_deref()), (Status::Running, None));
    assert_ne!(keys(&run), before, "another attempt has another key");
    assert_eq!(run.tasks()[0].attempt, 0, "retries are counted anew");
    assert_eq!(run.tasks()[0].deadline, Some(run.now.plus_seconds(10)));
    assert_eq!(run.execution.progress.variable_bytes, 1, "variables are those of the end");
    run.fail("Busy");
    run.now = run.now.plus_seconds(1);
    run.go_on();
    run.seen();
    run.succeed(json!(7));
    assert_eq!(run.seen(), ["LambdaFunctionSucceeded", "TaskStateExited", "ExecutionSucceeded"]);
    run.redrive();
    assert_eq!(run.status(), Status::Succeeded, "what has succeeded is not redriven");
}

#[test]
fn the_machines_time_out_begins_again() {
    let definition = json!({"StartAt": "Try", "TimeoutSeconds": 5, "States": {"Try": task()}});
    let mut run = Run::of(&definition, json!({}), Quotas::default());
    run.now = Timestamp(5_000);
    run.send(EventKind::TimerFired { work: WorkId::EXECUTION });
    assert_eq!(run.status(), Status::TimedOut);
    run.now = Timestamp(60_000);
    run.redrive();
    assert_eq!(run.execution.progress.deadline, Some(Timestamp(65_000)));
    assert_eq!(run.tasks().len(), 1);
}

#[test]
fn a_wait_ends_at_once_where_its_time_is_past_and_waits_again_where_it_is_not() {
    for (field, value, past) in
        [("Timestamp", json!("1970-01-01T00:01:00Z"), true), ("Seconds", json!(60), false)]
    {
        let mut run = Run::start(&json!({"Wait": {"Type": "Wait", field: value, "End": true}}), json!({}));
        run.now = Timestamp(1_000);
        run.stop();
        run.seen();
        run.now = Timestamp(120_000);
        run.redrive();
        let expected: &[&str] = if past {
            &["ExecutionRedriven", "WaitStateExited", "ExecutionSucceeded"]
        } else {
            &["ExecutionRedriven"]
        };
        assert_eq!(run.seen(), expected, "{field}");
        run.now = Timestamp(180_000);
        run.go_on();
        assert_eq!(run.status(), Status::Succeeded);
    }
}

#[test]
fn a_choice_is_evaluated_again_and_a_fail_state_is_entered_again() {
    let choice = json!({"Type": "Choice", "Choices": [
        {"Variable": "$$.Execution.RedriveCount", "NumericEquals": 2, "Next": "Last"}]});
    let last = json!({"Type": "Fail", "Error": "Over"});
    let mut run = Run::start(&json!({"Gate": choice, "Last": last}), json!({}));
    assert_eq!(run.seen(), ["ExecutionStarted", "ChoiceStateEntered", "ExecutionFailed"]);
    run.redrive();
    assert_eq!(run.seen(), ["ExecutionRedriven", "ExecutionFailed"]);
    run.redrive();
    assert_eq!(run.seen(), ["ExecutionRedriven", "ChoiceStateExited", "FailStateEntered", "ExecutionFailed"]);
    run.redrive();
    assert_eq!(run.seen(), ["ExecutionRedriven", "FailStateEntered", "ExecutionFailed"]);
    assert_eq!(run.execution.progress.error.as_deref(), Some("Over"));
}

#[test]
fn a_pass_state_that_was_left_is_not_run_again() {
    let pass = json!({"Type": "Pass", "Parameters": {"id.$": "States.UUID()"}, "Next": "Try"});
    let mut run = Run::start(&json!({"Make": pass, "Try": task()}), json!({}));
    let before = run.tasks()[0].parameters.clone();
    run.fail("Broken");
    run.seen();
    run.redrive();
    assert_eq!(run.seen(), ["ExecutionRedriven", "LambdaFunctionScheduled", "LambdaFunctionStarted"]);
    assert_eq!(run.tasks()[0].parameters, before, "its output is the one that it had");
}

fn parallel() -> Value {
    let branch = |name: &str, state: Value| json!({"StartAt": name, "States": {name: state}});
    let named = |name: &str| {
        let mut state = task();
        state["Parameters"] = json!({"name": name});
        state
    };
    json!({"All": {"Type": "Parallel", "End": true, "Branches": [
        branch("One", named("one")), branch("Two", named("two")), branch("Three", named("three"))]}})
}

#[test]
fn of_a_parallel_state_only_the_branches_that_failed_or_were_aborted_go_on() {
    let mut run = Run::start(&parallel(), json!({}));
    run.succeed(json!("first"));
    run.fail("Broken");
    assert_eq!(run.status(), Status::Failed);
    run.seen();
    run.redrive();
    let scheduled = ["LambdaFunctionScheduled", "LambdaFunctionStarted"];
    assert_eq!(run.seen(), [&["ExecutionRedriven"][..], &scheduled, &scheduled].concat());
    let names: Vec<_> = run.tasks().iter().map(|task| task.parameters["name"].clone()).collect();
    assert_eq!(names, [json!("two"), json!("three")]);
    run.succeed(json!("second"));
    run.succeed(json!("third"));
    assert_eq!(run.execution.progress.output, Some(json!(["first", "second", "third"])));
}

#[test]
fn all_branches_go_on_after_too_much_data() {
    let quotas = Quotas { payload_bytes: 100, ..Quotas::default() };
    let definition = json!({"StartAt": "All", "States": parallel()});
    let mut run = Run::of(&definition, json!({}), quotas);
    let long = json!("x".repeat(60));
    run.succeed(long.clone());
    run.succeed(long.clone());
    run.succeed(long);
    assert_eq!(run.execution.progress.error.as_deref(), Some("States.DataLimitExceeded"));
    run.seen();
    run.redrive();
    assert_eq!(run.seen()[..2], ["ExecutionRedriven", "ParallelStateStarted"]);
    assert_eq!(run.tasks().len(), 3);
    // Also where a branch had too much.
    run.succeed(json!(1));
    run.succeed(json!("x".repeat(101)));
    assert_eq!(run.execution.progress.error.as_deref(), Some("States.DataLimitExceeded"));
    run.redrive();
    assert_eq!(run.tasks().len(), 3);
}

#[test]
fn of_a_map_state_finished_iterations_keep_their_results_and_those_not_begun_follow() {
    let map = json!({"All": {"Type": "Map", "End": true, "MaxConcurrency": 2,
        "ItemProcessor": {"StartAt": "Each", "States": {"Each": task()}}}});
    let mut run = Run::start(&map, json!([0, 1, 2, 3]));
    run.succeed(json!("zero"));
    run.fail("Broken");
    assert_eq!(run.status(), Status::Failed);
    run.seen();
    run.redrive();
    let names: Vec<_> = run.tasks().iter().map(|task| task.parameters.clone()).collect();
    assert_eq!(names, [json!(1), json!(2)], "the failed one and the aborted one");
    for result in ["one", "two", "three"] {
        run.succeed(json!(result));
    }
    assert_eq!(run.execution.progress.output, Some(json!(["zero", "one", "two", "three"])));
    let started = run.seen().into_iter().filter(|name| name == "MapIterationStarted").count();
    assert_eq!(started, 1, "only the last one begins now");
}

/// An iteration whose input cannot be made has not begun. After a redrive it is the next one again.
#[test]
fn an_iteration_without_an_input_is_tried_again_and_the_others_are_not() {
    let map = json!({"All": {"Type": "Map", "End": true, "MaxConcurrency": 1,
        "ItemSelector": {"at.$": "$$.Map.Item.Value.at"},
        "ItemProcessor": {"StartAt": "Each", "States": {"Each": task()}}}});
    let mut run = Run::start(&map, json!([{"at": 1}, {}]));
    run.succeed(json!("done"));
    assert_eq!(run.status(), Status::Failed);
    run.seen();
    run.redrive();
    assert_eq!(run.seen(), ["ExecutionRedriven", "ExecutionFailed"]);
    assert_eq!((run.status(), run.tasks().len()), (Status::Failed, 0));
}

#[test]
fn what_was_caught_leaves_nothing_to_a_later_redrive() {
    let mut caught = parallel()["All"].clone();
    caught["Catch"] = json!([{"ErrorEquals": ["States.ALL"], "Next": "After"}]);
    caught["End"].take();
    caught.as_object_mut().unwrap().remove("End");
    caught["Next"] = json!("After");
    let mut run = Run::start(&json!({"All": caught, "After": task()}), json!({}));
    run.fail("Broken");
    run.fail("Again");
    assert_eq!(run.status(), Status::Failed);
    run.redrive();
    let tasks = run.tasks();
    assert_eq!(tasks.iter().map(|task| task.state_name.as_str()).collect::<Vec<_>>(), ["After"]);
}

#[test]
fn a_redrive_happens_once_and_not_where_the_history_is_full() {
    let mut run = Run::start(&json!({"Try": task()}), json!({}));
    run.send(EventKind::Redrive { number: 1 });
    assert_eq!(run.redrives(), 0, "it runs");
    run.fail("Broken");
    for number in [0, 2] {
        run.send(EventKind::Redrive { number });
    }
    assert_eq!(run.redrives(), 0, "it is another one than the next");
    run.redrive();
    run.fail("Broken");
    run.send(EventKind::Redrive { number: 1 });
    assert_eq!((run.redrives(), run.status()), (1, Status::Failed), "it was told twice");
    // The history has 6 events until the task has failed and the execution has ended.
    for (room, redriven) in [(7, false), (8, true)] {
        let quotas = Quotas { history_events: room, ..Quotas::default() };
        let definition = json!({"StartAt": "Try", "States": {"Try": task()}});
        let mut run = Run::of(&definition, json!({}), quotas);
        run.fail("Broken");
        assert_eq!(run.execution.progress.last_event_id, 6);
        run.redrive();
        assert_eq!(run.redrives() == 1, redriven, "{room} events");
    }
}

#[test]
fn the_context_object_tells_the_redrive() {
    let mut told = task();
    told["Parameters"] = json!({"count.$": "$$.Execution.RedriveCount", "all.$": "$$.Execution"});
    let mut run = Run::start(&json!({"Try": told}), json!({}));
    assert_eq!(run.tasks()[0].parameters["count"], 0);
    assert_eq!(run.tasks()[0].parameters["all"].get("RedriveTime"), None);
    run.fail("Broken");
    run.now = Timestamp(90_000);
    run.redrive();
    let parameters = run.tasks()[0].parameters.clone();
    assert_eq!(
        (&parameters["count"], &parameters["all"]["RedriveTime"]),
        (&json!(1), &json!("1970-01-01T00:01:30.000Z"))
    );
    assert_eq!(run.execution.pinned_at(), Timestamp(90_000));
}
