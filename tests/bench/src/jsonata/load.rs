//! What hostile expressions cost everybody else: the throughput of quick executions through the real executor over the
//! store in memory, while thirty executions whose expressions want everything are open, and while none is.
//!
//! The baseline is the same load without them, in the same round. Each window has an executor and a store of its own.
//! Every execution is read back: the quick ones must have succeeded, the hostile ones failed as the language says.

use super::ends::EndsBackend;
use super::hostile::{EXPRESSIONS, Hostile};
use super::machines::{Language, arn, definition, hostile_definition, machine, request, total};
use crate::chain::Work;
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample, Window};
use crate::watched::WatchedBackend;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use stepwell_asl::Status;
use stepwell_asl::jsonata::{Evaluation, EvaluationError};
use stepwell_executor::{Executor, ExecutorConfig, Expressions, StartRequest, SystemClock};
use stepwell_jsonata::{Call, Jsonata};
use stepwell_store::{Changes, MachineRecord, Store};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Quick executions of each query language that are open at any time.
pub const QUICK: u64 = 16;
/// The error of every hostile execution.
pub const ERROR: &str = "States.QueryEvaluationError";
/// Longest time that open executions get to end after a window: hostile ones take their turns.
const DRAIN_LIMIT: Duration = Duration::from_mins(10);
/// A quick execution that takes longer than this was held up by something.
pub const HELD_UP: Duration = Duration::from_millis(100);
/// What stands in a cause before the evaluator's own words.
const BEFORE_REASON: &str = "threw an error during evaluation. ";

/// All rounds.
#[derive(Clone, Debug)]
pub struct Level {
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// Without hostile executions, then with them.
#[derive(Clone, Debug)]
pub struct Round {
    /// Quick executions alone.
    pub alone: Quick,
    /// Quick executions beside hostile ones.
    pub beside: Quick,
    /// The hostile executions, those that ended after the window included.
    pub hostile: Vec<Outcome>,
}

/// Quick executions of one window; one execution each, timed from before its start is asked for until its end is
/// committed. Processor time is that of everything.
#[derive(Clone, Debug, Default)]
pub struct Quick {
    /// Those in JSONPath.
    pub jsonpath: Stream,
    /// Those in JSONata.
    pub jsonata: Stream,
    /// Transitions of all executions of the window's store, the hostile ones included.
    pub transitions: u64,
    /// All those executions.
    pub executions: u64,
}

/// Quick executions of one query language.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Those that ended in the window.
    pub sample: Sample,
    /// The longest of all, those included that ended before or after the window.
    pub longest: Duration,
    /// How many of all took longer than [`HELD_UP`].
    pub held_up: u64,
}

/// How a hostile execution ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The expression.
    pub hostile: Hostile,
    /// Why it failed, in the evaluator's words.
    pub reason: String,
    /// From before its start was asked for until its end was committed.
    pub took: Duration,
}

/// Measures. Must be called on a thread that may block.
pub fn measure(runtime: &Handle, jsonata: &Arc<Jsonata>, plan: Plan) -> anyhow::Result<Level> {
    let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
    for _ in 0..plan.rounds.max(1) {
        let (alone, _) = runtime.block_on(window(Arc::clone(jsonata), plan, &[]))?;
        let (beside, hostile) = runtime.block_on(window(Arc::clone(jsonata), plan, &EXPRESSIONS))?;
        rounds.push(Round { alone, beside, hostile });
    }
    Ok(Level { rounds, others: quiet.others() })
}

