//! The thread that advances wasmtime's epoch while calls run, so that busy guests yield and meet their deadlines.
//!
//! It sleeps when nothing runs: an idle server must not wake the machine a thousand times a second.

use crate::error::SandboxError;
use crate::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use wasmtime::Engine;

/// Owns the thread. Dropping it ends the thread.
pub struct EpochTicker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Keeps the epoch advancing as long as it exists. It holds the ticker itself: a guest that is still busy when the
/// sandbox is closed must come to its next yield, or it would keep its thread for ever.
pub struct Running {
    ticker: Arc<EpochTicker>,
}

struct Shared {
    running_calls: AtomicUsize,
    /// Set by the thread before it parks, cleared by whoever wakes it.
    parked: AtomicBool,
    stop: AtomicBool,
}

impl EpochTicker {
    /// Starts the thread.
    pub fn start(engine: Engine) -> Result<Arc<Self>, SandboxError> {
        let shared = Arc::new(Shared {
            running_calls: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("stepwell-epoch".to_owned())
            .spawn(move || tick(&engine, &for_thread))
            .map_err(|error| SandboxError::Setup(format!("no thread for the epoch: {error}")))?;
        Ok(Arc::new(Self { shared, thread: Some(thread) }))
    }

    /// Notes that a call runs, and wakes the thread when it sleeps.
    pub fn run(self: &Arc<Self>) -> Running {
        self.shared.running_calls.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        Running { ticker: Arc::clone(self) }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for EpochTicker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It cannot panic: it only counts and sleeps.
            drop(thread.join());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ticker.shared.running_calls.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The body of the thread.
fn tick(engine: &Engine, shared: &Shared) {
    let mut idle_ticks = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.running_calls.load(Ordering::SeqCst) > 0 {
            idle_ticks = 0;
        } else if idle_ticks < limits::IDLE_TICKS {
            idle_ticks += 1;
        } else {
            shared.parked.store(true, Ordering::SeqCst);
            // A call that began before the flag was set did not wake us: look once more, then sleep. Sequential
            // consistency makes one of the two sides see the other.
            if shared.running_calls.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            shared.parked.store(false, Ordering::SeqCst);
            // Stay awake for a while: calls seldom come alone, and waking the thread costs each of them.
            idle_ticks = 0;
            continue;
        }
        std::thread::sleep(limits::EPOCH_TICK);
        engine.increment_epoch();
    }
}
