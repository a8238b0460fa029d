//! Wakes parked executions up: those whose time has come, and at the start those that were open when the last process ended.
//!
//! Both are lists in the store, read page by page: nothing of a sleeping execution is in memory. A shard that has an
//! execution in memory already ignores its call. It must never change anything.

use crate::clock::Clock;
use crate::executor::Shards;
use crate::limits;
use crate::quiescence::{Hold, Quiescence};
use crate::shard::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stepwell_asl::Timestamp;
use stepwell_store::{ExecutionId, Store, StoreError, Wake};
use tracing::{info, warn};

/// What the calls go through.
#[derive(Clone)]
pub(crate) struct Alarm {
    pub(crate) store: Store,
    pub(crate) shards: Shards,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) quiescence: Quiescence,
}

/// Counts the executions that were open when the last process ended and are back in memory. The count is told when
/// nobody is on the way any more. Those that were started since are none of them.
#[derive(Default)]
pub(crate) struct Recovered(AtomicU64);

impl Recovered {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Recovered {
    fn drop(&mut self) {
        let executions = *self.0.get_mut();
        if executions > 0 {
            info!(executions, "recovered open executions");
        }
    }
}

/// The shards have ended.
struct Ended;

impl Alarm {
    /// Calls every execution that was open when the last process ended. Time is held until then.
    pub(crate) async fn recover(self, _hold: Hold) {
        let (mut after, recovered) = (None, Arc::<Recovered>::default());
        loop {
            let page = match self.store.open_executions(after.as_ref(), limits::RECOVERY_PAGE).await {
                Ok(page) => page,
                Err(StoreError::Closed) => return,
                Err(failure) => {
                    warn!(%failure, "open executions cannot be read; trying again");
                    tokio::time::sleep(limits::REVIVAL_RETRY).await;
                    continue;
                }
            };
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (position, arn) in page {
                // What was started since is in memory, and its shard ignores the call.
                let Some(id) = position.execution() else { continue };
                if self.call(id, &arn, Some(&recovered)).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Calls parked executions when their time has come, for as long as there are shards.
    pub(crate) async fn ring(self) {
        let mut after: Option<Wake> = None;
        loop {
            let now = self.clock.now();
            // The clock was set back: what was parked since may be due before the last call.
            after = after.filter(|after| after.at <= now);
            let next = match self.store.wakes(after, now, limits::WAKE_PAGE).await {
                Ok((wakes, next)) => {
                    // Time is not skipped before the shards have those who are called.
                    let _hold = (!wakes.is_empty()).then(|| self.quiescence.hold());
                    for (wake, arn) in &wakes {
                        if self.call(wake.id, arn, None).await.is_err() {
                            return;
                        }
                    }
                    if let Some((last, _)) = wakes.last() {
                        after = Some(*last);
                        self.quiescence.called(*last);
                    }
                    next
                }
                Err(StoreError::Closed) => return,
                Err(failure) => {
                    warn!(%failure, "the times of waiting executions cannot be read; trying again");
                    None
                }
            };
            if self.shards.ended() {
                return;
            }
            // Nothing that is parked from now on is due before this.
            let longest = i64::try_from(limits::TIMER_SLEEP.as_millis()).unwrap_or(i64::MAX);
            let look_again = Timestamp(now.0.saturating_add(longest));
            self.clock.sleep_until(next.unwrap_or(look_again).min(look_again)).await;
        }
    }

    async fn call(
        &self,
        id: ExecutionId,
        arn: &str,
        recovered: Option<&Arc<Recovered>>,
    ) -> Result<(), Ended> {
        let shard = self.shards.of(arn);
        let Ok(permit) = shard.revivals.clone().acquire_owned().await else { return Err(Ended) };
        let hold = self.quiescence.hold();
        let wake = Message::Wake { id, permit: Some(permit), hold, recovered: recovered.cloned() };
        shard.sender.send(wake).await.map_err(|_| Ended)
    }
}
