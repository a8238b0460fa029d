//! Appends history events: ids, causal parents, and the first events of an execution.
//!
//! The only place that makes a [`HistoryEvent`].

use super::Step;
use crate::execution::Branch;
use crate::history::{HistoryDetails, HistoryEvent};
use crate::json_size::json_text;

impl Step<'_> {
    /// Appends an event caused by `previous_event_id`; gives its id. The last place of a history is kept for the
    /// event that ends it ([`Step::record_end`]): where no other is left, the execution will fail.
    pub(super) fn record(&mut self, previous_event_id: u64, details: HistoryDetails) -> u64 {
        if self.execution.progress.last_event_id + 1 >= self.execution.context.quotas.history_events {
            self.history_full = true;
            return self.execution.progress.last_event_id;
        }
        self.record_end(previous_event_id, details)
    }

    /// Appends the event that ends the execution.
    pub(super) fn record_end(&mut self, previous_event_id: u64, mut details: HistoryDetails) -> u64 {
        self.execution.progress.last_event_id += 1;
        let id = self.execution.progress.last_event_id;
        details.payloads_mut(&mut |payload| self.bytes += payload.len());
        self.history.push(HistoryEvent { id, previous_event_id, timestamp: self.at, details });
        id
    }

    /// Appends an event of `branch`, caused by the branch's last one.
    pub(super) fn record_in(&mut self, branch: &mut Branch, details: HistoryDetails) {
        branch.previous_event_id = self.record(branch.previous_event_id, details);
    }

    /// The first event. Nothing points back to it: the first state's Entered event has no parent (recorded).
    pub(super) fn record_started(&mut self) {
        let input = json_text(&self.execution.input);
        let context = &self.execution.context;
        let details = HistoryDetails::ExecutionStarted {
            input,
            role_arn: context.role_arn.clone(),
            state_machine_version_arn: context.version_arn(),
            state_machine_alias_arn: context.alias_arn(),
        };
        self.record(0, details);
    }
}
