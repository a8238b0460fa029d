//! One file on a disk with a volatile cache: what is durable of it, and changes that are not yet.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{Fate, Survival};
use crate::trace::Change;

/// A file without its name.
#[derive(Debug, Default)]
pub(super) struct Content {
    durable: Vec<u8>,
    /// Changes since, each with its place in the trace.
    pending: Vec<(usize, Change)>,
}

impl Content {
    pub(super) fn new(durable: Vec<u8>) -> Self {
        Self { durable, pending: Vec::new() }
    }

    pub(super) fn change(&mut self, moment: usize, change: Change) {
        self.pending.push((moment, change));
    }

    /// Makes durable what was changed before a moment.
    pub(super) fn sync(&mut self, before: usize) {
        let later = self.pending.iter().position(|(moment, _)| *moment >= before);
        for (_, change) in self.pending.drain(..later.unwrap_or(self.pending.len())) {
            apply(&mut self.durable, &change);
        }
    }

    /// Where in the trace the changes are that could be lost.
    pub(super) fn moments(&self) -> impl Iterator<Item = usize> {
        self.pending.iter().map(|(moment, _)| *moment)
    }

    /// The content after a cut.
    pub(super) fn survivors(&self, fate: Fate, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut content = self.durable.clone();
        match fate.survival {
            Survival::Nothing => {}
            Survival::Everything => self.pending.iter().for_each(|(_, change)| apply(&mut content, change)),
            Survival::InOrder => {
                for (moment, change) in &self.pending {
                    match moment.cmp(&fate.last) {
                        Ordering::Less => apply(&mut content, change),
                        Ordering::Equal => settle(&mut content, &[change], 50, fate, random),
                        Ordering::Greater => {}
                    }
                }
            }
            Survival::Some(percent) => {
                let changes: Vec<_> = self.pending.iter().map(|(_, change)| change).collect();
                settle(&mut content, &changes, percent, fate, random);
            }
        }
        content
    }
}

/// Lets a part of the changes happen. They are cut at each shortening: a file system never shows what lay beyond one,
/// so nothing after it is there without it.
fn settle(content: &mut Vec<u8>, changes: &[&Change], percent: u8, fate: Fate, random: &mut fastrand::Rng) {
    let mut length = content.len() as u64;
    let mut stretch = Vec::new();
    for change in changes {
        match change {
            Change::Resize(bytes) if *bytes < length => {
                scatter(content, &stretch, percent, fate, random);
                stretch.clear();
                if random.u8(..100) >= percent {
                    return;
                }
                apply(content, change);
                length = *bytes;
            }
            Change::Resize(_) | Change::Write(..) => {
                stretch.push(*change);
                length = length.max(end(change));
            }
        }
    }
    scatter(content, &stretch, percent, fate, random);
}

/// Lets each sector, and the length, be in the state of some moment. No change may shorten the file.
fn scatter(content: &mut Vec<u8>, changes: &[&Change], percent: u8, fate: Fate, random: &mut fastrand::Rng) {
    let sector = fate.sector_bytes as u64;
    // The lengths that the file has had, and the writes that touched each sector, in order.
    let mut lengths = vec![content.len() as u64];
    let mut touched: BTreeMap<u64, Vec<(u64, &[u8])>> = BTreeMap::new();
    for change in changes {
        lengths.push(end(change).max(lengths.last().copied().unwrap_or_default()));
        if let Change::Write(offset, data) = change {
            for number in offset / sector..end(change).div_ceil(sector) {
                touched.entry(number).or_default().push((*offset, data));
            }
        }
    }
    let lasts = |random: &mut fastrand::Rng, count: usize| match count > 0 && random.u8(..100) < percent {
        // The last state is the likeliest: most of the cache is written once.
        true if random.bool() => count,
        true => random.usize(1..=count),
        false => 0,
    };
    let grown = lasts(random, lengths.len() - 1);
    let longest = lengths.last().copied().unwrap_or_default();
    content.resize(index(longest), 0);
    for (number, writes) in touched {
        let state = lasts(random, writes.len());
        for (offset, data) in &writes[..state] {
            let start = (number * sector).max(*offset);
            let end = ((number + 1) * sector).min(offset + data.len() as u64);
            content[index(start)..index(end)]
                .copy_from_slice(&data[index(start - offset)..index(end - offset)]);
        }
    }
    // What lies beyond the length is lost, and reads as zeros when the file grows again.
    content.truncate(index(lengths[grown]));
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, data) => {
            let (start, end) = (index(*offset), index(end(change)));
            if content.len() < end {
                content.resize(end, 0);
            }
            content[start..end].copy_from_slice(data);
        }
        Change::Resize(bytes) => content.resize(index(*bytes), 0),
    }
}

/// The length that a change gives an empty file.
fn end(change: &Change) -> u64 {
    match change {
        Change::Write(offset, data) => offset + data.len() as u64,
        Change::Resize(bytes) => *bytes,
    }
}

/// An offset as an index; content is in memory, so it fits.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
