//! Replay: the events that moved an execution, taken through [`step`] again, lead to where it stands.
//!
//! Between two checkpoints only events and history are stored; recovery makes the rest anew. The history that comes
//! out is compared with the recorded one: it must never go on from a state that the recorded history does not tell.

use crate::definition::StateMachine;
use crate::event::Event;
use crate::execution::{Changed, Execution};
use crate::history::HistoryEvent;
use crate::jsonata::Evaluator;
use crate::step::step;

/// A recorded transition: the event and the history that it made.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What moved the execution.
    pub event: Event,
    /// What was recorded of it.
    pub history: Vec<HistoryEvent>,
}

/// A replay that came to another history than the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverged {
    /// The first event that differs.
    pub event_id: u64,
}

/// Takes recorded events through [`step`] again. Answers with the execution and with what they changed of it.
pub fn replay(
    machine: &StateMachine,
    mut execution: Execution,
    recorded: Vec<Recorded>,
    jsonata: &dyn Evaluator,
) -> Result<(Execution, Changed), Diverged> {
    let mut changed = Changed::default();
    for Recorded { event, history } in recorded {
        let before = execution.progress.last_event_id;
        let transition = step(machine, execution, event, jsonata);
        if transition.history != history {
            let same = transition.history.iter().zip(&history).take_while(|(again, first)| again == first);
            return Err(Diverged { event_id: before + 1 + same.count() as u64 });
        }
        changed.merge(transition.changed);
        execution = transition.execution;
    }
    Ok((execution, changed))
}
