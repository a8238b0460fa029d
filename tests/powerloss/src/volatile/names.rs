//! The names in the watched directory: those that are durable, and changes that are not yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{Fate, Model, Survival};
use crate::trace::{FileId, NameChange, Trace};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    File(FileId),
    Directory,
}

impl Entry {
    pub(super) fn file(self) -> Option<FileId> {
        match self {
            Self::File(file) => Some(file),
            Self::Directory => None,
        }
    }
}

/// Names, by their path relative to the watched directory.
#[derive(Debug)]
pub(super) struct Names {
    durable: BTreeMap<PathBuf, Entry>,
    /// Changes since, each with its place in the trace.
    pending: Vec<(usize, NameChange)>,
}

impl Names {
    pub(super) fn new(trace: &Trace) -> Self {
        let files = trace.initial_files().map(|(file, path, _)| (path.clone(), Entry::File(file)));
        let directories = trace.initial.directories.iter().map(|path| (path.clone(), Entry::Directory));
        Self { durable: files.chain(directories).collect(), pending: Vec::new() }
    }

    pub(super) fn change(&mut self, moment: usize, change: NameChange) {
        self.pending.push((moment, change));
    }

    /// Makes the changes within a directory durable that were made before a moment.
    pub(super) fn sync(&mut self, directory: &Path, before: usize) {
        self.sync_where(before, |change| names(change)[0].parent() == Some(directory));
    }

    /// Makes all changes durable that were made before a moment.
    pub(super) fn sync_all(&mut self, before: usize) {
        self.sync_where(before, |_| true);
    }

    fn sync_where(&mut self, before: usize, concerned: impl Fn(&NameChange) -> bool) {
        for (moment, change) in std::mem::take(&mut self.pending) {
            if moment < before && concerned(&change) {
                apply(&mut self.durable, &change);
            } else {
                self.pending.push((moment, change));
            }
        }
    }

    /// Where in the trace the changes are that could be lost.
    pub(super) fn moments(&self) -> impl Iterator<Item = usize> {
        self.pending.iter().map(|(moment, _)| *moment)
    }

    /// The names after a cut.
    pub(super) fn survivors(
        self,
        model: Model,
        fate: Fate,
        random: &mut fastrand::Rng,
    ) -> BTreeMap<PathBuf, Entry> {
        let Self { mut durable, pending } = self;
        // A change cannot be there without an earlier one of the same name.
        let mut lost: BTreeSet<PathBuf> = BTreeSet::new();
        let mut ended = false;
        for (moment, change) in pending {
            let survives = match fate.survival {
                Survival::Nothing => false,
                Survival::Everything => true,
                Survival::InOrder => moment < fate.last || moment == fate.last && random.bool(),
                Survival::Some(percent) => random.u8(..100) < percent,
            };
            ended |= !survives;
            let torn_off = match model {
                Model::Journaled => ended,
                Model::Strict => names(&change).iter().any(|name| lost.contains(*name)),
            };
            if survives && !torn_off {
                apply(&mut durable, &change);
            } else {
                lost.extend(names(&change).into_iter().map(Path::to_owned));
            }
        }
        durable
    }
}

/// The names that a change touches; at least one.
fn names(change: &NameChange) -> Vec<&Path> {
    match change {
        NameChange::Create(name, _)
        | NameChange::MakeDirectory(name)
        | NameChange::Remove(name)
        | NameChange::RemoveDirectory(name) => vec![name],
        NameChange::Rename(from, to) => vec![from, to],
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Entry>, change: &NameChange) {
    match change {
        NameChange::Create(name, file) => drop(names.insert(name.clone(), Entry::File(*file))),
        NameChange::MakeDirectory(name) => drop(names.insert(name.clone(), Entry::Directory)),
        NameChange::Remove(name) | NameChange::RemoveDirectory(name) => drop(names.remove(name)),
        NameChange::Rename(from, to) => {
            if let Some(entry) = names.remove(from) {
                names.insert(to.clone(), entry);
            }
        }
    }
}
