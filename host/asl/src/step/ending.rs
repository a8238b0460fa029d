//! How an execution ends. Whatever was pending is cancelled in the same step.

use super::Step;
use crate::execution::{Command, Status, WorkId};
use crate::history::HistoryDetails;
use crate::states_error::StatesError;
use serde_json::Value;

impl Step<'_> {
    pub(super) fn succeed(&mut self, previous_event_id: u64, output: Value) {
        self.record(previous_event_id, HistoryDetails::ExecutionSucceeded { output: output.to_string() });
        self.execution.output = Some(output);
        self.close(Status::Succeeded);
    }

    pub(super) fn fail(&mut self, previous_event_id: u64, failure: StatesError) {
        let StatesError { error, cause } = failure;
        self.record(
            previous_event_id,
            HistoryDetails::ExecutionFailed { error: error.clone(), cause: cause.clone() },
        );
        self.execution.error = error;
        self.execution.cause = cause;
        self.close(Status::Failed);
    }

    /// StopExecution. The event has no causal parent (recorded).
    pub(super) fn abort(&mut self, error: Option<String>, cause: Option<String>) {
        self.record(0, HistoryDetails::ExecutionAborted { error: error.clone(), cause: cause.clone() });
        self.execution.error = error;
        self.execution.cause = cause;
        self.close(Status::Aborted);
    }

    /// The machine's `TimeoutSeconds` ran out: neither error nor cause (recorded).
    pub(super) fn time_out(&mut self) {
        self.record(0, HistoryDetails::ExecutionTimedOut { error: None, cause: None });
        self.close(Status::TimedOut);
    }

    fn close(&mut self, status: Status) {
        self.execution.status = status;
        self.execution.stop_time = Some(self.at);
        for branch in std::mem::take(&mut self.execution.branches).into_values() {
            self.commands.push(Command::Cancel(branch.activity.work()));
        }
        if self.execution.deadline.is_some() {
            self.commands.push(Command::Cancel(WorkId::EXECUTION));
        }
    }
}
