//! Modules that are ready to run, and the way there: from the compiled file, or by compiling the source again.
//!
//! The first call of a module loads it once, however many calls wait for it. Nothing here may compile on an async
//! thread.

use crate::artifact::{self, Artifact};
use crate::bounds::Bounds;
use crate::compile::{CompileError, Compiler};
use crate::digest::Digest;
use crate::entry::Entry;
use crate::error::SandboxError;
use crate::files::ModuleFiles;
use crate::inspect::{CoreModule, ModuleKind};
use crate::limits;
use crate::slots::{Share, Slots};
use crate::state::CallState;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// A module that is ready to run, and what is known of its calls so far.
pub(crate) struct LoadedModule {
    pub(crate) entry: Entry,
    /// How much of the pool one instance takes, counted in calls.
    slots: u32,
    /// The memory that a call is expected to use, in bytes: what it begins with, then what calls came to use.
    usual_memory_bytes: AtomicU64,
    /// Calls that are still to begin on the threads for guests, because one was not quick.
    slow_streak: AtomicU32,
    /// The queues in front of the module itself, by the number of calls that its manifest allows at a time.
    gates: Mutex<HashMap<u32, Slots>>,
}

impl LoadedModule {
    /// Returns what a call takes of the room for calls.
    pub(crate) fn share(&self, bounds: &Bounds) -> Share {
        let usual_bytes = self.usual_memory_bytes.load(Ordering::Relaxed);
        Share { slots: self.slots, memory_bytes: usual_bytes.min(bounds.memory_bytes) }
    }

    /// Learns how much memory a call came to use. Large calls are forgotten slowly.
    pub(crate) fn note_memory(&self, used_bytes: u64) {
        let usual_bytes = self.usual_memory_bytes.load(Ordering::Relaxed);
        self.usual_memory_bytes.store(used_bytes.max(usual_bytes - usual_bytes / 16), Ordering::Relaxed);
    }

    /// Tells whether the next call may begin on its caller's thread: calls have been quick of late.
    pub(crate) fn begins_at_once(&self) -> bool {
        let streak = self.slow_streak.load(Ordering::Relaxed);
        if streak > 0 {
            self.slow_streak.store(streak - 1, Ordering::Relaxed);
        }
        streak == 0
    }

    /// Learns how long a call kept its caller's thread.
    pub(crate) fn note_quickness(&self, took: Duration) {
        if took > limits::QUICK_CALL {
            self.slow_streak.store(limits::SLOW_STREAK, Ordering::Relaxed);
        }
    }

    /// Returns the queue that lets so many calls of this module run at a time.
    pub(crate) fn gate(&self, concurrent_calls: u32, max_waiting: usize) -> Slots {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Share { slots: concurrent_calls, memory_bytes: 0 };
        gates.entry(concurrent_calls).or_insert_with(|| Slots::new(room, max_waiting)).clone()
    }
}

