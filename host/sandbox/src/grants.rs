//! What a call may reach: a manifest with its names resolved to values of this host.
//!
//! Secrets are in here: it must never be logged, and its `Debug` shows no value.

use crate::manifest::Manifest;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A manifest with its names resolved. The default grants nothing.
#[derive(Clone, Default)]
pub struct Grants {
    /// The manifest, checked.
    pub manifest: Manifest,
    /// Environment variables whose values are secrets: variable -> value.
    pub secrets: BTreeMap<String, String>,
    /// Directories for reading: the host's path, the module's path.
    pub directories: Vec<(PathBuf, String)>,
}

impl Grants {
    /// Tells whether the call gets any directory.
    pub(crate) fn has_files(&self) -> bool {
        self.manifest.scratch.is_some() || !self.directories.is_empty()
    }
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Grants")
            .field("manifest", &self.manifest)
            .field("secrets", &self.secrets.keys())
            .field("directories", &self.directories)
            .finish()
    }
}
