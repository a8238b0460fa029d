//! StartExecution without a name, asked for again by an SDK that has had no answer (API reference, section 1.6): all tries
//! of one call have one `amz-sdk-invocation-id`, and start one execution.
//!
//! The name is made from what was asked for, so it is remembered wherever the execution is: it survives a crash, and
//! nothing is stored for it. It begins with a time as version 7 UUIDs do, of the quarter of an hour that it was made in, so
//! that names which follow each other lie together. It must never stand for another request.

use sha2::{Digest as _, Sha256};
use stepwell_asl::Timestamp;
use stepwell_executor::Started;
use uuid::Builder;

use super::arn::{execution_arn, fits_a_key};
use super::error::ApiError;
use crate::limits;
use crate::server::Server;

/// A call that may come again.
pub(super) struct UnnamedStart {
    digest: [u8; 10],
}

impl UnnamedStart {
    /// `machine` is the ARN as it was given.
    pub(super) fn of(invocation_id: &str, machine: &str, input: &str) -> UnnamedStart {
        let mut hasher = Sha256::new();
        for part in [invocation_id, machine, input] {
            // The length in front keeps neighbours apart.
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        UnnamedStart { digest: std::array::from_fn(|index| digest[index]) }
    }

    /// The name that the execution gets now.
    pub(super) fn name(&self, now: Timestamp) -> String {
        self.name_in(window(now))
    }

    /// The execution that an earlier try has started, also when it has ended, unless that is too long ago.
    pub(super) async fn started(&self, server: &Server, machine: &str) -> Result<Option<Started>, ApiError> {
        let now = server.clock.now();
        for window in [window(now), window(now) - 1] {
            let execution_arn = execution_arn(machine, &self.name_in(window));
            if !fits_a_key(&execution_arn) {
                return Ok(None);
            }
            let Some(id) = server.store.execution_id(&execution_arn).await? else { continue };
            let Some(standing) = server.store.standing(id).await? else { continue };
            let started_at = standing.context.start_time;
            if now.0.saturating_sub(started_at.0) <= milliseconds() {
                return Ok(Some(Started { execution_arn, started_at }));
            }
        }
        Ok(None)
    }

    fn name_in(&self, window: i64) -> String {
        let begin = u64::try_from(window.saturating_mul(milliseconds())).unwrap_or_default();
        Builder::from_unix_timestamp_millis(begin, &self.digest).into_uuid().to_string()
    }
}

/// The number of the span of time that a moment lies in.
fn window(now: Timestamp) -> i64 {
    now.0.div_euclid(milliseconds())
}

fn milliseconds() -> i64 {
    i64::try_from(limits::REPEATED_START.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    #[test]
    fn one_call_has_one_name_and_another_has_another() {
        let name = |id, machine, input| UnnamedStart::of(id, machine, input).name(NOW);
        let first = name("i", "m", "{}");
        assert_eq!(first, name("i", "m", "{}"));
        for other in [name("j", "m", "{}"), name("i", "n", "{}"), name("i", "m", "[]"), name("im", "", "{}")]
        {
            assert_ne!(first, other);
        }
        assert_eq!((first.len(), &first[14..15]), (36, "7"));
    }

    #[test]
    fn names_follow_time() {
        let start = UnnamedStart::of("i", "m", "{}");
        let later = Timestamp(NOW.0 + milliseconds());
        assert!(start.name(NOW) < start.name(later));
        assert_eq!(window(later), window(NOW) + 1);
    }
}
