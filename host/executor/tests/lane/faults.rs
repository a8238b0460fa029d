//! The lane over a store that fails and crashes by a seeded plan, in virtual time: whatever strikes, every transition
//! happens exactly once.

use crate::world::{World, add_machines, arn, chain, number, pass, pause, request, task};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::jsonata::{Evaluation, EvaluationError};
use stepwell_asl::{HistoryDetails, HistoryEvent, Status, Timestamp};
use stepwell_executor::{Clock, Executor, Expressions, StartError};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{Backend, MemoryBackend, Store};
use tokio::time::{Instant, sleep};

const SEEDS: u64 = 20;
const EXECUTIONS: u64 = 16;
/// A run that needs more lives than this is stuck.
const LIVES: usize = 400;
/// Looks at all executions in one life; one that takes longer is stuck.
const ROUNDS: usize = 4_000;

struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// Quick, slow and in between, by chance.
struct Moody;

impl Expressions for Moody {
    fn evaluate(
        &self,
        evaluation: &Evaluation<'_>,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Option<Value>, EvaluationError> {
        match evaluation.seed % 8 {
            0 => on_slow(),
            1 => std::thread::sleep(Duration::from_micros(evaluation.seed % 3_000)),
            _ => {}
        }
        let number = number(evaluation);
        if evaluation.expression.contains("'wait'") {
            return Ok(Some(json!(number % 3)));
        }
        Ok(Some(json!({"number": number + u64::from(evaluation.expression.contains("'plus'"))})))
    }
}

/// Both branches of the Parallel state have events for the same execution at the same time.
fn definition() -> String {
    let branch = |first: &str, second: &str| {
        let text = chain(&[(first, task("'plus'")), (second, pass("'plus'"))]);
        let mut branch: Value = serde_json::from_str(&text).unwrap();
        branch.as_object_mut().unwrap().remove("QueryLanguage");
        branch
    };
    let both = json!({
        "Type": "Parallel",
        "Branches": [branch("L1", "L2"), branch("R1", "R2"), branch("S1", "S2")],
        "Output": {"number": "{% ['all', $states.input.number] %}", "branches": "{% $states.result %}"},
    });
    let wait = json!({"Type": "Wait", "Seconds": "{% ['wait', $states.input.number] %}"});
    let last = json!({"Type": "Parallel", "Branches": [branch("T1", "T2"), branch("U1", "U2")]});
    chain(&[
        ("A", pass("'plus'")),
        ("B", task("'plus'")),
        ("C", wait),
        ("D", both),
        ("E", json!({"Type": "Pass", "Output": "{% $states.input.number %}"})),
        ("F", task("'plus'")),
        ("G", last),
    ])
}

async fn life(store: &Store, executor: &Executor, backend: &FaultBackend) -> bool {
    for _ in 0..ROUNDS {
        let mut ended = 0;
        for number in 0..EXECUTIONS {
            match executor.start(request("all", &number.to_string(), number)).await {
                Ok(_) | Err(StartError::Store(_) | StartError::ShuttingDown | StartError::Busy) => {}
                Err(StartError::AlreadyExists { .. }) => ended += 1,
                Err(
                    failure @ (StartError::Definition { .. }
                    | StartError::Full
                    | StartError::TooManyOpen { .. }
                    | StartError::Broken),
                ) => panic!("{failure}"),
            }
        }
        if backend.crashed() || ended == EXECUTIONS {
            let open = store.open_executions(None, 1).await;
            return !backend.crashed() && matches!(open, Ok(open) if open.is_empty());
        }
        pause().await;
        sleep(Duration::from_millis(100)).await;
    }
    panic!("stuck; faults: {:?}", backend.struck());
}

async fn run(seed: u64) {
    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    add_machines(&Store::new(Arc::clone(&memory)), &[("all", definition())]).await;
    let clock = Arc::new(VirtualClock(Instant::now()));
    let world = World { backend: Arc::clone(&memory), expressions: Arc::new(Moody), clock, shards: 2 };
    let mut backend = Arc::new(FaultBackend::new(memory, FaultPlan::every(seed)));
    for _ in 0..LIVES {
        if let Some((store, executor)) = world.open_over(Arc::<FaultBackend>::clone(&backend)) {
            let done = life(&store, &executor, &backend).await;
            executor.shut_down(Duration::ZERO).await;
            if done {
                for number in 0..EXECUTIONS {
                    check(&world, number, &format!("seed {seed}, execution {number}")).await;
                }
                return;
            }
        }
        backend = Arc::new(backend.restart().await);
    }
    panic!("seed {seed}: not done after {LIVES} lives; faults: {:?}", backend.struck());
}

async fn check(world: &World<Moody>, number: u64, place: &str) {
    let name = number.to_string();
    let execution = world.standing(&name).await.unwrap();
    assert_eq!(execution.context.execution_arn, arn(&name));
    assert_eq!(execution.status, Status::Succeeded, "{place}: {:?}", execution.cause);
    // Five states count one up on the way to each end: A, B, F and the two of a branch.
    let end = json!({"number": number + 5});
    assert_eq!(execution.output, Some(json!([end, end]).to_string()), "{place}");
    let history = world.history(&name).await;
    for (index, event) in history.iter().enumerate() {
        assert_eq!(event.id, index as u64 + 1, "{place}: ids are dense");
        assert!(index == 0 || history[index - 1].timestamp <= event.timestamp, "{place}: time runs forward");
    }
    let mut entered = BTreeMap::new();
    for name in history.iter().filter_map(entered_state) {
        *entered.entry(name).or_insert(0) += 1;
    }
    assert_eq!(entered.len(), 17, "{place}: {entered:?}");
    assert!(entered.values().all(|times| *times == 1), "{place}: {entered:?}");
    let tasks = history
        .iter()
        .filter(|event| matches!(event.details, HistoryDetails::LambdaFunctionSucceeded { .. }));
    assert_eq!(tasks.count(), 7, "{place}");
}

fn entered_state(event: &HistoryEvent) -> Option<&str> {
    let HistoryDetails::StateEntered { name, .. } = &event.details else { return None };
    Some(name)
}

#[test]
fn every_transition_happens_once_whatever_strikes_the_store() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(seed));
    }
}
