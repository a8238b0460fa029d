//! What time it is: the one place that asks.

use crate::limits;
use crate::virtual_clock::VirtualClock;
use async_trait::async_trait;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stepwell_asl::Timestamp;

/// A source of wall-clock time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Waits until the clock shows `at`, or shorter: the caller looks again. A clock that is set is noticed within
    /// [`limits::TIMER_SLEEP`].
    async fn sleep_until(&self, at: Timestamp) {
        let milliseconds = u64::try_from(at.0.saturating_sub(self.now().0)).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(milliseconds).min(limits::TIMER_SLEEP)).await;
    }

    /// The same clock, if its time can be skipped.
    fn as_virtual(&self) -> Option<&VirtualClock> {
        None
    }
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}
