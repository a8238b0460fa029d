//! What keeps the bytes while something is measured: one of the backends, by the name that users give it.
//!
//! It must never give a backend other settings than `stepwell serve` does.

use clap::ValueEnum;
use std::path::Path;

/// A backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// On disk, the default
    #[default]
    Sled,
    /// On disk, in one file
    Redb,
    /// Gone with the process: what the disk costs is the difference
    Memory,
}

impl StoreKind {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            StoreKind::Sled => "sled",
            StoreKind::Redb => "redb",
            StoreKind::Memory => "memory",
        }
    }

    /// Whether what it holds outlives the process.
    pub fn is_durable(self) -> bool {
        match self {
            StoreKind::Sled | StoreKind::Redb => true,
            StoreKind::Memory => false,
        }
    }

    /// What `stepwell serve --store` is given for a store in this folder.
    pub fn location(self, directory: &Path) -> String {
        match self {
            StoreKind::Sled => format!("sled:{}", directory.join("store").display()),
            StoreKind::Redb => format!("redb:{}", directory.join("store.redb").display()),
            StoreKind::Memory => "memory:".to_owned(),
        }
    }
}
