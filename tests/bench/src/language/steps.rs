//! State transitions per second of `step` alone: no store, no executor, tasks answered at once.
//!
//! The baseline is what any interpreter must do at least for each state: write its input and its output as JSON text
//! for the history, and copy the payload once.

use super::machines::{Workload, order};
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample};
use anyhow::{anyhow, bail, ensure};
use serde_json::Value;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Command, Event, EventKind, Execution, ExecutionContext, HistoryDetails, Quotas, StateMachine, Status,
    Timestamp, Work, step,
};

/// States of the baseline between two looks at the clock.
const BATCH: u64 = 64;

/// One workload.
#[derive(Clone, Debug)]
pub struct Level {
    /// What ran.
    pub workload: Workload,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// The baseline, then `step`; one state each.
#[derive(Clone, Debug)]
pub struct Round {
    /// The bare loop.
    pub bare: Sample,
    /// Whole executions, counted in states entered.
    pub step: Sample,
}

/// Measures one workload, on this thread alone.
pub fn measure(workload: Workload, plan: Plan) -> anyhow::Result<Level> {
    let machine = StateMachine::parse(&workload.definition)
        .map_err(|problems| anyhow!("the machine is refused: {problems:?}"))?;
    let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
    for _ in 0..plan.rounds.max(1) {
        bare(plan.warm_up)?;
        let bare = bare(plan.window)?;
        Sample::of_loop(plan.warm_up, || execute(&machine, &workload))?;
        let step = Sample::of_loop(plan.window, || execute(&machine, &workload))?;
        rounds.push(Round { bare, step });
    }
    Ok(Level { workload, rounds, others: quiet.others() })
}

fn bare(length: Duration) -> anyhow::Result<Sample> {
    let payload = order();
    Sample::of_loop(length, || {
        for _ in 0..BATCH {
            black_box(serde_json::to_string(black_box(&payload))?);
            black_box(serde_json::to_string(black_box(&payload))?);
            black_box(black_box(&payload).clone());
        }
        Ok(BATCH)
    })
}

/// Runs one execution to its end; gives the number of states that it entered.
fn execute(machine: &StateMachine, workload: &Workload) -> anyhow::Result<u64> {
    let mut execution = Execution::new(context(), workload.input.clone());
    let mut occurred = VecDeque::from([EventKind::Start]);
    let mut states = 0;
    while let Some(kind) = occurred.pop_front() {
        let transition = step(machine, execution, Event { at: NOW, kind }, &NoEvaluator);
        let entered = |details: &HistoryDetails| matches!(details, HistoryDetails::StateEntered { .. });
        states += transition.history.iter().filter(|event| entered(&event.details)).count() as u64;
        for command in transition.commands {
            match command {
                Command::Dispatch(Work::Task(task)) => {
                    let (work, result) = (task.work, task.parameters);
                    occurred.push_back(EventKind::TaskSucceeded { work, result });
                }
                Command::Dispatch(Work::Continue { work }) => {
                    occurred.push_back(EventKind::Continued { work });
                }
                Command::Dispatch(Work::Timer { .. }) => bail!("{} waits for a time", workload.name),
                Command::Cancel(_) | Command::StopJob(_) => {}
            }
        }
        execution = transition.execution;
    }
    let progress = &execution.progress;
    let complete = states == workload.states && progress.last_event_id == workload.events;
    ensure!(
        complete && progress.status == Status::Succeeded && progress.output.as_ref().is_some_and(is_full),
        "{}: {states} states, {} events, {:?}, {:?}",
        workload.name,
        progress.last_event_id,
        progress.status,
        progress.cause
    );
    Ok(states)
}

/// Whether an output is, or begins with, an order.
fn is_full(output: &Value) -> bool {
    let order = output.get(0).unwrap_or(output);
    order.get("orderId").is_some_and(Value::is_string)
}

/// Time stands still here.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn context() -> ExecutionContext {
    ExecutionContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:orders:1042".to_owned(),
        execution_name: "1042".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/bench".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:orders".to_owned(),
        state_machine_name: "orders".to_owned(),
        region: "us-east-1".to_owned(),
        start_time: NOW,
        seed: 1,
        quotas: Quotas::default(),
        version: None,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
    }
}
