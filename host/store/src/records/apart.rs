//! Long texts of a journal, kept apart from its records: by the execution and by what they say, so that a payload that
//! goes through many states is stored once.
//!
//! They belong to one execution and go with it: nobody has to count who refers to them. A text never changes, so it
//! may be written again with the same words at any time.

use super::changes::Changes;
use super::execution::ExecutionId;
use super::journal::{Entry, Folded};
use super::space;
use super::store::Store;
use crate::error::StoreError;
use crate::limits;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The first half of a text's SHA-256.
pub(super) type TextId = [u8; 16];

/// Long texts of one record, each with its id.
pub(super) type TextsApart = Vec<(TextId, String)>;

/// The id of a text.
pub(super) fn text_id(text: &str) -> TextId {
    let digest = Sha256::digest(text);
    std::array::from_fn(|index| digest[index])
}

/// The texts of an execution that are known to be stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Written(BTreeSet<TextId>);

impl Written {
    /// Adds the texts of a record that are not stored yet; the bytes of those that are.
    pub(super) fn put(&mut self, changes: &mut Changes, id: ExecutionId, texts: TextsApart) -> usize {
        let mut spared = 0;
        for (text_id, text) in texts {
            if self.0.len() >= limits::TEXTS_KNOWN {
                self.0.clear();
            }
            if self.0.insert(text_id) {
                changes.put(space::TEXTS, space::text_key(id, text_id), text.into_bytes());
            } else {
                spared += text.len();
            }
        }
        spared
    }
}

/// Texts that somebody who reads several records of one execution has read.
#[derive(Debug, Default)]
pub(super) struct Texts {
    read: BTreeMap<TextId, String>,
    bytes: usize,
    /// Bytes of all texts that went into records, however often.
    pub(super) given: usize,
}

impl Store {
    /// Reads a record of the journal. None: it was removed meanwhile, and its texts before it.
    pub(super) async fn entry(
        &self,
        key: &[u8],
        value: &[u8],
        texts: &mut Texts,
    ) -> Result<Option<Entry>, StoreError> {
        let mut folded = Folded::decode(key, value)?;
        let Some(id) = space::owner_of(key) else { return folded.unfold(key, &texts.read).map(Some) };
        for text_id in folded.texts_apart() {
            if let Some(text) = texts.read.get(&text_id) {
                texts.given += text.len();
                continue;
            }
            match self.backend.get(space::TEXTS, &space::text_key(id, text_id)).await? {
                Some(stored) => texts.keep(text_id, &stored.value),
                None if self.backend.get(space::HISTORY, key).await?.is_none() => return Ok(None),
                None => {
                    return Err(StoreError::corrupt(
                        space::HISTORY,
                        key,
                        "a text that is kept apart is missing",
                    ));
                }
            }
        }
        let entry = folded.unfold(key, &texts.read)?;
        texts.forget_if_many();
        Ok(Some(entry))
    }
}

impl Texts {
    fn keep(&mut self, id: TextId, text: &[u8]) {
        self.bytes += text.len();
        self.given += text.len();
        self.read.insert(id, String::from_utf8_lossy(text).into_owned());
    }

    /// A long journal may have more of them than memory should hold.
    fn forget_if_many(&mut self) {
        if self.bytes > limits::TEXTS_BYTES {
            *self = Texts { given: self.given, ..Texts::default() };
        }
    }
}
