//! Takes down branches whose siblings failed: whatever they waited for is cancelled, and history says which states
//! were aborted, innermost first.

use super::Step;
use super::task_run::stop_job;
use crate::execution::{BranchId, Command, Stood};
use crate::history::{HistoryDetails, StateType};
use crate::states::State;
use std::collections::VecDeque;

impl Step<'_> {
    /// Ends the join of `parent` and all branches in it, in the order of their index. The branch that stands in the
    /// state itself is left to the caller.
    pub(super) fn abort_children(&mut self, parent: BranchId) {
        self.keep_join(parent);
        self.put_back_runnable(parent);
        let branches = self.execution.branches.iter().filter(|(_, branch)| branch.parent == Some(parent));
        let mut children: Vec<(u64, BranchId)> = branches.map(|(id, branch)| (branch.index, *id)).collect();
        children.sort_unstable();
        for (_, id) in children {
            self.abort_branch(id);
        }
    }

    /// Puts the branches of a join that were just about to run back among those that wait.
    fn put_back_runnable(&mut self, parent: BranchId) {
        let (children, others): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.runnable)
            .into_iter()
            .partition(|(_, branch)| branch.parent == Some(parent));
        self.runnable = others;
        self.execution.branches.extend(children);
    }

    /// Nesting is bounded by the definition's own depth.
    fn abort_branch(&mut self, id: BranchId) {
        let joins = self.execution.joins.contains_key(&id);
        if joins {
            self.abort_children(id);
        }
        let Some(mut branch) = self.take_branch(id) else { return };
        self.keep_variables(id);
        self.commands.extend(branch.activity.work().map(Command::Cancel));
        self.commands.extend(self.execution.job_of(&branch).map(stop_job));
        let stood = Stood::of(&branch.activity, joins);
        let aborted = self.state(&branch).map(State::state_type).and_then(aborted_event);
        if let Some(aborted) = aborted.filter(|_| stood != Stood::Before) {
            self.record_in(&mut branch, aborted);
        }
        if let Some(parent) = branch.parent {
            let aborted = |name, index| HistoryDetails::MapIterationAborted { name, index };
            self.record_iteration(parent, &branch, aborted);
        }
        self.remains.keep(id, branch, stood);
    }
}

/// The Aborted event of the types that can be waited in.
fn aborted_event(state_type: StateType) -> Option<HistoryDetails> {
    match state_type {
        StateType::Task => Some(HistoryDetails::TaskStateAborted),
        StateType::Wait => Some(HistoryDetails::WaitStateAborted),
        StateType::Parallel => Some(HistoryDetails::ParallelStateAborted),
        StateType::Map => Some(HistoryDetails::MapStateAborted),
        StateType::Pass | StateType::Choice | StateType::Succeed | StateType::Fail => None,
    }
}
