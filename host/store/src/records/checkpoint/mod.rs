//! Checkpoints: how an execution is stored in parts, so that the next checkpoint writes what has changed and nothing else.
//!
//! - Standing: the progress. While the execution stands in no Parallel or Map state it holds the root branch as well:
//!   such a checkpoint is this one record.
//! - Parts: the root branch of an execution that stands in such a state; its joins; one slot for every branch of a
//!   join, which holds the branch while it runs and its output afterwards; the variables of a branch.
//!
//! What never changes is in the first record of the journal, and all that came after the checkpoint in the later ones.
//! Parts are found only by the way from the standing: root branch, its join, the slots of that join (they are under
//! the id of its Started event, which no other attempt has), their branches, and so on. What nothing leads to any
//! more is not read and not deleted: no transition may have to delete all branches of a state that failed. The
//! leftovers go when the execution has succeeded ([`super::Store::sweep`]); where it ended otherwise, a redrive goes on
//! from its last checkpoint, and all goes with the execution. It must never be needed: the journal alone
//! tells everything, only slower.

mod read;
mod write;

pub(super) use read::check_part;
pub(super) use write::write;

use serde::{Deserialize, Serialize};
use stepwell_asl::BranchId;

/// The record that every checkpoint rewrites. `P` and `B` are borrowed for writing and owned for reading.
#[derive(Serialize, Deserialize)]
struct Stands<P, B> {
    progress: P,
    /// The root branch, unless it stands in a Parallel or Map state.
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
