//! The ids of new executions: version 7 UUIDs, which begin with the time, so that new records follow the old ones.
//!
//! What is random about an execution follows from its id. It must never give one id twice.

use crate::clock::{Clock, SystemClock};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stepwell_asl::TokenKey;
use stepwell_store::ExecutionId;
use uuid::Uuid;

/// Where ids come from.
pub(crate) enum Ids {
    /// A generator of each thread, and the operating system's clock: nothing secret may follow from them.
    Random { made: AtomicU64 },
    /// A seed and the executor's clock: the same run makes the same ids.
    Seeded { seed: u64, made: AtomicU64, clock: Arc<dyn Clock> },
}

impl Ids {
    pub(crate) fn new(seed: Option<u64>, clock: &Arc<dyn Clock>) -> Ids {
        match seed {
            None => Ids::Random { made: AtomicU64::new(0) },
            Some(seed) => Ids::Seeded { seed, made: AtomicU64::new(0), clock: Arc::clone(clock) },
        }
    }

    /// A new id.
    pub(crate) fn next(&self) -> ExecutionId {
        let (number, random, now) = match self {
            Ids::Random { made } => {
                (made.fetch_add(1, Ordering::Relaxed), fastrand::u64(..), SystemClock.now())
            }
            Ids::Seeded { seed, made, clock } => {
                let number = made.fetch_add(1, Ordering::Relaxed);
                let mut hasher = DefaultHasher::new();
                (seed, number).hash(&mut hasher);
                (number, hasher.finish(), clock.now())
            }
        };
        let milliseconds = u64::try_from(now.0).unwrap_or_default();
        // The number comes first: ids of one millisecond are in the order of their making.
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&number.to_be_bytes()[6..]);
        bytes[2..].copy_from_slice(&random.to_be_bytes());
        let uuid = uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid();
        ExecutionId(uuid.into_bytes())
    }

    /// The key of a new execution's task tokens. Ids are shown to clients, so it must not follow from one.
    pub(crate) fn token_key(&self, id: ExecutionId) -> TokenKey {
        match self {
            Ids::Random { .. } => TokenKey::new(Uuid::new_v4().into_bytes()),
            Ids::Seeded { seed, .. } => {
                let half = |half: u8| {
                    let mut hasher = DefaultHasher::new();
                    (seed, id.0, half).hash(&mut hasher);
                    hasher.finish()
                };
                TokenKey::new((u128::from(half(0)) << 64 | u128::from(half(1))).to_be_bytes())
            }
        }
    }
}

/// What seeds the random choices of an execution: the random half of its id.
pub(crate) fn seed_of(id: ExecutionId) -> u64 {
    id.0[8..].iter().fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::Timestamp;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp(1_700_000_000_000)
        }
    }

    fn some(seed: Option<u64>) -> Vec<ExecutionId> {
        let ids = Ids::new(seed, &(Arc::new(Still) as Arc<dyn Clock>));
        (0..1_000).map(|_| ids.next()).collect()
    }

    #[test]
    fn a_seed_makes_the_same_ids_again_in_order_and_none_twice() {
        let ids = some(Some(1));
        assert_eq!(ids, some(Some(1)));
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(some(Some(2)).iter().all(|id| !ids.contains(id)));
        assert!(some(None).iter().all(|id| !ids.contains(id)));
    }
}
