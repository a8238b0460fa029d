//! The life of a task: scheduled, ended, retried, caught.

use super::Step;
use super::quotas::result_text;
use crate::execution::{Activity, Branch, BranchId, Command, PendingTask, TaskWork, Work};
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
        // An activity's time begins when a worker takes it; that it is scheduled is recorded once it is known to exist.
        let waits_for_worker = matches!(resource, Resource::Activity { .. });
        for event in self.scheduled_events(&resource, &scheduled) {
            self.record_in(branch, event);
        }
        let attempt = u32::try_from(branch.retries.iter().sum::<u64>()).unwrap_or(u32::MAX);
        // Only who has a token can send a heartbeat.
        let heartbeat_seconds = scheduled.heartbeat_seconds.filter(|_| resource.has_token());
        let seconds = scheduled.timeout_seconds.filter(|_| !waits_for_worker);
        Activity::Task(Box::new(PendingTask {
            work,
            resource: resource.as_str().to_owned(),
            parameters: scheduled.parameters,
            timeout_seconds: scheduled.timeout_seconds,
            deadline: seconds.map(|seconds| self.at.plus_seconds(seconds)),
            heartbeat_seconds,
            // It counts from when somebody has the token: API reference, section 6.4.
            heartbeat_deadline: None,
            attempt,
            submitted: false,
            scheduled: !waits_for_worker,
            returned: false,
            delivered: !waits_for_worker,
            submission: None,
        }))
    }

    /// An activity exists: its task is scheduled, and handed out to the next worker that asks.
    pub(super) fn activity_scheduled(&mut self, id: BranchId) {
        let moved = self.update_task(id, |task, pending| {
            let Resource::Activity { arn } = &task.resource else { return None };
            if pending.scheduled {
                return None;
            }
            pending.scheduled = true;
            let request = Request {
                input: json_text(&pending.parameters),
                timeout_in_seconds: pending.timeout_seconds,
                heartbeat_in_seconds: pending.heartbeat_seconds,
                role_arn: None,
            };
            Some(HistoryDetails::ActivityScheduled { resource: arn.clone(), request })
        });
        if moved {
            self.dispatch_pending_of(id);
        }
    }

    /// A worker took an activity's task: its time begins. `again`: the one that had taken it before never got it.
    pub(super) fn task_started(&mut self, id: BranchId, worker_name: Option<String>, again: bool) {
        let at = self.at;
        self.update_task(id, |task, pending| {
            let is_activity = matches!(task.resource, Resource::Activity { .. });
            if !is_activity || !pending.scheduled || (pending.submitted && !again) {
                return None;
            }
            (pending.submitted, pending.returned, pending.delivered) = (true, false, false);
            pending.deadline = pending.timeout_seconds.map(|seconds| at.plus_seconds(seconds));
            pending.heartbeat_deadline = pending.heartbeat_seconds.map(|seconds| at.plus_seconds(seconds));
            Some(HistoryDetails::ActivityStarted { worker_name })
        });
    }

    /// The worker that took an activity's task has it.
    pub(super) fn task_delivered(&mut self, id: BranchId) {
        self.update_task(id, |_, pending| {
            pending.delivered |= pending.submitted;
            None
        });
    }

    /// The worker that took an activity's task never got it: it waits for another one.
    pub(super) fn task_returned(&mut self, id: BranchId) {
        let mut returned = None;
        self.update_task(id, |task, pending| {
            if matches!(task.resource, Resource::Activity { .. }) && pending.submitted && !pending.delivered {
                (pending.submitted, pending.returned) = (false, true);
                (pending.deadline, pending.heartbeat_deadline) = (None, None);
                returned = Some(pending.work);
            }
            None
        });
        if let Some(work) = returned {
            self.commands.push(Command::Cancel(work));
            self.dispatch_pending_of(id);
        }
    }

    /// The service accepted the request; the result comes later.
    pub(super) fn task_submitted(&mut self, id: BranchId, output: &Value) {
        let at = self.at;
        let text = json_text(output);
        if text.len() > self.execution.context.quotas.payload_bytes {
            let task =
                self.execution.branches.get(&id).and_then(|branch| self.state(branch)).and_then(State::task);
            if let Some(task) = task {
                self.task_failed(id, &StatesError::data_limit_exceeded(task.resource.origin()));
            }
            return;
        }
        let mut is_job = false;
        let moved = self.update_task(id, |task, pending| {
            let Resource::Integration { service, action, pattern, .. } = &task.resource else { return None };
            if pending.submitted || pending.submission.is_some() {
                return None;
            }
            match pattern {
                Pattern::RequestResponse => return None,
                Pattern::RunAJob => {
                    is_job = true;
                    pending.submission = Some(output.clone());
                }
                Pattern::WaitForTaskToken => {
                    pending.submitted = true;
                    pending.heartbeat_deadline =
                        pending.heartbeat_seconds.map(|seconds| at.plus_seconds(seconds));
                }
            }
            Some(HistoryDetails::TaskSubmitted {
                resource_type: service.clone(),
                resource: action.clone(),
                output: text,
            })
        });
        if moved && is_job {
            // Now that it is recorded that the job runs, its end is waited for.
            self.dispatch_pending_of(id);
        }
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

    /// Changes a task that goes on waiting, and sets its timer anew. Whether it changed anything.
    fn update_task(
        &mut self,
        id: BranchId,
        change: impl FnOnce(&TaskState, &mut PendingTask) -> Option<HistoryDetails>,
    ) -> bool {
        let Some(mut branch) = self.execution.branches.remove(&id) else { return false };
        let mut moved = false;
        let task = self.state(&branch).and_then(State::task);
        if let (Some(task), Activity::Task(pending)) = (task, &mut branch.activity) {
            let before = pending.clone();
            let event = change(task, pending);
            let (work, deadline) = (pending.work, pending.next_deadline());
            moved = before != *pending || event.is_some();
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
        moved
    }

    /// Dispatches what a branch waits for.
    fn dispatch_pending_of(&mut self, id: BranchId) {
        let mut work = Vec::new();
        if let Some(branch) = self.execution.branches.get(&id) {
            self.execution.pending_of(branch, &mut work);
        }
        self.commands.extend(work.into_iter().map(Command::Dispatch));
    }

    /// A task gave its result.
    pub(super) fn task_succeeded(&mut self, id: BranchId, result: Value) {
        if self.is_unscheduled(id) {
            // Nobody has been given its token.
            return;
        }
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
        let unscheduled = self.is_unscheduled(id);
        if let Some((branch, task)) = self.take_task(id) {
            if unscheduled {
                // There is no such activity: the state could not be begun (recorded).
                return self.carry_on(id, branch, Err(error.clone()));
            }
            let timed_out = error.is(StatesError::TIMEOUT) && error.cause.is_none();
            self.end_task(id, branch, task, error, timed_out);
        }
    }

    /// A task's time ran out, or a heartbeat did not come.
    pub(super) fn task_timed_out(&mut self, id: BranchId, heartbeat: bool) {
        let job = self.execution.branches.get(&id).and_then(|branch| self.execution.job_of(branch));
        if let Some((branch, task)) = self.take_task(id) {
            self.commands.extend(job.map(stop_job));
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

    /// Whether the task that a branch waits for is of an activity that is not known to exist.
    fn is_unscheduled(&self, id: BranchId) -> bool {
        let activity = self.execution.branches.get(&id).map(|branch| &branch.activity);
        matches!(activity, Some(Activity::Task(pending)) if !pending.scheduled)
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
            Resource::Activity { .. } => Vec::new(),
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

pub(super) fn stop_job(job: TaskWork) -> Command {
    Command::StopJob(Box::new(job))
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
