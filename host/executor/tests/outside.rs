//! Tasks that somebody outside does, over a store that fails and crashes by a plan, in virtual time: callbacks and
//! activities without time-outs, so that a lost one would never end.
//!
//! Whatever strikes: an answer that was acknowledged is the only one and counts; a token has no second acknowledged answer,
//! in later lives neither; a task whose worker never got it goes to another one; heartbeats keep their tasks alive over
//! restarts. `STEPWELL_RUNS=n` makes so many runs, `STEPWELL_SEED=n` begins with that seed;
//! `STEPWELL_CALLBACKS=10000 STEPWELL_WORKERS=1000` makes the crowd as large as it was asked for.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell_asl::{HistoryDetails, Resource, StatesError, Status, TaskToken, Timestamp};
use stepwell_executor::{
    AnswerError, Clock, Executor, ExecutorConfig, Integration, NoExpressions, TaskAnswer, TaskOutcome,
    TaskRequest,
};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{ActivityRecord, Backend, MemoryBackend, Store};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use world::{add_machines, arn, request};

const RUNS: u64 = 12;
const EXECUTIONS: u64 = 12;
/// A run that needs more lives than this, or a life that needs more looks, is stuck.
const LIVES: u64 = 400;
const ROUNDS: usize = 600;
const WORKERS: u64 = 5;
const CROWD_ROUNDS: usize = 3_000;
const STARTS_AT_ONCE: usize = 500;
const SURE: &str = "arn:aws:states:us-east-1:123456789012:activity:sure";
const DEADLY: &str = "arn:aws:states:us-east-1:123456789012:activity:deadly";

/// A callback, an activity whose workers hang up but do not die, and one whose workers do.
fn definition() -> String {
    let callback =
        json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true});
    let sure = json!({"Type": "Task", "Resource": SURE, "End": true});
    let retry = json!([{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 999, "BackoffRate": 1}]);
    let deadly =
        json!({"Type": "Task", "Resource": DEADLY, "HeartbeatSeconds": 5, "Retry": retry, "End": true});
    let branch = |task: Value| json!({"StartAt": "T", "States": {"T": task}});
    let mut branches = [branch(callback), branch(sure), branch(deadly)];
    for (branch, name) in branches.iter_mut().zip(["Callback", "Sure", "Deadly"]) {
        let task = branch["States"]["T"].take();
        *branch = json!({"StartAt": name, "States": {name: task}});
    }
    json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": true}}})
        .to_string()
}

struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// What outlives a crash outside: tokens that functions were given, and answers.
#[derive(Default)]
struct Outside {
    random: Mutex<Random>,
    /// Of callbacks, and of tasks whose workers do not die.
    tokens: Mutex<Vec<String>>,
    /// Every answer that was sent, by its value, with its token.
    sent: Mutex<BTreeMap<u64, String>>,
    /// Those that were acknowledged, by their token.
    acknowledged: Mutex<BTreeMap<String, u64>>,
}

#[derive(Default)]
struct Random(u64);

impl Outside {
    fn seeded(seed: u64) -> Arc<Outside> {
        Arc::new(Outside {
            random: Mutex::new(Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)),
            ..Outside::default()
        })
    }

    /// A number below `bound` (xorshift).
    fn below(&self, bound: u64) -> u64 {
        let mut random = self.random.lock().unwrap();
        random.0 ^= random.0 << 13;
        random.0 ^= random.0 >> 7;
        random.0 ^= random.0 << 17;
        (random.0 >> 11) % bound
    }

    /// Answers a task with a value that nobody else sends.
    async fn answer(&self, executor: &Executor, token: &str) {
        let value = {
            let mut sent = self.sent.lock().unwrap();
            let value = sent.len() as u64;
            sent.insert(value, token.to_owned());
            value
        };
        let parsed = TaskToken::parse(token).unwrap();
        match executor.answer_task(&parsed, TaskAnswer::Succeeded(json!(value))).await {
            Ok(()) => {
                let before = self.acknowledged.lock().unwrap().insert(token.to_owned(), value);
                assert_eq!(before, None, "two answers to one task were acknowledged");
            }
            Err(
                AnswerError::Closed | AnswerError::Store(_) | AnswerError::Busy | AnswerError::ShuttingDown,
            ) => {}
            Err(failure @ (AnswerError::Forged | AnswerError::DoesNotExist)) => panic!("{failure}"),
        }
    }
}

