//! Tasks of test cases that wait for somebody outside, answered by mocks: nobody outside ever hears of them.
//!
//! It must never touch an execution that was not started for a test case.

use super::after_commit::request;
use super::{Occurrence, Shard};
use stepwell_asl::{Doer, EventKind, Pattern, Resource, TaskWork};
use stepwell_store::ExecutionId;

impl Shard {
    /// Ends a task as the mocks say, with all that happens to such a task on the way; gives it back where they say nothing
    /// of it, or where the integration's answer is the result anyway.
    pub(super) fn begin_mocked(&mut self, id: ExecutionId, task: TaskWork) -> Option<TaskWork> {
        let Some(live) = self.live.get(&id) else { return Some(task) };
        if live.execution.context.test_case.is_none() || !waits_for_somebody(&task) {
            return Some(task);
        }
        let Some(result) = self.integration.mocked(&request(&live.execution, task.clone())) else {
            return Some(task);
        };
        let work = task.work;
        let mut kinds = Vec::new();
        match task.doer {
            Doer::Worker { scheduled, .. } => {
                kinds.extend((!scheduled).then_some(EventKind::ActivityScheduled { work }));
                kinds.push(EventKind::TaskStarted { work, worker_name: None });
            }
            Doer::Integration | Doer::Callback | Doer::Job { .. } => {
                let output = result.clone().unwrap_or_default();
                kinds.push(EventKind::TaskSubmitted { work, output });
            }
        }
        kinds.push(match result {
            Ok(result) => EventKind::TaskSucceeded { work, result },
            Err(error) => EventKind::TaskFailed { work, error },
        });
        self.ready.extend(kinds.into_iter().map(|kind| Occurrence { id, kind, log: Vec::new() }));
        None
    }
}

/// Whether the answer of an integration is not the result of this task.
fn waits_for_somebody(task: &TaskWork) -> bool {
    match Resource::parse(&task.resource) {
        Some(Resource::Activity { .. }) => true,
        Some(Resource::Integration { pattern, .. }) => pattern != Pattern::RequestResponse,
        Some(Resource::Function { .. }) | None => false,
    }
}
