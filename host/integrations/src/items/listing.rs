//! Listings as items, as they were when the run began.
//!
//! Children often move or delete the objects that they are about. So a listing is written down first: read again after a
//! crash, the same objects must come in the same order. A short one is kept in the run's pin, a longer one in a file.

use super::failure::Failure;
use super::{Items, RawItem, limits};
use crate::objects::{Listing, ObjectHead};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// No run is older (API reference, section 5.2: an execution lasts a year at most).
const KEPT: Duration = Duration::from_hours(400 * 24);

/// An object, as it was listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "k")]
    pub(super) key: String,
    #[serde(rename = "e")]
    pub(super) etag: String,
    /// Seconds since the epoch.
    #[serde(rename = "m")]
    modified: i64,
    #[serde(rename = "s")]
    bytes: u64,
}

impl From<ObjectHead> for Listed {
    fn from(head: ObjectHead) -> Listed {
        let ObjectHead { key, bytes, etag, modified, attributes: _ } = head;
        Listed { key, etag, modified: modified.0.div_euclid(1_000), bytes }
    }
}

impl Listed {
    /// As ListObjectsV2 tells it, in the names that items have (API reference, section 6.9).
    fn item(&self) -> Value {
        json!({
            "Etag": self.etag,
            "Key": self.key,
            "LastModified": self.modified,
            "Size": self.bytes,
            "StorageClass": "STANDARD",
        })
    }
}

/// Where a listing was written down: part of a pin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Snapshot {
    /// Here.
    Listed(Vec<Listed>),
    /// In the file of this name.
    File(String),
}

impl Snapshot {
    /// Writes a listing down; `directory` is for long ones.
    pub(super) async fn take(mut listing: Box<dyn Listing>, directory: &Path) -> Result<Snapshot, Failure> {
        let (mut here, mut bytes, mut count) = (Vec::new(), 0, 0);
        let mut file: Option<Spool> = None;
        loop {
            let page = listing
                .next(limits::PAGE_OBJECTS)
                .await
                .map_err(|error| super::sources::failure("", error))?;
            let is_last = page.len() < limits::PAGE_OBJECTS;
            count += page.len();
            if count > limits::LISTED_OBJECTS {
                return Err(Failure::wrong(format!(
                    "There are more than {} objects.",
                    limits::LISTED_OBJECTS
                )));
            }
            for head in page {
                bytes += head.key.len() * 2 + head.etag.len() + 64;
                here.push(Listed::from(head));
            }
            if file.is_none() && bytes > limits::PINNED_BYTES {
                let directory = directory.to_owned();
                file = Some(apart(move || Spool::create(&directory)).await?);
            }
            if let Some(mut spool) = file.take() {
                let page = std::mem::take(&mut here);
                file = Some(apart(move || spool.add(&page).map(|()| spool)).await?);
            }
            if is_last {
                break;
            }
        }
        match file {
            Some(spool) => apart(move || spool.finish()).await.map(Snapshot::File),
            None => Ok(Snapshot::Listed(here)),
        }
    }

    /// Reads it again. Waits for the disk.
    pub(super) fn read(self, directory: &Path) -> Result<Objects, Failure> {
        let lines: Lines = match self {
            Snapshot::Listed(listed) => Box::new(listed.into_iter().map(Ok)),
            Snapshot::File(name) => {
                // The name is of this file's own making; anything else leads elsewhere.
                let name = name.parse::<uuid::Uuid>().map_err(|_| Failure::wrong("The listing is gone."))?;
                let file = File::open(path(directory, name)).map_err(|error| {
                    if error.kind() == io::ErrorKind::NotFound {
                        Failure::wrong("The listing that the run began with is gone.")
                    } else {
                        Failure::Unavailable(error.to_string())
                    }
                })?;
                let lines = BufReader::new(GzDecoder::new(file)).lines();
                Box::new(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
            }
        };
        Ok(Objects { lines })
    }
}

type Lines = Box<dyn Iterator<Item = io::Result<Listed>> + Send>;

/// The objects of a listing.
pub(super) struct Objects {
    lines: Lines,
}

impl Objects {
    pub(super) fn next_object(&mut self) -> Result<Option<Listed>, Failure> {
        let next = self.lines.next().transpose();
        next.map_err(|error| Failure::Unavailable(format!("The listing cannot be read: {error}")))
    }
}

impl Items for Objects {
    fn next(&mut self) -> Result<Option<RawItem>, Failure> {
        Ok(self.next_object()?.map(|listed| {
            let bytes = listed.key.len() + listed.etag.len() + 100;
            RawItem { value: listed.item(), key: None, bytes }
        }))
    }

    fn skip(&mut self) -> Result<bool, Failure> {
        Ok(self.next_object()?.is_some())
    }
}

/// A file that a listing is written to.
struct Spool {
    name: uuid::Uuid,
    file: tempfile::NamedTempFile,
    directory: PathBuf,
    encoder: GzEncoder<File>,
}

impl Spool {
    fn create(directory: &Path) -> io::Result<Spool> {
        std::fs::create_dir_all(directory)?;
        forget_old(directory);
        let file = tempfile::NamedTempFile::new_in(directory)?;
        let encoder = GzEncoder::new(file.reopen()?, Compression::fast());
        Ok(Spool { name: uuid::Uuid::new_v4(), file, directory: directory.to_owned(), encoder })
    }

    fn add(&mut self, page: &[Listed]) -> io::Result<()> {
        for listed in page {
            serde_json::to_writer(&mut self.encoder, listed)?;
            self.encoder.write_all(b"\n")?;
        }
        Ok(())
    }

    fn finish(self) -> io::Result<String> {
        self.encoder.finish()?.sync_all()?;
        self.file.persist(path(&self.directory, self.name)).map_err(|error| error.error)?;
        File::open(&self.directory)?.sync_all()?;
        Ok(self.name.to_string())
    }
}

fn path(directory: &Path, name: uuid::Uuid) -> PathBuf {
    directory.join(format!("{name}.jsonl.gz"))
}

/// Removes listings of runs that cannot be under way any more. What cannot be removed now is tried again with the next.
fn forget_old(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old =
            modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > KEPT));
        if is_old {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let unavailable = |reason: String| Failure::Unavailable(format!("The listing cannot be kept: {reason}"));
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| unavailable(error.to_string()))?;
    done.map_err(|error| unavailable(error.to_string()))
}
