//! Variables: set when a state is left, kept within their quotas, gone with the branch whose scope they belong to.

use super::Step;
use crate::assign::Assigned;
use crate::execution::BranchId;
use crate::json_size::json_bytes;
use crate::limits;
use crate::states_error::StatesError;

impl Step<'_> {
    /// Why `assigned` may not be set: one Assign holds as much as a payload, all variables
    /// [`limits::VARIABLES_BYTES`].
    pub(super) fn variables_exceeded(
        &self,
        id: BranchId,
        state: &str,
        assigned: &Assigned,
    ) -> Option<StatesError> {
        if assigned.is_empty() {
            return None;
        }
        let bytes: usize = assigned.values().map(json_bytes).sum();
        let scope = self.execution.variables.get(&id);
        let replaced = assigned.keys().filter_map(|name| scope?.get(name)).map(json_bytes).sum::<usize>();
        let all = self.execution.progress.variable_bytes + bytes as u64 - replaced as u64;
        let exceeded = bytes > self.execution.context.quotas.payload_bytes || all > limits::VARIABLES_BYTES;
        exceeded.then(|| {
            let what = "assigned variables with a size exceeding the maximum number of bytes service limit.";
            StatesError::new(StatesError::DATA_LIMIT_EXCEEDED, format!("The state/task '{state}' {what}"))
        })
    }

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

    /// A branch ended: its scope ends with it.
    pub(super) fn drop_variables(&mut self, id: BranchId) {
        let Some(scope) = self.execution.variables.remove(&id) else { return };
        self.changed.variables.insert(id);
        let bytes: usize = scope.values().map(json_bytes).sum();
        self.execution.progress.variable_bytes -= bytes as u64;
    }
}
