//! What belongs to one call inside wasmtime's store: its context, its log, its memory budget and an empty WASI.
//!
//! It grants nothing: no environment, no arguments, no directory, no socket, no name lookup, an empty standard input.

use crate::bindings::stepwell::task::{context, heartbeat, log};
use crate::call::{CallContext, CallHost, LogLevel};
use crate::limits;
use crate::memory::MemoryBudget;
use crate::output::{CallLog, Output, OutputStream};
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The data of a call's store.
pub(crate) struct CallState {
    pub(crate) memory: MemoryBudget,
    pub(crate) log: Arc<CallLog>,
    /// When the call must have ended.
    pub(crate) deadline: Instant,
    context: CallContext,
    host: Arc<dyn CallHost>,
    wasi: WasiCtx,
    handles: ResourceTable,
}

impl CallState {
    /// Prepares the data of one call.
    pub(crate) fn new(
        context: CallContext,
        host: Arc<dyn CallHost>,
        deadline: Instant,
        memory_limit_bytes: u64,
        max_log_bytes: u64,
    ) -> Self {
        let log = Arc::new(CallLog::new(Arc::clone(&host), max_log_bytes));
        let wasi = WasiCtxBuilder::new()
            .stdout(OutputStream::new(Arc::clone(&log), Output::Standard))
            .stderr(OutputStream::new(Arc::clone(&log), Output::Error))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(limits::MAX_RANDOM_BYTES)
            .build();
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(limits::MAX_OPEN_HANDLES);
        Self { memory: MemoryBudget::new(memory_limit_bytes), log, deadline, context, host, wasi, handles }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.handles }
    }
}

impl context::Host for CallState {
    fn current(&mut self) -> context::TaskContext {
        let context = self.context.clone();
        context::TaskContext {
            execution_arn: context.execution_arn,
            state_name: context.state_name,
            attempt: context.attempt,
            idempotency_key: context.idempotency_key,
            task_token: context.task_token,
        }
    }

    fn remaining_milliseconds(&mut self) -> u64 {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX)
    }
}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.log.message(level, &message);
    }
}

impl heartbeat::Host for CallState {
    fn beat(&mut self) {
        self.host.heartbeat();
    }
}
