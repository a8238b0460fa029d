//! Virtual time, for tests of workflows: real time, and what has been skipped so far.
//!
//! It must never go backwards, and whoever sleeps must notice every skip at once.

use crate::clock::Clock;
use crate::limits;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::Timestamp;
use tokio::sync::watch;

/// Who moves virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipping {
    /// The executor, to the next timer whenever nothing else is under way; and whoever asks.
    Auto,
    /// Only whoever asks.
    Manual,
}

/// Real time plus an offset that only grows.
pub struct VirtualClock {
    real: Arc<dyn Clock>,
    skipping: Skipping,
    /// In milliseconds.
    offset: watch::Sender<i64>,
}

/// Why time was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvanceError {
    /// Not later than the present.
    #[error("time never goes backwards: it is {} already", .now.to_rfc3339())]
    Backwards {
        /// What the clock shows.
        now: Timestamp,
    },
    /// Later than any time that can be written.
    #[error("that is later than {}, where time ends", limits::LATEST_TIME.to_rfc3339())]
    TooFar,
}

impl VirtualClock {
    /// A clock that shows what `real` shows until it is advanced.
    pub fn new(real: Arc<dyn Clock>, skipping: Skipping) -> VirtualClock {
        VirtualClock { real, skipping, offset: watch::Sender::new(0) }
    }

    /// Who moves it.
    pub fn skipping(&self) -> Skipping {
        self.skipping
    }

    /// How far it is ahead of real time.
    pub fn offset(&self) -> Duration {
        Duration::from_millis(u64::try_from(*self.offset.borrow()).unwrap_or_default())
    }

    /// Moves time on by `by` and returns what it is then.
    pub fn advance(&self, by: Duration) -> Result<Timestamp, AdvanceError> {
        let by = i64::try_from(by.as_millis()).map_err(|_| AdvanceError::TooFar)?;
        self.go(|now| Timestamp(now.0.saturating_add(by)))
    }

    /// Moves time on to `at`, which is not in the past, and returns it.
    pub fn advance_to(&self, at: Timestamp) -> Result<Timestamp, AdvanceError> {
        self.go(|_| at)
    }

    fn go(&self, target: impl FnOnce(Timestamp) -> Timestamp) -> Result<Timestamp, AdvanceError> {
        let mut outcome = Err(AdvanceError::TooFar);
        // Under the lock of the channel: of two who move time at once, the second sees what the first has done.
        self.offset.send_if_modified(|offset| {
            let now = Timestamp(self.real.now().0.saturating_add(*offset));
            let at = target(now);
            if at < now {
                outcome = Err(AdvanceError::Backwards { now });
            } else if at <= limits::LATEST_TIME {
                *offset = offset.saturating_add(at.0 - now.0);
                outcome = Ok(at);
            }
            outcome.is_ok()
        });
        outcome
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.real.now().0.saturating_add(*self.offset.borrow()))
    }

    async fn sleep_until(&self, at: Timestamp) {
        // Before the look at the time: a skip between the two is noticed.
        let mut offset = self.offset.subscribe();
        let left = u64::try_from(at.0.saturating_sub(self.now().0)).unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(left).min(limits::TIMER_SLEEP)) => {}
            // An error is impossible: `self` has the sender.
            _ = offset.changed() => {}
        }
    }

    fn as_virtual(&self) -> Option<&VirtualClock> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Shows what it is set to.
    #[derive(Default)]
    struct Set(AtomicI64);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn time_is_skipped_forwards_only_and_goes_on_from_there() {
        let real = Arc::new(Set::default());
        let clock = VirtualClock::new(Arc::<Set>::clone(&real), Skipping::Manual);
        assert_eq!(clock.advance(Duration::from_mins(1)), Ok(Timestamp(60_000)));
        real.0.store(5, Ordering::Relaxed);
        assert_eq!((clock.now(), clock.offset()), (Timestamp(60_005), Duration::from_mins(1)));
        let backwards = Err(AdvanceError::Backwards { now: Timestamp(60_005) });
        assert_eq!(clock.advance_to(Timestamp(60_004)), backwards);
        assert_eq!(clock.advance_to(Timestamp(60_005)), Ok(Timestamp(60_005)));
        assert_eq!(clock.advance_to(Timestamp(70_000)), Ok(Timestamp(70_000)));
        for by in [Duration::MAX, Duration::from_secs(400_000_000_000)] {
            assert_eq!(clock.advance(by), Err(AdvanceError::TooFar));
        }
        assert_eq!(clock.now(), Timestamp(70_000));
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_notices_a_skip_at_once() {
        let clock = VirtualClock::new(Arc::new(Set::default()), Skipping::Auto);
        let begun = tokio::time::Instant::now();
        let ((), skipped) = tokio::join!(clock.sleep_until(Timestamp(1_000_000)), async {
            tokio::task::yield_now().await;
            clock.advance_to(Timestamp(1_000_000))
        });
        // The runtime's own clock moves only when everybody sleeps.
        assert_eq!((skipped, begun.elapsed()), (Ok(Timestamp(1_000_000)), Duration::ZERO));
        clock.sleep_until(Timestamp(999_999)).await;
        assert!(begun.elapsed() <= Duration::from_millis(1));
    }
}
