//! The store: an ordered, durable byte store behind one narrow trait, and typed records over it.
//!
//! The byte-level half is [`Backend`] with its implementations: [`MemoryBackend`], [`SledBackend`] and the
//! fault-injecting twin in [`fault`]. [`contract`] is the suite that every one of them passes.
//!
//! Architecture invariant: no type of an embedded engine or of a database driver leaves this crate, and no
//! code outside the backends assumes that it is the only process beside the data.

mod backend;
mod batch;
pub mod contract;
mod contract_model;
mod envelope;
mod error;
pub mod fault;
pub mod limits;
mod memory;
mod records;
mod sled;

pub use backend::{Backend, Fatal, KeyRange, Page, Versioned};
pub use batch::{Batch, CommitSeq, Epoch, Expect, Key, Op, ShardId, Space, epoch_of, fence_key};
pub use error::{OpenError, StoreError};
pub use memory::MemoryBackend;
pub use records::{
    Changes, ExecutionId, ExecutionSummary, HistoryPage, ListPosition, Loaded, LogLine, MachineId,
    MachineRecord, ModuleAliasRecord, ModuleContent, ModuleRecord, ModuleSettings, ModuleVersionRecord,
    Moved, SecretRecord, Standing, StartRecord, Store, Tracked, Wake,
};
pub use sled::{Counters, Disk, RealDisk, SledBackend, SledOptions};
