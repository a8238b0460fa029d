//! What an execution that did not succeed was at when it ended: all that a redrive goes on from.
//!
//! Only `step` makes and reads it. It is no part of a checkpoint: an ended execution has none, and replaying its journal
//! makes its remains anew. It must never hold a branch that ended well.

use super::{Activity, Branch, BranchId, Join, Variables};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The branches that failed or were aborted, with the joins, results and variables that belong to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remains {
    pub(crate) branches: BTreeMap<BranchId, Remnant>,
    pub(crate) joins: BTreeMap<BranchId, Join>,
    pub(crate) results: BTreeMap<BranchId, BTreeMap<u64, Value>>,
    pub(crate) variables: BTreeMap<BranchId, Variables>,
}

/// A branch that did not come to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remnant {
    pub(crate) branch: Branch,
    pub(crate) stood: Stood,
}

/// Where a branch stood, which says how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stood {
    /// Before its state: it enters it.
    Before,
    /// In its state, which begins again without being entered again.
    In,
    /// In a Parallel or Map state whose unfinished branches are among the remains: those go on.
    Joining,
}

impl Remains {
    /// Adds a branch.
    pub(crate) fn keep(&mut self, id: BranchId, branch: Branch, stood: Stood) {
        self.branches.insert(id, Remnant { branch, stood });
    }
}

impl Stood {
    /// Where a branch stands that waits for this, or was just about to run; `joins`: whether it has a join.
    pub(crate) fn of(activity: &Activity, joins: bool) -> Stood {
        match activity {
            Activity::Joining if joins => Stood::Joining,
            // Whatever is about to run has this activity and no join.
            Activity::Joining | Activity::Ready { .. } => Stood::Before,
            Activity::Task(_) | Activity::Waiting { .. } | Activity::BackingOff { .. } => Stood::In,
        }
    }
}
