//! Jobs: tasks whose end is the end of what they have started (API reference, section 6.1, `.sync`).

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use serde_json::{Value, json};
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Command, Doer, Event, EventKind, Execution, ExecutionContext, HistoryEvent, Quotas, StateMachine,
    StatesError, TaskWork, Timestamp, TokenKey, Work, WorkId, step,
};

const JOB: &str = "arn:aws:states:::states:startExecution.sync:2";

/// One execution and what it has told so far.
struct Run {
    machine: StateMachine,
    execution: Execution,
    history: Vec<HistoryEvent>,
    commands: Vec<Command>,
}

impl Run {
    fn start(states: &Value) -> Run {
        let definition = json!({"StartAt": "T", "States": states});
        let machine = StateMachine::parse(&definition.to_string()).unwrap();
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
            token_key: TokenKey::new([7; 16]),
            test_case: None,
            starter: None,
        };
        let execution = Execution::new(context, json!({}));
        let mut run = Run { machine, execution, history: Vec::new(), commands: Vec::new() };
        run.send(0, EventKind::Start);
        run
    }

    /// Takes an event at a second. Whether it changed anything.
    fn send(&mut self, second: i64, kind: EventKind) -> bool {
        let event = Event { at: Timestamp(second * 1_000), kind };
        let transition = step(&self.machine, self.execution.clone(), event, &NoEvaluator);
        let moved = transition.execution != self.execution;
        self.execution = transition.execution;
        self.history.extend(transition.history);
        self.commands = transition.commands;
        moved
    }

    fn job(&self) -> Option<TaskWork> {
        self.execution.pending().into_iter().find_map(|work| match work {
            Work::Task(task) => Some(task),
            Work::Timer { .. } | Work::Continue { .. } => None,
        })
    }

    fn work(&self) -> WorkId {
        self.job().unwrap().work
    }

    fn types(&self) -> Vec<String> {
        self.history.iter().map(HistoryEvent::type_name).collect()
    }

    /// The submissions of the jobs that are to be stopped now.
    fn stopped(&self) -> Vec<Option<Value>> {
        let jobs = self.commands.iter().filter_map(|command| match command {
            Command::StopJob(job) => Some(job.submission.as_deref().cloned()),
            Command::Dispatch(_) | Command::Cancel(_) => None,
        });
        jobs.collect()
    }
}

fn alone(more: &Value) -> Value {
    let mut task =
        json!({"Type": "Task", "Resource": JOB, "Parameters": {"A.$": "$$.Task.Token"}, "End": true});
    more.as_object().unwrap().iter().for_each(|(name, value)| task[name] = value.clone());
    json!({"T": task})
}

#[test]
fn a_job_is_started_and_its_end_waited_for_from_what_the_start_answered() {
    let mut run = Run::start(&alone(&json!({})));
    let work = run.work();
    assert_eq!(run.job().unwrap().doer, Doer::Job { submitted: false });
    assert!(run.job().unwrap().parameters["A"].is_string(), "it has a token (recorded)");
    assert!(run.send(1, EventKind::TaskSubmitted { work, output: json!({"ExecutionArn": "c"}) }));
    assert!(matches!(&run.commands[..], [Command::Dispatch(Work::Task(task))] if task.work == work));
    assert!(!run.send(2, EventKind::TaskSubmitted { work, output: json!(2) }), "it has been told already");
    // As after a restart.
    let text = serde_json::to_string(&run.execution).unwrap();
    run.execution = serde_json::from_str(&text).unwrap();
    let job = run.job().unwrap();
    let submission = Some(Box::new(json!({"ExecutionArn": "c"})));
    assert_eq!((job.doer, job.submission), (Doer::Job { submitted: true }, submission));
    assert!(run.send(3, EventKind::TaskSucceeded { work, result: json!({"Status": "SUCCEEDED"}) }));
    let expected = ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted"];
    assert_eq!(run.types()[..5], expected);
    assert_eq!(run.types()[5..], ["TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]);
    assert_eq!(run.stopped(), []);
}

#[test]
fn what_older_releases_have_stored_is_read() {
    let run = Run::start(&alone(&json!({})));
    let text = serde_json::to_string(&run.execution).unwrap();
    let older = text.replace(",\"submission\":null", "").replace(",\"starter\":null", "");
    assert!(!older.contains("submission") && !older.contains("starter") && text.len() > older.len());
    assert_eq!(serde_json::from_str::<Execution>(&older).unwrap(), run.execution);
}

#[test]
fn a_job_whose_task_is_over_before_it_is_stopped() {
    let submitted = |run: &mut Run| {
        let work = run.work();
        assert!(run.send(1, EventKind::TaskSubmitted { work, output: json!("c") }));
    };
    for is_submitted in [false, true] {
        let expected = [is_submitted.then(|| json!("c"))];
        let mut run = Run::start(&alone(&json!({"TimeoutSeconds": 5})));
        let work = run.work();
        if is_submitted {
            submitted(&mut run);
        }
        assert!(run.send(5, EventKind::TimerFired { work }));
        assert_eq!(run.stopped(), expected, "its time ran out");
        let mut run = Run::start(&alone(&json!({})));
        if is_submitted {
            submitted(&mut run);
        }
        assert!(run.send(2, EventKind::Stop { error: None, cause: None }));
        assert_eq!(run.stopped(), expected, "its execution was stopped");
        let branch = |state: Value| json!({"StartAt": "B", "States": {"B": state}});
        let mut other = branch(json!({"Type": "Task", "Resource": JOB, "End": true}));
        other["States"] = json!({"C": {"Type": "Wait", "Seconds": 3, "Next": "D"}, "D": {"Type": "Fail"}});
        other["StartAt"] = json!("C");
        let job = branch(json!({"Type": "Task", "Resource": JOB, "End": true}));
        let parallel = json!({"Type": "Parallel", "Branches": [job, other], "End": true});
        let mut run = Run::start(&json!({"T": parallel}));
        if is_submitted {
            submitted(&mut run);
        }
        let timer = run.execution.pending().into_iter().find_map(|work| match work {
            Work::Timer { work, .. } => Some(work),
            Work::Task(_) | Work::Continue { .. } => None,
        });
        assert!(run.send(4, EventKind::TimerFired { work: timer.unwrap() }));
        assert_eq!(run.stopped(), expected, "its sibling failed");
    }
}

#[test]
fn the_end_of_a_job_and_an_answer_with_its_token_stop_nothing() {
    for kind in [
        |work| EventKind::TaskSucceeded { work, result: json!(1) },
        |work| EventKind::TaskFailed { work, error: StatesError::new("States.TaskFailed", "x") },
    ] {
        let mut run = Run::start(&alone(&json!({})));
        let work = run.work();
        run.send(1, EventKind::TaskSubmitted { work, output: json!("c") });
        assert!(run.send(2, kind(work)));
        assert_eq!(run.stopped(), []);
    }
}
