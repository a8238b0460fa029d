//! One call: queue, take a fresh instance, run it within its bounds, throw the instance away.
//!
//! Nothing of a call survives it. Dropping the future of a call ends the call. A call begins on its caller's thread: most are
//! over before handing them to another would have paid. One that is not over at its first pause goes on on the threads
//! for guests, and a module whose calls are not quick begins there.

use crate::bounds::Bounds;
use crate::call::{Call, CallOutput, LogLevel};
use crate::cpu::{CpuClock, Polls, thread_nanoseconds};
use crate::digest::Digest;
use crate::epoch::Running;
use crate::error::CallError;
use crate::failure::{DeadlinePassed, call_error};
use crate::filesystem::CallFiles;
use crate::grants::Grants;
use crate::inspect::{ModuleKind, core_of};
use crate::limits;
use crate::loaded::{LoadError, LoadedModule, Loader};
use crate::memory::MemoryBudget;
use crate::output::CallLog;
use crate::sandbox::{Sandbox, Shared};
use crate::slots::{Held, QueueFull, Share};
use crate::state::{CallParts, CallState};
use serde::de::IgnoredAny;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use wasmtime::{Store, UpdateDeadline};

/// What a call holds of the host while it runs. It is given back after the instance is.
struct Place {
    held: Arc<Mutex<Held>>,
    _gate: Option<Held>,
    _running: Running,
}

impl Sandbox {
    /// Runs a module once and returns its result.
    ///
    /// Calls that find no room wait here; those of different queues take turns. The first call after a start loads the
    /// module from disk, and compiles it again when the compiled file is missing, damaged or from another build.
    ///
    /// # Errors
    /// Every variant of [`CallError`].
    pub async fn invoke(&self, digest: &str, call: Call) -> Result<CallOutput, CallError> {
        let unknown = || CallError::UnknownModule { digest: digest.to_owned() };
        let key = Digest::parse(digest).ok_or_else(unknown)?;
        let module = self.module(&key).await?;
        let bounds = Bounds::new(&self.shared.config, &call.grants.manifest.limits, call.timeout);
        let place = self.place(&module, &call, &bounds).await.map_err(|QueueFull| CallError::Overloaded)?;
        // Making and opening directories blocks.
        let quick = module.begins_at_once() && !call.grants.has_files();
        let mut guest = Box::pin(run(Arc::clone(&self.shared), Arc::clone(&module), call, bounds, place));
        if quick && let Poll::Ready(outcome) = self.begin(&module, guest.as_mut()) {
            return outcome;
        }
        AbortOnDrop(self.shared.runtime.handle.spawn(guest)).join().await
    }

    /// Runs a call on this thread until it is over or pauses.
    fn begin<T>(&self, module: &LoadedModule, guest: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        // Timers and background work of the call belong to the guests' runtime from the start.
        let _entered = self.shared.runtime.handle.enter();
        let (started, began_nanoseconds) = (Instant::now(), thread_nanoseconds());
        // Whoever goes on with the call polls it at once: nobody needs to be woken for this poll.
        let polled = guest.poll(&mut Context::from_waker(Waker::noop()));
        if started.elapsed() > limits::QUICK_CALL {
            // What others made of the processor meanwhile is not the module's doing.
            let used_nanoseconds = thread_nanoseconds().saturating_sub(began_nanoseconds);
            module.note_quickness(Duration::from_nanos(used_nanoseconds));
        }
        polled
    }

    /// Waits for the module's turn, then for a slot and memory.
    async fn place(&self, module: &LoadedModule, call: &Call, bounds: &Bounds) -> Result<Place, QueueFull> {
        let shared = &self.shared;
        let gate = match call.grants.manifest.limits.concurrent_calls {
            None => None,
            Some(limit) => {
                let gate = module.gate(limit, shared.config.max_waiting_calls);
                Some(gate.acquire(&call.queue, Share { slots: 1, memory_bytes: 0 }).await?)
            }
        };
        let held = shared.slots.acquire(&call.queue, module.share(bounds)).await?;
        Ok(Place { held: Arc::new(Mutex::new(held)), _gate: gate, _running: shared.ticker.run() })
    }

    /// Returns a module that is ready to run.
    async fn module(&self, digest: &Digest) -> Result<Arc<LoadedModule>, CallError> {
        let shared = &self.shared;
        let cell = shared.modules.cell(digest);
        if let Some(module) = cell.get() {
            return Ok(Arc::clone(module));
        }
        let loaded = cell.get_or_try_init(|| self.load(digest)).await.map(Arc::clone);
        loaded.map_err(|error| {
            shared.modules.forget(digest);
            match error {
                LoadError::Unknown => CallError::UnknownModule { digest: digest.to_string() },
                LoadError::DoesNotCompile(_) | LoadError::DoesNotLink(_) | LoadError::Sandbox(_) => {
                    CallError::Host(error.to_string())
                }
            }
        })
    }

    /// Loads a module from disk.
    async fn load(&self, digest: &Digest) -> Result<Arc<LoadedModule>, LoadError> {
        let shared = &self.shared;
        let permit = Arc::clone(&shared.compile_permits).acquire_owned().await;
        let loader = Arc::clone(&shared.loader);
        let digest = digest.clone();
        let work = move || {
            let module = load(&loader, &digest);
            drop(permit);
            module
        };
        shared.runtime.blocking(work).await?.map(Arc::new)
    }
}

