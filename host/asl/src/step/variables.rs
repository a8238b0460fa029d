//! Variables: set when a state is left, kept within their quotas, gone with the branch whose scope they belong to.

use super::Step;
use crate::assign::Assigned;
use crate::execution::{BranchId, Variables};
use crate::json_size::json_bytes;

impl Step<'_> {
    /// Sets variables in the scope of a branch.
    pub(super) fn assign(&mut self, id: BranchId, assigned: Assigned) {
        if assigned.is_empty() {
            return;
        }
        self.changed.variables.insert(id);
        let scope = self.execution.variables.entry(id).or_default();
        for (name, value) in assigned {
            self.execution.progress.variable_bytes += json_bytes(&value) as u64;
            if let Some(old) = scope.insert(name, value) {
                self.execution.progress.variable_bytes -= json_bytes(&old) as u64;
            }
        }
    }

    /// A branch ended: its scope ends with it. Gives what was in it, if there was one.
    pub(super) fn take_variables(&mut self, id: BranchId) -> Option<Variables> {
        let scope = self.execution.variables.remove(&id)?;
        self.changed.variables.insert(id);
        let bytes: usize = scope.values().map(json_bytes).sum();
        self.execution.progress.variable_bytes -= bytes as u64;
        Some(scope)
    }
}