/// Keeps the executions open through warm-up and window, lets them end, and looks at what they came to.
async fn window(
    jsonata: Arc<Jsonata>,
    plan: Plan,
    hostile: &[Hostile],
) -> anyhow::Result<(Quick, Vec<Outcome>)> {
    let rig = Arc::new(Rig::open(jsonata, hostile).await?);
    let (mut quick, mut bad) = (JoinSet::new(), JoinSet::new());
    for (number, hostile) in (0..).zip(hostile) {
        bad.spawn(Arc::clone(&rig).keep_hostile(number, *hostile));
    }
    for language in Language::ALL {
        for _ in 0..QUICK {
            quick.spawn(Arc::clone(&rig).keep_quick(language));
        }
    }
    tokio::time::sleep(plan.warm_up).await;
    let (measured, from) = (Window::open(), Instant::now());
    tokio::time::sleep(plan.window).await;
    let to = Instant::now();
    let empty = measured.close(|| 0, Vec::new);
    rig.over.store(true, Ordering::Relaxed);

    let stream = Stream { sample: empty, ..Stream::default() };
    let mut figures = Quick { jsonpath: stream.clone(), jsonata: stream, transitions: 0, executions: 0 };
    let mut outcomes = Vec::new();
    let drain = async {
        while let Some(ended) = quick.join_next().await {
            let (language, times) = ended??;
            figures.stream(language).count(&times, from..to);
        }
        while let Some(ended) = bad.join_next().await {
            outcomes.extend(ended??);
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(DRAIN_LIMIT, drain).await.context("executions do not end")??;
    figures.jsonpath.sample.latencies.sort_unstable();
    figures.jsonata.sample.latencies.sort_unstable();
    let committed = rig.counts.committed();
    (figures.transitions, figures.executions) = (committed.transitions, committed.ended);
    rig.check().await?;
    rig.executor.shut_down(Duration::from_secs(10)).await;
    rig.store.close().await?;
    Ok((figures, outcomes))
}

impl Quick {
    fn stream(&mut self, language: Language) -> &mut Stream {
        match language {
            Language::JsonPath => &mut self.jsonpath,
            Language::Jsonata => &mut self.jsonata,
        }
    }
}

impl Stream {
    fn count(&mut self, times: &[Time], window: Range<Instant>) {
        let within = times.iter().filter(|time| window.contains(&time.ended));
        self.sample.latencies.extend(within.map(|time| time.took));
        self.sample.count = self.sample.latencies.len() as u64;
        self.longest = times.iter().map(|time| time.took).fold(self.longest, Duration::max);
        self.held_up += times.iter().filter(|time| time.took > HELD_UP).count() as u64;
    }
}

/// One quick execution.
struct Time {
    ended: Instant,
    took: Duration,
}

/// The executor with its store.
struct Rig {
    counts: Arc<WatchedBackend>,
    ends: Arc<EndsBackend>,
    store: Store,
    executor: Executor,
    /// Executions of each language, started so far.
    started: [AtomicU64; 2],
    /// Whether no more executions are to be started.
    over: AtomicBool,
}

impl Rig {
    async fn open(jsonata: Arc<Jsonata>, hostile: &[Hostile]) -> anyhow::Result<Rig> {
        let counts = Arc::new(WatchedBackend::memory());
        let ends = Arc::new(EndsBackend::new(Arc::clone(&counts)));
        let store = Store::new(Arc::clone(&ends) as _);
        let mut changes = Changes::new();
        for language in Language::ALL {
            changes.machine(&machine(language.name()), &definition(language), None)?;
        }
        for (number, hostile) in (0..).zip(hostile) {
            let definition = hostile_definition(hostile.expression);
            changes.machine(&hostile_machine(number), &definition, None)?;
        }
        store.commit(changes).await?;
        let (work, clock) = (Arc::new(Work::default()), Arc::new(SystemClock));
        let expressions = Arc::new(Sandboxed(jsonata));
        let config = ExecutorConfig::default();
        let executor = Executor::open(store.clone(), work, expressions, clock, config)?;
        Ok(Rig { counts, ends, store, executor, started: Default::default(), over: AtomicBool::new(false) })
    }

    /// Runs quick executions one after the other.
    async fn keep_quick(self: Arc<Rig>, language: Language) -> anyhow::Result<(Language, Vec<Time>)> {
        let (machine, mut times) = (machine(language.name()), Vec::new());
        while !self.over.load(Ordering::Relaxed) {
            let number = self.started[language as usize].fetch_add(1, Ordering::Relaxed);
            times.push(self.run(request(&machine, number)).await?);
        }
        Ok((language, times))
    }

    /// Runs executions of one hostile expression one after the other.
    async fn keep_hostile(self: Arc<Rig>, machine: u8, hostile: Hostile) -> anyhow::Result<Vec<Outcome>> {
        let (machine, mut outcomes) = (hostile_machine(machine), Vec::new());
        while !self.over.load(Ordering::Relaxed) {
            let request = request(&machine, outcomes.len() as u64);
            let arn = request.execution_arn.clone();
            let Time { took, .. } = self.run(request).await?;
            let reason = self.reason(&arn).await.with_context(|| format!("hostile: {}", hostile.name))?;
            outcomes.push(Outcome { hostile, reason, took });
        }
        Ok(outcomes)
    }

    async fn run(&self, request: StartRequest) -> anyhow::Result<Time> {
        let end = self.ends.end_of(&request.execution_arn);
        let begun = Instant::now();
        self.executor.start(request).await.context("an execution could not be started")?;
        let ended = end.await?;
        Ok(Time { ended, took: ended.duration_since(begun) })
    }

    /// Why a hostile execution failed; an error when it did not, or in another way than the language says.
    async fn reason(&self, arn: &str) -> anyhow::Result<String> {
        let id = self.store.execution_id(arn).await?.context("it is not stored")?;
        let standing = self.store.standing(id).await?.context("it stands nowhere")?;
        let failed = standing.status == Status::Failed && standing.error.as_deref() == Some(ERROR);
        ensure!(failed, "{:?}, {:?}, {:?}", standing.status, standing.error, standing.cause);
        let cause = standing.cause.unwrap_or_default();
        let reason = cause.split_once(BEFORE_REASON).map(|(_, reason)| reason.to_owned());
        reason.with_context(|| format!("its cause is {cause}"))
    }

    /// Checks every quick execution: a fast wrong executor must not win.
    async fn check(&self) -> anyhow::Result<()> {
        for language in Language::ALL {
            let name = language.name();
            for number in 0..self.started[language as usize].load(Ordering::Relaxed) {
                let arn = arn(name, number);
                let id = self.store.execution_id(&arn).await?.context("an execution is not stored")?;
                let standing = self.store.standing(id).await?.context("one stands nowhere")?;
                let expected = total(number);
                let output =
                    standing.output.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
                let total = output.and_then(|output| output["total"].as_f64());
                ensure!(
                    standing.status == Status::Succeeded && total == Some(expected),
                    "{arn}: {:?}, {:?}, {:?}",
                    standing.status,
                    standing.output,
                    standing.cause
                );
            }
        }
        Ok(())
    }
}

fn hostile_machine(number: u8) -> MachineRecord {
    machine(&format!("hostile-{number}"))
}

/// Evaluates as the server does.
struct Sandboxed(Arc<Jsonata>);

impl Expressions for Sandboxed {
    fn evaluate(
        &self,
        evaluation: &Evaluation<'_>,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Option<Value>, EvaluationError> {
        self.0.evaluate_watched(&Call::new(evaluation), on_slow)
    }
}
