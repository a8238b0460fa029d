//! How an execution ends. Whatever was pending is cancelled in the same step, and what a redrive would go on from is kept.

use super::Step;
use super::task_run::stop_job;
use crate::execution::{Command, Status, Stood, WorkId};
use crate::history::HistoryDetails;
use crate::json_size::json_text;
use crate::states_error::StatesError;
use serde_json::Value;

impl Step<'_> {
    pub(super) fn succeed(&mut self, previous_event_id: u64, output: Value) {
        if self.history_full {
            return;
        }
        self.record_end(previous_event_id, HistoryDetails::ExecutionSucceeded { output: json_text(&output) });
        self.execution.progress.output = Some(output);
        self.close(Status::Succeeded);
    }

    pub(super) fn fail(&mut self, previous_event_id: u64, failure: StatesError) {
        if self.history_full {
            return;
        }
        self.end_failed(previous_event_id, failure);
    }

    /// The history has no room for what the execution would do next (quota: history events).
    pub(super) fn history_overflowed(&mut self) {
        let limit = self.execution.context.quotas.history_events;
        let cause = format!("The execution reached the maximum number of history events ({limit}).");
        self.end_failed(self.execution.progress.last_event_id, StatesError::runtime(cause));
    }

    /// StopExecution. The event has no causal parent (recorded).
    pub(super) fn abort(&mut self, error: Option<String>, cause: Option<String>) {
        self.record_end(0, HistoryDetails::ExecutionAborted { error: error.clone(), cause: cause.clone() });
        self.execution.progress.error = error;
        self.execution.progress.cause = cause;
        self.close(Status::Aborted);
    }

    /// The machine's `TimeoutSeconds` ran out: neither error nor cause (recorded).
    pub(super) fn time_out(&mut self) {
        self.record_end(0, HistoryDetails::ExecutionTimedOut { error: None, cause: None });
        self.close(Status::TimedOut);
    }

    fn end_failed(&mut self, previous_event_id: u64, failure: StatesError) {
        let StatesError { error, cause, .. } = failure;
        let details = HistoryDetails::ExecutionFailed { error: error.clone(), cause: cause.clone() };
        self.record_end(previous_event_id, details);
        self.execution.progress.error = error;
        self.execution.progress.cause = cause;
        self.close(Status::Failed);
    }

    fn close(&mut self, status: Status) {
        let progress = &mut self.execution.progress;
        progress.status = status;
        progress.stop_time = Some(self.at);
        progress.variable_bytes = 0;
        if progress.deadline.is_some() {
            self.commands.push(Command::Cancel(WorkId::EXECUTION));
        }
        let mut remains = std::mem::take(&mut self.remains);
        for (id, branch) in std::mem::take(&mut self.runnable) {
            remains.keep(id, branch, Stood::Before);
        }
        for (id, branch) in std::mem::take(&mut self.execution.branches) {
            self.changed.branches.insert(id);
            self.commands.extend(branch.activity.work().map(Command::Cancel));
            self.commands.extend(self.execution.job_of(&branch).map(stop_job));
            let stood = Stood::of(&branch.activity, self.execution.joins.contains_key(&id));
            remains.keep(id, branch, stood);
        }
        let joins = std::mem::take(&mut self.execution.joins);
        self.changed.joins.extend(joins.keys());
        remains.joins.extend(joins);
        let variables = std::mem::take(&mut self.execution.variables);
        self.changed.variables.extend(variables.keys());
        remains.variables.extend(variables);
        remains.results.extend(std::mem::take(&mut self.execution.results));
        if status != Status::Succeeded {
            self.execution.remains = Some(Box::new(remains));
        }
    }
}