#[async_trait]
impl Integration for Outside {
    fn runs(&self, _: &Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        let token = request.task_token.unwrap();
        self.tokens.lock().unwrap().push(token);
        // Time for an answer that comes early.
        sleep(Duration::from_millis(self.below(300))).await;
        TaskOutcome { result: Ok(json!({"StatusCode": 200})), log: Vec::new() }
    }
}

/// Answers callbacks: mostly one, sometimes several times at once, sometimes one that was answered long ago.
async fn answer_callbacks(outside: Arc<Outside>, executor: Executor) {
    loop {
        sleep(Duration::from_millis(20 + outside.below(200))).await;
        let count = outside.tokens.lock().unwrap().len() as u64;
        if count == 0 {
            continue;
        }
        let number = usize::try_from(outside.below(count)).unwrap();
        let token = outside.tokens.lock().unwrap()[number].clone();
        let answers = (0..=outside.below(3)).map(|_| outside.answer(&executor, &token));
        futures_util::future::join_all(answers).await;
    }
}

/// A worker: it may hang up while it waits or before it has its task, and die with a task of the activity that allows
/// for that.
async fn work(outside: Arc<Outside>, executor: Executor, activity: &'static str) {
    loop {
        let patience = Duration::from_millis(1 + outside.below(1_500));
        let polled = timeout(patience, executor.activity_task(activity, Some("w".to_owned()))).await;
        let Ok(Ok(task)) = polled else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        if outside.below(4) == 0 {
            // The connection is gone before the answer is written.
            drop(task);
            continue;
        }
        let token = task.token.clone();
        task.delivered();
        if activity == SURE {
            // It outlives the server, and goes on in its next life.
            outside.tokens.lock().unwrap().push(token.clone());
        } else if outside.below(4) == 0 {
            continue;
        }
        let parsed = TaskToken::parse(&token).unwrap();
        for _ in 0..outside.below(4) {
            sleep(Duration::from_millis(outside.below(2_500))).await;
            // Its task may have gone to another worker after a crash.
            let _ = executor.answer_task(&parsed, TaskAnswer::Heartbeat).await;
        }
        // A worker asks again when it does not know what became of its answer.
        for _ in 0..3 {
            outside.answer(&executor, &token).await;
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn open(store: &Store, outside: &Arc<Outside>, clock: &Arc<dyn Clock>, seed: u64) -> Executor {
    let config = ExecutorConfig { shards: 2, seed: Some(seed), ..ExecutorConfig::default() };
    let integration = Arc::<Outside>::clone(outside);
    Executor::open(store.clone(), integration, Arc::new(NoExpressions), Arc::clone(clock), config).unwrap()
}

async fn prepare(backend: &Arc<MemoryBackend>, machine: String) -> Store {
    let truth = Store::new(Arc::<MemoryBackend>::clone(backend));
    add_machines(&truth, &[("m", machine)]).await;
    for arn in [SURE, DEADLY] {
        let name = arn.rsplit(':').next().unwrap().to_owned();
        let record = ActivityRecord {
            arn: arn.to_owned(),
            name,
            created_at: Timestamp(0),
            encryption_configuration: None,
        };
        truth.create_activity(&record, BTreeMap::new()).await.unwrap();
    }
    truth
}

/// How many executions have ended, in the store.
async fn ended(truth: &Store, executions: u64) -> u64 {
    let mut ended = 0;
    for number in 0..executions {
        let Some(id) = truth.execution_id(&arn(&number.to_string())).await.unwrap() else { continue };
        ended += u64::from(!truth.standing(id).await.unwrap().unwrap().is_running());
    }
    ended
}

/// One life. Whether all executions have ended.
async fn live(executor: &Executor, outside: &Arc<Outside>, backend: &FaultBackend, truth: &Store) -> bool {
    let mut actors = JoinSet::new();
    actors.spawn(answer_callbacks(Arc::clone(outside), executor.clone()));
    for number in 0..WORKERS {
        let activity = if number % 2 == 0 { SURE } else { DEADLY };
        actors.spawn(work(Arc::clone(outside), executor.clone(), activity));
    }
    for _ in 0..ROUNDS {
        let starts = (0..EXECUTIONS).map(|number| executor.start(request("m", &number.to_string(), number)));
        // Those that have been started say so, or that their name is taken.
        let _ = futures_util::future::join_all(starts).await;
        while let Some(failed) = actors.try_join_next() {
            failed.unwrap();
        }
        if ended(truth, EXECUTIONS).await == EXECUTIONS {
            return true;
        }
        if backend.crashed() {
            return false;
        }
        sleep(Duration::from_millis(500)).await;
    }
    tell_lost(truth).await;
    panic!("a task is lost; faults: {:?}", backend.struck());
}

/// Prints what the executions that do not end wait for.
async fn tell_lost(truth: &Store) {
    for number in 0..EXECUTIONS {
        let id = truth.execution_id(&arn(&number.to_string())).await.unwrap().unwrap();
        if truth.standing(id).await.unwrap().unwrap().is_running() {
            let history = truth.history(id, 1, 10_000, false).await.unwrap().events;
            let told = history.iter().map(|event| (event.type_name(), event.timestamp.0)).collect::<Vec<_>>();
            let branches = truth.load(id).await.unwrap().unwrap().execution.branches;
            println!("execution {number} does not end: {told:?}, {branches:?}");
        }
    }
}

async fn simulate(seed: u64) {
    let memory = Arc::new(MemoryBackend::new());
    let truth = prepare(&memory, definition()).await;
    let clock: Arc<dyn Clock> = Arc::new(Paused(Instant::now()));
    let outside = Outside::seeded(seed);
    let often = [0.02, 0.01, 0.003][usize::try_from(seed % 3).unwrap()];
    let plan = FaultPlan {
        full: often,
        unknown_lost: often,
        unknown_stored: often,
        crash_before: often,
        crash_after: often,
        slow: often,
        slow_for: Duration::from_millis(200),
        ..FaultPlan::every(seed)
    };
    let mut backend = FaultBackend::new(Arc::<MemoryBackend>::clone(&memory), plan);
    for life in 0.. {
        assert!(life < LIVES, "not done after {LIVES} lives; faults: {:?}", backend.struck());
        let shared = Arc::new(backend);
        let store = Store::new(Arc::<FaultBackend>::clone(&shared) as Arc<dyn Backend>);
        let executor = open(&store, &outside, &clock, (seed << 16) + life);
        let done = live(&executor, &outside, &shared, &truth).await;
        executor.shut_down(Duration::ZERO).await;
        if done {
            break;
        }
        backend = shared.restart().await;
    }
    check(&truth, &outside, EXECUTIONS).await;
    let records = stepwell_store::check_records(memory, &mut |_| {}).await.unwrap();
    assert!(records.is_sound(), "{:?}", records.examples);
}

/// Every task was finished once, with an answer that was sent for it; whatever was acknowledged is there.
async fn check(truth: &Store, outside: &Outside, executions: u64) {
    let (sent, acknowledged) =
        (outside.sent.lock().unwrap().clone(), outside.acknowledged.lock().unwrap().clone());
    let mut outputs = BTreeMap::new();
    for number in 0..executions {
        let arn = arn(&number.to_string());
        let id = truth.execution_id(&arn).await.unwrap().unwrap();
        let standing = truth.standing(id).await.unwrap().unwrap();
        assert_eq!(standing.status, Status::Succeeded, "{arn}: {:?} {:?}", standing.error, standing.cause);
        let output: Vec<u64> = serde_json::from_str(&standing.output.unwrap()).unwrap();
        let history = truth.history(id, 1, 10_000, false).await.unwrap().events;
        let count = |wanted: fn(&HistoryDetails) -> bool| {
            history.iter().filter(|event| wanted(&event.details)).count()
        };
        let finished = count(|details| {
            matches!(details, HistoryDetails::ActivitySucceeded { .. } | HistoryDetails::TaskSucceeded { .. })
        });
        assert_eq!(finished, 3, "{arn}: each of its tasks is finished once");
        assert!(count(|details| matches!(details, HistoryDetails::TaskSubmitted { .. })) <= 1, "{arn}");
        for value in &output {
            let token = TaskToken::parse(&sent[value]).unwrap();
            assert_eq!(token.execution_arn(), arn, "it was an answer to a task of another execution");
        }
        outputs.insert(arn, output);
    }
    for (token, value) in acknowledged {
        let arn = TaskToken::parse(&token).unwrap().execution_arn().to_owned();
        assert!(outputs[&arn].contains(&value), "{arn}: an acknowledged answer is lost");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn run(seed: u64, simulation: impl Future<Output = ()>) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(simulation);
    }));
    outcome.unwrap_or_else(|failure| {
        println!("seed {seed} failed; repeat it with STEPWELL_SEED={seed} STEPWELL_RUNS=1");
        resume_unwind(failure)
    });
}

#[test]
fn no_task_is_lost_and_none_is_finished_twice_whatever_strikes() {
    let first = number("STEPWELL_SEED").unwrap_or(1);
    for seed in first..first + number("STEPWELL_RUNS").unwrap_or(RUNS) {
        run(seed, async move { simulate(seed).await });
    }
}

/// Many callbacks and tasks wait at once, and workers come and go at random: each task is finished once.
async fn crowd(executions: u64, workers: u64) {
    let memory = Arc::new(MemoryBackend::new());
    let truth = prepare(&memory, definition()).await;
    let clock: Arc<dyn Clock> = Arc::new(Paused(Instant::now()));
    let outside = Outside::seeded(executions);
    let executor = open(&truth, &outside, &clock, 1);
    let starts = stream::iter(0..executions).map(|number| {
        let executor = executor.clone();
        async move { executor.start(request("m", &number.to_string(), number)).await.unwrap() }
    });
    starts.buffer_unordered(STARTS_AT_ONCE).collect::<Vec<_>>().await;
    let mut actors = JoinSet::new();
    for number in 0..workers {
        let activity = if number % 2 == 0 { SURE } else { DEADLY };
        actors.spawn(work(Arc::clone(&outside), executor.clone(), activity));
    }
    let mut answered = 0;
    for _ in 0..CROWD_ROUNDS {
        sleep(Duration::from_millis(500)).await;
        let tokens = outside.tokens.lock().unwrap()[answered..].to_vec();
        answered += tokens.len();
        // Everybody answers twice, and one of the two too late.
        let answers =
            stream::iter(tokens.iter().chain(&tokens)).map(|token| outside.answer(&executor, token));
        answers.buffer_unordered(STARTS_AT_ONCE).collect::<()>().await;
        while let Some(failed) = actors.try_join_next() {
            failed.unwrap();
        }
        if ended(&truth, executions).await == executions {
            executor.shut_down(Duration::ZERO).await;
            return check(&truth, &outside, executions).await;
        }
    }
    panic!("{} of {executions} have ended", ended(&truth, executions).await);
}

#[test]
fn a_crowd_of_callbacks_and_workers_finishes_every_task_once() {
    let (executions, workers) =
        (number("STEPWELL_CALLBACKS").unwrap_or(1_000), number("STEPWELL_WORKERS").unwrap_or(100));
    run(1, crowd(executions, workers));
}

/// A callback with heartbeats, in a store that outlives its executors.
struct Beating {
    store: Store,
    outside: Arc<Outside>,
    clock: Arc<dyn Clock>,
}

impl Beating {
    async fn new() -> Beating {
        let memory = Arc::new(MemoryBackend::new());
        let task = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "HeartbeatSeconds": 100,
            "End": true
        });
        let machine = json!({"StartAt": "T", "States": {"T": task}}).to_string();
        let store = prepare(&memory, machine).await;
        Beating { store, outside: Outside::seeded(1), clock: Arc::new(Paused(Instant::now())) }
    }

    fn open(&self, seed: u64) -> Executor {
        open(&self.store, &self.outside, &self.clock, seed)
    }

    async fn beat(&self, executor: &Executor) -> Result<(), AnswerError> {
        let token = TaskToken::parse(&self.outside.tokens.lock().unwrap()[0]).unwrap();
        executor.answer_task(&token, TaskAnswer::Heartbeat).await
    }

    async fn runs(&self) -> bool {
        let id = self.store.execution_id(&arn("e")).await.unwrap().unwrap();
        self.store.standing(id).await.unwrap().unwrap().is_running()
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_count_over_restarts_and_silence_does_too() {
    let beating = Beating::new().await;
    let executor = beating.open(1);
    executor.start(request("m", "e", 0)).await.unwrap();
    for _ in 0..5 {
        sleep(Duration::from_secs(90)).await;
        beating.beat(&executor).await.unwrap();
    }
    // It dies 60 seconds after the last heartbeat, which is in no store, and is away for longer than it had left.
    sleep(Duration::from_mins(1)).await;
    executor.shut_down(Duration::ZERO).await;
    sleep(Duration::from_secs(70)).await;
    let executor = beating.open(2);
    sleep(Duration::from_secs(90)).await;
    assert!(beating.runs().await, "its worker had no time to be heard of");
    beating.beat(&executor).await.unwrap();
    sleep(Duration::from_secs(90)).await;
    assert!(beating.runs().await);
    sleep(Duration::from_secs(15)).await;
    assert!(!beating.runs().await, "nothing was heard of it for too long");
    assert_eq!(beating.beat(&executor).await, Err(AnswerError::Closed));
}

#[tokio::test(start_paused = true)]
async fn silence_of_a_whole_life_is_noticed_in_time() {
    let beating = Beating::new().await;
    let executor = beating.open(1);
    executor.start(request("m", "e", 0)).await.unwrap();
    sleep(Duration::from_secs(95)).await;
    assert!(beating.runs().await);
    sleep(Duration::from_secs(10)).await;
    assert!(!beating.runs().await);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_no_execution_has_issued_are_refused() {
    let beating = Beating::new().await;
    let executor = beating.open(1);
    for name in ["e", "f"] {
        executor.start(request("m", name, 0)).await.unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    let failed = || TaskAnswer::Failed(StatesError::reported(None, None));
    let mut context = {
        let id = beating.store.execution_id(&arn("e")).await.unwrap().unwrap();
        beating.store.standing(id).await.unwrap().unwrap().context
    };
    let genuine = TaskToken::parse(&beating.outside.tokens.lock().unwrap()[0]).unwrap();
    context.token_key = stepwell_asl::TokenKey::new([1; 16]);
    let forged = TaskToken::parse(&TaskToken::issue(&context, genuine.work())).unwrap();
    assert_eq!(executor.answer_task(&forged, failed()).await, Err(AnswerError::Forged));
    context.execution_arn = arn("nobody");
    let nobody = TaskToken::parse(&TaskToken::issue(&context, genuine.work())).unwrap();
    assert_eq!(executor.answer_task(&nobody, failed()).await, Err(AnswerError::Forged));
    assert_eq!(executor.answer_task(&genuine, failed()).await, Ok(()));
    assert_eq!(executor.answer_task(&genuine, failed()).await, Err(AnswerError::Closed));
}
