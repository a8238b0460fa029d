//! Replays recorded executions through the pure `step()`, with a virtual clock: milliseconds, no server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;
use stepwell_asl::{
    Command, Event, EventKind, Execution, ExecutionContext, Quotas, StateMachine, Status, Timestamp, Work,
    WorkId, step,
};
use stepwell_conformance::case::{Case, executions, own};
use stepwell_conformance::report::{Outcome, Report};
use stepwell_conformance::stub::Stubs;
use stepwell_executor::{Integration, SystemClock, TaskRequest};
use stepwell_integrations::{Integrations, Lambda};
use stepwell_jsonata::Jsonata;

/// No recording has more events than this.
const EVENTS: usize = 1_000;

#[test]
fn recorded_executions_agree() {
    // Time stands still but for sleeping functions: they end at once.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let jsonata = Jsonata::new(Some(concat!(env!("CARGO_TARGET_TMPDIR"), "/jsonata").into()));
    let mut report = Report::new("step");
    for case in executions() {
        if case.needs_later_release() || case.depends_on_the_date() {
            report.skip(&case);
        } else {
            let outcome = runtime.block_on(replay(&case, &jsonata));
            report.add(&case, outcome);
        }
    }
    for case in own() {
        let outcome = runtime.block_on(replay(&case, &jsonata));
        if std::env::var_os("UPDATE_EXPECT").is_some()
            && let Ok(outcome) = &outcome
        {
            let text = format!("{:#}\n", outcome.to_expected());
            std::fs::write(case.expected_file(), text).unwrap();
        }
        report.add(&case, outcome);
    }
    report.finish();
}

async fn replay(case: &Case, jsonata: &Jsonata) -> Result<Outcome, String> {
    let machine = StateMachine::parse(&case.definition())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let input = serde_json::from_str(case.input()).map_err(|error| error.to_string())?;
    let lambda = Lambda::new(Arc::new(Stubs::new(case.functions())), Arc::new(SystemClock));
    let lambda = Integrations::new(lambda);
    let mut execution = Execution::new(context(case), input);
    let mut outcome = Outcome::default();
    let mut now = Timestamp(1_700_000_000_000);
    let mut events = vec![EventKind::Start];
    let mut timers: BTreeMap<WorkId, Timestamp> = BTreeMap::new();
    for _ in 0..EVENTS {
        let Some(kind) = events.pop().or_else(|| fire(&mut timers, &mut now)) else { break };
        let transition = step(&machine, execution, Event { at: now, kind }, jsonata);
        execution = transition.execution;
        outcome.events.extend(transition.history.iter().map(|event| event.to_api_json(true)));
        for command in transition.commands {
            match command {
                Command::Cancel(work) => drop(timers.remove(&work)),
                Command::StopJob(_) => {}
                Command::Dispatch(Work::Timer { work, at }) => drop(timers.insert(work, at)),
                Command::Dispatch(Work::Continue { work }) => events.push(EventKind::Continued { work }),
                Command::Dispatch(Work::Task(task)) => {
                    let (work, deadline) = (task.work, task.deadline);
                    let started = tokio::time::Instant::now();
                    let result = lambda.run(request(task, &execution)).await.result;
                    let elapsed = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
                    if deadline.is_some_and(|deadline| now.plus_milliseconds(elapsed) >= deadline) {
                        continue; // the timer comes first
                    }
                    events.push(match result {
                        Ok(result) => EventKind::TaskSucceeded { work, result },
                        Err(error) => EventKind::TaskFailed { work, error },
                    });
                }
            }
        }
        if execution.progress.status != Status::Running {
            break;
        }
    }
    execution.progress.status.as_str().clone_into(&mut outcome.status);
    outcome.output = execution.progress.output;
    outcome.error = execution.progress.error;
    outcome.cause = execution.progress.cause;
    Ok(outcome)
}

fn fire(timers: &mut BTreeMap<WorkId, Timestamp>, now: &mut Timestamp) -> Option<EventKind> {
    let (work, at) = timers.iter().min_by_key(|(_, at)| **at).map(|(work, at)| (*work, *at))?;
    timers.remove(&work);
    *now = at;
    Some(EventKind::TimerFired { work })
}

fn request(task: stepwell_asl::TaskWork, execution: &Execution) -> TaskRequest {
    TaskRequest {
        task_token: None,
        test_case: None,
        execution_arn: execution.context.execution_arn.clone(),
        state_name: task.state_name,
        resource: task.resource,
        parameters: task.parameters,
        attempt: task.attempt,
        idempotency_key: task.idempotency_key,
        deadline: task.deadline,
        pinned_at: None,
    }
}

fn context(case: &Case) -> ExecutionContext {
    let name = case.machine_name();
    ExecutionContext {
        execution_arn: format!("arn:aws:states:us-east-1:111111111111:execution:{name}:run"),
        execution_name: "run".to_owned(),
        role_arn: case.role_arn().to_owned(),
        state_machine_arn: format!("arn:aws:states:us-east-1:111111111111:stateMachine:{name}"),
        state_machine_name: name.to_owned(),
        region: "us-east-1".to_owned(),
        start_time: Timestamp(1_700_000_000_000),
        seed: 1,
        quotas: Quotas::default(),
        version: None,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
    }
}
