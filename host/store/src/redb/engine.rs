//! redb 4 as an [`Engine`]: one table, one transaction for each group, now and then a synced one.
//!
//! Views share one read transaction, which the writer opens after each commit: they show the last commit and neither wait for the writer nor hold it up. (Beginning one for each read would: redb was seen to keep
//! `begin_read` waiting for the sync with which its file grows.) It must never answer a sync without a commit of `Durability::Immediate`, nor make one without quick repair: only
//! with it a store of any size opens at once after a crash.

use std::{
    fs, io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use redb::{
    Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError, WriteTransaction,
};

use crate::{
    embedded::{Broken, Compaction, Engine, ReadError, View, Visit, Write},
    envelope::HEADER_BYTES,
    limits,
};

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The open database.
pub struct RedbEngine {
    /// The table as the last commit left it; none in a database without a table. Dropped before the database.
    latest: RwLock<Option<Arc<Table>>>,
    db: Database,
    file: PathBuf,
}

impl RedbEngine {
    /// Takes over a database that lies in a file.
    pub(super) fn new(db: Database, file: &Path) -> Result<Self, Broken> {
        let engine = Self { latest: RwLock::new(None), db, file: file.to_owned() };
        engine.refresh()?;
        Ok(engine)
    }

    /// Lets views from here on show the last commit.
    fn refresh(&self) -> Result<(), Broken> {
        let table = match self.db.begin_read().map_err(broken)?.open_table(RECORDS) {
            Ok(table) => Some(Arc::new(table)),
            // Nothing was written yet.
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(broken(error)),
        };
        self.show(table);
        Ok(())
    }

    fn show(&self, table: Option<Arc<Table>>) {
        let last =
            std::mem::replace(&mut *self.latest.write().unwrap_or_else(PoisonError::into_inner), table);
        // Ends the last read transaction, outside of the lock.
        drop(last);
    }

    /// A transaction that is in memory once it is committed.
    fn begin_write(&self) -> Result<WriteTransaction, Broken> {
        let mut writing = self.db.begin_write().map_err(broken)?;
        writing.set_durability(Durability::None).map_err(broken)?;
        Ok(writing)
    }

    /// Makes all transactions so far durable.
    fn make_durable(&self) -> Result<(), Broken> {
        let mut writing = self.db.begin_write().map_err(broken)?;
        writing.set_durability(Durability::Immediate).map_err(broken)?;
        writing.set_quick_repair(true);
        writing.commit().map_err(broken)
    }
}

/// The records of the last commit; none in a database without a table.
pub struct RedbView(Option<Arc<Table>>);

impl Engine for RedbEngine {
    const NAME: &'static str = "redb 4";
    const APPLY_BYTES: u64 = limits::REDB_APPLY_BYTES;
    const LAG_BYTES: u64 = limits::REDB_LAG_BYTES;
    /// A changed key may rewrite a page of its own, and a part of the pages above it.
    const BYTES_PER_KEY: u64 = 8 * 1024;
    type View<'a> = RedbView;

    fn view(&self) -> Result<RedbView, Broken> {
        Ok(RedbView(self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()))
    }

    fn try_view(&self) -> Result<Option<RedbView>, Broken> {
        self.view().map(Some)
    }

    fn apply(&self, writes: &[Write]) -> Result<(), Broken> {
        let writing = self.begin_write()?;
        {
            let mut table = writing.open_table(RECORDS).map_err(broken)?;
            for write in writes {
                match write.record() {
                    Some(record) => drop(table.insert(write.key(), record).map_err(broken)?),
                    None => drop(table.remove(write.key()).map_err(broken)?),
                }
            }
        }
        writing.commit().map_err(broken)?;
        self.refresh()
    }

    fn sync(&self) -> Result<(), Broken> {
        self.make_durable()?;
        // The last view would keep the pages that its successors have replaced.
        self.refresh()
    }

    fn compact(&mut self) -> Result<Compaction, Broken> {
        // It refuses to begin while anyone reads; nobody else does now.
        self.show(None);
        self.db.compact().map_err(broken)?;
        // Its own transactions leave no quick repair behind; this one does.
        self.make_durable()?;
        self.refresh()?;
        Ok(Compaction::Done)
    }

    fn file_bytes(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.file)?.len())
    }
}

impl View for RedbView {
    const PAYLOAD_BYTES: usize = limits::REDB_RECORD_BYTES - HEADER_BYTES;

    fn get<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Broken> {
        let Some(table) = &self.0 else { return Ok(None) };
        let found = table.get(key).map_err(broken)?;
        Ok(found.map(|raw| read(raw.value())))
    }

    fn scan(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let Some(table) = &self.0 else { return Ok(()) };
        let mut found =
            table.range::<&[u8]>((Bound::Included(start), Bound::Excluded(end))).map_err(broken)?;
        while let Some(pair) = if reverse { found.next_back() } else { found.next() } {
            let (key, raw) = pair.map_err(broken)?;
            if !visit(key.value(), raw.value())? {
                break;
            }
        }
        Ok(())
    }
}

fn broken(error: impl std::fmt::Display) -> Broken {
    Broken(format!("redb failed: {error}"))
}
