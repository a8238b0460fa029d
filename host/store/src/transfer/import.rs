//! The import of an export into an empty store.
//!
//! All or nothing for the operator: a mark is stored first and removed last, and a store with the mark is refused by
//! whoever would serve it. It must never add to a store that holds anything else.

use std::{collections::BTreeMap, io::Read};

use bytes::Bytes;

use super::{
    Head, IMPORTS, Totals, TransferError, UNDER_WAY, check_whole,
    format::{Entry, FrameKind, FrameReader, read_entry},
};
use crate::{
    backend::{Backend, KeyRange},
    batch::{Batch, Epoch, Key, ShardId, Space, epoch_of},
    error::StoreError,
    limits,
};

/// Bytes of keys and values after which a batch is committed: one flush each.
const BATCH_BYTES: usize = limits::GROUP_BYTES;
/// Changes after which a batch is committed.
const BATCH_ENTRIES: usize = limits::BATCH_ENTRIES / 2;

/// Reads an export to its end and compares everything, without a store. Blocks on the reader.
pub fn check_export(source: impl Read) -> Result<(Head, Totals), TransferError> {
    let mut file = Reader::new(source)?;
    while file.next()?.is_some() {}
    let totals = file.totals;
    Ok((file.finish()?, totals))
}

/// Imports an export into an empty store, or into one in which an earlier import was cut short; that starts anew.
/// `progress` is told after every commit. Blocks on the reader, so it wants a thread of its own.
///
/// Errors: nothing was changed after `NotEmpty`, and if the file is refused at its beginning. After any other error
/// the store is refused as `Unfinished` until an import has come to its end.
pub async fn import(
    backend: &dyn Backend,
    source: impl Read,
    mut progress: impl FnMut(Totals),
) -> Result<(Head, Totals), TransferError> {
    let mut file = Reader::new(source)?;
    make_room(backend).await?;
    let mut pending = Pending::default();
    while let Some(entry) = file.next()? {
        pending.add(entry).map_err(|detail| file.damaged(detail))?;
        if pending.is_full() {
            backend.commit(pending.take()).await?;
            progress(file.totals);
        }
    }
    let totals = file.totals;
    let head = file.finish()?;
    backend.commit(pending.take()).await?;
    for (shard, epoch) in pending.epochs {
        raise_fence(backend, shard, epoch).await?;
    }
    let mut last = Batch::new();
    last.delete(IMPORTS, UNDER_WAY);
    backend.commit(last).await?;
    progress(totals);
    Ok((head, totals))
}

/// Refuses a store with records, removes what an import that was cut short has left, and stores the mark.
async fn make_room(backend: &dyn Backend) -> Result<(), TransferError> {
    match check_whole(backend).await {
        Ok(()) => {
            for space in Space::readable() {
                if !backend.scan(space, KeyRange::all(), false, 1).await?.items.is_empty() {
                    return Err(TransferError::NotEmpty { space });
                }
            }
            let mut first = Batch::new();
            first.put(IMPORTS, UNDER_WAY, "an import is under way");
            backend.commit(first).await?;
        }
        Err(TransferError::Unfinished) => {
            // Fences cannot be removed and need not be: one that is too high is as good.
            for space in Space::readable().filter(|space| ![IMPORTS, Space::FENCES].contains(space)) {
                while backend.delete_range(space, KeyRange::all(), limits::BATCH_ENTRIES).await? > 0 {}
            }
        }
        Err(other) => return Err(other),
    }
    Ok(())
}

