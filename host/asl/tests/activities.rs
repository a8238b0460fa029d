//! Tasks that somebody outside does: activities and callbacks, their times, their events, their tokens.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use serde_json::{Value, json};
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Command, Doer, Event, EventKind, Execution, ExecutionContext, HistoryEvent, Quotas, StateMachine,
    StatesError, Status, TaskToken, Timestamp, TokenKey, Work, WorkId, step,
};

const ACTIVITY: &str = "arn:aws:states:us-east-1:123456789012:activity:a";
const CALLBACK: &str = "arn:aws:states:::lambda:invoke.waitForTaskToken";

/// One execution and what it has told so far.
struct Run {
    machine: StateMachine,
    execution: Execution,
    history: Vec<HistoryEvent>,
    commands: Vec<Command>,
    seconds: i64,
}

impl Run {
    fn start(task: &Value) -> Run {
        let mut task = task.clone();
        task["Type"] = json!("Task");
        task["End"] = json!(true);
        let definition = json!({"StartAt": "T", "States": {"T": task}});
        let machine = StateMachine::parse(&definition.to_string()).unwrap();
        assert!(machine.gives_tokens());
        let context = ExecutionContext {
            execution_arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".to_owned(),
            execution_name: "e".to_owned(),
            role_arn: "r".to_owned(),
            state_machine_arn: "m".to_owned(),
            state_machine_name: "m".to_owned(),
            region: "us-east-1".to_owned(),
            start_time: Timestamp(0),
            seed: 1,
            quotas: Quotas::default(),
            version: None,
            alias: None,
            test_case: None,
            token_key: TokenKey::new([7; 16]),
            starter: None,
        };
        let execution = Execution::new(context, json!({"seconds": 7}));
        let mut run = Run { machine, execution, history: Vec::new(), commands: Vec::new(), seconds: 0 };
        run.send(EventKind::Start);
        run
    }

    /// Takes an event. Whether it changed anything.
    fn send(&mut self, kind: EventKind) -> bool {
        let event = Event { at: Timestamp(self.seconds * 1_000), kind };
        let transition = step(&self.machine, self.execution.clone(), event, &NoEvaluator);
        let moved = transition.execution != self.execution;
        assert_eq!(moved, !transition.is_nothing());
        self.execution = transition.execution;
        self.history.extend(transition.history);
        self.commands = transition.commands;
        moved
    }

    fn work(&self) -> WorkId {
        self.execution.branches.values().find_map(|branch| branch.activity.work()).unwrap()
    }

    /// The types of the last events.
    fn last(&self, count: usize) -> Vec<String> {
        self.history[self.history.len() - count..].iter().map(HistoryEvent::type_name).collect()
    }

    /// When the task's timer is due, in seconds.
    fn due(&self) -> Option<i64> {
        self.execution.pending().into_iter().find_map(|work| match work {
            Work::Timer { at, .. } => Some(at.0 / 1_000),
            Work::Task(_) | Work::Continue { .. } => None,
        })
    }

