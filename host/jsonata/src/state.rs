//! What belongs to one instance inside wasmtime's store: its memory budget and a WASI that grants and tells nothing.

use crate::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

/// The data of an instance's store.
pub(crate) struct CallState {
    pub(crate) memory: MemoryBudget,
    /// What the guest wrote about a fault of its own.
    pub(crate) fault: MemoryOutputPipe,
    pub(crate) clock: CallClock,
    wasi: WasiCtx,
    handles: ResourceTable,
}

/// Bounds the linear memory. More is an error that ends the call, not a refusal, so that its reason is known.
#[derive(Default)]
pub(crate) struct MemoryBudget {
    pub(crate) used_bytes: usize,
}

/// What ends a call that wants too much memory.
#[derive(Debug, thiserror::Error)]
#[error("too much memory")]
pub(crate) struct MemoryExceeded;

/// A clock that stands at the time which the call brings. `$now` and `$millis` are told it; `$toMillis` reads this
/// clock for parts of a date that its picture leaves out.
#[derive(Clone, Default)]
pub(crate) struct CallClock(Arc<AtomicU64>);

impl CallClock {
    /// Sets it, in milliseconds since 1970. The guest's clock knows nothing before that.
    pub(crate) fn set(&self, now_ms: i64) {
        self.0.store(u64::try_from(now_ms).unwrap_or(0), Ordering::Relaxed);
    }
}

impl CallState {
    /// Prepares the data of an instance.
    pub(crate) fn new() -> Self {
        let fault = MemoryOutputPipe::new(limits::MAX_FAULT_BYTES);
        let clock = CallClock::default();
        let wasi = WasiCtxBuilder::new()
            .stderr(fault.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .secure_random(Deterministic::new(vec![0]))
            .insecure_random(Deterministic::new(vec![0]))
            .insecure_random_seed(0)
            .build();
        Self { memory: MemoryBudget::default(), fault, clock, wasi, handles: ResourceTable::new() }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.handles }
    }
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used_bytes = self.used_bytes.saturating_add(desired.saturating_sub(current));
        if used_bytes > limits::MAX_MEMORY_BYTES {
            return Err(MemoryExceeded.into());
        }
        self.used_bytes = used_bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= limits::MAX_TABLE_ELEMENTS)
    }
}

impl HostWallClock for CallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl HostMonotonicClock for CallClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}
