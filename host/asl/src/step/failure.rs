//! How an error goes its way: retried, caught, or handed to the state around (specification, "Errors").

use super::Step;
use super::quotas::exit_text;
use crate::execution::{Activity, Branch, BranchId, Remains};
use crate::history::{HistoryDetails, StateType};
use crate::states::{Exit, Outcome, State};
use crate::states_error::StatesError;

impl Step<'_> {
    /// A branch ended with an error that nothing in it caught: the state around it fails, or the execution does.
    pub(super) fn branch_failed(&mut self, id: BranchId, branch: Branch, error: StatesError) {
        self.changed.branches.insert(id);
        self.keep_variables(id);
        let previous_event_id = branch.previous_event_id;
        let Some(parent) = branch.parent else {
            self.keep_failed(id, branch);
            self.fail(previous_event_id, error);
            return;
        };
        self.record_iteration(parent, &branch, |name, index| HistoryDetails::MapIterationFailed {
            name,
            index,
        });
        self.keep_failed(id, branch);
        self.abort_children(parent);
        if error.is(StatesError::DATA_LIMIT_EXCEEDED) {
            // A redrive begins all branches again, those that had ended well too (API reference, section 4).
            self.remains = Remains::default();
        }
        let Some(mut outer) = self.take_branch(parent) else { return };
        outer.previous_event_id = previous_event_id;
        self.container_failed(parent, outer, error);
    }

    /// A Parallel or Map state failed with its branches already gone: it is retried, caught, or its branch fails.
    pub(super) fn container_failed(&mut self, id: BranchId, mut branch: Branch, error: StatesError) {
        if let Some(delay) = self.next_retry(&mut branch, &error) {
            self.back_off(id, branch, delay);
            return;
        }
        self.record_container_failed(&mut branch);
        self.catch_or_fail(id, branch, error);
    }

    /// Leaves through a matching catcher, or fails the branch.
    fn catch_or_fail(&mut self, id: BranchId, branch: Branch, error: StatesError) {
        self.catch_or_fail_as(id, branch, &error.clone(), error);
    }

    /// The same where catchers match another error than the one that is shown.
    pub(super) fn catch_or_fail_as(
        &mut self,
        id: BranchId,
        branch: Branch,
        matched: &StatesError,
        shown: StatesError,
    ) {
        match self.caught(id, &branch, matched, &shown) {
            Some(outcome) => {
                self.remains = Remains::default();
                self.carry_on(id, branch, outcome.map(Outcome::Exit));
            }
            None => self.branch_failed(id, branch, shown),
        }
    }

    /// A back-off passed: the state's work begins again. There is no new Entered event (recorded).
    pub(super) fn retried(&mut self, id: BranchId) {
        let Some(branch) = self.take_branch(id) else { return };
        let Some(state) = self.state(&branch) else { return };
        let outcome = state.enter(&branch.input, &self.context(id, &branch), self.at);
        self.carry_on(id, branch, outcome);
    }

    pub(super) fn back_off(&mut self, id: BranchId, branch: Branch, delay_milliseconds: i64) {
        self.remains = Remains::default();
        let work = self.new_work(id);
        let until = self.at.plus_milliseconds(delay_milliseconds);
        self.suspend(id, branch, Activity::BackingOff { work, until });
    }

    /// Counts a retry and gives its back-off in milliseconds; `None` when no retrier allows one.
    pub(super) fn next_retry(&self, branch: &mut Branch, error: &StatesError) -> Option<i64> {
        let handlers = self.state(branch)?.handlers()?;
        let (index, retrier) = handlers.retrier(error)?;
        branch.retries.resize(handlers.retriers.len(), 0);
        let made = branch.retries[index];
        if !retrier.allows(made) {
            return None;
        }
        branch.retries[index] += 1;
        let seed = self.execution.context.seed ^ branch.previous_event_id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Some(retrier.delay_milliseconds(made, &mut fastrand::Rng::with_seed(seed)))
    }

    /// The exit through the first catcher that matches; `None` when none does.
    fn caught(
        &self,
        id: BranchId,
        branch: &Branch,
        matched: &StatesError,
        shown: &StatesError,
    ) -> Option<Result<Exit, StatesError>> {
        let (_, catcher) = self.state(branch)?.handlers()?.catcher(matched)?;
        Some(catcher.exit(&branch.input, shown, &self.context(id, branch)))
    }

    /// A field of the state could not be evaluated: the error names the state, then goes its usual way.
    pub(super) fn interpretation_failed(
        &mut self,
        id: BranchId,
        mut branch: Branch,
        error: StatesError,
    ) -> Option<Branch> {
        let place = format!(
            "An error occurred while executing the state '{}' (entered at the event id #{}). ",
            branch.state, branch.entered_event_id
        );
        let cause = place + error.cause.as_deref().unwrap_or_default();
        let named = StatesError::new(error.error.unwrap_or_default(), cause);
        if let Some(location) = error.location {
            self.record_evaluation_failed(&mut branch, &named, location.into());
        }
        self.state_failed(id, branch, named)
    }

    /// The events of an expression that failed. Before a state's work began its cause is what led to the state, but
    /// for a Wait state (recorded).
    fn record_evaluation_failed(&mut self, branch: &mut Branch, error: &StatesError, location: String) {
        let state_type = self.state(branch).map(State::state_type);
        if branch.previous_event_id == branch.entered_event_id && state_type != Some(StateType::Wait) {
            let entered = self.history.iter().rev().find(|event| event.id == branch.entered_event_id);
            branch.previous_event_id =
                entered.map_or(branch.previous_event_id, |event| event.previous_event_id);
        }
        let details = HistoryDetails::EvaluationFailed {
            error: error.error.clone(),
            cause: error.cause.clone(),
            location,
            state: branch.state.clone(),
        };
        self.record_in(branch, details);
        self.record_container_failed(branch);
    }

    fn record_container_failed(&mut self, branch: &mut Branch) {
        match self.container_type(branch) {
            Some(StateType::Map) => self.record_in(branch, HistoryDetails::MapStateFailed),
            Some(_) => self.record_in(branch, HistoryDetails::ParallelStateFailed),
            None => {}
        }
    }

    /// An error inside a state that has no failure event of its own: caught by the state's catchers, or the end of
    /// the branch. What a catcher makes cannot be caught again.
    pub(super) fn state_failed(
        &mut self,
        id: BranchId,
        branch: Branch,
        error: StatesError,
    ) -> Option<Branch> {
        let Some(Ok(exit)) = self.caught(id, &branch, &error, &error) else {
            self.branch_failed(id, branch, error);
            return None;
        };
        self.remains = Remains::default();
        match exit_text(&self.execution, id, &branch.state, &exit) {
            Ok(text) => self.leave(id, branch, exit, text),
            Err(error) => {
                self.branch_failed(id, branch, error);
                None
            }
        }
    }
}
