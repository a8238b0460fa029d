//! Express executions that were started asynchronously and have not ended: what has to be run again after a crash.
//!
//! One record, written before the start is answered and removed some time after the end. It holds all that a new run from
//! the beginning needs. It must never say how far a run has come.

use super::changes::Changes;
use super::execution::ExecutionId;
use super::machine::MachineId;
use super::observation::Observation;
use super::space;
use super::store::{Store, decode, encode, id_of};
use crate::backend::KeyRange;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::ExecutionContext;

/// An asynchronous Express execution, as it was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpressRecord {
    /// The process that runs it: what has another one is left from an earlier life of the server.
    pub process: u64,
    /// The machine that it runs.
    pub machine: MachineId,
    /// The revision of the machine that it is pinned to.
    pub revision: u64,
    /// What the context object says of it. A new run has the same identity and start time.
    pub context: ExecutionContext,
    /// The input text as given.
    pub input: String,
    /// The trace header as given.
    pub trace_header: Option<String>,
    /// Who watches it; none: nobody.
    #[serde(default)]
    pub observation: Option<Observation>,
}

impl Changes {
    /// The start of an asynchronous Express execution with a new id.
    pub fn express_start(&mut self, id: ExecutionId, record: &ExpressRecord) -> Result<(), StoreError> {
        self.insert(space::EXPRESS, id.0.to_vec().into(), encode(record)?);
        Ok(())
    }

    /// Its end: nothing is owed any more. Nothing happens when there is no such start.
    pub fn express_end(&mut self, id: ExecutionId) {
        self.delete(space::EXPRESS, id.0.to_vec().into());
    }
}

impl Store {
    /// Asynchronous Express executions whose end is not stored, in the order of their ids, from behind `after`. A record
    /// that cannot be read is an error of its own and keeps nobody from the others.
    pub async fn express_starts(
        &self,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Result<ExpressRecord, StoreError>)>, StoreError> {
        let range = match after {
            Some(after) => KeyRange::all().after(&after.0),
            None => KeyRange::all(),
        };
        let page = self.backend.scan(space::EXPRESS, range, false, limit).await?;
        let starts = page
            .items
            .iter()
            .map(|(key, value)| Ok((id_of(space::EXPRESS, key, key)?, decode(space::EXPRESS, key, value))));
        starts.collect()
    }
}
