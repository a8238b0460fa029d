//! Where the results of a map run go when they do not become the state's result: a trait, as [`super::items`] has for the way
//! in (specification, "ResultWriter").
//!
//! Results are written when all children have ended, in the order of their numbers, and after a crash again from the
//! beginning: the same files must come out, under the same names. It must never hold more than a page of records in memory,
//! or a part of a file.

use super::items::SourceError;
use async_trait::async_trait;
use serde_json::Value;
use stepwell_asl::{StatesError, Timestamp};

/// Where to write, evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteRequest {
    /// ARN of the execution that writes, for its account, region and role.
    pub execution_arn: String,
    /// ARN of the map run: the last part is the name of the folder.
    pub map_run_arn: String,
    /// The writer's `Resource`: `arn:aws:states:::s3:putObject`.
    pub resource: String,
    /// `Parameters` or `Arguments`, evaluated: `Bucket`, `Prefix`.
    pub arguments: Value,
    /// `WriterConfig` as the definition has it; null where there is none.
    pub configuration: Value,
}

/// The file that a result belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResultKind {
    /// `SUCCEEDED_n.json`.
    Succeeded,
    /// `FAILED_n.json`: failed, timed out or aborted.
    Failed,
    /// `PENDING_n.json`: never started, because the run was over before.
    Pending,
}

/// How one child ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultRecord {
    /// The file that it belongs to.
    pub kind: ResultKind,
    /// `ExecutionArn`.
    pub execution_arn: String,
    /// `Name`.
    pub name: String,
    /// `StateMachineArn`, with the label.
    pub state_machine_arn: String,
    /// `Status`: `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, or `PENDING`.
    pub status: String,
    /// `Input`: JSON text.
    pub input: String,
    /// `Output`: JSON text, once succeeded.
    pub output: Option<String>,
    /// `Error`.
    pub error: Option<String>,
    /// `Cause`.
    pub cause: Option<String>,
    /// `StartDate`; none where it was never started.
    pub started_at: Option<Timestamp>,
    /// `StopDate`, likewise.
    pub stopped_at: Option<Timestamp>,
    /// `RedriveCount`.
    pub redrive_count: u32,
    /// `RedriveStatus` and `RedriveStatusReason`.
    pub redrive_status: Option<(String, Option<String>)>,
}

/// What was written: becomes the state's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// `ResultWriterDetails`: `{"Bucket": ..., "Key": ...}` of the manifest.
    pub details: Value,
}

/// Opens places for results.
#[async_trait]
pub trait ResultSinks: Send + Sync {
    /// Opens one, or what was begun there before a crash.
    async fn open(&self, request: &WriteRequest) -> Result<Box<dyn ResultSink>, SourceError>;
}

/// Takes the results of one run.
#[async_trait]
pub trait ResultSink: Send {
    /// Adds results, in the order of their children. After an error everything is written again.
    async fn write(&mut self, records: Vec<ResultRecord>) -> Result<(), SourceError>;

    /// Writes the manifest, the last file.
    async fn finish(self: Box<Self>) -> Result<Written, SourceError>;
}

/// Writes nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoResultSinks;

#[async_trait]
impl ResultSinks for NoResultSinks {
    async fn open(&self, request: &WriteRequest) -> Result<Box<dyn ResultSink>, SourceError> {
        let cause = format!("There is nothing here that writes to {}.", request.resource);
        Err(SourceError::Failed(StatesError::new("States.ResultWriterFailed", cause)))
    }
}
