//! What the tests of the lane play with: machines, tasks that answer at once, and an evaluator that does as it is told.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use stepwell_asl::jsonata::{Evaluation, EvaluationError};
use stepwell_asl::{HistoryEvent, Resource, Status, Timestamp};
use stepwell_executor::{
    Allotment, Clock, Executor, ExecutorConfig, Expressions, Integration, StartRequest, TaskOutcome,
    TaskRequest,
};
use stepwell_store::{Backend, Changes, MachineId, MachineRecord, MemoryBackend, Standing, Store};

/// Real time after which a test that waits is stuck.
const PATIENCE: Duration = Duration::from_mins(2);

/// An evaluator whose expressions are arrays: words that say what to do, and a look at a number. Their value is
/// `{"number": N}`.
///
/// `slow` tells that it is slow and then waits for the gate; `panic` panics as often as it still should; `plus`
/// makes the number one greater.
#[derive(Default)]
pub(crate) struct Played {
    state: Mutex<PlayedState>,
    change: Condvar,
}

/// What has become of an evaluator so far.
#[derive(Default)]
pub(crate) struct PlayedState {
    open: bool,
    /// Slow evaluations that began.
    pub(crate) slow: usize,
    /// Slow evaluations that may run now.
    pub(crate) running: usize,
    /// The most of them at one time.
    pub(crate) most_running: usize,
    /// Panics still to come.
    pub(crate) panics: usize,
}

impl Played {
    pub(crate) fn state(&self) -> MutexGuard<'_, PlayedState> {
        self.state.lock().unwrap()
    }

    /// Lets all slow evaluations end, now and later.
    pub(crate) fn open_gate(&self) {
        self.state().open = true;
        self.change.notify_all();
    }

    fn be_slow(&self, on_slow: &mut dyn FnMut()) {
        self.state().slow += 1;
        on_slow();
        let mut state = self.state();
        state.running += 1;
        state.most_running = state.most_running.max(state.running);
        while !state.open {
            state = self.change.wait(state).unwrap();
        }
        state.running -= 1;
    }

    fn maybe_panic(&self) {
        let mut state = self.state();
        let panics = state.panics;
        state.panics = panics.saturating_sub(1);
        drop(state);
        assert!(panics == 0, "an evaluation panics, as it was told");
    }
}

impl Expressions for Played {
    fn evaluate(
        &self,
        evaluation: &Evaluation<'_>,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Option<Value>, EvaluationError> {
        let told = |word: &str| evaluation.expression.contains(&format!("'{word}'"));
        if told("slow") {
            self.be_slow(on_slow);
        }
        if told("panic") {
            self.maybe_panic();
        }
        Ok(Some(json!({"number": number(evaluation) + u64::from(told("plus"))})))
    }
}

/// The number that an expression looks at.
pub(crate) fn number(evaluation: &Evaluation<'_>) -> u64 {
    let (_, text) = evaluation.bindings.iter().find(|(name, _)| *name == "states").unwrap();
    let states: Value = serde_json::from_str(text).unwrap();
    let seen = states["result"]["number"].as_u64().or(states["input"]["number"].as_u64());
    seen.unwrap()
}

/// Tasks that answer at once with what they are given.
pub(crate) struct Echo;

#[async_trait]
impl Integration for Echo {
    fn runs(&self, _: &Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        TaskOutcome { result: Ok(request.parameters), log: Vec::new() }
    }
}

/// A JSONata definition: states by name, in order, each leading to the next.
pub(crate) fn chain(states: &[(&str, Value)]) -> String {
    let mut all = serde_json::Map::new();
    for (index, (name, state)) in states.iter().enumerate() {
        let mut state = state.clone();
        match states.get(index + 1) {
            Some((next, _)) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        all.insert((*name).to_owned(), state);
    }
    json!({"QueryLanguage": "JSONata", "StartAt": states[0].0, "States": all}).to_string()
}

/// A Pass state whose output is what the words make of its input.
pub(crate) fn pass(words: &str) -> Value {
    json!({"Type": "Pass", "Output": format!("{{% [{words}, $states.input.number] %}}")})
}

/// A Task state whose output is what the words make of its result.
pub(crate) fn task(words: &str) -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:echo",
        "Arguments": "{% ['quick', $states.input.number] %}",
        "Output": format!("{{% [{words}, $states.result.number] %}}"),
    })
}

/// A store with machines, and what runs them.
pub(crate) struct World<E: Expressions + 'static> {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) expressions: Arc<E>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shards: usize,
}

