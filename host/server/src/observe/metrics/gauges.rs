//! What is looked at when somebody asks: queues, memory, the store.

use std::sync::atomic::{AtomicI64, Ordering};

use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts, Registry};
use stepwell_store::Stats;

use super::register;

/// What is asked of the parts of the server at each look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    pub(crate) executor: stepwell_executor::Load,
    pub(crate) running_calls: usize,
    pub(crate) waiting_calls: usize,
}

/// Gauges.
pub(crate) struct Gauges {
    open: IntGauge,
    messages: IntGauge,
    in_memory: IntGauge,
    timers: IntGauge,
    running_calls: IntGauge,
    waiting_calls: IntGauge,
    store_bytes: IntGauge,
    store_commits: IntCounter,
    store_flushes: IntCounter,
    memory: IntGauge,
    descriptors: IntGauge,
    /// Open executions less the balance, once they were counted.
    base: AtomicI64,
}

impl Gauges {
    pub(super) fn new(registry: &Registry) -> Result<Gauges, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help));
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help));
        let build = Opts::new("stepwell_build_info", "The version of this server; always 1");
        let build: IntGaugeVec = register(registry, IntGaugeVec::new(build, &["version"]))?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let start = gauge("process_start_time_seconds", "When this process began, in Unix time")?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        start.set(whole(now.as_secs()));
        Ok(Gauges {
            open: gauge(
                "stepwell_executions_open",
                "Standard executions that run; -1 until they are counted",
            )?,
            messages: gauge("stepwell_shard_messages_waiting", "Messages that wait for a shard")?,
            in_memory: gauge("stepwell_executions_in_memory", "Executions that shards have in memory")?,
            timers: gauge(
                "stepwell_timers_in_memory",
                "Timers that are set in shards; parked executions have none",
            )?,
            running_calls: gauge("stepwell_module_calls_running", "Calls of modules under way")?,
            waiting_calls: gauge(
                "stepwell_module_calls_waiting",
                "Calls of modules that wait for their turn",
            )?,
            store_bytes: gauge("stepwell_store_size_bytes", "Bytes that the store takes on disk")?,
            store_commits: counter("stepwell_store_commits_total", "Batches that the store acknowledged")?,
            store_flushes: counter(
                "stepwell_store_flushes_total",
                "Times that the store was made durable; commits by flushes is the mean group",
            )?,
            memory: gauge("process_resident_memory_bytes", "Memory that this process has")?,
            descriptors: gauge("process_open_fds", "Files and connections that this process has open")?,
            base: AtomicI64::new(i64::MIN),
        })
    }

    /// Notes how many executions were open while the balance was what it was.
    pub(crate) fn counted_open(&self, open: u64, balance: i64) {
        self.base.store(whole(open).saturating_sub(balance), Ordering::Relaxed);
    }

    /// Sets what is looked at.
    pub(crate) fn look(&self, state: State, store: Option<&Stats>, balance: i64) {
        let base = self.base.load(Ordering::Relaxed);
        self.open.set(if base == i64::MIN { -1 } else { base.saturating_add(balance).max(0) });
        self.messages.set(whole(state.executor.messages as u64));
        self.in_memory.set(whole(state.executor.executions as u64));
        self.timers.set(whole(state.executor.timers as u64));
        self.running_calls.set(whole(state.running_calls as u64));
        self.waiting_calls.set(whole(state.waiting_calls as u64));
        if let Some(store) = store {
            self.store_bytes.set(whole(store.file_bytes));
            advance(&self.store_commits, store.commits);
            advance(&self.store_flushes, store.flushes);
        }
        if let Some(bytes) = resident_bytes() {
            self.memory.set(whole(bytes));
        }
        if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
            self.descriptors.set(whole(descriptors.count() as u64));
        }
    }
}

/// Brings a counter up to what somebody else has counted.
fn advance(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As Linux tells it; none elsewhere.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}
