//! Parallel and Map states under way: begins their branches, gathers the outputs, and joins.
//!
//! Causal parents follow the recordings: the first event of every branch points to the state's Started event, a
//! Map iteration that takes the place of an ended one to the last event in it, and the state's Succeeded and
//! Exited events both to the last event of the branch that ended last (in a Map state that is the iteration's own
//! Succeeded event).

use super::Step;
use crate::execution::{Activity, Branch, BranchId, Derived, Items, Join};
use crate::history::{HistoryDetails, StateType};
use crate::json_size::json_bytes;
use crate::limits;
use crate::states::{MapState, Outcome, ParallelState, State};
use crate::states_error::StatesError;
use serde_json::Value;
use std::sync::Arc;

impl Step<'_> {
    /// Begins the branches of the state that `branch` stands in, for the first time or after a retry.
    pub(super) fn fork(&mut self, id: BranchId, branch: Branch) -> Option<Branch> {
        match self.state(&branch) {
            Some(State::Parallel(parallel)) => self.fork_parallel(id, branch, parallel),
            Some(State::Map(map)) => self.fork_map(id, branch, map),
            Some(
                State::Task(_)
                | State::Pass(_)
                | State::Choice(_)
                | State::Wait(_)
                | State::Succeed(_)
                | State::Fail(_),
            )
            | None => None,
        }
    }

    fn fork_parallel(
        &mut self,
        id: BranchId,
        mut branch: Branch,
        parallel: &ParallelState,
    ) -> Option<Branch> {
        let input = match parallel.branch_input(&branch.input, &self.context(id, &branch)) {
            Ok(input) => input,
            Err(error) => return self.interpretation_failed(id, branch, error),
        };
        let bytes = json_bytes(&input).saturating_mul(parallel.starts().len());
        if bytes > limits::FORK_BYTES {
            let most = limits::FORK_BYTES;
            let cause = format!(
                "The inputs of all branches together have {bytes} bytes; at most {most} are allowed."
            );
            return self.interpretation_failed(id, branch, StatesError::runtime(cause));
        }
        self.bytes += bytes;
        self.record_in(&mut branch, HistoryDetails::ParallelStateStarted);
        let started = branch.previous_event_id;
        let total = parallel.starts().len() as u64;
        let join = Join {
            started_event_id: started,
            total,
            concurrency: total,
            next: total,
            running: total,
            begun: None,
            items: Derived::default(),
        };
        self.begin_join(id, branch, join);
        for (index, start_at) in (0..).zip(parallel.starts()) {
            let child = self.new_branch(Some(id), index, start_at.to_owned(), input.clone(), started);
            let child_id = self.new_branch_id();
            self.runnable.push_back((child_id, child));
        }
        None
    }

    fn fork_map(&mut self, id: BranchId, mut branch: Branch, map: &MapState) -> Option<Branch> {
        let items = match map.items(&branch.input, &self.context(id, &branch).repeatable(None)) {
            Ok(items) => items,
            Err(error) => return self.interpretation_failed(id, branch, error),
        };
        let total = items.items.len() as u64;
        self.record_in(&mut branch, HistoryDetails::MapStateStarted { length: total });
        let wanted = match map.bounds(&items.effective_input, &self.context(id, &branch)) {
            Ok(bounds) => bounds.concurrency,
            Err(error) => return self.interpretation_failed(id, branch, error),
        };
        let quota = self.execution.context.quotas.map_concurrency.max(1);
        let started = branch.previous_event_id;
        let join = Join {
            started_event_id: started,
            total,
            concurrency: if wanted == 0 { quota } else { wanted.min(quota) },
            next: 0,
            running: 0,
            begun: None,
            items: Derived(Some(Arc::new(items))),
        };
        self.begin_join(id, branch, join);
        if total == 0 {
            self.join_ended(id, started);
        } else {
            self.begin_iterations(id, started);
        }
        None
    }

    fn begin_join(&mut self, id: BranchId, branch: Branch, join: Join) {
        self.changed.joins.insert(id);
        self.execution.joins.insert(id, join);
        self.suspend(id, branch, Activity::Joining);
    }

    /// Begins as many iterations as may run. Where their inputs would make one step too large, the others begin when
    /// running ones end.
    pub(super) fn begin_iterations(&mut self, id: BranchId, previous_event_id: u64) {
        let Some(items) = self.execution.joins.get(&id).and_then(|join| join.items.0.clone()) else { return };
        while let Some(join) = self.execution.joins.get_mut(&id) {
            let too_large = self.bytes >= limits::STEP_BYTES && join.running > 0;
            if join.next >= join.total || join.running >= join.concurrency || too_large {
                return;
            }
            let index = join.next;
            join.next += 1;
            join.running += 1;
            self.changed.joins.insert(id);
            if !self.begin_iteration(id, index, &items, previous_event_id) {
                return;
            }
        }
    }

    /// Begins one iteration; `false` when its input cannot be made, which fails the Map state.
    fn begin_iteration(&mut self, id: BranchId, index: u64, items: &Items, previous_event_id: u64) -> bool {
        let Some(branch) = self.execution.branches.get(&id) else { return false };
        let Some(State::Map(map)) = self.state(branch) else { return false };
        let Some(item) = usize::try_from(index).ok().and_then(|index| items.items.get(index)) else {
            return false;
        };
        let context = self.context(id, branch).with_item(index, item);
        match map.iteration_input(&items.effective_input, item, &context) {
            Ok(input) => {
                self.bytes += json_bytes(&input);
                let name = branch.state.clone();
                let started = HistoryDetails::MapIterationStarted { name, index };
                let previous_event_id = self.record(previous_event_id, started);
                let start_at = map.start_at().to_owned();
                let child = self.new_branch(Some(id), index, start_at, input, previous_event_id);
                let child_id = self.new_branch_id();
                self.runnable.push_back((child_id, child));
                true
            }
            Err(error) => {
                self.fork_failed(id, error);
                false
            }
        }
    }

    /// The input of an iteration could not be made: the state around it fails.
    fn fork_failed(&mut self, id: BranchId, error: StatesError) {
        if let Some(join) = self.execution.joins.get_mut(&id) {
            // It has not begun: a redrive begins with it.
            join.next -= 1;
            join.running -= 1;
        }
        self.abort_children(id);
        let Some(branch) = self.take_branch(id) else { return };
        if let Some(branch) = self.interpretation_failed(id, branch, error) {
            self.runnable.push_front((id, branch));
        }
    }

    /// A branch came to its end.
    pub(super) fn branch_succeeded(&mut self, id: BranchId, branch: &Branch, output: Value) {
        self.changed.branches.insert(id);
        self.take_variables(id);
        let Some(parent) = branch.parent else {
            self.succeed(branch.previous_event_id, output);
            return;
        };
        let succeeded = |name, index| HistoryDetails::MapIterationSucceeded { name, index };
        let last_event_id = self.record_iteration(parent, branch, succeeded);
        let Some(join) = self.execution.joins.get_mut(&parent) else { return };
        join.running = join.running.saturating_sub(1);
        let total = join.total;
        self.changed.joins.insert(parent);
        self.changed.results.insert((parent, branch.index));
        let results = self.execution.results.entry(parent).or_default();
        results.insert(branch.index, output);
        if results.len() as u64 == total {
            self.join_ended(parent, last_event_id);
        } else {
            self.begin_iterations(parent, branch.previous_event_id);
        }
    }

    /// Records how an iteration of a Map state ended; branches of a Parallel state have no such event. Gives the
    /// id of the branch's last event.
    pub(super) fn record_iteration(
        &mut self,
        parent: BranchId,
        branch: &Branch,
        details: impl FnOnce(String, u64) -> HistoryDetails,
    ) -> u64 {
        let outer = self.execution.branches.get(&parent);
        match outer.and_then(|outer| Some((outer, self.state(outer)?))) {
            Some((outer, State::Map(_))) => {
                let details = details(outer.state.clone(), branch.index);
                self.record(branch.previous_event_id, details)
            }
            Some(_) | None => branch.previous_event_id,
        }
    }

    /// All branches have ended: leaves the state with their outputs.
    fn join_ended(&mut self, id: BranchId, last_event_id: u64) {
        let outputs = self.end_join(id);
        let Some(mut branch) = self.take_branch(id) else { return };
        let Some(state) = self.state(&branch) else { return };
        branch.previous_event_id = last_event_id;
        if json_bytes(&outputs) > self.execution.context.quotas.payload_bytes {
            let error = StatesError::data_limit_exceeded(&branch.state);
            self.container_failed(id, branch, error);
            return;
        }
        let (succeeded, outcome) = match state {
            State::Parallel(parallel) => {
                let exit = parallel.joined(&branch.input, outputs, &self.context(id, &branch));
                (HistoryDetails::ParallelStateSucceeded, exit)
            }
            State::Map(map) => {
                let exit = map.joined(&branch.input, outputs, &self.context(id, &branch));
                (HistoryDetails::MapStateSucceeded, exit)
            }
            State::Task(_)
            | State::Pass(_)
            | State::Choice(_)
            | State::Wait(_)
            | State::Succeed(_)
            | State::Fail(_) => return,
        };
        if outcome.is_ok() {
            self.record(last_event_id, succeeded);
        }
        self.carry_on(id, branch, outcome.map(Outcome::Exit));
    }

    /// Forgets the join, and gives the outputs in order.
    pub(super) fn end_join(&mut self, id: BranchId) -> Value {
        self.changed.joins.insert(id);
        self.execution.joins.remove(&id);
        let results = self.execution.results.remove(&id).unwrap_or_default();
        Value::Array(results.into_values().collect())
    }

    /// Whether the state that `branch` stands in has branches of its own.
    pub(super) fn container_type(&self, branch: &Branch) -> Option<StateType> {
        match self.state(branch)? {
            State::Parallel(_) => Some(StateType::Parallel),
            State::Map(_) => Some(StateType::Map),
            State::Task(_)
            | State::Pass(_)
            | State::Choice(_)
            | State::Wait(_)
            | State::Succeed(_)
            | State::Fail(_) => None,
        }
    }
}
