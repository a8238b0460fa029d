//! The life of a task: scheduled, ended, retried, caught.

use super::Step;
use super::quotas::result_text;
use crate::execution::{Activity, Branch, BranchId, Command, PendingTask, Work};
use crate::history::{HistoryDetails, Request, TaskScheduled};
use crate::json_size::json_text;
use crate::states::{Outcome, Pattern, Resource, Scheduled, State, TaskState};
use crate::states_error::StatesError;
use serde_json::Value;

impl<'m> Step<'m> {
    /// Records a task as scheduled, and gives the activity that waits for it.
    pub(super) fn schedule(&mut self, id: BranchId, branch: &mut Branch, scheduled: Scheduled) -> Activity {
        let work = self.new_work(id);
        let resource = match self.state(branch).and_then(State::task) {
            Some(task) => task.resource.clone(),
            None => Resource::Function { arn: String::new() },
        };
        for event in self.scheduled_events(&resource, &scheduled) {
            self.record_in(branch, event);
        }
        let attempt = u32::try_from(branch.retries.iter().sum::<u64>()).unwrap_or(u32::MAX);
        // Only who has a token can send a heartbeat.
        let heartbeat_seconds = scheduled.heartbeat_seconds.filter(|_| resource.has_token());
        // An activity's time begins when a worker takes it.
        let waits_for_worker = matches!(resource, Resource::Activity { .. });
        let from_now = |seconds: Option<u64>| {
            seconds.filter(|_| !waits_for_worker).map(|seconds| self.at.plus_seconds(seconds))
        };
        Activity::Task(Box::new(PendingTask {
            work,
            resource: resource.as_str().to_owned(),
            parameters: scheduled.parameters,
            timeout_seconds: scheduled.timeout_seconds,
            deadline: from_now(scheduled.timeout_seconds),
            heartbeat_seconds,
            heartbeat_deadline: from_now(heartbeat_seconds),
            attempt,
            submitted: false,
        }))
    }

    /// A worker took an activity's task: its time begins.
    pub(super) fn task_started(&mut self, id: BranchId, worker_name: Option<String>) {
        let at = self.at;
        self.update_task(id, |task, pending| {
            let is_activity = matches!(task.resource, Resource::Activity { .. });
            if !is_activity || pending.submitted {
                return None;
            }
            pending.submitted = true;
            pending.deadline = pending.timeout_seconds.map(|seconds| at.plus_seconds(seconds));
            pending.heartbeat_deadline = pending.heartbeat_seconds.map(|seconds| at.plus_seconds(seconds));
            Some(HistoryDetails::ActivityStarted { worker_name })
        });
    }

    /// The service accepted the request; the result comes later.
    pub(super) fn task_submitted(&mut self, id: BranchId, output: &Value) {
        let at = self.at;
        self.update_task(id, |task, pending| {
            let Resource::Integration { service, action, pattern, .. } = &task.resource else { return None };
            if *pattern == Pattern::RequestResponse || pending.submitted {
                return None;
            }
            pending.submitted = true;
            pending.heartbeat_deadline = pending.heartbeat_seconds.map(|seconds| at.plus_seconds(seconds));
            Some(HistoryDetails::TaskSubmitted {
                resource_type: service.clone(),
                resource: action.clone(),
                output: json_text(output),
            })
        });
    }

    /// SendTaskHeartbeat: the time to the next one begins anew. It leaves no event.
    pub(super) fn task_heartbeat(&mut self, id: BranchId) {
        let at = self.at;
        self.update_task(id, |_, pending| {
            // An activity's time has not begun before a worker takes it.
            let counted = pending.heartbeat_deadline.and(pending.heartbeat_seconds);
            pending.heartbeat_deadline = counted.map(|seconds| at.plus_seconds(seconds));
            None
        });
    }

    /// Changes a task that goes on waiting, and sets its timer anew.
    fn update_task(
        &mut self,
        id: BranchId,
        change: impl FnOnce(&TaskState, &mut PendingTask) -> Option<HistoryDetails>,
    ) {
        let Some(mut branch) = self.execution.branches.remove(&id) else { return };
        let task = self.state(&branch).and_then(State::task);
        if let (Some(task), Activity::Task(pending)) = (task, &mut branch.activity) {
            let before = pending.clone();
            let event = change(task, pending);
            let (work, deadline) = (pending.work, pending.next_deadline());
            let moved = before != *pending;
            if let Some(event) = event {
                self.record_in(&mut branch, event);
            }
            if moved {
                self.changed.branches.insert(id);
                if let Some(at) = deadline {
                    self.dispatch(Work::Timer { work, at });
                }
            }
        }
        self.execution.branches.insert(id, branch);
    }

