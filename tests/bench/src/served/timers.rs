//! A great many durable timers: how late they fire, what it costs to wait for them, what they hold in memory.
//!
//! How late is read from the histories, so it is what users see: the moment at which the Wait state was left, less the
//! moment that it was told. Both clocks are the machine's.

use super::api::{Api, Ends};
use super::child::{Programs, Running, Setup};
use super::fill::{self, Filled, fill};
use super::machines::{DUE, Machines};
use super::process::Usage;
use crate::guest::INPUT;
use crate::quiet::QuietWatch;
use crate::store_kind::StoreKind;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stepwell_asl::Timestamp;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// Most histories that are read for how late their timers fired.
const READ: u64 = 20_000;
/// Share of the executions, as a divisor, that are started for nothing but to learn how fast starts are.
const TRIAL: u64 = 20;
/// Most of them.
const TRIAL_LIMIT: u64 = 10_000;
/// How much longer than expected the starts may take.
const PATIENCE: f64 = 2.0;
/// How long the server is left alone after the starts before it is watched.
const SETTLE: Duration = Duration::from_secs(1);
/// Time to spare before the first timer is due.
const SPARE: Duration = Duration::from_secs(2);
/// Longest time after the last moment until every timer must have fired.
const FIRE_LIMIT: Duration = Duration::from_mins(30);
/// How often the server is asked whether all have.
const LOOK: Duration = Duration::from_millis(200);

/// How many, and how close together.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// Executions, each with one timer. At least 200.
    pub count: u64,
    /// Timers due in each second.
    pub per_second: u64,
    /// How long the server is watched while nothing is due.
    pub idle: Duration,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Fired {
    /// What keeps the bytes.
    pub store: StoreKind,
    /// What was asked for.
    pub timers: Timers,
    /// How the starts went.
    pub filled: Filled,
    /// How late timers fired, ascending. Read from at most 20,000 histories.
    pub late: Vec<Duration>,
    /// How long the server was watched while nothing was due, and the processor time that it used.
    pub idle: (Duration, Duration),
    /// Processor time that it used while they fired.
    pub firing_cpu: Duration,
    /// From the first moment that was due until none was left.
    pub firing: Duration,
    /// The server before the first start, while all waited, and after all had fired.
    pub usage: [Usage; 3],
    /// Share of the processors that others used while they fired; none when unknown.
    pub others: Option<f64>,
}

/// Measures it. Must be called on a thread that may block.
pub fn measure(
    runtime: &Handle,
    programs: &Programs,
    store: StoreKind,
    directory: &Path,
    timers: Timers,
) -> anyhow::Result<Fired> {
    ensure!(timers.count >= 200 && timers.per_second > 0, "too few timers");
    let setup = Setup { stepwell: programs.stepwell.clone(), store, directory: directory.to_owned() };
    let server = setup.start().context("the server does not start")?;
    runtime.block_on(fire(&server, store, timers))
}

async fn fire(server: &Running, store: StoreKind, timers: Timers) -> anyhow::Result<Fired> {
    let mut api = Api::open(server.address, Ends::Polling).await?;
    let machines = Machines::install(&mut api).await?;
    let empty = server.usage()?;
    let first = start_all(server, &machines, timers).await?;
    let (filled, due, prefix) = (first.filled, first.due, first.prefix);
    eprintln!("watching the server while {} timers wait ...", timers.count);
    // What the starts left behind is not what waiting costs.
    sleep(SETTLE).await;
    let (before, watched) = (server.usage()?, Instant::now());
    sleep(timers.idle).await;
    let (waiting, idle) = (server.usage()?, watched.elapsed());
    let idle = (idle, waiting.cpu.saturating_sub(before.cpu));
    ensure!(now() < due.base, "watching took too long");
    sleep(since(now(), due.base)).await;
    eprintln!("firing {} of them a second ...", timers.per_second);
    let (quiet, before, begun) = (QuietWatch::start(), server.usage()?, Instant::now());
    let limit = begun + since(due.base, due.of(timers.count)) + FIRE_LIMIT;
    sleep(since(now(), due.of(timers.count - 1))).await;
    while api.any_runs(&machines.waits_until_due).await? {
        ensure!(Instant::now() < limit, "some timers do not fire");
        sleep(LOOK).await;
    }
    let (after, firing) = (server.usage()?, begun.elapsed());
    let firing_cpu = after.cpu.saturating_sub(before.cpu);
    let others = quiet.others_beside(firing_cpu);
    let late = read_late(&mut api, &prefix, due, timers.count).await?;
    Ok(Fired {
        store,
        timers,
        filled,
        late,
        idle,
        firing_cpu,
        firing,
        usage: [empty, waiting, after],
        others,
    })
}

