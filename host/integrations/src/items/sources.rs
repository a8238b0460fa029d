//! ItemReader over an object store: pins what is to be read, and reads it page by page from any item on.
//!
//! It must never read another version of an object than the one that was pinned: items would change under their numbers.

use super::configuration::Configuration;
use super::failure::Failure;
use super::listing::{Objects, Snapshot};
use super::manifest::{self, NamedFile};
use super::{Items, limits, open};
use crate::objects::{Address, Object, ObjectError, ObjectStore};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use stepwell_executor::limits::ITEM_PAGE_BYTES;
use stepwell_executor::{Item, ItemSource, ItemSources, Read, ReadRequest, SourceError};

/// Items in the objects of a store.
pub struct S3Items {
    store: Arc<dyn ObjectStore>,
    /// Long listings are kept here.
    listings: PathBuf,
}

/// What was pinned.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pin {
    /// The object with this ETag.
    Object(String),
    /// A listing.
    Listing(Snapshot),
}

/// What a request asks for.
struct Wanted {
    address: Address,
    configuration: Configuration,
    lists: bool,
}

impl S3Items {
    /// Items in the objects of `store`; `listings` is a directory for long listings, created when needed.
    pub fn new(store: Arc<dyn ObjectStore>, listings: PathBuf) -> S3Items {
        S3Items { store, listings }
    }

    /// The source whose items come from the pinned object.
    async fn of_object(&self, wanted: &Wanted, etag: &str) -> Result<Source, Failure> {
        let Wanted { address, configuration, .. } = wanted;
        let name = format!("S3://{}/{}", address.bucket, address.key);
        let object = self.store.get(address, Some(etag)).await.map_err(|error| failure(&name, error))?;
        if let Some(manifest) = configuration.manifest {
            let text =
                object.body.read_all(limits::MANIFEST_BYTES).await.map_err(|error| failure(&name, error))?;
            let files = manifest::files(manifest, configuration, &address.account, &text)?;
            return Ok(self.source(name, None, Parts::Files(files.into())));
        }
        let Some(format) = configuration.format else {
            return Err(Failure::wrong("ReaderConfig needs an InputType."));
        };
        let (key, configuration) = (address.key.clone(), configuration.clone());
        let items = apart(move || open(&key, format, &configuration, object.body)).await?;
        Ok(self.source(name, Some(items), Parts::Files(VecDeque::new())))
    }

    /// The source whose items are the listed objects, or lie in them.
    async fn of_listing(&self, wanted: Wanted, snapshot: Snapshot) -> Result<Source, Failure> {
        let Wanted { address, configuration, .. } = wanted;
        let directory = self.listings.clone();
        let objects = apart(move || snapshot.read(&directory)).await?;
        let name = format!("S3://{}", address.bucket);
        if !configuration.flattens {
            return Ok(self.source(name, Some(Box::new(objects)), Parts::Files(VecDeque::new())));
        }
        Ok(self.source(name, None, Parts::Listed { objects, address, configuration }))
    }

    fn source(&self, name: String, items: Option<Box<dyn Items>>, parts: Parts) -> Source {
        Source { store: Arc::clone(&self.store), name, items, parts, skipped: 0 }
    }
}

#[async_trait]
impl ItemSources for S3Items {
    async fn pin(&self, request: &ReadRequest) -> Result<Value, SourceError> {
        let wanted = wanted(request)?;
        let name = format!("S3://{}/{}", wanted.address.bucket, wanted.address.key);
        let pin = if wanted.lists {
            let listing =
                self.store.list(&wanted.address, None).await.map_err(|error| failure(&name, error))?;
            Pin::Listing(Snapshot::take(listing, &self.listings).await?)
        } else {
            Pin::Object(self.store.head(&wanted.address).await.map_err(|error| failure(&name, error))?.etag)
        };
        serde_json::to_value(pin).map_err(|error| SourceError::Unavailable(error.to_string()))
    }

    async fn open(
        &self,
        request: &ReadRequest,
        pin: &Value,
        from: u64,
    ) -> Result<Box<dyn ItemSource>, SourceError> {
        let wanted = wanted(request)?;
        let pin: Pin = serde_json::from_value(pin.clone())
            .map_err(|error| Failure::wrong(format!("What the run was to read is not known: {error}")))?;
        let source = match pin {
            Pin::Object(etag) => self.of_object(&wanted, &etag).await?,
            Pin::Listing(snapshot) => self.of_listing(wanted, snapshot).await?,
        };
        Ok(Box::new(Source { skipped: from, ..source }))
    }
}