async fn raise_fence(backend: &dyn Backend, shard: ShardId, epoch: Epoch) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.fenced_by(shard, epoch);
    match backend.commit(batch).await {
        // Left by an import that was cut short.
        Err(StoreError::Fenced { .. }) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// What was read and not yet committed.
#[derive(Default)]
struct Pending {
    batch: Batch,
    bytes: usize,
    /// Stored last: they are few, and no import may lower them.
    epochs: BTreeMap<ShardId, Epoch>,
    last: Option<(Space, Key)>,
    /// A key came that is not behind all before it, as in an export of a live store.
    repeats: bool,
}

impl Pending {
    fn add(&mut self, entry: Entry) -> Result<(), &'static str> {
        let (Entry::Value(space, key, _) | Entry::Gone(space, key)) = &entry;
        if *space == IMPORTS {
            return Err("it holds the mark of an import");
        }
        if *space == Space::FENCES {
            let (shard, epoch) = fence(&entry).ok_or("a fence has no epoch")?;
            // A fence only ever rises: of several values of a live export the highest is the last.
            let highest = self.epochs.entry(shard).or_insert(epoch);
            *highest = epoch.max(*highest);
            return Ok(());
        }
        self.bytes += key.len();
        let place = Some((*space, key.clone()));
        self.repeats |= place <= self.last;
        self.last = place;
        match entry {
            Entry::Value(space, key, value) => {
                self.bytes += value.len();
                // As long as keys ascend, none of them can be in the store, and the engine need not look.
                if self.repeats {
                    self.batch.put(space, key, value);
                } else {
                    self.batch.insert(space, key, value);
                }
            }
            Entry::Gone(space, key) => {
                self.batch.delete(space, key);
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.batch.ops.len() >= BATCH_ENTRIES
    }

    fn take(&mut self) -> Batch {
        self.bytes = 0;
        std::mem::take(&mut self.batch)
    }
}

/// The shard and the epoch of a record of the fences.
fn fence(entry: &Entry) -> Option<(ShardId, Epoch)> {
    let Entry::Value(_, key, value) = entry else { return None };
    let shard = u32::from_be_bytes(key[..].try_into().ok()?);
    Some((ShardId(shard), epoch_of(value)?))
}

/// Reads a file entry by entry and compares its totals.
struct Reader<R> {
    frames: FrameReader<R>,
    head: Head,
    /// What is left of the frame read last.
    rest: Bytes,
    totals: Totals,
}

impl<R: Read> Reader<R> {
    /// Reads the head. Errors: besides those of the file, `OtherRecords`.
    fn new(source: R) -> Result<Self, TransferError> {
        let mut frames = FrameReader::new(source)?;
        let (kind, content) = frames.next()?;
        if kind != FrameKind::Head {
            return Err(frames.damaged("it is not the head"));
        }
        let head: Head =
            serde_json::from_slice(&content).map_err(|_| frames.damaged("the head cannot be read"))?;
        let (oldest, supported) = (limits::OLDEST_FORMAT, limits::FORMAT);
        if !(oldest..=supported).contains(&head.records) {
            return Err(TransferError::OtherRecords { found: head.records, oldest, supported });
        }
        Ok(Self { frames, head, rest: Bytes::new(), totals: Totals::default() })
    }

    /// The next entry; `None` after the end mark.
    fn next(&mut self) -> Result<Option<Entry>, TransferError> {
        while self.rest.is_empty() {
            let (kind, content) = self.frames.next()?;
            self.totals.file_bytes = self.frames.bytes();
            match kind {
                FrameKind::Head => return Err(self.frames.damaged("it is a second head")),
                FrameKind::Records => self.rest = content.into(),
                FrameKind::End => {
                    let expected: Totals = serde_json::from_slice(&content)
                        .map_err(|_| self.frames.damaged("the end mark cannot be read"))?;
                    let found = Totals { file_bytes: 0, ..self.totals };
                    return if found == expected {
                        Ok(None)
                    } else {
                        Err(self.frames.damaged("the totals of the end mark are not those of the records"))
                    };
                }
            }
        }
        let entry =
            read_entry(&mut self.rest).ok_or_else(|| self.frames.damaged("an entry cannot be read"))?;
        self.totals.count(&entry);
        Ok(Some(entry))
    }

    fn damaged(&self, detail: &'static str) -> TransferError {
        self.frames.damaged(detail)
    }

    /// Refuses what follows the end mark; returns what the file says of itself.
    fn finish(self) -> Result<Head, TransferError> {
        self.frames.finish()?;
        Ok(self.head)
    }
}
