//! The bounds of one call: the server's settings, tightened by what the module's manifest asks for.
//!
//! A manifest may lower a bound, never raise it.

use crate::config::SandboxConfig;
use crate::limits;
use crate::manifest::Limits;
use std::time::Duration;

/// What one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    pub(crate) cpu: Duration,
    pub(crate) memory_bytes: u64,
    pub(crate) table_elements: u64,
    pub(crate) result_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) output_bytes: u64,
    pub(crate) open_files: u64,
    pub(crate) http_requests: u64,
}

impl Bounds {
    /// Takes the tighter of setting and wish for each bound. `timeout` is the caller's.
    pub(crate) fn new(config: &SandboxConfig, wishes: &Limits, timeout: Duration) -> Self {
        let time = |setting: Duration, wish: Option<u64>| {
            wish.map_or(setting, |milliseconds| setting.min(Duration::from_millis(milliseconds)))
        };
        let bytes = |setting: u64, wish: Option<u64>, unit: u32| {
            wish.map_or(setting, |wish| setting.min(wish.saturating_mul(1 << unit)))
        };
        Self {
            timeout: time(timeout.min(limits::MAX_CALL_TIMEOUT), wishes.timeout_milliseconds),
            cpu: time(config.max_cpu, wishes.cpu_milliseconds),
            memory_bytes: bytes(config.memory_limit_bytes, wishes.memory_mib, 20),
            table_elements: bytes(limits::MAX_TABLE_ELEMENTS as u64, wishes.table_elements, 0),
            result_bytes: bytes(config.max_result_bytes, wishes.result_kib, 10),
            log_bytes: bytes(config.max_log_bytes, wishes.log_kib, 10),
            output_bytes: bytes(config.max_output_bytes, wishes.output_kib, 10),
            open_files: bytes(limits::MAX_OPEN_FILES, wishes.open_files, 0),
            http_requests: bytes(limits::MAX_HTTP_REQUESTS as u64, wishes.http_requests, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_lowers_bounds_and_never_raises_them() {
        let config = SandboxConfig::new("unused");
        let timeout = Duration::from_mins(1);
        let of_the_server = Bounds::new(&config, &Limits::default(), timeout);
        assert_eq!((of_the_server.timeout, of_the_server.memory_bytes), (timeout, config.memory_limit_bytes));
        let higher = Limits {
            timeout_milliseconds: Some(limits::MAX_LIMIT),
            cpu_milliseconds: Some(limits::MAX_LIMIT),
            memory_mib: Some(limits::MAX_LIMIT),
            table_elements: Some(limits::MAX_LIMIT),
            result_kib: Some(limits::MAX_LIMIT),
            log_kib: Some(limits::MAX_LIMIT),
            output_kib: Some(limits::MAX_LIMIT),
            open_files: Some(limits::MAX_LIMIT),
            http_requests: Some(limits::MAX_LIMIT),
            concurrent_calls: None,
        };
        assert_eq!(Bounds::new(&config, &higher, timeout), of_the_server);
        let lower = Limits {
            timeout_milliseconds: Some(20),
            memory_mib: Some(2),
            log_kib: Some(1),
            ..Limits::default()
        };
        let bounds = Bounds::new(&config, &lower, timeout);
        assert_eq!(bounds.timeout, Duration::from_millis(20));
        assert_eq!((bounds.memory_bytes, bounds.log_bytes), (2 << 20, 1 << 10));
    }
}
