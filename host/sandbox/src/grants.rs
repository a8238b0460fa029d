//! What a call may reach: a manifest with its names resolved to values of this host.
//!
//! Secrets are in here: it must never be logged, and its `Debug` shows no value.

use crate::limits;
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

impl Grants {
    /// Returns the variable of a secret whose value a JSON text holds, as it is or as JSON writes it.
    pub(crate) fn secret_in(&self, json: &str) -> Option<&str> {
        let held = |secret: &str| {
            let written = serde_json::Value::from(secret).to_string();
            json.contains(secret) || json.contains(written.trim_matches('"'))
        };
        let mut guarded =
            self.secrets.iter().filter(|(_, secret)| secret.len() >= limits::MIN_GUARDED_SECRET_BYTES);
        guarded.find(|(_, secret)| held(secret)).map(|(variable, _)| variable.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_however_they_are_written() {
        let secrets = [("KEY", "hunter2-hunter2"), ("LINES", "one\ntwo \"three\""), ("SHORT", "abc")];
        let secrets = secrets.map(|(variable, value)| (variable.to_owned(), value.to_owned()));
        let grants = Grants { secrets: secrets.into(), ..Grants::default() };
        assert_eq!(grants.secret_in(r#"{"a":"x hunter2-hunter2 y"}"#), Some("KEY"));
        assert_eq!(grants.secret_in(r#"["one\ntwo \"three\""]"#), Some("LINES"));
        assert_eq!(grants.secret_in(r#"["abc","hunter2"]"#), None);
        assert!(!format!("{grants:?}").contains("hunter2"));
    }
}
