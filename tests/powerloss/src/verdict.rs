//! Judges one run after a cut: did the store open, was everything acknowledged there, whole, and nothing else, and
//! could it be written on?

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    knowledge::{Knowledge, Possible, by_task},
    note::{Entry, Note, Print},
    trace::{End, Trace},
    workload::plan::{Plan, State},
};

/// What a round came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All as it must be.
    Sound,
    /// The store did not open and said why.
    Refused(String),
    /// Something acknowledged is missing or back in an older state.
    Lost(String),
    /// A part of a batch is there, or a state that never was.
    Torn(String),
    /// A value is there that nobody wrote.
    Foreign(String),
    /// The program had to be killed.
    Hung,
    /// The program ended in another way, or a call of the store failed.
    Failed(String),
}

/// Judges a run by its trace, against what is known from before it.
pub fn judge(trace: &Trace, plan: &Plan, before: &Knowledge) -> Verdict {
    let notes: Vec<&Note> = trace.notes(trace.events.len()).collect();
    let mut known = before.clone();
    for note in &notes {
        match note {
            Note::Refused(message) => return Verdict::Refused(message.clone()),
            Note::Failed(message) => return Verdict::Failed(message.clone()),
            Note::Found(entries) => {
                if let Some(verdict) = compare(entries, &known) {
                    return verdict;
                }
            }
            Note::Opening
            | Note::Opened
            | Note::Begun(..)
            | Note::Acknowledged(..)
            | Note::Closing
            | Note::Done => {}
        }
        known = known.after(plan, [*note]);
    }
    match trace.end {
        End::TimedOut => Verdict::Hung,
        End::Exited(0) if notes.last() == Some(&&Note::Done) => Verdict::Sound,
        End::Exited(_) | End::Signalled(_) => {
            Verdict::Failed(format!("the program ended as {:?}", trace.end))
        }
    }
}

fn compare(entries: &[Entry], known: &Knowledge) -> Option<Verdict> {
    let mut found = by_task(entries);
    let tasks: BTreeSet<u8> = found.keys().chain(known.tasks.keys()).copied().collect();
    tasks.into_iter().find_map(|task| {
        let state = found.remove(&task).unwrap_or_default();
        let possible = known.of(task);
        (!possible.now.contains(&state)).then(|| name(task, &state, &possible))
    })
}

/// What is wrong with a task's part.
fn name(task: u8, state: &State, possible: &Possible) -> Verdict {
    if possible.past.contains(state) {
        return Verdict::Lost(format!("task {task} is back in an earlier state: {}", gap(state, possible)));
    }
    let mut ever: BTreeMap<&[u8], BTreeSet<Print>> = BTreeMap::new();
    for written in possible.now.iter().chain(&possible.past) {
        for (key, print) in written {
            ever.entry(key).or_default().insert(*print);
        }
    }
    let stranger =
        state.iter().find(|(key, print)| !ever.get(&key[..]).is_some_and(|all| all.contains(*print)));
    if let Some((key, print)) = stranger {
        return Verdict::Foreign(format!("task {task}: nobody wrote {print:?} under {key:02x?}"));
    }
    let last = possible.now.last().cloned().unwrap_or_default();
    let missing_only = state.iter().all(|(key, print)| last.get(key) == Some(print));
    let message = format!("task {task}: {}", gap(state, possible));
    if missing_only { Verdict::Lost(message) } else { Verdict::Torn(message) }
}

/// The difference to the nearest of the possible states.
fn gap(state: &State, possible: &Possible) -> String {
    let differences = |wanted: &State| {
        let keys: BTreeSet<_> = wanted.keys().chain(state.keys()).collect();
        keys.into_iter().filter(|key| wanted.get(*key) != state.get(*key)).cloned().collect::<Vec<_>>()
    };
    let nearest = possible.now.iter().map(differences).min_by_key(Vec::len).unwrap_or_default();
    let shown: Vec<_> = nearest.iter().take(5).map(|key| format!("{key:02x?}")).collect();
    format!("{} of {} keys differ: {}", nearest.len(), state.len(), shown.join(", "))
}