    /// A task gave its result.
    pub(super) fn task_succeeded(&mut self, id: BranchId, result: Value) {
        let Some((mut branch, task)) = self.take_task(id) else { return };
        let text = match result_text(self.execution.context.quotas, &task.resource, &result) {
            Ok(text) => text,
            Err(error) => {
                self.end_task(id, branch, task, &error, false);
                return;
            }
        };
        let details = match &task.resource {
            Resource::Function { .. } => HistoryDetails::LambdaFunctionSucceeded { output: text },
            Resource::Activity { .. } => HistoryDetails::ActivitySucceeded { output: text },
            Resource::Integration { service, action, .. } => HistoryDetails::TaskSucceeded {
                resource_type: service.clone(),
                resource: action.clone(),
                output: text,
            },
        };
        self.record_in(&mut branch, details);
        let outcome = task.succeeded(&branch.input, result, &self.context(id, &branch));
        self.carry_on(id, branch, outcome.map(Outcome::Exit));
    }

    /// A task failed.
    pub(super) fn task_failed(&mut self, id: BranchId, error: &StatesError) {
        if let Some((branch, task)) = self.take_task(id) {
            let timed_out = error.is(StatesError::TIMEOUT) && error.cause.is_none();
            self.end_task(id, branch, task, error, timed_out);
        }
    }

    /// A task's time ran out, or a heartbeat did not come.
    pub(super) fn task_timed_out(&mut self, id: BranchId, heartbeat: bool) {
        if let Some((branch, task)) = self.take_task(id) {
            let error = if heartbeat { StatesError::heartbeat_timeout() } else { StatesError::timeout() };
            self.end_task(id, branch, task, &error, true);
        }
    }

    /// Records the failure, then retries, catches, or fails the branch: in this order (specification, "Errors").
    fn end_task(
        &mut self,
        id: BranchId,
        mut branch: Branch,
        task: &TaskState,
        error: &StatesError,
        timed_out: bool,
    ) {
        // A missed heartbeat is called a time-out wherever it is shown; Retry and Catch tell them apart (recorded).
        let shown = if timed_out { StatesError::timeout() } else { error.clone() };
        self.record_in(&mut branch, failure_event(&task.resource, &shown, timed_out));
        if let Some(delay) = self.next_retry(&mut branch, error) {
            self.back_off(id, branch, delay);
        } else {
            self.catch_or_fail_as(id, branch, error, shown);
        }
    }

    /// Takes a branch out of its task; whatever still runs for it is cancelled.
    fn take_task(&mut self, id: BranchId) -> Option<(Branch, &'m TaskState)> {
        let task = self.state(self.execution.branches.get(&id)?)?.task()?;
        let branch = self.take_branch(id)?;
        self.commands.extend(branch.activity.work().map(Command::Cancel));
        Some((branch, task))
    }

    fn scheduled_events(&self, resource: &Resource, scheduled: &Scheduled) -> Vec<HistoryDetails> {
        let request = Request {
            input: json_text(&scheduled.parameters),
            timeout_in_seconds: scheduled.timeout_seconds,
            heartbeat_in_seconds: scheduled.heartbeat_seconds,
            role_arn: scheduled.role_arn.clone(),
        };
        match resource {
            Resource::Function { arn } => vec![
                HistoryDetails::LambdaFunctionScheduled { resource: arn.clone(), request },
                HistoryDetails::LambdaFunctionStarted,
            ],
            Resource::Activity { arn } => {
                vec![HistoryDetails::ActivityScheduled { resource: arn.clone(), request }]
            }
            Resource::Integration { service, action, .. } => vec![
                HistoryDetails::TaskScheduled(Box::new(TaskScheduled {
                    resource_type: service.clone(),
                    resource: action.clone(),
                    region: self.execution.context.region.clone(),
                    request,
                })),
                HistoryDetails::TaskStarted { resource_type: service.clone(), resource: action.clone() },
            ],
        }
    }
}

fn failure_event(resource: &Resource, failure: &StatesError, timed_out: bool) -> HistoryDetails {
    let StatesError { error, cause, .. } = failure.clone();
    match (resource, timed_out) {
        (Resource::Function { .. }, true) => HistoryDetails::LambdaFunctionTimedOut { error, cause },
        (Resource::Function { .. }, false) => HistoryDetails::LambdaFunctionFailed { error, cause },
        (Resource::Activity { .. }, true) => HistoryDetails::ActivityTimedOut { error, cause },
        (Resource::Activity { .. }, false) => HistoryDetails::ActivityFailed { error, cause },
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
