//! Who watches executions is told of what is durable: everything, once, in order, and only of machines that ask for it.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "simulation/shop.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod shop;

use serde_json::json;
use shop::{PausedClock, Shop, machine, request};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use stepwell_asl::{HistoryEvent, Status};
use stepwell_executor::{
    Executor, ExecutorConfig, NoExpressions, Observed, Observer, StartRequest, Started, Tally,
};
use stepwell_store::{Changes, MachineId, MachineRecord, MemoryBackend, Observation, Store};
use tokio::time::{Duration, Instant};

const DEFINITION: &str = r#"{"StartAt": "All", "States": {
    "All": {"Type": "Map", "ItemsPath": "$.items", "Next": "Rest",
      "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Wait", "Seconds": 1, "End": true}}}},
    "Rest": {"Type": "Wait", "Seconds": 20, "Next": "No"},
    "No": {"Type": "Fail", "Error": "E", "Cause": "C"}}}"#;

#[derive(Default)]
struct Watcher {
    told: Mutex<Vec<(String, HistoryEvent)>>,
    transitions: AtomicU64,
    started: AtomicU64,
    failed: AtomicU64,
    asked: AtomicU64,
}

impl Observer for Watcher {
    fn observes(&self, observation: &Observation) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        observation.traced
    }

    fn observe(&self, observed: Observed<'_>) {
        assert!(observed.observation.traced);
        let arn = &observed.context.execution_arn;
        let mut told = self.told.lock().unwrap();
        told.extend(observed.events.iter().map(|event| (arn.clone(), event.clone())));
    }

    fn count(&self, tally: &Tally) {
        self.transitions.fetch_add(tally.transitions, Ordering::Relaxed);
        self.started.fetch_add(tally.started, Ordering::Relaxed);
        let failed = tally.ended.iter().filter(|status| **status == Status::Failed).count();
        self.failed.fetch_add(failed as u64, Ordering::Relaxed);
    }
}

fn watched(traced: bool, number: u8) -> MachineRecord {
    let machine = machine();
    MachineRecord {
        id: MachineId([number; 16]),
        arn: format!("{}{number}", machine.arn),
        tracing_configuration: Some(json!({"enabled": traced})),
        ..machine
    }
}

async fn start(executor: &Executor, machine: MachineRecord, number: u64) -> Started {
    let input_value = json!({"items": [1, 2, 3]});
    let input = input_value.to_string();
    executor
        .start(StartRequest { machine: machine.into(), input, input_value, ..request(number) })
        .await
        .unwrap()
}

async fn watch() {
    let store = Store::new(Arc::new(MemoryBackend::new()));
    for machine in [watched(true, 1), watched(false, 2)] {
        let mut changes = Changes::new();
        changes.machine(&machine, DEFINITION, None).unwrap();
        store.commit(changes).await.unwrap();
    }
    let clock = Arc::new(PausedClock(Instant::now()));
    let (shop, watcher) = (Arc::<Shop>::default(), Arc::<Watcher>::default());
    let config = ExecutorConfig { shards: 2, ..ExecutorConfig::default() };
    let observer = Arc::<Watcher>::clone(&watcher) as Arc<dyn Observer>;
    let executor =
        Executor::open_observed(store.clone(), shop, Arc::new(NoExpressions), clock, config, observer)
            .unwrap();
    let mut arns = Vec::new();
    for number in 0..6 {
        let machine = if number < 3 { watched(true, 1) } else { watched(false, 2) };
        arns.push(start(&executor, machine, number).await.execution_arn);
    }
    for arn in &arns {
        let id = store.execution_id(arn).await.unwrap().unwrap();
        tokio::time::timeout(Duration::from_hours(1), executor.wait(arn, id)).await.unwrap().unwrap();
    }
    executor.shut_down(Duration::from_secs(1)).await;
    let told = watcher.told.lock().unwrap().clone();
    for (number, arn) in arns.iter().enumerate() {
        let id = store.execution_id(arn).await.unwrap().unwrap();
        let page = store.history(id, 0, 1_000, false).await.unwrap();
        let of_it: Vec<_> = told.iter().filter(|(told, _)| told == arn).map(|(_, event)| event).collect();
        let expected: Vec<_> = page.events.iter().filter(|_| number < 3).collect();
        assert_eq!(of_it, expected);
        assert!(page.events.len() > 10);
    }
    assert_eq!(watcher.started.load(Ordering::Relaxed), 6);
    assert_eq!(watcher.failed.load(Ordering::Relaxed), 6);
    // A start, three iterations, a wait.
    assert_eq!(watcher.transitions.load(Ordering::Relaxed), 6 * 5);
    // The others have no settings that would have to be asked about.
    assert!(watcher.asked.load(Ordering::Relaxed) < told.len() as u64);
}

#[test]
fn watchers_are_told_the_whole_history_of_watched_executions_in_order() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(watch());
}
