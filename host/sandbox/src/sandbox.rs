//! The sandbox itself: what its parts share, and how it starts and ends.
//!
//! Guests run on a runtime of their own, so that however busy they are, the caller's threads stay free.

use crate::compile::Compiler;
use crate::config::SandboxConfig;
use crate::engine;
use crate::epoch::EpochTicker;
use crate::error::SandboxError;
use crate::files::ModuleFiles;
use crate::filesystem::ScratchRoot;
use crate::limits;
use crate::loaded::{LoadedModules, Loader};
use crate::slots::{Share, Slots};
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
    /// The queue in front of the pool.
    pub(crate) slots: Slots,
    pub(crate) scratch: ScratchRoot,
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
            compiler: Compiler::new(config.compiler.clone()),
            engine: engine.clone(),
        };
        let room = Share { slots: call_slots, memory_bytes: config.total_memory_bytes };
        let slots = Slots::new(room, config.max_waiting_calls);
        let scratch = ScratchRoot::open(&config.directory)?;
        let shared = Shared {
            config,
            loader: Arc::new(loader),
            modules: LoadedModules::default(),
            slots,
            scratch,
            compile_permits: Arc::new(Semaphore::new(limits::MAX_CONCURRENT_COMPILES)),
            ticker: EpochTicker::start(engine)?,
            runtime: GuestRuntime::start()?,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns how many calls can run at the same time.
    pub fn call_slots(&self) -> u32 {
        self.shared.slots.total().slots
    }

    /// Returns how many slots running calls take; most calls take one.
    pub fn running_calls(&self) -> usize {
        self.shared.slots.taken() as usize
    }

    /// Returns how many calls wait for room.
    pub fn waiting_calls(&self) -> usize {
        self.shared.slots.waiting()
    }
}

impl GuestRuntime {
    fn start() -> Result<Self, SandboxError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("stepwell-guest")
            .enable_all()
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
