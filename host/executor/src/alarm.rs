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

/// The shards have ended.
struct Ended;

impl Alarm {
    /// Calls every execution that was open when the last process ended. Time is held until then.
    pub(crate) async fn recover(self, _hold: Hold) {
        let (mut after, mut called) = (None, 0_u64);
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
                called += 1;
                if self.call(id, &arn).await.is_err() {
                    return;
                }
            }
        }
        if called > 0 {
            info!(executions = called, "recovered open executions");
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
                        if self.call(wake.id, arn).await.is_err() {
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

    async fn call(&self, id: ExecutionId, arn: &str) -> Result<(), Ended> {
        let shard = self.shards.of(arn);
        let Ok(permit) = shard.revivals.clone().acquire_owned().await else { return Err(Ended) };
        let hold = self.quiescence.hold();
        shard.sender.send(Message::Wake { id, permit: Some(permit), hold }).await.map_err(|_| Ended)
    }
}
