//! Typed records over a backend: what is stored, under which key, in which encoding.
//!
//! Records are MessagePack maps with field names, so a later release can add fields with a serde default and
//! still read what this one wrote. Nothing here may change the meaning of a stored field.

mod changes;
mod checkpoint;
mod execution;
mod machine;
mod module;
mod secret;
mod space;
mod store;

pub use changes::Changes;
pub use checkpoint::Standing;
pub use execution::{ExecutionId, ExecutionSummary, LogLine, StartRecord};
pub use machine::{MachineId, MachineRecord};
pub use module::{ModuleAliasRecord, ModuleContent, ModuleRecord, ModuleSettings, ModuleVersionRecord};
pub use secret::SecretRecord;
pub use store::{HistoryPage, Store};