/// Why a module cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("unknown module")]
    Unknown,
    #[error(transparent)]
    DoesNotCompile(#[from] CompileError),
    #[error("{0}")]
    DoesNotLink(String),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// Loads modules; blocking. Shared by installing and calling.
pub(crate) struct Loader {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<CallState>,
    pub(crate) compatibility: u64,
    pub(crate) files: ModuleFiles,
    pub(crate) compiler: Compiler,
}

impl Loader {
    /// Loads the compiled file of a module, when there is one that fits.
    pub(crate) fn load_compiled(&self, digest: &Digest) -> Result<Option<LoadedModule>, LoadError> {
        let Some(file) = self.files.read_compiled(digest)? else { return Ok(None) };
        let checked = Artifact::check(file, digest, self.compatibility)
            .map_err(|unusable| unusable.to_string())
            .and_then(|artifact| {
                artifact::load(&self.engine, &artifact).map_err(|error| format!("{error:#}"))
            });
        match checked {
            Ok(component) => self.link(&component).map(Some),
            Err(reason) => {
                tracing::warn!(module = %digest, reason, "compiling a module again");
                Ok(None)
            }
        }
    }

    /// Compiles a module's source, stores what comes out, and loads it. Seconds for a large module.
    pub(crate) fn compile(
        &self,
        digest: &Digest,
        wasm: &[u8],
        core: Option<CoreModule>,
    ) -> Result<LoadedModule, LoadError> {
        let compiled = self.compiler.compile(&self.engine, wasm, core)?;
        let artifact = Artifact::new(digest, self.compatibility, &compiled);
        let component = artifact::load(&self.engine, &artifact)
            .map_err(|error| CompileError::DoesNotCompile(format!("{error:#}")))?;
        let loaded = self.link(&component)?;
        self.files.write_compiled(digest, artifact.file())?;
        Ok(loaded)
    }

    /// Finds everything that the component imports and exports.
    fn link(&self, component: &Component) -> Result<LoadedModule, LoadError> {
        let does_not_link = |error: wasmtime::Error| LoadError::DoesNotLink(format!("{error:#}"));
        let exports: Vec<String> =
            component.component_type().exports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        let kind = ModuleKind::of_exports(exports.iter().map(String::as_str))
            .ok_or_else(|| LoadError::DoesNotLink("the component has no known entry".to_owned()))?;
        let instance = self.linker.instantiate_pre(component).map_err(does_not_link)?;
        let entry = Entry::new(kind, instance).map_err(does_not_link)?;
        let (slots, initial_memory_bytes) = needs(component);
        Ok(LoadedModule {
            entry,
            slots,
            usual_memory_bytes: AtomicU64::new(initial_memory_bytes),
            slow_streak: AtomicU32::new(0),
            gates: Mutex::default(),
        })
    }
}

/// Returns how many calls' share of the pool an instance of the component takes, so that the queue in front of the pool
/// keeps it from running dry (`engine.rs` sizes it), and the memory that it begins with at most, in bytes.
fn needs(component: &Component) -> (u32, u64) {
    let Some(resources) = component.resources_required() else {
        return (limits::MAX_MEMORIES_PER_COMPONENT, 0);
    };
    let memories = resources.num_memories;
    let slots = memories.max(resources.num_tables.div_ceil(limits::TABLES_PER_CALL)).max(1);
    let pages = resources.max_initial_memory_size.unwrap_or_default().saturating_mul(u64::from(memories));
    (slots, pages.saturating_mul(limits::WASM_PAGE_BYTES))
}

type Cell = Arc<OnceCell<Arc<LoadedModule>>>;

/// The modules that are loaded. Bounded: the least recently used one makes room.
#[derive(Default)]
pub(crate) struct LoadedModules {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_digest: HashMap<Digest, Kept>,
    uses: u64,
}

struct Kept {
    cell: Cell,
    last_use: u64,
}

impl LoadedModules {
    /// Returns the place of a module, empty when nobody has loaded it yet.
    pub(crate) fn cell(&self, digest: &Digest) -> Cell {
        let mut entries = self.entries();
        entries.uses += 1;
        let last_use = entries.uses;
        if let Some(entry) = entries.by_digest.get_mut(digest) {
            entry.last_use = last_use;
            return Arc::clone(&entry.cell);
        }
        entries.make_room();
        let cell = Cell::default();
        entries.by_digest.insert(digest.clone(), Kept { cell: Arc::clone(&cell), last_use });
        cell
    }

    /// Forgets a module. Calls that run keep what they use.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.entries().by_digest.remove(digest);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // The map is changed by single operations only: it is whole even after a panic elsewhere.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn make_room(&mut self) {
        while self.by_digest.len() >= limits::MAX_LOADED_MODULES {
            let oldest = self.by_digest.iter().min_by_key(|(_, entry)| entry.last_use);
            let Some(oldest) = oldest.map(|(digest, _)| digest.clone()) else { return };
            self.by_digest.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_module_makes_room() {
        let modules = LoadedModules::default();
        let digest = |number: usize| Digest::of(&number.to_le_bytes());
        let first = modules.cell(&digest(0));
        let second = modules.cell(&digest(1));
        for number in 2..limits::MAX_LOADED_MODULES {
            modules.cell(&digest(number));
        }
        assert!(Arc::ptr_eq(&first, &modules.cell(&digest(0))));
        modules.cell(&digest(limits::MAX_LOADED_MODULES));
        assert_eq!(modules.entries().by_digest.len(), limits::MAX_LOADED_MODULES);
        assert!(Arc::ptr_eq(&first, &modules.cell(&digest(0))));
        assert!(!Arc::ptr_eq(&second, &modules.cell(&digest(1))));
    }
}
