//! The life of a task: scheduled, ended, retried, caught.

use super::Step;
use crate::context_object::ContextObject;
use crate::execution::{Activity, Branch, BranchId, Command, PendingTask};
use crate::history::{HistoryDetails, TaskScheduled};
use crate::limits;
use crate::states::{Outcome, Resource, Scheduled, State, TaskState};
use crate::states_error::StatesError;
use serde_json::Value;

impl<'m> Step<'m> {
    /// Records a task as scheduled and started, and gives the activity that waits for it.
    pub(super) fn schedule(&mut self, branch: &mut Branch, scheduled: Scheduled) -> Activity {
        let work = self.new_work();
        let resource = match self.task(branch) {
            Some(task) => task.resource.clone(),
            None => Resource::Function { arn: String::new() },
        };
        let (scheduled_event, started_event) = self.scheduled_events(&resource, &scheduled);
        self.record_in(branch, scheduled_event);
        self.record_in(branch, started_event);
        let attempt = u32::try_from(branch.retries.iter().sum::<u64>()).unwrap_or(u32::MAX);
        Activity::Task(Box::new(PendingTask {
            work,
            resource: resource.as_str().to_owned(),
            parameters: scheduled.parameters,
            deadline: scheduled.timeout_seconds.map(|seconds| self.at.plus_seconds(seconds)),
            attempt,
        }))
    }

    /// A task gave its result.
    pub(super) fn task_succeeded(&mut self, id: BranchId, result: Value) {
        let Some((mut branch, task)) = self.take_task(id) else { return };
        let text = result.to_string();
        if text.len() > limits::PAYLOAD_BYTES {
            let error = StatesError::data_limit_exceeded(task.resource.origin());
            self.end_task(id, branch, task, error);
            return;
        }
        let details = match &task.resource {
            Resource::Function { .. } => HistoryDetails::LambdaFunctionSucceeded { output: text },
            Resource::Integration { service, action, .. } => HistoryDetails::TaskSucceeded {
                resource_type: service.clone(),
                resource: action.clone(),
                output: text,
            },
        };
        self.record_in(&mut branch, details);
        let context = ContextObject::new(&self.execution, &branch, Some(branch.retries.iter().sum()));
        let outcome = task.succeeded(&branch.input, result, &context);
        self.carry_on(id, branch, outcome);
    }

    /// A task failed, or its time ran out.
    pub(super) fn task_failed(&mut self, id: BranchId, error: StatesError) {
        if let Some((branch, task)) = self.take_task(id) {
            self.end_task(id, branch, task, error);
        }
    }

    /// A back-off passed: schedule the task again. There is no new Entered event (recorded).
    pub(super) fn task_retried(&mut self, id: BranchId) {
        let Some((branch, task)) = self.take_task(id) else { return };
        if self.history_is_full(&branch) {
            return;
        }
        let context = ContextObject::new(&self.execution, &branch, Some(branch.retries.iter().sum()));
        let outcome = task.schedule(&branch.input, &context).map(Outcome::Schedule);
        self.carry_on(id, branch, outcome);
    }

    /// The exit through a matching catcher of the branch's state.
    pub(super) fn caught(
        &self,
        branch: &Branch,
        error: &StatesError,
    ) -> Option<Result<Outcome, StatesError>> {
        self.task(branch)?.caught(&branch.input, error)
    }

    /// Records the failure, then retries, catches, or fails the execution: in this order (specification, "Errors").
    fn end_task(&mut self, id: BranchId, mut branch: Branch, task: &TaskState, error: StatesError) {
        let details = failure_event(&task.resource, &error);
        self.record_in(&mut branch, details);
        if let Some(delay) = self.next_retry(&mut branch, task, &error) {
            let work = self.new_work();
            let until = self.at.plus_milliseconds(delay);
            self.suspend(id, branch, Activity::BackingOff { work, until });
            return;
        }
        match self.caught(&branch, &error) {
            Some(outcome) => self.carry_on(id, branch, outcome),
            None => self.fail(branch.previous_event_id, error),
        }
    }

    /// Counts a retry and gives its back-off in milliseconds; `None` when no retrier allows one.
    fn next_retry(&self, branch: &mut Branch, task: &TaskState, error: &StatesError) -> Option<i64> {
        let index = task.retriers.iter().position(|retrier| retrier.matches(error))?;
        let retrier = &task.retriers[index];
        branch.retries.resize(task.retriers.len(), 0);
        let made = branch.retries[index];
        if !retrier.allows(made) {
            return None;
        }
        branch.retries[index] += 1;
        let seed = self.execution.context.seed ^ branch.previous_event_id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Some(retrier.delay_milliseconds(made, &mut fastrand::Rng::with_seed(seed)))
    }

    /// Takes a branch out of its task; whatever still runs for it is cancelled.
    fn take_task(&mut self, id: BranchId) -> Option<(Branch, &'m TaskState)> {
        let task = self.task(self.execution.branches.get(&id)?)?;
        let branch = self.execution.branches.remove(&id)?;
        self.commands.push(Command::Cancel(branch.activity.work()));
        Some((branch, task))
    }

    fn task(&self, branch: &Branch) -> Option<&'m TaskState> {
        match self.machine.states.get(&branch.state)? {
            State::Task(task) => Some(task),
            State::Pass(_) | State::Choice(_) | State::Wait(_) | State::Succeed(_) | State::Fail(_) => None,
        }
    }

    fn scheduled_events(
        &self,
        resource: &Resource,
        scheduled: &Scheduled,
    ) -> (HistoryDetails, HistoryDetails) {
        let parameters = scheduled.parameters.to_string();
        match resource {
            Resource::Function { arn } => (
                HistoryDetails::LambdaFunctionScheduled {
                    resource: arn.clone(),
                    input: parameters,
                    timeout_in_seconds: scheduled.timeout_seconds,
                },
                HistoryDetails::LambdaFunctionStarted,
            ),
            Resource::Integration { service, action, .. } => (
                HistoryDetails::TaskScheduled(Box::new(TaskScheduled {
                    resource_type: service.clone(),
                    resource: action.clone(),
                    region: self.execution.context.region.clone(),
                    parameters,
                    timeout_in_seconds: scheduled.timeout_seconds,
                    heartbeat_in_seconds: scheduled.heartbeat_seconds,
                })),
                HistoryDetails::TaskStarted { resource_type: service.clone(), resource: action.clone() },
            ),
        }
    }
}

fn failure_event(resource: &Resource, failure: &StatesError) -> HistoryDetails {
    let StatesError { error, cause } = failure.clone();
    let timed_out = failure.is(StatesError::TIMEOUT) && failure.cause.is_none();
    match (resource, timed_out) {
        (Resource::Function { .. }, true) => HistoryDetails::LambdaFunctionTimedOut { error, cause },
        (Resource::Function { .. }, false) => HistoryDetails::LambdaFunctionFailed { error, cause },
        (Resource::Integration { service, action, .. }, timed_out) => {
            let (resource_type, resource) = (service.clone(), action.clone());
            if timed_out {
                HistoryDetails::TaskTimedOut { resource_type, resource, error, cause }
            } else {
                HistoryDetails::TaskFailed { resource_type, resource, error, cause }
            }
        }
    }
}
