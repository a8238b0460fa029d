//! One call: queue, take a fresh instance, run it on the guests' threads within its time, throw the instance away.
//!
//! Nothing of a call survives it. Dropping the future of a call ends the call.

use crate::call::{Call, CallOutput};
use crate::digest::Digest;
use crate::error::CallError;
use crate::failure::{DeadlinePassed, call_error, task_error};
use crate::limits;
use crate::loaded::{LoadError, LoadedModule, Loader};
use crate::sandbox::Sandbox;
use crate::state::CallState;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use wasmtime::{Store, UpdateDeadline};

/// The bounds of one call that come from the settings.
#[derive(Clone, Copy)]
struct Bounds {
    timeout: Duration,
    memory_limit_bytes: u64,
    max_result_bytes: u64,
    max_log_bytes: u64,
}

impl Sandbox {
    /// Runs a module once and returns its result.
    ///
    /// Calls beyond the pool's size wait here, in order. The first call after a start loads the module from disk, and
    /// compiles it again when the compiled file is missing, damaged or from another build.
    ///
    /// # Errors
    /// Every variant of [`CallError`].
    pub async fn invoke(&self, digest: &str, call: Call) -> Result<CallOutput, CallError> {
        let unknown = || CallError::UnknownModule { digest: digest.to_owned() };
        let key = Digest::parse(digest).ok_or_else(unknown)?;
        let module = self.module(&key).await?;
        let shared = &self.shared;
        let permits = Arc::clone(&shared.call_permits).acquire_many_owned(module.slots).await;
        let permits = permits.map_err(|closed| CallError::Host(closed.to_string()))?;
        let running = shared.ticker.run();
        let bounds = Bounds {
            timeout: call.timeout.min(limits::MAX_CALL_TIMEOUT),
            memory_limit_bytes: shared.config.memory_limit_bytes,
            max_result_bytes: shared.config.max_result_bytes,
            max_log_bytes: shared.config.max_log_bytes,
        };
        let guest = shared.runtime.handle.spawn(async move {
            let outcome = run(&module, call, bounds).await;
            // Only now: the instance is back in the pool, so the next call finds room there.
            drop((permits, running));
            outcome
        });
        AbortOnDrop(guest).join().await
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
    loader.compile(digest, &wasm)
}

/// Runs one call in a store of its own.
async fn run(module: &LoadedModule, call: Call, bounds: Bounds) -> Result<CallOutput, CallError> {
    let Call { input, context, timeout: _, host, grants: _, queue: _ } = call;
    let deadline = Instant::now() + bounds.timeout;
    let state = CallState::new(context, host, deadline, bounds.memory_limit_bytes, bounds.max_log_bytes);
    let mut store = Store::new(module.task.engine(), state);
    store.limiter(|state| &mut state.memory);
    let hostcall_bytes = bounds.max_result_bytes.saturating_add(limits::HOSTCALL_SLACK_BYTES);
    store.set_hostcall_fuel(usize::try_from(hostcall_bytes).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        if Instant::now() >= context.data().deadline {
            return Err(DeadlinePassed.into());
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    // A busy guest meets its deadline at an epoch; the timer is for one that waits inside a host function.
    let outcome = tokio::time::timeout(bounds.timeout, async {
        let task = module.task.instantiate_async(&mut store).await?;
        task.stepwell_task_handler().call_run(&mut store, &input).await
    });
    let outcome = outcome.await;
    store.data().log.finish();
    match outcome {
        Err(_) => Err(CallError::Timeout { timeout: bounds.timeout, backtrace: None }),
        Ok(Err(error)) => {
            let error_tail = store.data().log.error_tail();
            Err(call_error(&error, bounds.timeout, bounds.max_result_bytes, &error_tail))
        }
        Ok(Ok(Err(error))) => Err(task_error(error.error, error.cause)),
        Ok(Ok(Ok(result))) => checked(result, bounds.max_result_bytes),
    }
}

/// Accepts a result that is JSON and short enough.
fn checked(result: String, limit_bytes: u64) -> Result<CallOutput, CallError> {
    if result.len() as u64 > limit_bytes {
        return Err(CallError::ResultTooLarge { limit_bytes });
    }
    match serde_json::from_str::<IgnoredAny>(&result) {
        Ok(IgnoredAny) => Ok(CallOutput { result }),
        Err(error) => Err(CallError::InvalidResult { reason: error.to_string() }),
    }
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
