//! What belongs to one call inside wasmtime's store: its context, its log, its budgets, and the WASI that its manifest
//! grants.
//!
//! What the manifest does not name is not there: no environment, no arguments, no directory, no socket, no name
//! lookup, no request, an empty standard input.

use crate::bindings::stepwell::task::{context, heartbeat, log};
use crate::bounds::Bounds;
use crate::call::{CallContext, CallHost, LogLevel};
use crate::capture::Capture;
use crate::clocks;
use crate::cpu::CpuClock;
use crate::entry::context_variables;
use crate::error::SandboxError;
use crate::filesystem::{CallFiles, FilesView};
use crate::grants::Grants;
use crate::http::{self, OutgoingHttp};
use crate::inspect::ModuleKind;
use crate::limits;
use crate::memory::MemoryBudget;
use crate::output::{CallLog, Output, OutputStream};
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The data of a call's store.
pub(crate) struct CallState {
    pub(crate) memory: MemoryBudget,
    pub(crate) cpu: CpuClock,
    pub(crate) log: Arc<CallLog>,
    /// When the call must have ended.
    pub(crate) deadline: Instant,
    bounds: Bounds,
    context: CallContext,
    host: Arc<dyn CallHost>,
    capture: Option<Capture>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    requests: OutgoingHttp,
    files: Option<CallFiles>,
    handles: ResourceTable,
}

/// What a call's state is made of.
pub(crate) struct CallParts<'a> {
    pub(crate) kind: ModuleKind,
    pub(crate) bounds: Bounds,
    pub(crate) context: CallContext,
    pub(crate) grants: &'a Arc<Grants>,
    pub(crate) host: Arc<dyn CallHost>,
    pub(crate) deadline: Instant,
    pub(crate) memory: MemoryBudget,
    pub(crate) cpu: CpuClock,
    pub(crate) files: Option<CallFiles>,
    /// The input, for kinds that read it from standard input.
    pub(crate) standard_input: Option<String>,
}

impl CallState {
    /// Prepares the data of one call.
    pub(crate) fn new(parts: CallParts<'_>) -> Result<Self, SandboxError> {
        let CallParts { kind, bounds, context, grants, host, deadline, memory, cpu, files, standard_input } =
            parts;
        let log = Arc::new(CallLog::new(Arc::clone(&host), Arc::clone(grants), &bounds));
        let capture = (kind == ModuleKind::Command).then(|| Capture::new(bounds.result_bytes));
        let mut wasi = WasiCtxBuilder::new();
        wasi.stderr(OutputStream::new(Arc::clone(&log), Output::Error))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(limits::MAX_RANDOM_BYTES);
        match &capture {
            Some(capture) => wasi.stdout(capture.clone()),
            None => wasi.stdout(OutputStream::new(Arc::clone(&log), Output::Standard)),
        };
        if let Some(input) = standard_input {
            wasi.stdin(MemoryInputPipe::new(input));
        }
        if kind == ModuleKind::Command {
            wasi.arg("task").args(&grants.manifest.arguments).envs(&context_variables(&context));
        }
        for (name, value) in grants.manifest.environment.iter().chain(&grants.secrets) {
            wasi.env(name, value);
        }
        clocks::grant_clock(&mut wasi, grants.manifest.clock, host.clock_ahead());
        clocks::grant_random(&mut wasi, grants.manifest.random, &context.idempotency_key);
        if let Some(files) = &files {
            files.grant(&mut wasi)?;
        }
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(limits::MAX_OPEN_HANDLES);
        let requests = OutgoingHttp::new(
            Arc::clone(grants),
            Arc::clone(&log),
            usize::try_from(bounds.http_requests).unwrap_or(usize::MAX),
        );
        let (wasi, http) = (wasi.build(), http::context());
        Ok(Self {
            memory,
            cpu,
            log,
            deadline,
            bounds,
            context,
            host,
            capture,
            wasi,
            http,
            requests,
            files,
            handles,
        })
    }

    /// Returns what the call may use.
    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Returns what the module may know about its execution.
    pub(crate) fn context(&self) -> &CallContext {
        &self.context
    }

    /// Takes what a program wrote to standard output.
    pub(crate) fn captured(&self) -> Vec<u8> {
        self.capture.as_ref().map(Capture::take).unwrap_or_default()
    }

    /// Returns the view that the interfaces of files work on.
    pub(crate) fn files(&mut self) -> FilesView<'_> {
        let wasi = WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.handles };
        FilesView { wasi, files: self.files.as_mut() }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.handles }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.handles, hooks: &mut self.requests }
    }
}

impl context::Host for CallState {
    fn current(&mut self) -> wasmtime::Result<context::TaskContext> {
        let context = self.context.clone();
        Ok(context::TaskContext {
            execution_arn: context.execution_arn,
            state_name: context.state_name,
            attempt: context.attempt,
            idempotency_key: context.idempotency_key,
            task_token: context.task_token,
        })
    }

    fn remaining_milliseconds(&mut self) -> wasmtime::Result<u64> {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        Ok(u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX))
    }
}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        Ok(self.log.guest_message(level, &message)?)
    }
}

impl heartbeat::Host for CallState {
    fn beat(&mut self) -> wasmtime::Result<()> {
        self.host.heartbeat();
        Ok(())
    }
}
