//! A disk with a volatile cache: what of a trace is there after a power cut.
//!
//! Durable is what a completed sync covers; of the rest any part may be there, in any order, torn at sectors. It must
//! never keep less than was synced: then a loss would be the rig's own.

mod content;
mod names;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use anyhow::{Context, Result};

use self::{
    content::Content,
    names::{Entry, Names},
};
use crate::{
    image::Image,
    trace::{Event, FileId, NameChange, SyncTarget, Trace},
};

/// What makes names durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// What POSIX promises: only a sync of the directory, each change of a name for itself.
    Strict,
    /// As ext4 does it: names change in one order, and a sync of any file or directory takes all earlier ones along.
    Journaled,
}

/// How much of what was not synced is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// None of it.
    Nothing,
    /// All of it: the cut came just after the cache was written.
    Everything,
    /// All up to a moment, then nothing; the change at that moment is torn.
    InOrder,
    /// Each sector, length and name with this probability in percent, in the state of any moment since its last sync.
    Some(u8),
}

/// A power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// How many events of the trace came before it.
    pub at: usize,
    /// What makes names durable.
    pub model: Model,
    /// How much of the rest is there.
    pub survival: Survival,
    /// What the disk writes as a whole, in bytes.
    pub sector_bytes: usize,
    /// Decides what survives.
    pub seed: u64,
}

/// The directory after a cut.
pub fn after(trace: &Trace, cut: &Cut) -> Result<Image> {
    let mut random = fastrand::Rng::with_seed(cut.seed);
    let Disk { files, names } = replay(trace, cut.at, cut.model)?;
    // The moment at which things stop for `InOrder`, the same for all files.
    let pending = files.values().flat_map(Content::moments).chain(names.moments());
    let mut moments: Vec<_> = pending.collect();
    moments.sort_unstable();
    let last = random.choice(&moments).copied().unwrap_or_default();
    let fate = Fate { survival: cut.survival, last, sector_bytes: cut.sector_bytes };
    let names = names.survivors(cut.model, fate, &mut random);
    image(names, |file| {
        let content = files.get(&file).context("a name without a file")?;
        Ok(content.survivors(fate, &mut random))
    })
}

/// The directory when nothing is lost.
pub fn everything(trace: &Trace) -> Result<Image> {
    let at = trace.events.len();
    let survival = Survival::Everything;
    after(trace, &Cut { at, model: Model::Strict, survival, sector_bytes: 512, seed: 0 })
}

/// The names of the files at the end of a trace.
pub fn names(trace: &Trace) -> Result<HashMap<FileId, PathBuf>> {
    let Disk { names, .. } = replay(trace, trace.events.len(), Model::Strict)?;
    let fate = Fate { survival: Survival::Everything, last: 0, sector_bytes: 512 };
    let names = names.survivors(Model::Strict, fate, &mut fastrand::Rng::with_seed(0));
    Ok(names.into_iter().filter_map(|(name, entry)| entry.file().map(|file| (file, name))).collect())
}

/// What decides over a change that was not synced.
#[derive(Debug, Clone, Copy)]
struct Fate {
    survival: Survival,
    /// For `InOrder`: the event that is torn.
    last: usize,
    sector_bytes: usize,
}

struct Disk {
    files: BTreeMap<FileId, Content>,
    names: Names,
}

/// Goes through the events before the cut and makes durable what was synced.
fn replay(trace: &Trace, at: usize, model: Model) -> Result<Disk> {
    let initial = trace.initial_files().map(|(file, _, content)| (file, Content::new(content.clone())));
    let mut disk = Disk { files: initial.collect(), names: Names::new(trace) };
    let mut syncs = HashMap::new();
    for (moment, event) in trace.events.iter().take(at).enumerate() {
        match event {
            Event::Name(change) => {
                if let NameChange::Create(_, file) = change {
                    disk.files.insert(*file, Content::default());
                }
                disk.names.change(moment, change.clone());
            }
            Event::File(file, change) => {
                disk.files.get_mut(file).context("a change of no file")?.change(moment, change.clone());
            }
            Event::SyncBegan(sync, target) => drop(syncs.insert(*sync, (moment, target))),
            Event::SyncEnded(sync) => {
                let (began, target) = syncs.remove(sync).context("a sync that never began")?;
                if model == Model::Journaled {
                    disk.names.sync_all(began);
                }
                match target {
                    SyncTarget::File(file) => {
                        disk.files.get_mut(file).context("a sync of no file")?.sync(began);
                    }
                    SyncTarget::Directory(path) => disk.names.sync(path, began),
                }
            }
            Event::Note(_) => {}
        }
    }
    Ok(disk)
}

/// What lies under its names; a name in a directory that is not there is lost with it.
fn image(
    names: BTreeMap<PathBuf, Entry>,
    mut content: impl FnMut(FileId) -> Result<Vec<u8>>,
) -> Result<Image> {
    let mut image = Image::default();
    for (name, entry) in names {
        let parent = name.parent().unwrap_or(&name);
        if !parent.as_os_str().is_empty() && !image.directories.contains(parent) {
            continue;
        }
        match entry {
            Entry::Directory => drop(image.directories.insert(name)),
            Entry::File(file) => drop(image.files.insert(name, content(file)?)),
        }
    }
    Ok(image)
}

#[cfg(test)]
mod tests;
