//! The check of what the records say: each one can be read, and those that speak of the same thing agree.
//!
//! Whether the bytes are those that were written is another check (`crate::verify`), and has to come first: a journal
//! whose last records are gone is a valid, shorter one to this check, unless another record knows better. It reads page
//! by page and looks at what belongs together record by record, so its memory does not grow with the store. It must
//! never change anything.

mod damaged;
mod executions;
mod indexes;
mod others;
mod parts;

use self::damaged::Pages;
use super::execution::ExecutionId;
use super::journal::{Facts, Folded};
use super::space;
use super::store::Store;
use crate::backend::{Backend, KeyRange};
use crate::batch::{Key, Space};
use crate::error::StoreError;
use crate::limits;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What a check of all records has come to, or has come to so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordCheck {
    /// Records read in order. Those that are looked up beside are not counted again.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Executions whose journal is whole.
    pub executions: u64,
    /// Those of them that run.
    pub running: u64,
    /// Executions of which a removal has left something: the next one goes on. No fault.
    pub half_removed: u64,
    /// Executions that have parts of checkpoints which nothing leads to: they go with the execution. No fault.
    pub leftovers: u64,
    /// Problems found.
    pub problems: u64,
    /// The first [`limits::CHECK_EXAMPLES`] of them.
    pub examples: Vec<Problem>,
}

impl RecordCheck {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems == 0
    }
}

/// Something that is wrong with a record, or with what it should lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem.
    pub kind: ProblemKind,
    /// The space of the record that shows it.
    pub space: Space,
    /// Its key in hexadecimal digits.
    pub key: String,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "space {}, key {}: {}", self.space, self.key, self.detail)
    }
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The key or the value cannot be read.
    Unreadable,
    /// The space is none that this version knows.
    UnknownSpace,
    /// The record belongs to something that is not there.
    Orphan,
    /// A journal has a gap, does not begin with a start, or goes on after its end.
    Journal,
    /// A name stands for no execution, or for another than it should.
    Name,
    /// An execution is in no list, in several, in the wrong one, or its entry says something else than its journal.
    List,
    /// A parked execution is not called when it should be, or a call is for one that does not wait for it.
    Wake,
    /// An ended execution is not listed for retention, or one is listed that did not end then.
    Closed,
    /// A checkpoint cannot be read, is ahead of the journal, or belongs to an ended execution.
    Checkpoint,
    /// A definition is missing, or is no definition.
    Definition,
    /// A record lies under a key that is not its own.
    Misplaced,
}

/// Checks all records of a store that nobody writes to meanwhile; what is being written could show as a problem.
/// `report` hears after every page how far the check is.
///
/// Errors: those of reading, but for `Corrupt`, which is a problem like others.
pub async fn check_records(
    backend: Arc<dyn Backend>,
    report: &mut dyn FnMut(&RecordCheck),
) -> Result<RecordCheck, StoreError> {
    let mut check = Check {
        store: Store::new(backend),
        found: RecordCheck::default(),
        report,
        removing: BTreeSet::new(),
    };
    // First, because it tells which executions are being removed.
    check.closed().await?;
    check.journals().await?;
    check.names().await?;
    check.lists().await?;
    check.wakes().await?;
    check.checkpoints().await?;
    check.parts().await?;
    check.leftovers().await?;
    check.texts().await?;
    check.logs().await?;
    check.express().await?;
    check.redrives().await?;
    check.machines().await?;
    check.definitions().await?;
    check.machine_versions().await?;
    check.tags().await?;
    check.modules().await?;
    check.secrets().await?;
    check.access_keys().await?;
    check.log_groups().await?;
    check.connections().await?;
    check.activities().await?;
    check.events().await?;
    check.fences().await?;
    check.unknown_spaces().await?;
    Ok(check.found)
}

/// A check under way.
struct Check<'r> {
    store: Store,
    found: RecordCheck,
    report: &'r mut dyn FnMut(&RecordCheck),
    /// Executions that are half removed. There are as many as servers were killed while removing one that takes several
    /// batches, and the next removal begins with them.
    removing: BTreeSet<ExecutionId>,
}

/// What the store knows of an execution by its id.
enum Known {
    /// Its start is readable.
    Facts(Box<Facts>),
    /// Its start was removed, and the rest of it is about to be.
    Removing,
    /// It is there, and its first record cannot be read: the check of the journals says so.
    Unreadable,
    /// Nothing.
    Nothing,
}

impl Check<'_> {
    fn problem(&mut self, kind: ProblemKind, space: Space, key: &[u8], detail: impl Into<String>) {
        self.found.problems += 1;
        if self.found.examples.len() < limits::CHECK_EXAMPLES {
            let key = format!("{:x}", Bytes::copy_from_slice(key));
            self.found.examples.push(Problem { kind, space, key, detail: detail.into() });
        }
    }

    /// Adds a problem if this failed because of a damaged record. `None` then.
    fn keep<T>(
        &mut self,
        kind: ProblemKind,
        (space, key): (Space, &[u8]),
        result: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Corrupt { detail, .. }) => {
                self.problem(kind, space, key, detail);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The next page of a space; none at its end.
    async fn page(&mut self, pages: &mut Pages) -> Result<Option<Vec<(Key, Bytes)>>, StoreError> {
        let Some((items, damaged)) = pages.next(&self.store).await? else { return Ok(None) };
        if let Some((key, detail)) = damaged {
            self.problem(ProblemKind::Unreadable, pages.space(), &key, detail);
        }
        self.found.records += items.len() as u64;
        self.found.bytes += items.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
        (self.report)(&self.found);
        Ok(Some(items))
    }

    /// Whether there is a record under a key. One that is damaged is: that is said where its space is read.
    async fn is_there(&self, space: Space, key: &[u8]) -> Result<bool, StoreError> {
        match self.store.backend.get(space, key).await {
            Ok(stored) => Ok(stored.is_some()),
            Err(StoreError::Corrupt { .. }) => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    /// What is known of an execution that a record names.
    async fn known(&self, id: ExecutionId) -> Result<Known, StoreError> {
        if self.removing.contains(&id) {
            return Ok(Known::Removing);
        }
        let key = space::event_key(id, 1);
        let stored = match self.store.backend.get(space::HISTORY, &key).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(Known::Nothing),
            Err(StoreError::Corrupt { .. }) => return Ok(Known::Unreadable),
            Err(failure) => return Err(failure),
        };
        let facts = Folded::decode(&key, &stored.value).ok().and_then(Folded::into_facts);
        Ok(facts.map_or(Known::Unreadable, |facts| Known::Facts(Box::new(facts))))
    }

    /// Adds a problem if a record's execution is not there; otherwise what it was started with, if that is readable.
    async fn owner(
        &mut self,
        space: Space,
        key: &[u8],
        id: ExecutionId,
    ) -> Result<Option<Box<Facts>>, StoreError> {
        match self.known(id).await? {
            Known::Facts(facts) => Ok(Some(facts)),
            Known::Removing | Known::Unreadable => Ok(None),
            Known::Nothing => {
                self.problem(ProblemKind::Orphan, space, key, "its execution is not there");
                Ok(None)
            }
        }
    }
}

/// All keys under an execution.
fn of(id: ExecutionId) -> KeyRange {
    KeyRange::prefix(id.0.to_vec())
}
