//! Stored modules: which content a name stands for. The bytes themselves lie with the sandbox.

use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// An uploaded module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its name: the function name in Lambda ARNs.
    pub name: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// What kind of module it is.
    pub kind: String,
    /// Size of the content.
    pub size_bytes: u64,
    /// How long it took to compile.
    pub compile_milliseconds: u64,
    /// What it imports from its host.
    pub imports: Vec<String>,
    /// When the name was first used.
    pub created_at: Timestamp,
    /// When this content was uploaded.
    pub updated_at: Timestamp,
}
