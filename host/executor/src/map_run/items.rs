//! Where the items of a map run come from when they are not in the execution itself: a trait, as
//! [`crate::Integration`] is for tasks (specification, "ItemReader").
//!
//! A run is read from its beginning once, and after a crash again from any item on: the same items must come out in the
//! same order. So what is read is pinned first (a version of an object, the keys of a listing), and the pin is stored with
//! the run. It must never hold more than a page of items in memory, whatever the object's size is.

use async_trait::async_trait;
use serde_json::Value;
use stepwell_asl::StatesError;

/// What to read, evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRequest {
    /// ARN of the execution that reads, for its account, region and role.
    pub execution_arn: String,
    /// The reader's `Resource`: `arn:aws:states:::s3:getObject` or `...:s3:listObjectsV2`.
    pub resource: String,
    /// `Parameters` or `Arguments`, evaluated: `Bucket`, `Key`, `Prefix`, ...; null where there are none.
    pub arguments: Value,
    /// `ReaderConfig` as the definition has it: `InputType`, `CSVHeaders`, `ItemsPointer`, ...; null where there is none.
    /// `MaxItems` in it counts for nothing: the run counts for itself.
    pub configuration: Value,
}

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The value, any JSON.
    pub value: Value,
    /// `Map.Item.Key` of the context object: where the items are the members of an object.
    pub key: Option<String>,
    /// Bytes that it took where it was read, about: bounds what is in memory.
    pub bytes: usize,
}

/// A page of items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// The next items, in order: at least one, unless there are no more.
    pub items: Vec<Item>,
    /// Whether these were the last ones.
    pub is_last: bool,
}

/// Why items cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceError {
    /// The run fails with this, usually `States.ItemReaderFailed`: another try would come to the same.
    Failed(StatesError),
    /// Another try may help: a host that does not answer, a disk that is full.
    Unavailable(String),
}

/// Opens sources. Cheap calls may be made again and again.
#[async_trait]
pub trait ItemSources: Send + Sync {
    /// Finds out what exactly is to be read, as JSON of at most [`crate::limits::PIN_BYTES`]. It is stored with the run
    /// before anything else is done, and given to every [`ItemSources::open`].
    async fn pin(&self, request: &ReadRequest) -> Result<Value, SourceError>;

    /// Opens what was pinned, before the item with the index `from`, from 0.
    async fn open(
        &self,
        request: &ReadRequest,
        pin: &Value,
        from: u64,
    ) -> Result<Box<dyn ItemSource>, SourceError>;
}

/// Items, one page after the other.
#[async_trait]
pub trait ItemSource: Send {
    /// The next page, of at most `most` items and about [`crate::limits::ITEM_PAGE_BYTES`]. After an error the source is
    /// opened anew. Dropping the future gives it up.
    async fn next(&mut self, most: usize) -> Result<Read, SourceError>;

    /// What `Map.Item.Source` of the context object says of all items: `S3://bucket` or `S3://bucket/key`.
    fn name(&self) -> String;
}

/// Reads nothing: for a host, or a test, whose items are all in the input.
#[derive(Clone, Copy, Debug)]
pub struct NoItemSources;

#[async_trait]
impl ItemSources for NoItemSources {
    async fn pin(&self, request: &ReadRequest) -> Result<Value, SourceError> {
        let cause = format!("There is nothing here that reads {}.", request.resource);
        Err(SourceError::Failed(StatesError::new("States.ItemReaderFailed", cause)))
    }

    async fn open(
        &self,
        request: &ReadRequest,
        _: &Value,
        _: u64,
    ) -> Result<Box<dyn ItemSource>, SourceError> {
        let cause = format!("There is nothing here that reads {}.", request.resource);
        Err(SourceError::Failed(StatesError::new("States.ItemReaderFailed", cause)))
    }
}
