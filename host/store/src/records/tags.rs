//! Stored tags of state machines and activities, by the ARN of what is tagged (API: TagResource).
//!
//! Tags go with what they belong to: whoever removes or creates that says so in the same batch. It must never be
//! decided here whether the tagged thing exists.

use super::changes::Changes;
use super::space;
use super::store::{Store, decode, encode};
use crate::batch::Key;
use crate::error::StoreError;
use crate::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tags of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsRecord {
    /// Whose.
    pub arn: String,
    /// Values by keys.
    pub tags: BTreeMap<String, String>,
}

impl Changes {
    /// Tags of what is created in the same batch, in place of whatever an older thing of that ARN may have left.
    pub fn set_tags(&mut self, arn: &str, tags: BTreeMap<String, String>) -> Result<(), StoreError> {
        if tags.is_empty() {
            self.delete_tags(arn);
            return Ok(());
        }
        let record = TagsRecord { arn: arn.to_owned(), tags };
        self.put(space::TAGS, Key::copy_from_slice(arn.as_bytes()), encode(&record)?);
        Ok(())
    }

    /// Tags as changed; `expected` is the version of the record that was read, none if there was none.
    pub fn tags(&mut self, record: &TagsRecord, expected: Option<u64>) -> Result<(), StoreError> {
        self.expect(space::TAGS, record.arn.clone().into(), expected);
        self.put(space::TAGS, record.arn.clone().into(), encode(record)?);
        Ok(())
    }

    /// Removes the tags of what is removed in the same batch.
    pub fn delete_tags(&mut self, arn: &str) {
        self.delete(space::TAGS, Key::copy_from_slice(arn.as_bytes()));
    }
}

impl Store {
    /// The tags of a resource, with the version to expect when changing them.
    pub async fn tags(&self, arn: &str) -> Result<Option<(TagsRecord, u64)>, StoreError> {
        if arn.len() > limits::KEY_BYTES {
            return Ok(None);
        }
        match self.backend.get(space::TAGS, arn.as_bytes()).await? {
            Some(stored) => Ok(Some((decode(space::TAGS, arn.as_bytes(), &stored.value)?, stored.version))),
            None => Ok(None),
        }
    }
}
