//! Stored executions beside their checkpoint: the facts of the start, the list entry, log lines.

use super::machine::MachineId;
use super::observation::Observation;
use serde::{Deserialize, Serialize};
use stepwell_asl::{Redrive, Status, Timestamp};

/// Identifies an execution inside the store; ordered by start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(pub [u8; 16]);

/// What was asked for when an execution was started; never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// The machine that it runs.
    pub machine: MachineId,
    /// The revision of the machine that it is pinned to.
    pub revision: u64,
    /// The API's revision id of it.
    pub revision_id: Option<String>,
    /// When the machine became that revision.
    pub revised_at: Timestamp,
    /// The input text as given.
    pub input: String,
    /// The trace header as given.
    pub trace_header: Option<String>,
    /// Who watches it; none: nobody.
    #[serde(default)]
    pub observation: Option<Observation>,
}

/// What a list shows of an execution (API: ExecutionListItem).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionSummary {
    /// Its ARN.
    pub execution_arn: String,
    /// Where it stands.
    pub status: Status,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// When it is to be woken up, while it rests and a timer does that.
    pub wakes_at: Option<Timestamp>,
    /// The version of the machine that it was started by, or that its alias chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The alias of the machine that it was started by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its last redrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<Redrive>,
}

impl ExecutionSummary {
    /// Its name: what stands behind the last colon of the ARN.
    pub fn name(&self) -> &str {
        self.execution_arn.rsplit(':').next().unwrap_or_default()
    }
}

/// One line that a task module logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The state whose task wrote it.
    pub state: String,
    /// The attempt that wrote it, from 0.
    pub attempt: u32,
    /// The text.
    pub message: String,
}
