//! The sandbox itself: what its parts share, and how it starts and ends.
//!
//! Guests run on a runtime of their own, so that however busy they are, the caller's threads stay free.

use crate::config::SandboxConfig;
use crate::engine;
use crate::epoch::EpochTicker;
use crate::error::SandboxError;
use crate::files::ModuleFiles;
use crate::limits;
use crate::loaded::{LoadedModules, Loader};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// Installs modules and runs them. Cloning is cheap: all clones are the same sandbox. One sandbox owns its directory.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
}

/// What the clones of a sandbox share.
pub(crate) struct Shared {
    pub(crate) config: SandboxConfig,
    pub(crate) loader: Arc<Loader>,
    pub(crate) modules: LoadedModules,
    /// One permit per call that the pool has room for: the queue in front of it.
    pub(crate) call_permits: Arc<Semaphore>,
    pub(crate) compile_permits: Arc<Semaphore>,
    pub(crate) ticker: Arc<EpochTicker>,
    pub(crate) runtime: GuestRuntime,
}

/// The threads that guests run on.
pub(crate) struct GuestRuntime {
    runtime: Option<Runtime>,
    pub(crate) handle: tokio::runtime::Handle,
}

impl Sandbox {
    /// Opens the directory of modules, reserves the pool and starts the threads.
    ///
    /// # Errors
    /// When the directory cannot be used, or the system does not give the address space that the pool needs
    /// (`max_concurrent_calls` times four gibibytes, reserved but not used).
    pub fn open(config: SandboxConfig) -> Result<Self, SandboxError> {
        let call_slots = config.call_slots();
        let engine = engine::build(&config, call_slots)?;
        let loader = Loader {
            linker: engine::linker(&engine)?,
            compatibility: engine::compatibility(&engine),
            files: ModuleFiles::open(&config.directory)?,
            engine: engine.clone(),
        };
        let shared = Shared {
            config,
            loader: Arc::new(loader),
            modules: LoadedModules::default(),
            call_permits: Arc::new(Semaphore::new(call_slots as usize)),
            compile_permits: Arc::new(Semaphore::new(limits::MAX_CONCURRENT_COMPILES)),
            ticker: EpochTicker::start(engine)?,
            runtime: GuestRuntime::start()?,
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl GuestRuntime {
    fn start() -> Result<Self, SandboxError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("stepwell-guest")
            .enable_time()
            .build()
            .map_err(|error| SandboxError::Setup(format!("no threads for guests: {error}")))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs something that blocks, off the async threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SandboxError> {
        self.handle.spawn_blocking(work).await.map_err(|error| SandboxError::Background(error.to_string()))
    }
}

impl Drop for GuestRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last clone may be dropped on an async thread, where waiting for the guests would panic.
            runtime.shutdown_background();
        }
    }
}
