//! How much of a processor a call uses: measured where the guest yields, so that a short call pays nothing for it.
//!
//! A guest yields at every tick of the epoch. From where it is resumed to where it yields again, all of its thread's
//! processor time is the guest's. A slice that began somewhere else, after waiting inside the host, counts as one tick.

use crate::limits;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts the processor time of one call.
pub(crate) struct CpuClock {
    limit: Duration,
    used: Duration,
    polls: Arc<Polls>,
    resumed: Arc<Resumed>,
}

/// How often the call's future has been polled.
#[derive(Default)]
pub(crate) struct Polls(AtomicU64);

/// Where the current slice began: the poll, and the thread's processor time then, in nanoseconds.
#[derive(Default)]
pub(crate) struct Resumed {
    poll: AtomicU64,
    at: AtomicU64,
}

/// What ends a call that computes too long. It travels through wasmtime and comes out in `failure.rs`.
#[derive(Debug, thiserror::Error)]
#[error("the processor time is used up")]
pub(crate) struct CpuPassed;

impl Polls {
    /// Notes that the future is polled.
    pub(crate) fn next(&self) {
        // Only the thread that polls writes, and only the guest on the same thread reads.
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl CpuClock {
    /// Starts at nothing.
    pub(crate) fn new(limit: Duration, polls: Arc<Polls>) -> Self {
        Self { limit, used: Duration::ZERO, polls, resumed: Arc::default() }
    }

    /// Charges the slice that ends here, at a yield.
    ///
    /// # Errors
    /// When the call has used more than its limit.
    pub(crate) fn charge(&mut self) -> Result<(), CpuPassed> {
        let poll = self.polls.0.load(Ordering::Relaxed);
        let slice = if self.resumed.poll.load(Ordering::Relaxed) == poll {
            Duration::from_nanos(thread_nanoseconds().saturating_sub(self.resumed.at.load(Ordering::Relaxed)))
        } else {
            limits::EPOCH_TICK
        };
        self.used += slice;
        if self.used > self.limit { Err(CpuPassed) } else { Ok(()) }
    }

    /// Gives the future that a yielding guest waits for: once to the back of the line, then a new slice begins.
    pub(crate) fn yield_now(&self) -> impl Future<Output = ()> + Send + 'static {
        let (polls, resumed) = (Arc::clone(&self.polls), Arc::clone(&self.resumed));
        async move {
            tokio::task::yield_now().await;
            resumed.at.store(thread_nanoseconds(), Ordering::Relaxed);
            resumed.poll.store(polls.0.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// Returns the processor time of this thread, in nanoseconds.
pub(crate) fn thread_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn burn(time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            std::hint::black_box(thread_nanoseconds());
        }
    }

    #[tokio::test]
    async fn slices_add_up_to_the_limit() {
        let polls = Arc::new(Polls::default());
        let mut clock = CpuClock::new(Duration::from_millis(20), Arc::clone(&polls));
        let mut slices = 0;
        polls.next();
        while clock.charge().is_ok() {
            polls.next();
            clock.yield_now().await;
            burn(Duration::from_millis(2));
            slices += 1;
        }
        // The processor may have been elsewhere while the slices were burnt: then there are more of them.
        assert!(slices >= 9, "{slices}");
    }

    #[test]
    fn a_slice_that_began_elsewhere_counts_as_a_tick() {
        let polls = Arc::new(Polls::default());
        let mut clock = CpuClock::new(limits::EPOCH_TICK * 3, Arc::clone(&polls));
        for _ in 0..3 {
            polls.next();
            assert!(clock.charge().is_ok());
        }
        polls.next();
        assert!(clock.charge().is_err());
    }
}
