//! Typed records over a backend: what is stored, under which key, in which encoding.
//!
//! Records are MessagePack maps with field names, so a later release can add fields with a serde default and
//! still read what this one wrote; the journal's, which are many, have no names and grow at the end only. Nothing here may change the meaning of a stored field.

mod access_key;
mod activity;
mod apart;
mod changes;
mod checkpoint;
mod connection;
mod event_bus;
mod event_delivery;
mod execution;
mod express;
mod holders;
mod journal;
mod load;
mod log_group;
mod machine;
mod machine_alias;
mod machine_version;
mod module;
mod module_past;
mod observation;
mod redrive;
mod retention;
mod schedule;
mod secret;
mod space;
mod store;
mod stranded;
mod tags;
mod tracked;
mod verify;
mod webhook;

pub use access_key::AccessKeyRecord;
pub use activity::ActivityRecord;
pub use changes::Changes;
pub use connection::ConnectionRecord;
pub use event_bus::{EventBusRecord, EventRuleRecord, StatusChangesTold};
pub use event_delivery::EventDeliveryRecord;
pub use execution::{ExecutionId, ExecutionSummary, LogLine, StartRecord};
pub use express::ExpressRecord;
pub use holders::{HeldCounts, holder_of};
pub use load::{Loaded, Standing};
pub use log_group::LogGroupRecord;
pub use machine::{FirstVersion, MachineId, MachineLook, MachineRecord};
pub use machine_alias::{MachineAliasRecord, MachineRoute};
pub use machine_version::MachineVersionRecord;
pub use module::{ModuleAliasRecord, ModuleContent, ModuleRecord, ModuleSettings, ModuleVersionRecord};
pub use module_past::{ModuleEpoch, ModulePast, ModulePastRecord};
pub use observation::{LogChoice, LogLevel, Observation};
pub use redrive::RedriveRecord;
pub use retention::{Closed, Removal};
pub use schedule::ScheduleRecord;
pub use secret::SecretRecord;
pub use store::{HistoryPage, ListPosition, Store, Wake};
pub use stranded::Stranded;
pub use tags::TagsRecord;
pub use tracked::{Moved, Tracked};
pub use verify::{Problem, ProblemKind, RecordCheck, check_records};
pub use webhook::WebhookRecord;