    fn doer(&self) -> Option<Doer> {
        self.execution.pending().into_iter().find_map(|work| match work {
            Work::Task(task) => Some(task.doer),
            Work::Timer { .. } | Work::Continue { .. } => None,
        })
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn an_activity_counts_its_time_from_when_a_worker_has_it() {
    let mut run =
        Run::start(&json!({"Resource": ACTIVITY, "TimeoutSeconds": 60, "HeartbeatSecondsPath": "$.seconds"}));
    assert_eq!(run.last(1), ["TaskStateEntered"]);
    let work = run.work();
    assert_eq!(run.doer(), Some(Doer::Worker { scheduled: false, again: false }));
    assert!(!run.send(EventKind::TaskStarted { work, worker_name: None }), "it is not scheduled");
    assert!(!run.send(EventKind::TaskSucceeded { work, result: json!(1) }), "nobody has its token");
    assert!(run.send(EventKind::ActivityScheduled { work }));
    assert!(!run.send(EventKind::ActivityScheduled { work }));
    assert_eq!((run.last(1), run.due()), (names(&["ActivityScheduled"]), None));
    assert_eq!(run.doer(), Some(Doer::Worker { scheduled: true, again: false }));
    run.seconds = 100;
    assert!(!run.send(EventKind::TaskHeartbeat { work }));
    assert!(run.send(EventKind::TaskStarted { work, worker_name: Some("w".to_owned()) }));
    assert!(!run.send(EventKind::TaskStarted { work, worker_name: Some("x".to_owned()) }));
    assert_eq!((run.last(1), run.due(), run.doer()), (names(&["ActivityStarted"]), Some(107), None));
    run.seconds = 105;
    assert!(run.send(EventKind::TaskHeartbeat { work }));
    assert_eq!(run.due(), Some(112));
    run.seconds = 112;
    assert!(run.send(EventKind::TimerFired { work }));
    assert_eq!(run.last(2), ["ActivityTimedOut", "ExecutionFailed"]);
    assert_eq!(run.execution.progress.error.as_deref(), Some(StatesError::TIMEOUT));
    assert!(!run.send(EventKind::TaskSucceeded { work, result: json!(1) }), "it comes too late");
}

#[test]
fn a_task_that_no_worker_got_is_handed_out_again() {
    let mut run = Run::start(&json!({"Resource": ACTIVITY, "TimeoutSeconds": 60}));
    let work = run.work();
    run.send(EventKind::ActivityScheduled { work });
    assert!(!run.send(EventKind::TaskReturned { work }), "nobody had it");
    run.send(EventKind::TaskStarted { work, worker_name: None });
    run.seconds = 10;
    assert!(run.send(EventKind::TaskReturned { work }));
    assert_eq!((run.due(), run.doer()), (None, Some(Doer::Worker { scheduled: true, again: true })));
    assert!(matches!(run.commands[..], [Command::Cancel(_), Command::Dispatch(Work::Task(_))]));
    run.seconds = 20;
    assert!(run.send(EventKind::TaskStartedAgain { work, worker_name: None }));
    assert_eq!((run.last(2), run.due()), (names(&["ActivityStarted", "ActivityStarted"]), Some(80)));
    assert!(run.send(EventKind::TaskSucceeded { work, result: json!("done") }));
    assert_eq!(run.last(3), ["ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]);
}

#[test]
fn a_task_that_a_worker_has_rests_and_does_not_come_back() {
    let mut run = Run::start(&json!({"Resource": ACTIVITY}));
    let work = run.work();
    run.send(EventKind::ActivityScheduled { work });
    assert!(!run.send(EventKind::TaskDelivered { work }));
    run.send(EventKind::TaskStarted { work, worker_name: None });
    assert_eq!(run.execution.rests_until(Timestamp(0)), None, "its worker may not have it");
    assert!(run.send(EventKind::TaskDelivered { work }));
    assert!(run.execution.rests_until(Timestamp(0)).is_some());
    assert!(!run.send(EventKind::TaskDelivered { work }) && !run.send(EventKind::TaskReturned { work }));
}

#[test]
fn the_history_alone_leads_through_a_return() {
    // What is silent is in no journal: without it the same events must be accepted.
    let mut run = Run::start(&json!({"Resource": ACTIVITY}));
    let work = run.work();
    run.send(EventKind::ActivityScheduled { work });
    run.send(EventKind::TaskStarted { work, worker_name: None });
    assert!(run.send(EventKind::TaskStartedAgain { work, worker_name: None }));
    assert_eq!(run.last(2), ["ActivityStarted", "ActivityStarted"]);
}

#[test]
fn without_its_activity_a_state_cannot_be_executed() {
    let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "T"}]);
    let mut run = Run::start(&json!({"Resource": ACTIVITY, "Catch": catch}));
    let work = run.work();
    let error = StatesError::runtime("The activity ARN does not exist.");
    assert!(run.send(EventKind::TaskFailed { work, error }));
    assert_eq!(run.last(2), ["TaskStateEntered", "ExecutionFailed"]);
    let progress = &run.execution.progress;
    assert_eq!((progress.status, progress.error.as_deref()), (Status::Failed, Some("States.Runtime")));
    assert_eq!(
        progress.cause.as_deref(),
        Some(
            "An error occurred while executing the state 'T' (entered at the event id #2). \
             The activity ARN does not exist."
        )
    );
}

#[test]
fn a_callback_counts_heartbeats_from_when_its_function_returned() {
    let mut run = Run::start(&json!({
        "Resource": CALLBACK, "HeartbeatSeconds": 10,
        "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
    }));
    let work = run.work();
    assert_eq!((run.last(2), run.due()), (names(&["TaskScheduled", "TaskStarted"]), None));
    let Some(Work::Task(task)) = run.execution.pending().pop() else { panic!("it is a task") };
    let token = task.parameters["Payload"]["token"].as_str().unwrap();
    let parsed = TaskToken::parse(token).unwrap();
    assert_eq!((task.doer, parsed.work()), (Doer::Callback, work));
    assert!(parsed.is_genuine(&run.execution.context));
    run.seconds = 30;
    assert!(run.send(EventKind::TaskSubmitted { work, output: json!({"StatusCode": 200}) }));
    assert!(!run.send(EventKind::TaskSubmitted { work, output: json!({"StatusCode": 200}) }));
    assert_eq!((run.last(1), run.due()), (names(&["TaskSubmitted"]), Some(40)));
    assert!(run.send(EventKind::TaskFailed { work, error: StatesError::reported(None, None) }));
    assert_eq!(run.last(2), ["TaskFailed", "ExecutionFailed"]);
}

#[test]
fn a_callback_may_come_before_its_function_has_returned() {
    let mut run = Run::start(&json!({"Resource": CALLBACK, "Parameters": {"FunctionName": "f"}}));
    let work = run.work();
    assert!(run.send(EventKind::TaskSucceeded { work, result: json!("early") }));
    assert!(!run.send(EventKind::TaskSubmitted { work, output: json!({}) }));
    assert_eq!(run.execution.progress.output, Some(json!("early")));
}

#[test]
fn an_answer_of_a_function_that_is_too_large_fails_its_task() {
    let mut run = Run::start(&json!({"Resource": CALLBACK, "Parameters": {"FunctionName": "f"}}));
    let work = run.work();
    assert!(run.send(EventKind::TaskSubmitted { work, output: json!("x".repeat(300_000)) }));
    assert_eq!(run.last(2), ["TaskFailed", "ExecutionFailed"]);
    assert_eq!(run.execution.progress.error.as_deref(), Some(StatesError::DATA_LIMIT_EXCEEDED));
}

#[test]
fn each_attempt_has_a_token_of_its_own() {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]);
    let mut run = Run::start(&json!({
        "Resource": CALLBACK, "Retry": retry,
        "Parameters": {"FunctionName": "f", "Payload.$": "$$.Task.Token"},
    }));
    let token = |run: &Run| {
        let Some(Work::Task(task)) = run.execution.pending().pop() else { panic!("it is a task") };
        task.parameters["Payload"].as_str().unwrap().to_owned()
    };
    let (first, work) = (token(&run), run.work());
    run.send(EventKind::TaskFailed { work, error: StatesError::new("E", "c") });
    run.seconds = 5;
    let timer = run.work();
    run.send(EventKind::TimerFired { work: timer });
    let second = token(&run);
    assert_ne!(first, second);
    assert_eq!(TaskToken::parse(&second).unwrap().work(), run.work());
}