/// Does the blocking work of loading.
fn load(loader: &Loader, digest: &Digest) -> Result<LoadedModule, LoadError> {
    if !loader.files.has_source(digest) {
        return Err(LoadError::Unknown);
    }
    if let Some(loaded) = loader.load_compiled(digest)? {
        return Ok(loaded);
    }
    let wasm = loader.files.read_source(digest)?.ok_or(LoadError::Unknown)?;
    loader.compile(digest, &wasm, core_of(&wasm))
}

/// Runs one call in a store of its own.
async fn run(
    shared: Arc<Shared>,
    module: Arc<LoadedModule>,
    call: Call,
    bounds: Bounds,
    place: Place,
) -> Result<CallOutput, CallError> {
    let Call { input, context, timeout: _, grants, queue: _, host } = call;
    let host_failure = |error: &dyn std::fmt::Display| CallError::Host(error.to_string());
    let files = CallFiles::prepare(&shared.scratch, &grants, bounds.open_files)
        .map_err(|error| host_failure(&error))?;
    let polls = Arc::new(Polls::default());
    let kind = module.entry.kind();
    let (input, standard_input) =
        if kind == ModuleKind::Command { (String::new(), Some(input)) } else { (input, None) };
    let state = CallState::new(CallParts {
        kind,
        bounds,
        context,
        grants: &grants,
        host,
        deadline: Instant::now() + bounds.timeout,
        memory: MemoryBudget::new(bounds.memory_bytes, bounds.table_elements, Arc::clone(&place.held)),
        cpu: CpuClock::new(bounds.cpu, Arc::clone(&polls)),
        files,
        standard_input,
    });
    let state = state.map_err(|error| host_failure(&error))?;
    let mut store = store(&module, state, &bounds);
    // A busy guest meets its deadline at an epoch; the timer is for one that waits inside a host function.
    let outcome =
        tokio::time::timeout(bounds.timeout, counted(&polls, module.entry.call(&mut store, input))).await;
    let state = store.data();
    state.log.finish();
    module.note_memory(state.memory.used_bytes());
    let outcome = match outcome {
        Err(_) => Err(CallError::Timeout { timeout: bounds.timeout, backtrace: None }),
        Ok(Err(error)) => Err(call_error(&error, &bounds, &state.log.error_tail())),
        Ok(Ok(outcome)) => outcome.and_then(|result| checked(result, bounds.result_bytes, &grants)),
    };
    let outcome = outcome.map_err(|error| told(error, &state.log));
    // The instance goes back to the pool before its place does, so that the next call finds room there.
    drop(store);
    drop(place);
    outcome
}

/// Counts how often a call is polled.
async fn counted<T>(polls: &Polls, call: impl Future<Output = T>) -> T {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|context| {
        polls.next();
        call.as_mut().poll(context)
    })
    .await
}

/// Makes the store of a call.
fn store(module: &LoadedModule, state: CallState, bounds: &Bounds) -> Store<CallState> {
    let mut store = Store::new(module.entry.engine(), state);
    store.limiter(|state| &mut state.memory);
    let hostcall_bytes = bounds.result_bytes.saturating_add(limits::HOSTCALL_SLACK_BYTES);
    store.set_hostcall_fuel(usize::try_from(hostcall_bytes).unwrap_or(usize::MAX));
    // The first tick may come at once: a call that takes microseconds must not be broken off for it.
    store.set_epoch_deadline(2);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        if Instant::now() >= state.deadline {
            return Err(DeadlinePassed.into());
        }
        state.cpu.charge()?;
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(state.cpu.yield_now())))
    });
    store
}

/// Accepts a result that is JSON, short enough, and holds no secret.
fn checked(result: String, limit_bytes: u64, grants: &Grants) -> Result<CallOutput, CallError> {
    if result.len() as u64 > limit_bytes {
        return Err(CallError::ResultTooLarge { limit_bytes });
    }
    if let Some(variable) = grants.secret_in(&result) {
        return Err(CallError::SecretInResult { variable: variable.to_owned() });
    }
    match serde_json::from_str::<IgnoredAny>(&result) {
        Ok(IgnoredAny) => Ok(CallOutput { result }),
        Err(error) => Err(CallError::InvalidResult { reason: error.to_string() }),
    }
}

/// Writes what the sandbox ended a call with to the call's log, and keeps secrets out of what a workflow sees.
fn told(error: CallError, log: &CallLog) -> CallError {
    let error = error.masked(|text| log.masked(&text).into_owned());
    if error.is_broken_off() {
        log.message(LogLevel::Error, &format!("{}: {error}", error.name()));
    }
    error
}

/// A running guest that ends when nobody waits for it any more.
struct AbortOnDrop(JoinHandle<Result<CallOutput, CallError>>);

impl AbortOnDrop {
    /// Waits for the guest.
    async fn join(mut self) -> Result<CallOutput, CallError> {
        match (&mut self.0).await {
            Ok(outcome) => outcome,
            Err(error) => Err(CallError::Host(error.to_string())),
        }
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
