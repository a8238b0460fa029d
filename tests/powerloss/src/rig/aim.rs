//! Where to cut: anywhere, but more often where it hurts.

use crate::{
    note::Note,
    trace::{Event, Trace},
    volatile::{Cut, Model, Survival},
};

/// Picks a cut of a run. `recovering`: the run came up after a cut itself, and opening it again deserves more of
/// the cuts.
pub(super) fn cut(trace: &Trace, recovering: bool, random: &mut fastrand::Rng) -> Cut {
    let events = &trace.events;
    let opened = events.iter().position(|event| event.note() == Some(&Note::Opened)).unwrap_or(events.len());
    let while_opening = if recovering { 50 } else { 15 };
    let mut survival = survival(random);
    let at = match random.u8(..100) {
        dice if dice < while_opening => random.usize(..=opened),
        // Right behind an acknowledgement, with only what was synced: the hardest promise.
        dice if dice < while_opening + 20 => {
            survival = Survival::Nothing;
            behind(events, random, |event| matches!(event.note(), Some(Note::Acknowledged(..))))
        }
        // Within a commit: something is written that no sync covers yet.
        dice if dice < while_opening + 35 => {
            behind(events, random, |event| matches!(event, Event::File(..) | Event::SyncBegan(..)))
        }
        _ => random.usize(..=events.len()),
    };
    let model = if random.bool() { Model::Strict } else { Model::Journaled };
    let sector_bytes = if random.bool() { 512 } else { 4096 };
    Cut { at, model, survival, sector_bytes, seed: random.u64(..) }
}

fn survival(random: &mut fastrand::Rng) -> Survival {
    match random.u8(..10) {
        0 | 1 => Survival::Nothing,
        2 => Survival::Everything,
        3 | 4 => Survival::InOrder,
        _ => Survival::Some(random.u8(5..=95)),
    }
}

/// A place right behind one of the events of a kind; the end if there is none.
fn behind(events: &[Event], random: &mut fastrand::Rng, kind: impl Fn(&Event) -> bool) -> usize {
    let places: Vec<usize> =
        events.iter().enumerate().filter(|(_, event)| kind(event)).map(|(place, _)| place + 1).collect();
    random.choice(places).unwrap_or(events.len())
}
