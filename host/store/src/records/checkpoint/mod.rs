//! How an execution is stored: in parts, so that a transition writes what it changed and nothing else.
//!
//! - Facts: what never changes. One record, written at the start.
//! - Standing: the progress, rewritten by every transition. While the execution stands in no Parallel or Map state
//!   it holds the root branch as well: such a transition writes this one record.
//! - Parts: the root branch of an execution that stands in such a state; its joins; one slot for every branch of a
//!   join, which holds the branch while it runs and its output afterwards; the variables of a branch.
//!
//! Parts are found only by the way from the standing: root branch, its join, the slots of that join (they are under
//! the id of its Started event, which no other attempt has), their branches, and so on. What nothing leads to any
//! more is not read and not deleted: no transition may have to delete all branches of a state that failed. The
//! leftovers go when the execution has ended ([`super::Store::sweep`]). It must never read the parts of an ended
//! execution.

mod read;
mod write;

pub(super) use write::{encode_facts, write};

use super::execution::StartRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stepwell_asl::{BranchId, ExecutionContext, Progress};

/// What never changes after the start.
#[derive(Serialize)]
struct Facts<'a> {
    start: &'a StartRecord,
    context: &'a ExecutionContext,
    input: &'a Value,
}

/// The half of the facts that describes the request.
#[derive(Deserialize)]
struct Requested {
    start: StartRecord,
}

/// The half of the facts that belongs to the execution.
#[derive(Deserialize)]
struct Begun {
    context: ExecutionContext,
    input: Value,
}

/// Where an execution stands, without its branches: all that describing it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Identity and start facts.
    pub context: ExecutionContext,
    /// Status, output, times.
    pub progress: Progress,
}

/// The record that every transition rewrites. `P` and `B` are borrowed for writing and owned for reading.
#[derive(Serialize, Deserialize)]
struct Stands<P, B> {
    progress: P,
    /// The root branch, unless it stands in a Parallel or Map state or the execution has ended.
    root: Option<Running<B>>,
}

/// A running branch.
#[derive(Serialize, Deserialize)]
struct Running<B> {
    id: BranchId,
    branch: B,
    /// Whether its scope has variables: they are a part of their own.
    variables: bool,
}

/// One branch of a join, from its beginning to the join's end.
#[derive(Serialize, Deserialize)]
enum Slot<B, V> {
    Running(Running<B>),
    /// It has ended with this output.
    Ended(V),
}
