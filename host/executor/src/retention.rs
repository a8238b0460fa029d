//! Removes executions that ended longer ago than they are kept (AWS: 90 days after the close).
//!
//! It follows the executor's clock for what is due, and real time for its pace: after each batch it rests for a multiple
//! of the time that the batch took, so a slow or busy disk slows it down by itself and the work of others keeps most
//! of the machine. It must never remove what has not ended, and never hold anything of the executions in memory but a
//! page of ids.

use crate::clock::Clock;
use crate::executor::Shards;
use crate::limits;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_asl::Timestamp;
use stepwell_store::{Closed, Store, StoreError};
use tracing::{debug, info, warn};

/// Removes what is kept no longer, for as long as there are shards.
pub(crate) struct Retention {
    pub(crate) store: Store,
    pub(crate) shards: Shards,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long an execution is kept after its end.
    pub(crate) keep: Duration,
}

/// What a pass has come to.
struct Pass {
    begun: Instant,
    executions: u64,
    records: u64,
    bytes: u64,
    /// Executions whose records are damaged: they stay.
    damaged: u64,
}

/// Why a pass was broken off.
enum Stopped {
    /// The server ends.
    Ended,
    /// The store cannot do it now.
    Failed(StoreError),
}

impl Retention {
    pub(crate) async fn run(self) {
        let every = i64::try_from(interval(self.keep).as_millis()).unwrap_or(i64::MAX);
        let mut damaged = 0;
        loop {
            let mut pass = Pass { begun: Instant::now(), executions: 0, records: 0, bytes: 0, damaged: 0 };
            let stopped = self.pass(&mut pass).await.err();
            if pass.executions > 0 {
                let Pass { begun, executions, records, bytes, .. } = pass;
                let seconds = begun.elapsed().as_secs();
                info!(executions, records, bytes, seconds, "removed closed executions");
            }
            match stopped {
                Some(Stopped::Ended) => return,
                // The backend says so once itself. What a deletion frees is only free after it: nothing can be done here.
                Some(Stopped::Failed(StoreError::Full)) => debug!("the disk is full: no removals now"),
                Some(Stopped::Failed(failure)) => {
                    warn!(%failure, "closed executions cannot be removed; trying again");
                }
                None if pass.damaged > damaged => {
                    warn!(executions = pass.damaged, "damaged closed executions stay: check the store");
                }
                None => {}
            }
            damaged = damaged.max(pass.damaged);
            let begun = self.clock.now();
            // Also when the clock is set back; what is due is asked anew each time.
            while (begun.0..begun.0.saturating_add(every)).contains(&self.clock.now().0) {
                if self.shards.ended() {
                    return;
                }
                self.clock.sleep_until(Timestamp(begun.0.saturating_add(every))).await;
            }
            if self.shards.ended() {
                return;
            }
        }
    }

    /// Removes everything that is due, batch by batch.
    async fn pass(&self, pass: &mut Pass) -> Result<(), Stopped> {
        let mut after = None;
        loop {
            let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
            let before = Timestamp(self.clock.now().0.saturating_sub(keep));
            let page = self.store.expired(after, before, limits::RETENTION_PAGE).await.map_err(stop)?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            self.remove(&page, pass).await?;
            after = Some(last);
        }
    }

    async fn remove(&self, mut page: &[Closed], pass: &mut Pass) -> Result<(), Stopped> {
        let mut conflicts = 0;
        while !page.is_empty() {
            let begun = Instant::now();
            match self.store.remove(page).await {
                Ok(removal) => {
                    conflicts = 0;
                    pass.executions += removal.executions as u64;
                    pass.records += removal.records as u64;
                    pass.bytes += removal.bytes as u64;
                    page = page.get(removal.executions..).unwrap_or_default();
                }
                // Somebody else is at it: another process beside the same data.
                Err(StoreError::Conflict) if conflicts < limits::RETENTION_CONFLICTS => conflicts += 1,
                // The others must not wait for it. It is met again in the next pass.
                Err(
                    failure @ (StoreError::Corrupt { .. } | StoreError::Invalid(_) | StoreError::Conflict),
                ) => {
                    debug!(execution = ?page.first(), %failure, "a closed execution cannot be removed");
                    pass.damaged += 1;
                    page = page.get(1..).unwrap_or_default();
                }
                Err(failure) => return Err(stop(failure)),
            }
            if self.shards.ended() {
                return Err(Stopped::Ended);
            }
            tokio::time::sleep(pause(begun.elapsed(), pass.begun.elapsed())).await;
        }
        Ok(())
    }
}

fn stop(failure: StoreError) -> Stopped {
    match failure {
        // The server says so itself.
        StoreError::Closed | StoreError::Poisoned { .. } => Stopped::Ended,
        StoreError::Conflict
        | StoreError::Fenced { .. }
        | StoreError::Full
        | StoreError::Corrupt { .. }
        | StoreError::Unknown
        | StoreError::TooLarge { .. }
        | StoreError::Invalid(_) => Stopped::Failed(failure),
    }
}

/// How often it looks for what is due.
fn interval(keep: Duration) -> Duration {
    (keep / 10).clamp(limits::RETENTION_SOONEST, limits::RETENTION_EVERY)
}

/// How long it rests after a batch that took `took`, in a pass that goes on since `pass`. When more becomes due than is
/// removed, a pass does not end: it rests less then.
fn pause(took: Duration, pass: Duration) -> Duration {
    let times = if pass < limits::RETENTION_PATIENCE { limits::RETENTION_PAUSE } else { 1 };
    (took * times).clamp(limits::RETENTION_PAUSE_MIN, limits::RETENTION_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::{interval, pause};
    use crate::limits;
    use std::time::Duration;

    #[test]
    fn it_looks_every_minute_and_sooner_when_little_is_kept() {
        assert_eq!(interval(Duration::from_hours(90 * 24)), limits::RETENTION_EVERY);
        assert_eq!(interval(Duration::from_secs(50)), Duration::from_secs(5));
        assert_eq!(interval(Duration::from_secs(1)), limits::RETENTION_SOONEST);
    }

    #[test]
    fn a_slow_disk_makes_it_rest_longer_and_a_backlog_shorter() {
        let took = Duration::from_millis(10);
        assert_eq!(pause(took, Duration::ZERO), took * limits::RETENTION_PAUSE);
        assert_eq!(pause(took, limits::RETENTION_PATIENCE), took);
        assert_eq!(pause(Duration::ZERO, Duration::ZERO), limits::RETENTION_PAUSE_MIN);
        assert_eq!(pause(Duration::from_mins(1), Duration::ZERO), limits::RETENTION_PAUSE_MAX);
    }
}