impl World<Played> {
    /// One shard, so that what is asked later is handled later.
    pub(crate) async fn new(machines: &[(&str, String)]) -> World<Played> {
        let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
        add_machines(&Store::new(Arc::clone(&backend)), machines).await;
        let clock = Arc::new(stepwell_executor::SystemClock);
        World { backend, expressions: Arc::default(), clock, shards: 1 }
    }
}

impl<E: Expressions + 'static> World<E> {
    /// A life: `None` when the store fails meanwhile.
    pub(crate) fn open_over(&self, backend: Arc<dyn Backend>) -> Option<(Store, Executor)> {
        self.open_with(backend, Allotment::unbounded())
    }

    fn open_with(&self, backend: Arc<dyn Backend>, open_executions: Allotment) -> Option<(Store, Executor)> {
        let store = Store::new(backend);
        let config = ExecutorConfig { shards: self.shards, open_executions, ..ExecutorConfig::default() };
        let expressions = Arc::<E>::clone(&self.expressions);
        let clock = Arc::clone(&self.clock);
        let executor = Executor::open(store.clone(), Arc::new(Echo), expressions, clock, config);
        executor.ok().map(|executor| (store, executor))
    }

    #[allow(dead_code, reason = "the tests of the lane have no such bound")]
    /// A life in which so many executions may be open.
    pub(crate) async fn open_bounded(&self, backend: Arc<dyn Backend>, most: u64) -> (Executor, Allotment) {
        let held = Store::new(Arc::clone(&self.backend)).count_held_running().await.unwrap();
        let open = Allotment::bounded(most, held);
        (self.open_with(backend, open.clone()).unwrap().1, open)
    }

    pub(crate) fn open(&self) -> Executor {
        self.open_over(Arc::clone(&self.backend)).unwrap().1
    }

    pub(crate) async fn standing(&self, name: &str) -> Option<Standing> {
        let store = Store::new(Arc::clone(&self.backend));
        let id = store.execution_id(&arn(name)).await.unwrap()?;
        store.standing(id).await.unwrap()
    }

    pub(crate) async fn history(&self, name: &str) -> Vec<HistoryEvent> {
        let store = Store::new(Arc::clone(&self.backend));
        let id = store.execution_id(&arn(name)).await.unwrap().unwrap();
        store.history(id, 1, 10_000, false).await.unwrap().events
    }

    pub(crate) async fn status(&self, name: &str) -> Option<Status> {
        Some(self.standing(name).await?.status)
    }

    pub(crate) async fn until_ended(&self, name: &str) -> Standing {
        for _ in rounds() {
            let standing = self.standing(name).await;
            if let Some(standing) = standing.filter(|standing| !standing.is_running()) {
                return standing;
            }
            pause().await;
        }
        panic!("{name} does not end");
    }
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    for _ in rounds() {
        if holds() {
            return;
        }
        pause().await;
    }
    panic!("what was waited for does not come");
}

/// Looks, a pause apart, before a test gives up.
fn rounds() -> std::ops::Range<u128> {
    0..PATIENCE.as_millis()
}

/// A moment of real time, also where the clock of the runtime is virtual: that stands still meanwhile.
pub(crate) async fn pause() {
    tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
}

pub(crate) async fn add_machines(store: &Store, machines: &[(&str, String)]) {
    let mut changes = Changes::new();
    for (name, definition) in machines {
        changes.machine(&machine(name), definition, None).unwrap();
    }
    store.commit(changes).await.unwrap();
}

fn machine(name: &str) -> MachineRecord {
    let mut id = [0; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    MachineRecord {
        id: MachineId(id),
        arn: format!("arn:aws:states:us-east-1:123456789012:stateMachine:{name}"),
        name: name.to_owned(),
        machine_type: "STANDARD".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision: 1,
        revision_id: None,
        logging_configuration: None,
        tracing_configuration: None,
        encryption_configuration: None,
        deleting: false,
        next_version: 1,
        created_with: None,
    }
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:m:{name}")
}

/// A start of an execution of a machine with a number as input.
pub(crate) fn request(machine_name: &str, name: &str, number: u64) -> StartRequest {
    let input_value = json!({ "number": number });
    StartRequest {
        machine: machine(machine_name).into(),
        name: name.to_owned(),
        fresh_name: false,
        execution_arn: arn(name),
        region: "us-east-1".to_owned(),
        input: input_value.to_string(),
        input_value,
        trace_header: None,
        version: None,
        test_case: None,
        alias: None,
        starter: None,
    }
}
