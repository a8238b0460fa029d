//! Objects: bytes under a key in a bucket, in a directory of this machine or at an S3 endpoint.
//!
//! Bodies go through in pieces: an object of any size must never be in memory as a whole, but where somebody asks for
//! its text and says how long it may be.

mod body;
mod directory;
mod names;
mod service;

pub use body::Body;
pub use directory::Directory;
pub use service::S3;
pub(crate) use service::service_error;

use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use stepwell_asl::Timestamp;

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The account whose buckets are meant: 12 digits.
    pub account: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the object.
    pub key: String,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its key.
    pub key: String,
    /// How long it is.
    pub bytes: u64,
    /// Changes whenever the content does; with its quotation marks, as S3 has it.
    pub etag: String,
    /// When it was written.
    pub modified: Timestamp,
    /// What its writer said of it. A listing does not know.
    pub attributes: Attributes,
}

/// What a writer says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attributes {
    /// `ContentType`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// `Metadata`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object {
    /// What is known of it.
    pub head: ObjectHead,
    /// Its bytes.
    pub body: Body,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was created, as far as is known.
    pub created: Timestamp,
}

/// Why an object cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// There is no such bucket.
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    /// There is no such object.
    #[error("The specified key does not exist.")]
    NoSuchKey,
    /// The object is another than the one asked for.
    #[error("At least one of the pre-conditions you specified did not hold")]
    Changed,
    /// The bucket exists already.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketExists,
    /// The bucket's name cannot be one.
    #[error("The specified bucket is not valid.")]
    InvalidBucket,
    /// The request cannot be carried out, whatever is there.
    #[error("{0}")]
    Invalid(String),
    /// The store cannot do that at all.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// It may work another time.
    #[error("{0}")]
    Unavailable(String),
}

/// Where objects are.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Opens an object; with `etag`, only if it still has that. It stays what it was when opened.
    async fn get(&self, address: &Address, etag: Option<&str>) -> Result<Object, ObjectError>;

    /// What is known of an object.
    async fn head(&self, address: &Address) -> Result<ObjectHead, ObjectError>;

    /// The objects whose keys begin with the address's key, in the order of their keys' bytes, those behind `after`.
    async fn list(&self, address: &Address, after: Option<&str>) -> Result<Box<dyn Listing>, ObjectError>;

    /// Begins to write an object. Nobody sees any of it before it is finished; dropping it leaves nothing.
    async fn put(&self, address: &Address, attributes: Attributes) -> Result<Box<dyn Upload>, ObjectError>;

    /// Deletes an object. There need not be one.
    async fn delete(&self, address: &Address) -> Result<(), ObjectError>;

    /// Creates a bucket.
    async fn create_bucket(&self, account: &str, bucket: &str) -> Result<(), ObjectError>;

    /// All buckets of an account, by name.
    async fn buckets(&self, account: &str) -> Result<Vec<Bucket>, ObjectError>;
}

/// Objects, one page after the other.
#[async_trait]
pub trait Listing: Send {
    /// The next `most` objects, fewer only when there are no more.
    async fn next(&mut self, most: usize) -> Result<Vec<ObjectHead>, ObjectError>;
}

/// An object that is being written.
#[async_trait]
pub trait Upload: Send {
    /// Adds bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<(), ObjectError>;

    /// Makes it the object, durably and at once.
    async fn finish(self: Box<Self>) -> Result<ObjectHead, ObjectError>;
}
