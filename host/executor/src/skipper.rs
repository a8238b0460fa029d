//! Skips the time in which nothing happens: to the next timer, in memory or parked, whenever nobody is at work.
//!
//! It waits for word of it and looks at nothing meanwhile. It must never skip beyond a timer.

use crate::clock::Clock;
use crate::error::SkipError;
use crate::limits;
use crate::quiescence::{Look, Quiescence};
use std::sync::Arc;
use stepwell_asl::Timestamp;
use stepwell_store::{Store, StoreError};
use tracing::{debug, warn};

/// Moves a virtual clock. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Skipper {
    pub(crate) quiescence: Quiescence,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What came of one quiet moment.
enum Moment {
    /// Time is now that of the next timer.
    Skipped(Timestamp),
    /// No timer is set.
    Nothing(Look),
    /// A timer is due, and who it belongs to is about to notice.
    Due(Look),
    /// Somebody began to work.
    Disturbed,
}

impl Skipper {
    /// Skips for as long as all shards are there.
    pub(crate) async fn run(self) {
        let mut seen = None;
        while let Some(look) = self.quiescence.still(seen).await {
            seen = match self.skip(look).await {
                Ok(Moment::Skipped(_) | Moment::Disturbed) => None,
                Ok(Moment::Nothing(look) | Moment::Due(look)) => Some(look.disturbances),
                Err(StoreError::Closed) => return,
                Err(failure) => {
                    warn!(%failure, "the times of waiting executions cannot be read; trying again");
                    tokio::time::sleep(limits::TIMER_SLEEP).await;
                    None
                }
            };
        }
    }

    /// Waits until nobody is at work, at most for [`limits::SKIP_PATIENCE`], then goes to the next timer, once. `None`
    /// when there is none.
    pub(crate) async fn once(&self) -> Result<Option<Timestamp>, SkipError> {
        let skipping = async {
            let mut seen = None;
            while let Some(look) = self.quiescence.still(seen).await {
                match self.skip(look).await? {
                    Moment::Skipped(at) => return Ok(Some(at)),
                    Moment::Nothing(_) => return Ok(None),
                    Moment::Due(look) => seen = Some(look.disturbances),
                    Moment::Disturbed => seen = None,
                }
            }
            Err(SkipError::ShuttingDown)
        };
        tokio::time::timeout(limits::SKIP_PATIENCE, skipping).await.unwrap_or(Err(SkipError::AtWork))
    }

    async fn skip(&self, look: Look) -> Result<Moment, StoreError> {
        let (parked, _) = self.store.wakes(look.called, Timestamp(i64::MAX), 1).await?;
        let parked = parked.first().map(|(wake, _)| wake.at);
        let Some(next) = [look.due, parked].into_iter().flatten().min() else {
            return Ok(Moment::Nothing(look));
        };
        let Some(clock) = self.clock.as_virtual().filter(|clock| clock.now() < next) else {
            return Ok(Moment::Due(look));
        };
        let mut skipped = None;
        self.quiescence.if_undisturbed(&look, || skipped = Some(clock.advance_to(next)));
        Ok(match skipped {
            Some(Ok(at)) => {
                debug!(to = at.to_rfc3339(), "time was skipped");
                Moment::Skipped(at)
            }
            // Time has gone there by itself, or cannot go there at all.
            Some(Err(_)) => Moment::Due(look),
            None => Moment::Disturbed,
        })
    }
}
