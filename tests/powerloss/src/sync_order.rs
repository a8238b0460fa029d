//! Whether every acknowledgement came after a completed sync of all that belongs to it.
//!
//! Every value carries a stamp each [`crate::workload::plan::STAMP_EVERY`] bytes. Each stamp of an acknowledged
//! batch must have been written to a file, that file synced after the write had returned, and the sync have
//! returned before the acknowledgement. What a store writes besides (index pages, headers) carries no stamps: for it,
//! there are the cuts right behind an acknowledgement with nothing unsynced left.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use memchr::memmem;

use crate::{
    note::Note,
    trace::{Change, Event, FileId, SyncTarget, Trace},
    workload::plan::{Plan, Stamp, Step, Write, stamps},
};

/// What the check of one trace saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncOrder {
    /// Acknowledged batches.
    pub acknowledged: u64,
    /// Stamps that were looked for, and those found in no write: a store may cut a value in the middle of one.
    pub stamps: u64,
    /// Of these, not found.
    pub cut: u64,
    /// What came too early, in words.
    pub violations: Vec<String>,
}

/// Checks a trace.
pub fn check(trace: &Trace, plan: &Plan) -> SyncOrder {
    let written = written(trace, plan);
    let syncs = syncs(trace);
    let mut order = SyncOrder::default();
    for (moment, event) in trace.events.iter().enumerate() {
        let Some(Note::Acknowledged(task, step)) = event.note() else { continue };
        let Step::Batch(writes) = plan.step(*task, *step) else { continue };
        order.acknowledged += 1;
        let mut seen = 0;
        for stamp in values(&writes).flat_map(stamps) {
            order.stamps += 1;
            let Some(places) = written.get(&stamp) else {
                order.cut += 1;
                continue;
            };
            seen += 1;
            if !places.iter().any(|place| synced(*place, moment, &syncs)) {
                let message = format!("task {task}, step {step}, event {moment}: acknowledged, not synced");
                order.violations.push(message);
                break;
            }
        }
        if seen == 0 {
            let message = format!("task {task}, step {step}, event {moment}: acknowledged, never written");
            order.violations.push(message);
        }
    }
    order
}

fn values(writes: &[Write]) -> impl Iterator<Item = &[u8]> {
    writes.iter().filter_map(|write| write.value.as_deref())
}

/// When a file was written, by the stamps in what was written.
fn written(trace: &Trace, plan: &Plan) -> HashMap<Stamp, BTreeSet<(usize, FileId)>> {
    let magic = plan.magic();
    let finder = memmem::Finder::new(&magic);
    let mut written: HashMap<Stamp, BTreeSet<_>> = HashMap::new();
    for (moment, file, data) in writes(trace) {
        for place in finder.find_iter(data) {
            if let Some(stamp) = data[place..].first_chunk() {
                written.entry(*stamp).or_default().insert((moment, file));
            }
        }
    }
    written
}

fn writes(trace: &Trace) -> impl Iterator<Item = (usize, FileId, &Bytes)> {
    trace.events.iter().enumerate().filter_map(|(moment, event)| match event {
        Event::File(file, Change::Write(_, data)) => Some((moment, *file, data)),
        Event::File(_, Change::Resize(_))
        | Event::Name(_)
        | Event::SyncBegan(..)
        | Event::SyncEnded(_)
        | Event::Note(_) => None,
    })
}

/// When each file was synced: began and returned, in order of the return.
fn syncs(trace: &Trace) -> HashMap<FileId, Vec<(usize, usize)>> {
    let mut began = HashMap::new();
    let mut syncs: HashMap<FileId, Vec<_>> = HashMap::new();
    for (moment, event) in trace.events.iter().enumerate() {
        match event {
            Event::SyncBegan(sync, SyncTarget::File(file)) => drop(began.insert(*sync, (moment, *file))),
            Event::SyncEnded(sync) => {
                if let Some((start, file)) = began.remove(sync) {
                    syncs.entry(file).or_default().push((start, moment));
                }
            }
            Event::SyncBegan(_, SyncTarget::Directory(_))
            | Event::Name(_)
            | Event::File(..)
            | Event::Note(_) => {}
        }
    }
    syncs
}

fn synced(
    (written, file): (usize, FileId),
    acknowledged: usize,
    syncs: &HashMap<FileId, Vec<(usize, usize)>>,
) -> bool {
    let syncs = syncs.get(&file).map_or(&[][..], Vec::as_slice);
    syncs.iter().any(|(began, returned)| written < *began && *returned < acknowledged)
}
