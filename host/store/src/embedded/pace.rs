//! How many batches a group may hold so that it stays short.
//!
//! A group that takes long makes everyone in it wait, and engines were measured to commit no more of them in a
//! second. It must never let a slow disk shrink groups: the time of a sync is the same for any number of batches.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::disk::TimedDisk;
use crate::limits;

/// A running estimate of what a batch costs.
pub(super) struct Pace {
    disk: Arc<TimedDisk>,
    begun: Instant,
    synced_before: Duration,
    /// Sums over the last groups, each counting 7/8 of the next one: seconds of work, batches, groups and seconds
    /// of syncs.
    work_seconds: f64,
    batches: f64,
    groups: f64,
    sync_seconds: f64,
}

/// What the last groups still count when one is added.
const DECAY: f64 = 7.0 / 8.0;

impl Pace {
    pub(super) fn new(disk: Arc<TimedDisk>) -> Self {
        Self {
            disk,
            begun: Instant::now(),
            synced_before: Duration::ZERO,
            work_seconds: 0.0,
            batches: 0.0,
            groups: 0.0,
            sync_seconds: 0.0,
        }
    }

    /// How long the syncs of a group took lately.
    pub(super) fn sync_time(&self) -> Duration {
        if self.groups > 0.0 {
            Duration::from_secs_f64(self.sync_seconds / self.groups)
        } else {
            Duration::ZERO
        }
    }

    /// A group begins.
    pub(super) fn begin(&mut self) {
        self.begun = Instant::now();
        self.synced_before = self.disk.spent();
    }

    /// The group of so many batches is done.
    pub(super) fn end(&mut self, batches: usize) {
        let synced = self.disk.spent().saturating_sub(self.synced_before);
        self.note(batches, self.begun.elapsed().saturating_sub(synced), synced);
    }

    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn note(&mut self, batches: usize, work: Duration, synced: Duration) {
        let sums = [&mut self.work_seconds, &mut self.batches, &mut self.groups, &mut self.sync_seconds];
        let values = [work.as_secs_f64(), batches as f64, 1.0, synced.as_secs_f64()];
        for (sum, value) in sums.into_iter().zip(values) {
            *sum = *sum * DECAY + value;
        }
    }

    /// The most batches for the next group: as many as fit into [`limits::GROUP_TIME`] beside the sync. Where the
    /// sync itself takes longer than half of that, as much time goes into the batches as into the sync.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to small positive numbers"
    )]
    pub(super) fn cap(&self) -> usize {
        if self.batches == 0.0 || self.work_seconds <= 0.0 {
            return limits::GROUP_BATCHES_FIRST;
        }
        let sync = self.sync_seconds / self.groups;
        let time = (limits::GROUP_TIME.as_secs_f64() - sync).max(sync);
        let cap = time * self.batches / self.work_seconds;
        cap.clamp(limits::GROUP_BATCHES_MIN as f64, limits::GROUP_BATCHES as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RealDisk;

    fn cap_after(batches: usize, work_micros: u64, sync_micros: u64) -> usize {
        let mut pace = Pace::new(Arc::new(TimedDisk::new(Arc::new(RealDisk))));
        assert_eq!(pace.cap(), limits::GROUP_BATCHES_FIRST);
        for _ in 0..50 {
            pace.note(batches, Duration::from_micros(work_micros), Duration::from_micros(sync_micros));
        }
        pace.cap()
    }

    #[test]
    fn a_group_takes_the_time_that_it_may() {
        // 20 us a batch and a sync of 1 ms: 4 ms are left.
        assert!((195..=205).contains(&cap_after(64, 64 * 20, 1_000)));
        // A slow disk does not shrink groups: 10 ms of batches beside a sync of 10 ms.
        assert!((495..=505).contains(&cap_after(64, 64 * 20, 10_000)));
        assert_eq!(cap_after(1, 1, 100), limits::GROUP_BATCHES);
        assert_eq!(cap_after(8, 400_000, 100), limits::GROUP_BATCHES_MIN);
    }
}
