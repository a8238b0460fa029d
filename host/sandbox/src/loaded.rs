//! Modules that are ready to run, and the way there: from the compiled file, or by compiling the source again.
//!
//! The first call of a module loads it once, however many calls wait for it. Nothing here may compile on an async
//! thread.

use crate::artifact::{self, Artifact};
use crate::bindings::TaskPre;
use crate::digest::Digest;
use crate::error::SandboxError;
use crate::files::ModuleFiles;
use crate::limits;
use crate::state::CallState;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// A module with its imports linked: what a call instantiates.
pub(crate) struct LoadedModule {
    pub(crate) task: TaskPre<CallState>,
    /// How much of the pool one instance takes, counted in calls.
    pub(crate) slots: u32,
}

/// Why a module cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("unknown module")]
    Unknown,
    #[error("{0}")]
    DoesNotCompile(String),
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
    pub(crate) fn compile(&self, digest: &Digest, wasm: &[u8]) -> Result<LoadedModule, LoadError> {
        let does_not_compile = |error: wasmtime::Error| LoadError::DoesNotCompile(format!("{error:#}"));
        let code = self.engine.precompile_component(wasm).map_err(does_not_compile)?;
        let artifact = Artifact::new(digest, self.compatibility, &code);
        let component = artifact::load(&self.engine, &artifact).map_err(does_not_compile)?;
        let loaded = self.link(&component)?;
        self.files.write_compiled(digest, artifact.file())?;
        Ok(loaded)
    }

    /// Finds everything that the component imports and exports.
    fn link(&self, component: &Component) -> Result<LoadedModule, LoadError> {
        let does_not_link = |error: wasmtime::Error| LoadError::DoesNotLink(format!("{error:#}"));
        let instance = self.linker.instantiate_pre(component).map_err(does_not_link)?;
        let task = TaskPre::new(instance).map_err(does_not_link)?;
        Ok(LoadedModule { task, slots: slots_needed(component) })
    }
}

/// Returns how many calls' share of the pool an instance of the component takes, so that the queue in front of the pool
/// keeps it from running dry (`engine.rs` sizes it).
fn slots_needed(component: &Component) -> u32 {
    component.resources_required().map_or(limits::MAX_MEMORIES_PER_COMPONENT, |resources| {
        resources.num_memories.max(resources.num_tables.div_ceil(limits::TABLES_PER_CALL)).max(1)
    })
}

type Cell = Arc<OnceCell<Arc<LoadedModule>>>;

/// The modules that are loaded. Bounded: the least recently used one makes room.
#[derive(Default)]
pub(crate) struct LoadedModules {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_digest: HashMap<Digest, Entry>,
    uses: u64,
}

struct Entry {
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
        entries.by_digest.insert(digest.clone(), Entry { cell: Arc::clone(&cell), last_use });
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
