//! Page tokens (API reference, section 1.9): opaque, bound to the operation and its arguments, valid for 24 hours.
//!
//! A token carries its position itself, so that it survives a restart and any node can answer it. The checksum finds
//! damage and mix-ups; it is no secret, so a position must never be trusted more than an argument is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use stepwell_asl::Timestamp;

use super::constraints::Fields;
use super::error::ApiError;
use crate::limits;

/// Changes with the layout: tokens of another layout are refused.
const LAYOUT: u8 = 1;
const CHECKSUM_BYTES: usize = 12;
const TIME_BYTES: usize = 8;

/// What a list request says about its page.
#[derive(Debug)]
pub(crate) struct PageRequest {
    /// Items asked for, at least 1.
    pub(crate) items: usize,
    token: Option<String>,
}

impl PageRequest {
    /// Reads `maxResults` and `nextToken`; violations are noted in `fields`.
    pub(crate) fn read(fields: &mut Fields, token_characters: usize) -> PageRequest {
        let items = fields.integer("maxResults", 0, limits::PAGE_ITEMS).unwrap_or_default();
        let token = fields.text("nextToken", 1, token_characters);
        let items = usize::try_from(items).ok().filter(|items| *items > 0);
        PageRequest { items: items.unwrap_or(limits::DEFAULT_PAGE_ITEMS), token }
    }

    /// The position that the request goes on from; none for the first page.
    pub(crate) fn position(&self, scope: &[&str], now: Timestamp) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(token) = &self.token else { return Ok(None) };
        open(token, scope, now).map(Some).ok_or(ApiError::InvalidToken)
    }
}

/// Makes a token for `position`. `scope` is the operation and every argument that must stay the same.
pub(crate) fn issue(scope: &[&str], position: &[u8], now: Timestamp) -> String {
    let time = now.0.to_be_bytes();
    let token = [&[LAYOUT], checksum(scope, time, position).as_slice(), &time, position].concat();
    URL_SAFE_NO_PAD.encode(token)
}

/// The position in a token that was made for the same arguments and is not too old.
pub(crate) fn open(token: &str, scope: &[&str], now: Timestamp) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (layout, rest) = bytes.split_first()?;
    let (found, rest) = rest.split_at_checked(CHECKSUM_BYTES)?;
    let (time, position) = rest.split_at_checked(TIME_BYTES)?;
    let time: [u8; TIME_BYTES] = time.try_into().ok()?;
    let age = now.0.saturating_sub(i64::from_be_bytes(time));
    let valid = *layout == LAYOUT
        && found == checksum(scope, time, position)
        && age <= limits::PAGE_TOKEN_MILLISECONDS;
    valid.then(|| position.to_vec())
}

fn checksum(scope: &[&str], time: [u8; TIME_BYTES], position: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = Sha256::new();
    for part in scope {
        // The length in front keeps neighbours apart: ["ab", "c"] is not ["a", "bc"].
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.update(time);
    hasher.update(position);
    let digest = hasher.finalize();
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    #[test]
    fn a_token_gives_its_position_back_for_a_day() {
        let token = issue(&["ListExecutions", "arn"], b"here", NOW);
        assert_eq!(open(&token, &["ListExecutions", "arn"], NOW).unwrap(), b"here");
        let tomorrow = NOW.plus_milliseconds(limits::PAGE_TOKEN_MILLISECONDS);
        assert!(open(&token, &["ListExecutions", "arn"], tomorrow).is_some());
        assert!(open(&token, &["ListExecutions", "arn"], tomorrow.plus_milliseconds(1)).is_none());
    }

    #[test]
    fn a_token_of_other_arguments_is_refused() {
        let token = issue(&["ListExecutions", "ab", "c"], b"here", NOW);
        for scope in [&["ListExecutions", "a", "bc"][..], &["ListExecutions", "ab"], &["X", "ab", "c"], &[]] {
            assert!(open(&token, scope, NOW).is_none(), "{scope:?}");
        }
    }

    #[test]
    fn a_changed_token_is_refused() {
        let token = issue(&["x"], b"here", NOW);
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(open(&changed, &["x"], NOW), Some(b"here".to_vec()), "{changed}");
        }
        for wrong in ["", "x", "not base64!", "AAAA", &token[1..], &token[..token.len() - 2]] {
            assert!(open(wrong, &["x"], NOW).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_longest_position_fits() {
        let arn = "x".repeat(limits::ARN_CHARACTERS * 4);
        assert!(
            issue(&["ListStateMachines"], &arn.as_bytes()[..700], NOW).len() < limits::PAGE_TOKEN_CHARACTERS
        );
    }
}