fn wanted(request: &ReadRequest) -> Result<Wanted, Failure> {
    let account = request.execution_arn.split(':').nth(4).unwrap_or_default();
    let text = |name: &str| request.arguments.get(name).and_then(Value::as_str);
    let required = |name: &str| {
        text(name).map(str::to_owned).ok_or_else(|| {
            Failure::wrong(format!("The field '{name}' of ItemReader is required and must be a string."))
        })
    };
    if let Some(owner) = text("ExpectedBucketOwner").filter(|owner| *owner != account) {
        return Err(Failure::wrong(format!("Access Denied: the bucket does not belong to {owner}.")));
    }
    if text("VersionId").is_some_and(|version| version != "null") {
        return Err(Failure::wrong("VersionId is not supported: the store keeps one version of an object."));
    }
    let lists = request.resource.ends_with("listObjectsV2");
    let key = if lists { text("Prefix").unwrap_or_default().to_owned() } else { required("Key")? };
    let configuration = Configuration::parse(&request.configuration)?;
    Ok(Wanted {
        address: Address { account: account.to_owned(), bucket: required("Bucket")?, key },
        configuration,
        lists,
    })
}

/// What an error of the store means for a reader. Not recorded: causes are worded as the SDK's.
pub(super) fn failure(name: &str, error: ObjectError) -> Failure {
    match error {
        ObjectError::Unavailable(reason) => Failure::Unavailable(reason),
        ObjectError::Changed => {
            Failure::wrong(format!("The object {name} has changed since the Map run began to read it."))
        }
        other @ (ObjectError::NoSuchBucket
        | ObjectError::NoSuchKey
        | ObjectError::BucketExists
        | ObjectError::InvalidBucket
        | ObjectError::Invalid(_)
        | ObjectError::NotImplemented(_)) => {
            let error = crate::objects::service_error(&other);
            Failure::wrong(format!(
                "{} (Service: S3, Status Code: {}, Request ID: {}) [{name}]",
                error.message,
                error.status,
                uuid::Uuid::new_v4()
            ))
        }
    }
}

/// The files that come after the one being read.
enum Parts {
    Files(VecDeque<NamedFile>),
    Listed { objects: Objects, address: Address, configuration: Configuration },
}

struct Source {
    store: Arc<dyn ObjectStore>,
    name: String,
    /// Of the file being read; none before the first, between files, and behind the last.
    items: Option<Box<dyn Items>>,
    parts: Parts,
    /// Items to go past before the next one.
    skipped: u64,
}

impl Source {
    /// Opens the next file: whether there is one.
    async fn advance(&mut self) -> Result<bool, Failure> {
        let (address, etag, format, configuration) = match &mut self.parts {
            Parts::Files(files) => match files.pop_front() {
                Some(file) => (file.address, None, file.format, file.configuration),
                None => return Ok(false),
            },
            Parts::Listed { objects, address, configuration } => {
                // A marker of a folder is no file with items.
                let next = loop {
                    match objects.next_object()? {
                        Some(listed) if listed.key.ends_with('/') => {}
                        next => break next,
                    }
                };
                let (Some(listed), Some(format)) = (next, configuration.format) else { return Ok(false) };
                let address = Address { key: listed.key, ..address.clone() };
                (address, Some(listed.etag), format, configuration.clone())
            }
        };
        let name = format!("S3://{}/{}", address.bucket, address.key);
        let Object { body, .. } =
            self.store.get(&address, etag.as_deref()).await.map_err(|error| failure(&name, error))?;
        self.items = Some(apart(move || open(&address.key, format, &configuration, body)).await?);
        Ok(true)
    }
}

#[async_trait]
impl ItemSource for Source {
    async fn next(&mut self, most: usize) -> Result<Read, SourceError> {
        loop {
            let Some(mut items) = self.items.take() else {
                if self.advance().await? {
                    continue;
                }
                return Ok(Read { items: Vec::new(), is_last: true });
            };
            let skipped = self.skipped;
            let (page, left, items) = apart(move || {
                let (page, left) = page(items.as_mut(), skipped, most)?;
                Ok((page, left, items))
            })
            .await?;
            self.skipped = left;
            // A short page is the file's end: the next one is opened when it is asked for.
            let is_over = page.is_empty();
            if !is_over {
                self.items = Some(items);
                return Ok(Read { items: page, is_last: false });
            }
        }
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// The next items, and how many are still to be gone past.
fn page(items: &mut dyn Items, mut skipped: u64, most: usize) -> Result<(Vec<Item>, u64), Failure> {
    while skipped > 0 {
        if !items.skip()? {
            return Ok((Vec::new(), skipped));
        }
        skipped -= 1;
    }
    let (mut page, mut bytes) = (Vec::new(), 0);
    while page.len() < most.max(1) && bytes < ITEM_PAGE_BYTES {
        let Some(item) = items.next()? else { break };
        bytes += item.bytes;
        page.push(Item { value: item.value, key: item.key, bytes: item.bytes });
    }
    Ok((page, 0))
}

/// Runs what waits for bytes on a thread for that. A library that panics over a file has said that the file is wrong.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => Err(Failure::wrong("The file cannot be read.")),
        Err(error) => Err(Failure::Unavailable(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
