//! The store: an ordered, durable byte store behind one narrow trait, and typed records over it.
//!
//! The byte-level half is [`Backend`] with its implementations: [`MemoryBackend`], [`SledBackend`],
//! [`RedbBackend`] and the fault-injecting twin in [`fault`]. [`contract`] is the suite that every one of them
//! passes. [`StoreLocation`] names one on the command line, and [`open`] opens it.
//!
//! Architecture invariant: no type of an embedded engine or of a database driver leaves this crate, and no
//! code outside the backends assumes that it is the only process beside the data.

mod backend;
mod batch;
pub mod contract;
mod contract_model;
mod embedded;
mod envelope;
mod error;
pub mod fault;
pub mod limits;
mod location;
mod memory;
mod records;
mod redb;
mod sled;
mod stats;
pub mod transfer;

pub use backend::{Backend, Fatal, KeyRange, Page, Versioned};
pub use batch::{Batch, CommitSeq, Epoch, Expect, Key, Op, ShardId, Space, epoch_of, fence_key};
pub use embedded::{Counters, Disk, RealDisk};
pub use error::{OpenError, StoreError};
pub use location::{LocationError, OpenOptions, StoreLocation, VerifyOnOpen, open};
pub use memory::MemoryBackend;
pub use records::{
    AccessKeyRecord, ActivityRecord, Changes, Closed, ConnectionRecord, EventBusRecord, EventDeliveryRecord,
    EventRuleRecord, ExecutionId, ExecutionSummary, ExpressRecord, FirstVersion, HeldCounts, HistoryPage,
    ListPosition, Loaded, LogChoice, LogGroupRecord, LogLevel, LogLine, MachineAliasRecord, MachineId,
    MachineLook, MachineRecord, MachineRoute, MachineVersionRecord, ModuleAliasRecord, ModuleContent,
    ModuleEpoch, ModulePast, ModulePastRecord, ModuleRecord, ModuleSettings, ModuleVersionRecord, Moved,
    Observation, Problem, ProblemKind, RecordCheck, RedriveRecord, Removal, ScheduleRecord, SecretRecord,
    Standing, StartRecord, StatusChangesTold, Store, Stranded, TagsRecord, Tracked, Wake, WebhookRecord,
    check_records, holder_of,
};
pub use redb::{RedbBackend, RedbOptions};
pub use sled::{SledBackend, SledOptions};
pub use stats::{Compacted, Scrub, SpaceUsage, Stats, Verified, compact, stats, usage, verify};
