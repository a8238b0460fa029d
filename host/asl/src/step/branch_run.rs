//! Runs one branch from state to state until it waits or ends.

use super::Step;
use crate::context_object::ContextObject;
use crate::execution::{Activity, Branch, BranchId, Command, WorkId};
use crate::history::HistoryDetails;
use crate::limits;
use crate::states::{Next, Outcome, State};
use crate::states_error::StatesError;
use serde_json::Value;

/// Events that a state may still add after its Entered event, kept free below the quota: a task's failure,
/// its exit, and the execution's own end.
const EVENTS_KEPT_FREE: u64 = 6;

impl Step<'_> {
    /// Begins a branch at `state`.
    pub(super) fn enter_branch(
        &mut self,
        id: BranchId,
        parent: Option<BranchId>,
        state: String,
        input: Value,
    ) {
        let branch = Branch {
            parent,
            state,
            input,
            entered_at: self.at,
            entered_event_id: 0,
            previous_event_id: 0,
            retries: Vec::new(),
            activity: Activity::Ready { work: WorkId::EXECUTION },
        };
        self.run(id, branch);
    }

    /// Goes on with a branch that had yielded.
    pub(super) fn resume(&mut self, id: BranchId) {
        if let Some(branch) = self.execution.branches.remove(&id) {
            self.run(id, branch);
        }
    }

    /// A Wait state's time has come.
    pub(super) fn wait_ended(&mut self, id: BranchId) {
        let Some(branch) = self.execution.branches.remove(&id) else { return };
        let machine = self.machine;
        let Some(State::Wait(wait)) = machine.states.get(&branch.state) else { return };
        let outcome = wait.exit(&branch.input, &ContextObject::new(&self.execution, &branch, None));
        self.carry_on(id, branch, outcome);
    }

    /// Enters the branch's state, and the ones after it, until the branch waits or ends.
    fn run(&mut self, id: BranchId, mut branch: Branch) {
        loop {
            if self.entered >= limits::STATES_PER_STEP {
                let work = self.new_work();
                self.suspend(id, branch, Activity::Ready { work });
                return;
            }
            self.entered += 1;
            if self.history_is_full(&branch) {
                return;
            }
            let machine = self.machine;
            let Some(state) = machine.states.get(&branch.state) else {
                // A definition never names a state that it does not have; an edited checkpoint might.
                let cause = format!("The state '{}' does not exist.", branch.state);
                self.fail(branch.previous_event_id, StatesError::runtime(cause));
                return;
            };
            self.record_entered(state, &mut branch);
            let context = ContextObject::new(&self.execution, &branch, state.resource().map(|_| 0));
            let outcome = state.enter(&branch.input, &context, self.at);
            match self.settle(id, branch, outcome) {
                Some(next) => branch = next,
                None => return,
            }
        }
    }

    /// Fails the execution when its history has no room for what the branch would do next.
    pub(super) fn history_is_full(&mut self, branch: &Branch) -> bool {
        let full = self.execution.last_event_id + EVENTS_KEPT_FREE >= limits::HISTORY_EVENTS;
        if full {
            let limit = limits::HISTORY_EVENTS;
            let cause = format!("The execution reached the maximum number of history events ({limit}).");
            self.fail(branch.previous_event_id, StatesError::runtime(cause));
        }
        full
    }

    /// Carries out an outcome; goes on running when the branch moved to another state.
    pub(super) fn carry_on(&mut self, id: BranchId, branch: Branch, outcome: Result<Outcome, StatesError>) {
        if let Some(branch) = self.settle(id, branch, outcome) {
            self.run(id, branch);
        }
    }

    /// Carries out an outcome. Gives the branch back when it stands before its next state.
    fn settle(
        &mut self,
        id: BranchId,
        mut branch: Branch,
        outcome: Result<Outcome, StatesError>,
    ) -> Option<Branch> {
        match outcome {
            Ok(Outcome::Exit { output, next }) => return self.exit(id, branch, output, next),
            Ok(Outcome::WaitUntil(until)) => {
                let work = self.new_work();
                self.suspend(id, branch, Activity::Waiting { work, until });
            }
            Ok(Outcome::Schedule(scheduled)) => {
                let activity = self.schedule(&mut branch, scheduled);
                self.suspend(id, branch, activity);
            }
            Ok(Outcome::Fail(error)) => self.fail(branch.previous_event_id, error),
            Err(error) => return self.interpretation_failed(id, branch, error),
        }
        None
    }

    /// Keeps the branch waiting, and dispatches what it waits for.
    pub(super) fn suspend(&mut self, id: BranchId, mut branch: Branch, activity: Activity) {
        branch.activity = activity;
        let mut work = Vec::new();
        self.execution.pending_of(&branch, &mut work);
        self.commands.extend(work.into_iter().map(Command::Dispatch));
        self.execution.branches.insert(id, branch);
    }

    /// Leaves a state with `output`.
    fn exit(&mut self, id: BranchId, mut branch: Branch, output: Value, next: Next) -> Option<Branch> {
        let text = output.to_string();
        if text.len() > limits::PAYLOAD_BYTES {
            let error = StatesError::data_limit_exceeded(&branch.state);
            return self.state_failed(id, branch, error);
        }
        let state = self.machine.states.get(&branch.state)?;
        let (state_type, name) = (state.state_type(), branch.state.clone());
        self.record_in(&mut branch, HistoryDetails::StateExited { state_type, name, output: text });
        match next {
            Next::State(name) => {
                branch.state = name;
                branch.input = output;
                branch.retries.clear();
                Some(branch)
            }
            Next::End => {
                self.succeed(branch.previous_event_id, output);
                None
            }
        }
    }

    fn record_entered(&mut self, state: &State, branch: &mut Branch) {
        let details = HistoryDetails::StateEntered {
            state_type: state.state_type(),
            name: branch.state.clone(),
            input: branch.input.to_string(),
        };
        self.record_in(branch, details);
        branch.entered_at = self.at;
        branch.entered_event_id = branch.previous_event_id;
    }

    /// A field of the state could not be evaluated: the error names the state, then goes its usual way.
    fn interpretation_failed(&mut self, id: BranchId, branch: Branch, error: StatesError) -> Option<Branch> {
        let place = format!(
            "An error occurred while executing the state '{}' (entered at the event id #{}). ",
            branch.state, branch.entered_event_id
        );
        let cause = place + error.cause.as_deref().unwrap_or_default();
        let error = StatesError::new(error.error.unwrap_or_default(), cause);
        self.state_failed(id, branch, error)
    }

    /// An error inside a state that has no failure event of its own: caught by a Task's catchers, or the end.
    fn state_failed(&mut self, id: BranchId, branch: Branch, error: StatesError) -> Option<Branch> {
        if let Some(Ok(Outcome::Exit { output, next })) = self.caught(&branch, &error) {
            return self.exit_caught(id, branch, output, next);
        }
        self.fail(branch.previous_event_id, error);
        None
    }

    /// Leaves through a catcher. Its output cannot be caught again: an oversized one ends the execution.
    fn exit_caught(&mut self, id: BranchId, branch: Branch, output: Value, next: Next) -> Option<Branch> {
        if output.to_string().len() > limits::PAYLOAD_BYTES {
            let error = StatesError::data_limit_exceeded(&branch.state);
            self.fail(branch.previous_event_id, error);
            return None;
        }
        self.exit(id, branch, output, next)
    }
}
