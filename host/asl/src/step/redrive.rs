//! RedriveExecution: an execution that ended without success goes on from what it was at (API reference, section 4).
//!
//! What failed, was aborted or timed out goes on: a state that was entered begins again without being entered again, but
//! for Fail states; a branch that had not entered its state enters it. What ended well is not run again. Nothing of it
//! runs in this step but Wait states and the iterations of Map states that no other event would begin: the rest is owed as a back-off
//! that is over, or as a yield, so that it is subject to the bounds of steps and survives a crash like any other work.

use super::Step;
use crate::execution::{
    Activity, Begun, Branch, BranchId, Command, Join, Redrive, Remains, Remnant, Status, Stood, Variables,
};
use crate::history::HistoryDetails;
use crate::json_size::json_bytes;
use crate::states::State;
use serde_json::Value;
use std::collections::BTreeMap;

impl Step<'_> {
    /// Goes on. Nothing happens where the redrive is another one than the next, or the history has no room for it and for
    /// the end that must follow.
    pub(super) fn redrive(&mut self, number: u32) {
        let progress = &self.execution.progress;
        let (last, before) = (progress.last_event_id, progress.redrive);
        let next = before.map_or(0, |redrive| redrive.count).checked_add(1);
        let most = self.execution.context.quotas.history_events;
        if next != Some(number) || last.saturating_add(2) > most {
            return;
        }
        let Some(remains) = self.execution.remains.take() else { return };
        let progress = &mut self.execution.progress;
        progress.status = Status::Running;
        (progress.error, progress.cause, progress.stop_time) = (None, None, None);
        progress.redrive = Some(Redrive { count: number, at: self.at });
        let redriven = self.record(last, HistoryDetails::ExecutionRedriven { redrive_count: number });
        self.set_deadline();
        self.restore(*remains, before, redriven);
    }

    /// Puts everything back first: the first branch that fails again takes the others down.
    fn restore(&mut self, remains: Remains, before: Option<Redrive>, redriven: u64) {
        let Remains { branches, joins, results, variables } = remains;
        self.restore_values(results, variables);
        for (id, join) in joins {
            let Some(Remnant { branch, .. }) = branches.get(&id) else { continue };
            let running =
                branches.values().filter(|remnant| remnant.branch.parent == Some(id)).count() as u64;
            let begun = Begun { retries: branch.retries.iter().sum(), redrive: before };
            let begun = Some(join.begun.unwrap_or(begun));
            self.changed.joins.insert(id);
            self.execution.joins.insert(id, Join { running, begun, ..join });
        }
        let mut waits = Vec::new();
        for (id, Remnant { branch, stood }) in branches {
            if stood == Stood::In && matches!(self.state(&branch), Some(State::Wait(_))) {
                waits.push(id);
            }
            self.restore_branch(id, branch, stood, redriven);
        }
        for id in waits {
            self.wait_again(id);
        }
        let joins: Vec<BranchId> = self.execution.joins.keys().copied().collect();
        for id in joins {
            self.restore_items(id);
            self.restore_items_of(id);
            // Does nothing where a failure has taken the join down in the meantime.
            self.begin_iterations(id, redriven);
        }
    }

    /// Begins a Wait state again, unless a failure has taken its branch down in the meantime. To begin to wait is the one
    /// thing that leaves no event: in a step of its own, the journal would not tell it.
    fn wait_again(&mut self, id: BranchId) {
        let Some(work) = self.execution.branches.get(&id).and_then(|branch| branch.activity.work()) else {
            return;
        };
        self.restore_items(id);
        self.commands.push(Command::Cancel(work));
        self.retried(id);
    }

    fn restore_values(
        &mut self,
        results: BTreeMap<BranchId, BTreeMap<u64, Value>>,
        variables: BTreeMap<BranchId, Variables>,
    ) {
        let indexes = results.iter().flat_map(|(id, results)| results.keys().map(|index| (*id, *index)));
        self.changed.results.extend(indexes);
        self.execution.results = results;
        self.changed.variables.extend(variables.keys());
        let values = variables.values().flat_map(BTreeMap::values);
        self.execution.progress.variable_bytes = values.map(|value| json_bytes(value) as u64).sum();
        self.execution.variables = variables;
    }

    fn restore_branch(&mut self, id: BranchId, mut branch: Branch, stood: Stood, redriven: u64) {
        branch.retries.clear();
        branch.previous_event_id = redriven;
        let activity = match stood {
            Stood::Joining => Activity::Joining,
            Stood::Before => Activity::Ready { work: self.new_work(id) },
            Stood::In => Activity::BackingOff { work: self.new_work(id), until: self.at },
        };
        self.suspend(id, branch, activity);
    }

    /// Keeps a branch that failed.
    pub(super) fn keep_failed(&mut self, id: BranchId, branch: Branch) {
        let stood = if self.remains.joins.contains_key(&id) {
            Stood::Joining
        } else if matches!(self.state(&branch), Some(State::Fail(_)) | None) {
            // A Fail state is the one that a redrive enters again.
            Stood::Before
        } else {
            Stood::In
        };
        self.remains.keep(id, branch, stood);
    }

    /// Takes a join out of the execution, with the outputs that came to it.
    pub(super) fn keep_join(&mut self, id: BranchId) {
        self.changed.joins.insert(id);
        if let Some(join) = self.execution.joins.remove(&id) {
            self.remains.joins.insert(id, join);
        }
        if let Some(results) = self.execution.results.remove(&id) {
            self.remains.results.insert(id, results);
        }
    }

    /// Takes the variables of a branch that did not end well out of the execution.
    pub(super) fn keep_variables(&mut self, id: BranchId) {
        if let Some(scope) = self.take_variables(id) {
            self.remains.variables.insert(id, scope);
        }
    }
}
