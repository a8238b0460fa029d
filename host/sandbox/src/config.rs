//! What an operator may set, and what follows from it for this machine.

use crate::limits;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Where sources and compiled artifacts are kept. Only the server may be able to write there: compiled artifacts
    /// are machine code. The directory is created with access for its owner alone.
    pub directory: PathBuf,
    /// Calls that run at the same time; more of them queue. The system's bound on memory maps may lower it.
    pub max_concurrent_calls: u32,
    /// Linear memory of one call, in bytes, all its memories together.
    pub memory_limit_bytes: u64,
    /// Size of an uploaded module, in bytes.
    pub max_module_bytes: u64,
    /// Length of a result, in bytes of JSON text.
    pub max_result_bytes: u64,
    /// Log text kept per call, in bytes; standard output and error count too. What is beyond it is dropped.
    pub max_log_bytes: u64,
    /// Text that a call may write at all, in bytes, kept or dropped. Beyond it the call ends.
    pub max_output_bytes: u64,
    /// Time on a processor that a call may use.
    pub max_cpu: Duration,
    /// Linear memory of all calls together, in bytes: what would not fit waits.
    pub total_memory_bytes: u64,
    /// Calls that may wait for their turn; more are refused.
    pub max_waiting_calls: usize,
    /// The program that compiles uploads in a process of its own, as `compile::child` expects it; none: this process
    /// compiles, and a hostile upload can take its time and memory.
    pub compiler: Option<PathBuf>,
}

impl SandboxConfig {
    /// Returns the defaults (`limits.rs`) for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_concurrent_calls: limits::DEFAULT_CONCURRENT_CALLS,
            memory_limit_bytes: limits::DEFAULT_MEMORY_LIMIT_BYTES,
            max_module_bytes: limits::DEFAULT_MODULE_BYTES,
            max_result_bytes: limits::DEFAULT_RESULT_BYTES,
            max_log_bytes: limits::DEFAULT_LOG_BYTES,
            max_output_bytes: limits::DEFAULT_OUTPUT_BYTES,
            max_cpu: limits::MAX_CALL_TIMEOUT,
            total_memory_bytes: default_total_memory_bytes(),
            max_waiting_calls: limits::DEFAULT_WAITING_CALLS,
            compiler: None,
        }
    }

    /// Returns how many calls fit at the same time on this machine.
    pub(crate) fn call_slots(&self) -> u32 {
        let slots = call_slots(self.max_concurrent_calls, max_map_count());
        if slots < self.max_concurrent_calls {
            tracing::warn!(
                wanted = self.max_concurrent_calls,
                slots,
                "fewer concurrent calls than configured: raise vm.max_map_count"
            );
        }
        slots
    }
}

/// Cuts the wish to what the process's memory maps can carry, beside those that everything else needs.
fn call_slots(wanted: u32, max_map_count: Option<u64>) -> u32 {
    let bound = max_map_count.map_or(u64::from(u32::MAX), |maps| {
        maps.saturating_sub(limits::RESERVED_MAPS) / limits::MAPS_PER_CALL
    });
    let bound = u32::try_from(bound).unwrap_or(u32::MAX);
    wanted.min(bound).max(limits::MIN_CONCURRENT_CALLS)
}

/// Returns Linux's bound on memory maps of a process; nothing elsewhere.
fn max_map_count() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

/// Returns three quarters of the machine's memory; a fixed amount where that is unknown.
fn default_total_memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map_or(limits::FALLBACK_TOTAL_MEMORY_BYTES, |kib: u64| kib.saturating_mul(1_024) / 4 * 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_slots_follow_the_systems_bound() {
        assert_eq!(call_slots(1_000, Some(65_530)), 1_000);
        assert_eq!(call_slots(100_000, Some(65_530)), 10_239);
        assert_eq!(call_slots(100_000, None), 100_000);
        assert_eq!(call_slots(1, Some(65_530)), limits::MIN_CONCURRENT_CALLS);
    }
}
