//! Pages of a space that go on behind a damaged record.

use crate::backend::KeyRange;
use crate::batch::{Key, Space};
use crate::error::StoreError;
use crate::limits;
use crate::records::store::Store;
use bytes::Bytes;

/// Reads a space in order. It must never end before the space does.
pub(super) struct Pages {
    space: Space,
    /// What is left, the last range first.
    left: Vec<KeyRange>,
}

/// A page, and the damaged record that was met instead of one: its key and what is wrong.
type Read = (Vec<(Key, Bytes)>, Option<(Vec<u8>, String)>);

impl Pages {
    pub(super) fn of(space: Space) -> Pages {
        Pages { space, left: vec![KeyRange::all()] }
    }

    pub(super) fn space(&self) -> Space {
        self.space
    }

    /// The next page; none at the end. Errors: those of a scan; `Corrupt` only if it does not name a record ahead.
    pub(super) async fn next(&mut self, store: &Store) -> Result<Option<Read>, StoreError> {
        let Some(range) = self.left.pop() else { return Ok(None) };
        match store.backend.scan(self.space, range.clone(), false, limits::PAGE_ITEMS).await {
            Ok(page) => {
                self.left.extend(page.next);
                Ok(Some((page.items, None)))
            }
            Err(StoreError::Corrupt { space, key, detail }) => {
                let ahead = from_hex(&key).filter(|at| space == self.space && range.contains(at));
                let Some(at) = ahead else { return Err(StoreError::Corrupt { space, key, detail }) };
                let (before, after) = (range.clone().before(at.clone()), range.after(&at));
                self.left.extend([after, before].into_iter().filter(|range| !range.is_empty()));
                Ok(Some((Vec::new(), Some((at, detail)))))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Reads the hexadecimal digits of a key.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn keys_are_read_back_from_messages() {
        assert_eq!(from_hex("00ff6a"), Some(vec![0, 0xFF, b'j']));
        assert_eq!(from_hex(""), Some(Vec::new()));
        for wrong in ["0", "0g", "é"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
