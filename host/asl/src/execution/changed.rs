//! Which parts of an execution a transition has changed.

use super::BranchId;
use std::collections::BTreeSet;

/// Which parts of an execution a transition has changed, so that a checkpoint rewrites no others.
/// `context` and `input` never change; `progress` always does. A named part that is no longer there was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Branches begun, moved or ended.
    pub branches: BTreeSet<BranchId>,
    /// Joins begun, moved or ended.
    pub joins: BTreeSet<BranchId>,
    /// Results that came to a join: the branch that waits, and the index.
    pub results: BTreeSet<(BranchId, u64)>,
    /// Scopes whose variables changed.
    pub variables: BTreeSet<BranchId>,
}

impl Changed {
    /// Adds what a later transition has changed.
    pub fn merge(&mut self, mut later: Changed) {
        self.branches.append(&mut later.branches);
        self.joins.append(&mut later.joins);
        self.results.append(&mut later.results);
        self.variables.append(&mut later.variables);
    }
}
