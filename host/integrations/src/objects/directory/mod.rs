//! Objects in a directory: `ROOT/ACCOUNT/BUCKET/KEY`, plain files that people may put there and take away by hand.
//!
//! A written object is there as a whole or not at all, also after a power cut. It must never leave the directory of its
//! account, nor follow a symbolic link within it.

mod facts;
mod tree;
mod upload;
mod walk;

use super::names::{check_bucket, segments};
use super::{
    Address, Attributes, Body, Bucket, Listing, Object, ObjectError, ObjectHead, ObjectStore, Upload,
};
use async_trait::async_trait;
use facts::Facts;
use rustix::fs::{AtFlags, Dir, FileType, Mode, Stat};
use rustix::io::Errno;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stepwell_asl::Timestamp;
use tree::failure;
use upload::DirectoryUpload;
use walk::Walk;

/// Beside the buckets of an account: facts of objects and files that are being written. No bucket can be called so.
const ASIDE: &str = ".stepwell";
/// Bytes that a file of facts may have: S3 allows 2 KiB of metadata, which JSON may escape.
const FACTS_BYTES: u64 = 64 * 1024;

/// A directory with objects.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<PathBuf>,
}

impl Directory {
    /// The objects below `root`, which is created if there is none.
    pub fn open(root: &Path) -> std::io::Result<Directory> {
        std::fs::create_dir_all(root)?;
        Ok(Directory { root: Arc::new(root.to_owned()) })
    }

    fn account(&self, account: &str) -> Result<OwnedFd, ObjectError> {
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !is_account {
            return Err(ObjectError::Invalid(format!("'{account}' is not an account.")));
        }
        let root = tree::open_root(&self.root).map_err(unavailable)?;
        tree::make_directory(root, account).map_err(failure)
    }

    fn bucket(&self, account: &str, bucket: &str) -> Result<Place, ObjectError> {
        check_bucket(bucket)?;
        let account = self.account(account)?;
        match tree::open_directory(&account, bucket) {
            Ok(directory) => Ok(Place { account, bucket: bucket.to_owned(), directory }),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(ObjectError::NoSuchBucket),
            Err(error) => Err(failure(error)),
        }
    }

    fn get_now(&self, address: &Address, etag: Option<&str>) -> Result<Object, ObjectError> {
        let place = self.bucket(&address.account, &address.bucket)?;
        let (directory, name) = place.locate(&address.key)?;
        let (file, stat) = tree::open_file(directory, name).map_err(failure)?;
        let head = facts::head(&address.key, &stat, place.facts(&address.key));
        if etag.is_some_and(|etag| etag != head.etag) {
            return Err(ObjectError::Changed);
        }
        Ok(Object { head, body: Body::File(file) })
    }

    fn head_now(&self, address: &Address) -> Result<ObjectHead, ObjectError> {
        let place = self.bucket(&address.account, &address.bucket)?;
        let (directory, name) = place.locate(&address.key)?;
        let stat = tree::stat_file(directory, name).map_err(failure)?.ok_or(ObjectError::NoSuchKey)?;
        Ok(facts::head(&address.key, &stat, place.facts(&address.key)))
    }

    fn delete_now(&self, address: &Address) -> Result<(), ObjectError> {
        let place = self.bucket(&address.account, &address.bucket)?;
        let directory = match place.locate(&address.key) {
            Ok((directory, name)) if matches!(tree::stat_file(&directory, name), Ok(Some(_))) => {
                match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => directory,
                    Err(error) => return Err(failure(error)),
                }
            }
            Ok(_) | Err(ObjectError::NoSuchKey | ObjectError::Invalid(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        rustix::fs::fsync(directory).map_err(failure)?;
        place.tidy(&address.key);
        Ok(())
    }

    fn create_now(&self, account: &str, bucket: &str) -> Result<(), ObjectError> {
        check_bucket(bucket)?;
        let account = self.account(account)?;
        match rustix::fs::mkdirat(&account, bucket, Mode::from_raw_mode(0o750)) {
            Ok(()) => rustix::fs::fsync(account).map_err(failure),
            Err(Errno::EXIST) => Err(ObjectError::BucketExists),
            Err(error) => Err(failure(error)),
        }
    }

    fn buckets_now(&self, account: &str) -> Result<Vec<Bucket>, ObjectError> {
        let account = self.account(account)?;
        let mut buckets = Vec::new();
        for entry in Dir::read_from(&account).map_err(failure)? {
            let entry = entry.map_err(failure)?;
            let Some(name) = entry.file_name().to_str().ok().filter(|name| check_bucket(name).is_ok()) else {
                continue;
            };
            let stat = rustix::fs::statat(&account, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failure)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                buckets.push(Bucket { name: name.to_owned(), created: modified(&stat) });
            }
        }
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(buckets)
    }
}

#[async_trait]
impl ObjectStore for Directory {
    async fn get(&self, address: &Address, etag: Option<&str>) -> Result<Object, ObjectError> {
        let (store, address, etag) = (self.clone(), address.clone(), etag.map(str::to_owned));
        apart(move || store.get_now(&address, etag.as_deref())).await
    }

    async fn head(&self, address: &Address) -> Result<ObjectHead, ObjectError> {
        let (store, address) = (self.clone(), address.clone());
        apart(move || store.head_now(&address)).await
    }

    async fn list(&self, address: &Address, after: Option<&str>) -> Result<Box<dyn Listing>, ObjectError> {
        let (store, address, after) = (self.clone(), address.clone(), after.map(str::to_owned));
        apart(move || {
            let place = store.bucket(&address.account, &address.bucket)?;
            let bucket =
                place.directory.try_clone().map_err(|error| ObjectError::Unavailable(error.to_string()))?;
            let walk = Walk::new(bucket, &address.key, after.as_deref()).map_err(failure)?;
            Ok(Box::new(DirectoryListing { state: Some((place, walk)) }) as Box<dyn Listing>)
        })
        .await
    }

