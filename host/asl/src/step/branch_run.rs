//! Runs one branch from state to state until it waits or ends.

use super::Step;
use super::quotas::exit_text;
use crate::execution::{Activity, Branch, BranchId, Command};
use crate::history::HistoryDetails;
use crate::json_size::json_text;
use crate::limits;
use crate::states::{Exit, Next, Outcome, State};
use crate::states_error::StatesError;

impl Step<'_> {
    /// Goes on with a branch that had yielded.
    pub(super) fn resume(&mut self, id: BranchId) {
        if let Some(branch) = self.take_branch(id) {
            self.runnable.push_back((id, branch));
        }
    }

    /// A Wait state's time has come.
    pub(super) fn wait_ended(&mut self, id: BranchId) {
        let Some(branch) = self.take_branch(id) else { return };
        let Some(State::Wait(wait)) = self.state(&branch) else { return };
        let outcome = wait.exit(&branch.input, &self.context(id, &branch)).map(Outcome::Exit);
        self.carry_on(id, branch, outcome);
    }

    /// Takes a branch out of the execution, to be put back or ended in the same step.
    pub(super) fn take_branch(&mut self, id: BranchId) -> Option<Branch> {
        self.changed.branches.insert(id);
        self.execution.branches.remove(&id)
    }

    /// Enters the branch's state, and the ones after it, until the branch waits or ends.
    pub(super) fn run(&mut self, id: BranchId, mut branch: Branch) {
        loop {
            if self.entered >= limits::STATES_PER_STEP || self.bytes >= limits::STEP_BYTES {
                let work = self.new_work(id);
                self.suspend(id, branch, Activity::Ready { work });
                return;
            }
            self.entered += 1;
            let Some(state) = self.state(&branch) else {
                // A definition never names a state that it does not have; an edited checkpoint might.
                let cause = format!("The state '{}' does not exist.", branch.state);
                let previous_event_id = branch.previous_event_id;
                self.keep_failed(id, branch);
                self.fail(previous_event_id, StatesError::runtime(cause));
                return;
            };
            self.record_entered(id, state, &mut branch);
            let outcome = state.enter(&branch.input, &self.context(id, &branch), self.at);
            match self.settle(id, branch, outcome) {
                Some(next) => branch = next,
                None => return,
            }
        }
    }

    /// Carries out an outcome; a branch that moved to another state becomes runnable.
    pub(super) fn carry_on(&mut self, id: BranchId, branch: Branch, outcome: Result<Outcome, StatesError>) {
        if let Some(branch) = self.settle(id, branch, outcome) {
            self.runnable.push_front((id, branch));
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
            Ok(Outcome::Exit(exit)) => return self.exit(id, branch, exit),
            Ok(Outcome::WaitUntil(until)) => {
                let work = self.new_work(id);
                self.suspend(id, branch, Activity::Waiting { work, until });
            }
            Ok(Outcome::Schedule(scheduled)) => {
                let activity = self.schedule(id, &mut branch, scheduled);
                self.suspend(id, branch, activity);
            }
            Ok(Outcome::Fork) => return self.fork(id, branch),
            Ok(Outcome::Fail(error)) => self.branch_failed(id, branch, error),
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
        self.changed.branches.insert(id);
        self.execution.branches.insert(id, branch);
    }

    /// Leaves a state.
    pub(super) fn exit(&mut self, id: BranchId, branch: Branch, exit: Exit) -> Option<Branch> {
        match exit_text(&self.execution, id, &branch.state, &exit) {
            Ok(text) => self.leave(id, branch, exit, text),
            Err(error) => self.state_failed(id, branch, error),
        }
    }

    /// Leaves a state whose exit is within the quotas; `text` is its output.
    pub(super) fn leave(
        &mut self,
        id: BranchId,
        mut branch: Branch,
        exit: Exit,
        text: String,
    ) -> Option<Branch> {
        let state_type = self.state(&branch)?.state_type();
        let Exit { output, assigned, next } = exit;
        if let Next::State(_) = next {
            self.passed_on = Some((id, text.clone()));
        }
        let assigned_variables =
            assigned.iter().map(|(name, value)| (name.clone(), json_text(value))).collect();
        let name = branch.state.clone();
        let details = HistoryDetails::StateExited { state_type, name, output: text, assigned_variables };
        self.record_in(&mut branch, details);
        self.assign(id, assigned);
        match next {
            Next::State(name) => {
                branch.state = name;
                branch.input = output;
                branch.retries.clear();
                Some(branch)
            }
            Next::End => {
                self.branch_succeeded(id, &branch, output);
                None
            }
        }
    }

    fn record_entered(&mut self, id: BranchId, state: &State, branch: &mut Branch) {
        let passed_on = self.passed_on.take().filter(|(from, _)| *from == id);
        let details = HistoryDetails::StateEntered {
            state_type: state.state_type(),
            name: branch.state.clone(),
            input: passed_on.map_or_else(|| json_text(&branch.input), |(_, text)| text),
        };
        self.record_in(branch, details);
        branch.entered_at = self.at;
        branch.entered_event_id = branch.previous_event_id;
    }
}
