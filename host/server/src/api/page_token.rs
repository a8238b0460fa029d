//! Page tokens (API reference, section 1.9): opaque, bound to the caller's account, the operation and its arguments, valid
//! for 24 hours.
//!
//! A token carries its position itself, so that it survives a restart, and a keyed digest, so that nobody but this server
//! can make one. Still a position must never be trusted more than an argument is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use stepwell_asl::Timestamp;
use tokio::sync::OnceCell;

use super::constraints::Fields;
use super::error::ApiError;
use crate::limits;
use crate::secrets::Seal;
use crate::server::Server;

/// Changes with the layout: tokens of another layout are refused.
const LAYOUT: u8 = 2;
const DIGEST_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
/// What the key is for.
const PURPOSE: &str = "stepwell page tokens";

/// Makes tokens, and opens those that it has made.
pub(crate) struct PageTokens {
    seal: Seal,
    /// Set at first use.
    key: OnceCell<[u8; 32]>,
}

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

    /// The position that the request goes on from; none for the first page. `scope` is the operation and every argument
    /// that must stay the same. Errors: `InvalidToken`.
    pub(crate) async fn position(
        &self,
        server: &Server,
        scope: &[&str],
    ) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(token) = &self.token else { return Ok(None) };
        open(server, token, scope).await.map(Some).ok_or(ApiError::InvalidToken)
    }
}

/// Makes a token for `position`. `scope` is the operation and every argument that must stay the same.
pub(crate) async fn issue(server: &Server, scope: &[&str], position: &[u8]) -> String {
    let key = server.page_tokens.key().await;
    encode(key, &of_account(server, scope), position, server.clock.now())
}

/// The position in a token that this server has made for the same arguments and that is not too old.
pub(crate) async fn open(server: &Server, token: &str, scope: &[&str]) -> Option<Vec<u8>> {
    let key = server.page_tokens.key().await;
    decode(key, &of_account(server, scope), token, server.clock.now())
}

fn of_account<'a>(server: &'a Server, scope: &[&'a str]) -> Vec<&'a str> {
    [&[server.identity.account.as_str()], scope].concat()
}

impl PageTokens {
    pub(crate) fn new(seal: Seal) -> PageTokens {
        PageTokens { seal, key: OnceCell::new() }
    }

    async fn key(&self) -> &[u8; 32] {
        let derive = || async {
            self.seal.derive(PURPOSE).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "tokens of pages will not survive a restart: the server's key cannot be used");
                let mut key = [0; 32];
                key[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
                key[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
                key
            })
        };
        self.key.get_or_init(derive).await
    }
}

fn encode(key: &[u8; 32], scope: &[&str], position: &[u8], now: Timestamp) -> String {
    let time = now.0.to_be_bytes();
    let digest = digest(key, scope, time, position).finalize().into_bytes();
    let token = [&[LAYOUT], &digest[..DIGEST_BYTES], &time, position].concat();
    URL_SAFE_NO_PAD.encode(token)
}

fn decode(key: &[u8; 32], scope: &[&str], token: &str, now: Timestamp) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (layout, rest) = bytes.split_first()?;
    let (found, rest) = rest.split_at_checked(DIGEST_BYTES)?;
    let (time, position) = rest.split_at_checked(TIME_BYTES)?;
    let time: [u8; TIME_BYTES] = time.try_into().ok()?;
    let age = now.0.saturating_sub(i64::from_be_bytes(time));
    // Compared in constant time.
    let is_ours = digest(key, scope, time, position).verify_truncated_left(found).is_ok();
    let valid = *layout == LAYOUT && is_ours && age <= limits::PAGE_TOKEN_MILLISECONDS;
    valid.then(|| position.to_vec())
}

fn digest(key: &[u8; 32], scope: &[&str], time: [u8; TIME_BYTES], position: &[u8]) -> Hmac<Sha256> {
    // Shorter keys are filled up with zeros (RFC 2104).
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..key.len()].copy_from_slice(key);
    let mut hmac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block);
    for part in scope {
        // The length in front keeps neighbours apart: ["ab", "c"] is not ["a", "bc"].
        hmac.update(&(part.len() as u64).to_be_bytes());
        hmac.update(part.as_bytes());
    }
    hmac.update(&time);
    hmac.update(position);
    hmac
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);
    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_token_of_another_key_is_refused() {
        let token = encode(&[8; 32], &["x"], b"here", NOW);
        assert!(decode(&[8; 32], &["x"], &token, NOW).is_some());
        assert!(decode(&KEY, &["x"], &token, NOW).is_none());
    }

    #[test]
    fn a_token_gives_its_position_back_for_a_day() {
        let token = encode(&KEY, &["ListExecutions", "arn"], b"here", NOW);
        assert_eq!(decode(&KEY, &["ListExecutions", "arn"], &token, NOW).unwrap(), b"here");
        let tomorrow = NOW.plus_milliseconds(limits::PAGE_TOKEN_MILLISECONDS);
        assert!(decode(&KEY, &["ListExecutions", "arn"], &token, tomorrow).is_some());
        assert!(decode(&KEY, &["ListExecutions", "arn"], &token, tomorrow.plus_milliseconds(1)).is_none());
    }

    #[test]
    fn a_token_of_other_arguments_is_refused() {
        let token = encode(&KEY, &["ListExecutions", "ab", "c"], b"here", NOW);
        for scope in [&["ListExecutions", "a", "bc"][..], &["ListExecutions", "ab"], &["X", "ab", "c"], &[]] {
            assert!(decode(&KEY, scope, &token, NOW).is_none(), "{scope:?}");
        }
    }

    #[test]
    fn a_changed_token_is_refused() {
        let token = encode(&KEY, &["x"], b"here", NOW);
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(decode(&KEY, &["x"], &changed, NOW), Some(b"here".to_vec()), "{changed}");
        }
        for wrong in ["", "x", "not base64!", "AAAA", &token[1..], &token[..token.len() - 2]] {
            assert!(decode(&KEY, &["x"], wrong, NOW).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_longest_position_fits() {
        let arn = "x".repeat(limits::ARN_CHARACTERS * 4);
        assert!(
            encode(&KEY, &["ListStateMachines"], &arn.as_bytes()[..700], NOW).len()
                < limits::PAGE_TOKEN_CHARACTERS
        );
    }
}