    async fn put(&self, address: &Address, attributes: Attributes) -> Result<Box<dyn Upload>, ObjectError> {
        let (store, address) = (self.clone(), address.clone());
        apart(move || {
            let place = store.bucket(&address.account, &address.bucket)?;
            let upload = DirectoryUpload::begin(place, address.key, attributes)?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
        .await
    }

    async fn delete(&self, address: &Address) -> Result<(), ObjectError> {
        let (store, address) = (self.clone(), address.clone());
        apart(move || store.delete_now(&address)).await
    }

    async fn create_bucket(&self, account: &str, bucket: &str) -> Result<(), ObjectError> {
        let (store, account, bucket) = (self.clone(), account.to_owned(), bucket.to_owned());
        apart(move || store.create_now(&account, &bucket)).await
    }

    async fn buckets(&self, account: &str) -> Result<Vec<Bucket>, ObjectError> {
        let (store, account) = (self.clone(), account.to_owned());
        apart(move || store.buckets_now(&account)).await
    }
}

/// An open bucket.
#[derive(Debug)]
struct Place {
    account: OwnedFd,
    bucket: String,
    directory: OwnedFd,
}

impl Place {
    /// The directory that a key's file is in, and its name there.
    fn locate<'k>(&self, key: &'k str) -> Result<(OwnedFd, &'k str), ObjectError> {
        self.descend(key, |parent, name| tree::open_directory(parent, name))
    }

    /// The same, with directories created where there are none.
    fn make_way<'k>(&self, key: &'k str) -> Result<(OwnedFd, &'k str), ObjectError> {
        self.descend(key, |parent, name| tree::make_directory(parent, name))
    }

    fn descend<'k>(
        &self,
        key: &'k str,
        enter: impl Fn(&OwnedFd, &str) -> rustix::io::Result<OwnedFd>,
    ) -> Result<(OwnedFd, &'k str), ObjectError> {
        let mut segments = segments(key)?;
        let name = segments.pop().unwrap_or_default();
        let mut directory =
            self.directory.try_clone().map_err(|error| ObjectError::Unavailable(error.to_string()))?;
        for segment in segments {
            directory = enter(&directory, segment).map_err(failure)?;
        }
        Ok((directory, name))
    }

    /// Where the facts of this bucket are.
    fn facts_directory(&self, make: bool) -> rustix::io::Result<OwnedFd> {
        let enter = |parent: &OwnedFd, name: &str| {
            if make { tree::make_directory(parent, name) } else { tree::open_directory(parent, name) }
        };
        let aside = enter(&self.account, ASIDE)?;
        enter(&enter(&aside, "facts")?, &self.bucket)
    }

    /// Where files are while they are written.
    fn unfinished(&self) -> rustix::io::Result<OwnedFd> {
        tree::make_directory(tree::make_directory(&self.account, ASIDE)?, "unfinished")
    }

    /// What its writer left beside an object. Without it an object is still one.
    fn facts(&self, key: &str) -> Option<Facts> {
        let directory = self.facts_directory(false).ok()?;
        let (file, _) = tree::open_file(directory, &facts::file_name(key)).ok()?;
        let mut text = Vec::new();
        file.take(FACTS_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Removes what a deleted object leaves: its facts, and directories that hold nothing more.
    fn tidy(&self, key: &str) {
        if let Ok(directory) = self.facts_directory(false) {
            let _ = rustix::fs::unlinkat(directory, facts::file_name(key), AtFlags::empty());
        }
        let mut rest = key;
        while let Some((path, _)) = rest.rsplit_once('/') {
            let Ok((parent, name)) = self.locate(path) else { return };
            if rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR).is_err() {
                return;
            }
            rest = path;
        }
    }
}

struct DirectoryListing {
    /// None while a page is being made, and for ever when that was given up.
    state: Option<(Place, Walk)>,
}

#[async_trait]
impl Listing for DirectoryListing {
    async fn next(&mut self, most: usize) -> Result<Vec<ObjectHead>, ObjectError> {
        let Some((place, mut walk)) = self.state.take() else {
            return Err(ObjectError::Unavailable("The listing was given up.".to_owned()));
        };
        let (page, state) = apart(move || {
            let mut page = Vec::new();
            while page.len() < most {
                let Some((key, directory, name)) = walk.next().map_err(failure)? else { break };
                if let Some(stat) = tree::stat_file(directory, &name).map_err(failure)? {
                    page.push(facts::head(&key, &stat, place.facts(&key)));
                }
            }
            Ok((page, (place, walk)))
        })
        .await?;
        self.state = Some(state);
        Ok(page)
    }
}

#[allow(clippy::unnecessary_cast, clippy::cast_possible_wrap)] // the types of `stat` differ between systems
fn modified(stat: &Stat) -> Timestamp {
    Timestamp((stat.st_mtime as i64).saturating_mul(1_000) + stat.st_mtime_nsec as i64 / 1_000_000)
}

fn unavailable(error: Errno) -> ObjectError {
    ObjectError::Unavailable(format!("The directory of objects cannot be opened: {error}"))
}

/// Runs what waits for the disk on a thread for that.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectError> + Send + 'static,
) -> Result<T, ObjectError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ObjectError::Unavailable(error.to_string())))
}

/// Renames within an account.
fn rename(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<(), ObjectError> {
    rustix::fs::renameat(from, old, &to, new).map_err(failure)?;
    rustix::fs::fsync(to).map_err(failure)
}

#[cfg(test)]
mod tests;
