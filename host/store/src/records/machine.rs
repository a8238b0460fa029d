//! Stored state machines.

use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// Identifies a machine over renames of its name: a machine deleted and created again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MachineId(pub [u8; 16]);

/// A machine beside what somebody knows of it.
#[derive(Clone, Debug, PartialEq)]
pub enum MachineLook {
    /// There is none.
    Missing,
    /// It has the version that is known: nothing was changed, and nothing was decoded.
    Known,
    /// As it is, with its version.
    Changed(Box<MachineRecord>, u64),
}

/// A state machine (API: DescribeStateMachine).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineRecord {
    /// Its identity.
    pub id: MachineId,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `STANDARD` or `EXPRESS`; never changes.
    pub machine_type: String,
    /// The role that executions show; nothing is checked against it.
    pub role_arn: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts changes from 1; the definition text is stored by it.
    pub revision: u64,
    /// The API's revision id; none before the first change.
    pub revision_id: Option<String>,
    /// As given at creation, JSON.
    pub logging_configuration: Option<serde_json::Value>,
    /// As given at creation, JSON.
    pub tracing_configuration: Option<serde_json::Value>,
    /// As given at creation, JSON.
    pub encryption_configuration: Option<serde_json::Value>,
    /// Whether it is being deleted: it goes when none of its executions runs any more.
    #[serde(default)]
    pub deleting: bool,
    /// The number that its next version gets. Numbers are not used twice.
    #[serde(default = "first_number")]
    pub next_version: u64,
    /// The version that was published when it was created: a repeated creation has to ask for the same.
    #[serde(default)]
    pub created_with: Option<FirstVersion>,
}

/// A version as it was asked for when its machine was created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstVersion {
    /// For people.
    pub description: Option<String>,
}

fn first_number() -> u64 {
    1
}
