//! The engines under test: where their files lie, and how to change them behind the store's back.
//!
//! A test is written once over [`TestEngine`] and run for each engine by `for_each_engine!`.

#![allow(dead_code, unused_macros, unused_imports, reason = "each test binary uses a part")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::ReadableDatabase;
use stepwell_store::{Backend, OpenError, OpenOptions, StoreLocation, limits};

/// One engine.
pub(crate) trait TestEngine {
    /// Name of the log, whose sync makes a commit durable.
    const WAL: &'static str;
    /// Name of the engine's file.
    const DATA: &'static str;
    /// Bytes of commits after which the engine syncs.
    const LAG_BYTES: u64;
    /// Name of the watermark file.
    const WATERMARK: &'static str;

    /// The store that has its files in a directory.
    fn location(directory: &Path) -> StoreLocation;

    /// The engine's file.
    fn data(directory: &Path) -> PathBuf;

    /// What only the engine writes, and what to move to bring an older state back.
    fn own(directory: &Path) -> PathBuf;

    /// Replaces a record (none: removes it) and returns the old one.
    fn tamper(directory: &Path, key: &[u8], record: Option<&[u8]>) -> Option<Vec<u8>>;

    /// Reads a record.
    fn peek(directory: &Path, key: &[u8]) -> Option<Vec<u8>>;

    fn open_with(directory: &Path, options: OpenOptions) -> Result<Arc<dyn Backend>, OpenError> {
        stepwell_store::open(&Self::location(directory), options)
    }

    fn open(directory: &Path) -> Result<Arc<dyn Backend>, OpenError> {
        Self::open_with(directory, OpenOptions::default())
    }
}

pub(crate) struct Sled;

impl Sled {
    fn tree(directory: &Path) -> sled::Db {
        sled::Config::new().path(directory.join("sled")).flush_every_ms(None).open().unwrap()
    }
}

impl TestEngine for Sled {
    const WAL: &'static str = "wal";
    const DATA: &'static str = "db";
    const LAG_BYTES: u64 = limits::SLED_LAG_BYTES;
    const WATERMARK: &'static str = "watermark";

    fn location(directory: &Path) -> StoreLocation {
        StoreLocation::Sled(directory.to_owned())
    }

    fn data(directory: &Path) -> PathBuf {
        directory.join("sled/db")
    }

    fn own(directory: &Path) -> PathBuf {
        directory.join("sled")
    }

    fn tamper(directory: &Path, key: &[u8], record: Option<&[u8]>) -> Option<Vec<u8>> {
        let db = Self::tree(directory);
        let old = match record {
            Some(record) => db.insert(key, record),
            None => db.remove(key),
        };
        db.flush().unwrap();
        old.unwrap().map(|old| old.to_vec())
    }

    fn peek(directory: &Path, key: &[u8]) -> Option<Vec<u8>> {
        Self::tree(directory).get(key).unwrap().map(|record| record.to_vec())
    }
}

pub(crate) struct Redb;

const RECORDS: redb::TableDefinition<'static, &[u8], &[u8]> = redb::TableDefinition::new("records");

impl TestEngine for Redb {
    const WAL: &'static str = "store.redb.wal";
    const DATA: &'static str = "store.redb";
    const LAG_BYTES: u64 = limits::REDB_LAG_BYTES;
    const WATERMARK: &'static str = "store.redb.watermark";

    fn location(directory: &Path) -> StoreLocation {
        StoreLocation::Redb(Self::data(directory))
    }

    fn data(directory: &Path) -> PathBuf {
        directory.join("store.redb")
    }

    fn own(directory: &Path) -> PathBuf {
        Self::data(directory)
    }

    fn tamper(directory: &Path, key: &[u8], record: Option<&[u8]>) -> Option<Vec<u8>> {
        let db = redb::Database::create(Self::data(directory)).unwrap();
        let writing = db.begin_write().unwrap();
        let old = {
            let mut table = writing.open_table(RECORDS).unwrap();
            let old = match record {
                Some(record) => table.insert(key, record),
                None => table.remove(key),
            };
            old.unwrap().map(|old| old.value().to_vec())
        };
        writing.commit().unwrap();
        old
    }

    fn peek(directory: &Path, key: &[u8]) -> Option<Vec<u8>> {
        let db = redb::Database::open(Self::data(directory)).unwrap();
        let table = db.begin_read().unwrap().open_table(RECORDS).unwrap();
        table.get(key).unwrap().map(|record| record.value().to_vec())
    }
}

/// Runs async functions over an engine as tests of each engine, on a runtime with one thread.
macro_rules! for_each_engine {
    ($($test:ident),* $(,)?) => {
        mod on_sled {
            $(#[tokio::test] async fn $test() { super::$test::<crate::engine::Sled>().await; })*
        }
        mod on_redb {
            $(#[tokio::test] async fn $test() { super::$test::<crate::engine::Redb>().await; })*
        }
    };
}
pub(crate) use for_each_engine;