/// When each timer is due.
#[derive(Clone, Copy, Debug)]
struct Due {
    base: Timestamp,
    per_second: u64,
}

impl Due {
    fn of(self, number: u64) -> Timestamp {
        let milliseconds = number.saturating_mul(1_000) / self.per_second;
        self.base.plus_milliseconds(i64::try_from(milliseconds).unwrap_or(i64::MAX))
    }
}

struct AllStarted {
    filled: Filled,
    due: Due,
    prefix: String,
}

/// Starts all of them, early enough that the server can be watched before the first is due.
async fn start_all(server: &Running, machines: &Machines, timers: Timers) -> anyhow::Result<AllStarted> {
    let clients = Api::open_many(server.address, Ends::Polling, fill::CLIENTS).await?;
    let trial = (timers.count / TRIAL).min(TRIAL_LIMIT);
    let (mut clients, tried) =
        fill(clients, &machines.waits, trial, |number| (name(number), INPUT.to_owned())).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let expected = Duration::from_secs_f64(timers.count as f64 / tried.per_second * PATIENCE);
    let lead = expected + SETTLE + timers.idle + SPARE * 2;
    let due = Due { base: later(now(), lead), per_second: timers.per_second };
    // Named apart from the others, so that its ARN says what stands before the names.
    let probe = clients.first_mut().context("no client")?;
    let arn = probe.start(&machines.waits_until_due, "the-first", &input(due.base)).await?;
    let prefix = arn.strip_suffix("the-first").context("an ARN without the name")?.to_owned();
    eprintln!("starting {} executions with a timer each ...", timers.count);
    let request = move |number| (name(number), input(due.of(number)));
    let (_, filled) = fill(clients, &machines.waits_until_due, timers.count, request).await?;
    ensure!(
        later(now(), SETTLE + timers.idle + SPARE) < due.base,
        "starts were slower than the first ones promised: run it again, or with fewer --timers"
    );
    Ok(AllStarted { filled, due, prefix })
}

fn name(number: u64) -> String {
    format!("timer-{number:09}")
}

fn input(due: Timestamp) -> String {
    format!(r#"{{"{DUE}":"{}","order":{INPUT}}}"#, due.to_rfc3339())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.plus_milliseconds(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

/// From one moment to another, nothing when it is earlier.
fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or_default())
}

/// Reads how late timers fired, evenly over all of them. One that fired early is an error.
async fn read_late(api: &mut Api, prefix: &str, due: Due, count: u64) -> anyhow::Result<Vec<Duration>> {
    let read = count.min(READ);
    let mut late = Vec::new();
    for index in 0..read {
        let number = index * count / read;
        let execution = format!("{prefix}{}", name(number));
        let left = left_at(&api.history(&execution).await?);
        let left = left.with_context(|| format!("{execution} never left its Wait state"))?;
        ensure!(left >= due.of(number), "{execution} fired {:?} early", since(left, due.of(number)));
        late.push(since(due.of(number), left));
    }
    late.sort_unstable();
    Ok(late)
}

/// When the Wait state was left, of a history whose last event is a success.
fn left_at(history: &[Value]) -> Option<Timestamp> {
    history.last().filter(|event| event["type"] == "ExecutionSucceeded")?;
    let exited = history.iter().find(|event| event["type"] == "WaitStateExited")?;
    let milliseconds = exited["timestamp"].as_f64()? * 1e3;
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century fit")]
    Some(Timestamp(milliseconds.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_spread_evenly_and_read_back() {
        let due = Due { base: Timestamp(5_000), per_second: 4 };
        assert_eq!([0, 1, 4, 7].map(|number| due.of(number).0), [5_000, 5_250, 6_000, 6_750]);
        assert_eq!(since(Timestamp(5), Timestamp(3)), Duration::ZERO);
        let exited = json!({"type": "WaitStateExited", "timestamp": 1_700_000_000.123});
        let succeeded = json!({"type": "ExecutionSucceeded"});
        assert_eq!(left_at(&[exited.clone(), succeeded]), Some(Timestamp(1_700_000_000_123)));
        assert_eq!(left_at(&[exited]), None, "one that still runs");
    }
}
