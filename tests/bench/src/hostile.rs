//! What hostile modules cost a well-behaved neighbour: the time of its calls at a steady rate, while thirty modules that want
//! everything run without a pause, and while none does.
//!
//! The baseline is the same neighbour alone, in the same round and the same sandbox. Two times are taken of each call: from
//! where it is made, and from where it was due. The second one includes what the machine takes to wake whoever makes it, which
//! busy modules delay, too. Every hostile call must end in its own named error.

use crate::guest::INPUT;
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample, Window};
use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallContext, CallHost, Grants, LogLevel, Manifest, Sandbox, SandboxConfig};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Calls of the neighbour per second.
pub const RATE: u32 = 100;
/// Longer than any call that is to end by itself.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Time of a hostile call that would not end otherwise.
const HOSTILE_TIMEOUT: Duration = Duration::from_secs(1);

/// A way to be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// For people.
    pub name: &'static str,
    /// What the guest `hostile` is told.
    input: &'static str,
    /// How many run at any time.
    pub count: u32,
    /// How each of its calls must end.
    pub error: &'static str,
}

/// All of them, thirty modules together.
pub const KINDS: [Kind; 6] = [
    Kind { name: "busy loop", input: r#"{"do":"loop"}"#, count: 10, error: "Sandbox.Timeout" },
    Kind { name: "memory bomb", input: r#"{"do":"allocate"}"#, count: 6, error: "Sandbox.OutOfMemory" },
    Kind {
        name: "output flood",
        input: r#"{"do":"spam-log","bytes":1000000000}"#,
        count: 6,
        error: "Sandbox.OutputExceeded",
    },
    Kind { name: "sleeper", input: r#"{"do":"sleep","seconds":3600}"#, count: 4, error: "Sandbox.Timeout" },
    Kind { name: "recursion", input: r#"{"do":"recurse"}"#, count: 2, error: "Sandbox.StackOverflow" },
    Kind {
        name: "random bytes without end",
        input: r#"{"do":"ask","request":{"for":"random-for-ever"}}"#,
        count: 2,
        error: "Sandbox.Timeout",
    },
];

/// All rounds.
#[derive(Clone, Debug)]
pub struct Level {
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Hostile calls that ended, by their kind. Each ended in that kind's error.
    pub ended: BTreeMap<&'static str, u64>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// The neighbour alone, then beside hostile modules.
#[derive(Clone, Debug)]
pub struct Round {
    /// Alone.
    pub alone: Neighbour,
    /// Beside them.
    pub beside: Neighbour,
}

/// Calls of the neighbour in one window.
#[derive(Clone, Debug, Default)]
pub struct Neighbour {
    /// From where each was made. The processor time is everybody's.
    pub made: Sample,
    /// From where each was due.
    pub due: Sample,
}

/// Measures. Must be called on a thread that may block.
pub fn measure(
    runtime: &Handle,
    directory: &Path,
    stub: Vec<u8>,
    hostile: Vec<u8>,
    plan: Plan,
) -> anyhow::Result<Level> {
    let rig = Arc::new(runtime.block_on(Rig::open(directory, stub, hostile))?);
    let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
    let mut ended = BTreeMap::new();
    for _ in 0..plan.rounds.max(1) {
        let alone = runtime.block_on(Arc::clone(&rig).window(plan))?;
        let (beside, round_ended) = runtime.block_on(Arc::clone(&rig).hostile_window(plan))?;
        for (kind, count) in round_ended {
            *ended.entry(kind).or_default() += count;
        }
        rounds.push(Round { alone, beside });
    }
    Ok(Level { rounds, ended, others: quiet.others() })
}

/// The sandbox and both modules.
struct Rig {
    sandbox: Sandbox,
    neighbour: String,
    hostile: String,
    host: Arc<dyn CallHost>,
}

impl Rig {
    async fn open(directory: &Path, stub: Vec<u8>, hostile: Vec<u8>) -> anyhow::Result<Rig> {
        let sandbox = Sandbox::open(SandboxConfig::new(directory)).context("the sandbox does not open")?;
        let nothing = Manifest::default();
        let neighbour = sandbox.install(stub, &nothing).await.context("the neighbour is refused")?.digest;
        let hostile =
            sandbox.install(hostile, &nothing).await.context("the hostile guest is refused")?.digest;
        Ok(Rig { sandbox, neighbour, hostile, host: Arc::new(Deaf) })
    }

    /// Calls the neighbour at its rate through warm-up and window.
    async fn window(self: Arc<Self>, plan: Plan) -> anyhow::Result<Neighbour> {
        // On a thread of the runtime, as the server's calls are.
        let caller = Arc::clone(&self);
        tokio::spawn(async move {
            caller.call_steadily(plan.warm_up).await?;
            caller.call_steadily(plan.window).await
        })
        .await?
    }

    async fn call_steadily(&self, length: Duration) -> anyhow::Result<Neighbour> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
        // A call that comes late is made at once, so that none of them is forgiven for the one before it.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut made, mut due) = (Vec::new(), Vec::new());
        let (window, began) = (Window::open(), Instant::now());
        while began.elapsed() < length || made.is_empty() {
            let was_due = ticks.tick().await.into_std();
            let call = self.call("neighbour", INPUT, CALL_TIMEOUT);
            let started = Instant::now();
            let output = self.sandbox.invoke(&self.neighbour, call).await.context("the neighbour failed")?;
            let ended = Instant::now();
            ensure!(output.result == INPUT, "the neighbour answered {}", output.result);
            made.push(ended.duration_since(started));
            due.push(ended.duration_since(was_due));
        }
        let count = made.len() as u64;
        let made = window.close(|| count, || made);
        due.sort_unstable();
        let due = Sample { latencies: due, ..made.clone() };
        Ok(Neighbour { made, due })
    }

    /// The same beside hostile modules; says how many of their calls ended.
    async fn hostile_window(
        self: Arc<Self>,
        plan: Plan,
    ) -> anyhow::Result<(Neighbour, BTreeMap<&'static str, u64>)> {
        let (over, mut running) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for kind in KINDS {
            for number in 0..kind.count {
                running.spawn(Arc::clone(&self).keep_hostile(kind, number, Arc::clone(&over)));
            }
        }
        let neighbour = Arc::clone(&self).window(plan).await;
        over.store(true, Ordering::Relaxed);
        let mut ended = BTreeMap::new();
        while let Some(finished) = running.join_next().await {
            let (kind, count) = finished??;
            *ended.entry(kind).or_default() += count;
        }
        Ok((neighbour?, ended))
    }

    /// Makes one hostile call after the other, and at least one.
    async fn keep_hostile(
        self: Arc<Self>,
        kind: Kind,
        number: u32,
        over: Arc<AtomicBool>,
    ) -> anyhow::Result<(&'static str, u64)> {
        let queue = format!("{} {number}", kind.name);
        // Whatever meets another bound takes as long as that takes beside all the others.
        let timeout = if kind.error == "Sandbox.Timeout" { HOSTILE_TIMEOUT } else { CALL_TIMEOUT };
        let mut ended = 0;
        loop {
            let call = self.call(&queue, kind.input, timeout);
            match self.sandbox.invoke(&self.hostile, call).await {
                Ok(output) => anyhow::bail!("a {} got through: {}", kind.name, output.result),
                Err(error) => {
                    let name = error.name();
                    ensure!(name == kind.error, "a {} ended in {name}: {error}", kind.name);
                }
            }
            ended += 1;
            if over.load(Ordering::Relaxed) {
                return Ok((kind.name, ended));
            }
        }
    }

    fn call(&self, queue: &str, input: &str, timeout: Duration) -> Call {
        Call {
            input: input.to_owned(),
            context: CallContext { state_name: "Task".to_owned(), ..CallContext::default() },
            grants: Arc::new(Grants::default()),
            queue: Arc::from(queue),
            timeout,
            host: Arc::clone(&self.host),
        }
    }
}

/// Listens to nothing.
struct Deaf;

impl CallHost for Deaf {
    fn log(&self, _level: LogLevel, _message: &str) {}
    fn heartbeat(&self) {}
}
