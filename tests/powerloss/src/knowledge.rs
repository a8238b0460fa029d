//! What a store may hold after a cut, as the client knows it: the journal applied to what was found before.
//!
//! It must never allow less than was acknowledged, nor anything that was not at least begun.

use std::collections::BTreeMap;

use crate::{
    note::{Entry, Note},
    workload::plan::{Plan, State, states_of},
};

/// What one task's part of the store may look like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Possible {
    /// One of these it must be; at least one.
    pub now: Vec<State>,
    /// What it was before; finding one of these is a loss.
    pub past: Vec<State>,
}

/// What the client knows of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Per task; a task that is not there has nothing stored.
    pub tasks: BTreeMap<u8, Possible>,
}

impl Knowledge {
    /// What a task's part may look like.
    pub fn of(&self, task: u8) -> Possible {
        let nothing = || Possible { now: vec![State::new()], past: Vec::new() };
        self.tasks.get(&task).cloned().unwrap_or_else(nothing)
    }

    /// What is known after some notes of a run, given what was known before it.
    #[must_use]
    pub fn after<'a>(mut self, plan: &Plan, notes: impl IntoIterator<Item = &'a Note>) -> Self {
        for note in notes {
            match note {
                Note::Found(entries) => self = found(entries),
                Note::Begun(task, step) => self.begun(plan, *task, *step),
                Note::Acknowledged(task, _) => self.acknowledged(*task),
                Note::Opening
                | Note::Opened
                | Note::Closing
                | Note::Refused(_)
                | Note::Failed(_)
                | Note::Done => {}
            }
        }
        self
    }

    /// From now on the step may have happened, whole or not at all; a deletion also in part.
    fn begun(&mut self, plan: &Plan, task: u8, step: u32) {
        let Possible { mut now, past } = self.of(task);
        // A task has one step at a time, so only one state is possible here.
        let state = now.pop().unwrap_or_default();
        let mut states = vec![state.clone()];
        states.extend(states_of(&plan.step(task, step), &state));
        self.tasks.insert(task, Possible { now: states, past });
    }

    /// The step that was begun has happened as a whole.
    fn acknowledged(&mut self, task: u8) {
        let Possible { mut now, mut past } = self.of(task);
        let state = now.pop().unwrap_or_default();
        past.extend(now.into_iter().filter(|before| *before != state));
        self.tasks.insert(task, Possible { now: vec![state], past });
    }
}

/// The entries of a dump by task.
pub fn by_task(entries: &[Entry]) -> BTreeMap<u8, State> {
    let mut tasks: BTreeMap<u8, State> = BTreeMap::new();
    for (key, print) in entries {
        tasks.entry(key.get(1).copied().unwrap_or_default()).or_default().insert(key.clone(), *print);
    }
    tasks
}

fn found(entries: &[Entry]) -> Knowledge {
    let possible = |state| Possible { now: vec![state], past: Vec::new() };
    Knowledge { tasks: by_task(entries).into_iter().map(|(task, state)| (task, possible(state))).collect() }
}
