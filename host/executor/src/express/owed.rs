//! Asynchronous Express executions: stored before they are answered, removed some time after their end, run again when
//! a process has left them.
//!
//! It must never remove the record of an execution that may still have to run.

use super::room::Share;
use super::run::{Facts, Run};
use super::{Express, Shared};
use crate::error::StartError;
use crate::limits;
use crate::quiescence::Hold;
use crate::request::Started;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use stepwell_store::{Changes, ExecutionId, ExpressRecord, Store, StoreError};
use tokio::sync::{Notify, oneshot, watch};
use tracing::{debug, error, info, warn};

/// The ends that the store has not been told of yet.
pub(super) struct Owed {
    store: Store,
    /// At most as many as have run since the last commit that worked: starts are commits too.
    ended: Mutex<Vec<ExecutionId>>,
    told: Notify,
}

impl Owed {
    pub(super) fn new(store: Store) -> Owed {
        Owed { store, ended: Mutex::default(), told: Notify::new() }
    }

    /// Notes that an execution need not be run again.
    pub(super) fn ended(&self, id: ExecutionId) {
        self.lock().push(id);
        self.told.notify_one();
    }

    /// Removes the starts of all that have ended. What fails is tried again with the next ones, or runs again.
    pub(super) async fn settle(&self) {
        loop {
            let ended: Vec<ExecutionId> = {
                let mut ended = self.lock();
                let from = ended.len().saturating_sub(limits::EXPRESS_CLEAN_STARTS);
                ended.split_off(from)
            };
            if ended.is_empty() {
                return;
            }
            let mut changes = Changes::new();
            for id in &ended {
                changes.express_end(*id);
            }
            if let Err(failure) = self.store.commit(changes).await {
                debug!(%failure, "the ends of Express executions are not stored yet");
                self.lock().extend(ended);
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ExecutionId>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what has ended, many in one batch, for as long as there is somebody.
pub(super) async fn clean(shared: Weak<Shared>, mut stop: watch::Receiver<bool>) {
    let end = async move { drop(stop.wait_for(|stopped| *stopped).await) };
    tokio::pin!(end);
    loop {
        let Some(strong) = shared.upgrade() else { return };
        tokio::select! {
            () = strong.owed.told.notified() => {}
            // From time to time: so that nothing is kept for ever that was forgotten.
            () = tokio::time::sleep(limits::EXPRESS_CLEAN_LONGEST) => {}
            () = &mut end => return,
        }
        drop(strong);
        tokio::time::sleep(limits::EXPRESS_CLEAN_EVERY).await;
        let Some(strong) = shared.upgrade() else { return };
        strong.owed.settle().await;
    }
}

/// Stores a start, answers it, and runs the execution.
pub(super) async fn start(
    shared: Arc<Shared>,
    id: ExecutionId,
    record: ExpressRecord,
    run: Run,
    reply: oneshot::Sender<Result<Started, StartError>>,
) {
    let mut changes = Changes::new();
    let stored = match changes.express_start(id, &record) {
        Ok(()) => shared.store.commit(changes).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = stored {
        // It may be stored all the same: the caller was told otherwise, so it must not run later.
        shared.owed.ended(id);
        // A caller that no longer waits needs no answer.
        let _ = reply.send(Err(StartError::Store(failure)));
        return;
    }
    let context = record.context;
    let _ = reply.send(Ok(Started { execution_arn: context.execution_arn, started_at: context.start_time }));
    finish(&shared, id, run).await;
}

/// Runs an execution whose start is stored.
async fn finish(shared: &Shared, id: ExecutionId, run: Run) {
    let mut stopped = shared.stop.subscribe();
    let end = tokio::select! {
        biased;
        end = run.complete() => end,
        // The next start of the server runs it again.
        _ = stopped.wait_for(|stopped| *stopped) => return,
    };
    match end {
        Err(StartError::ShuttingDown) => {}
        // One that panicked would do so again.
        Ok(_) | Err(_) => shared.owed.ended(id),
    }
}

/// Runs everything again that an earlier process has left. Time is held until all of it runs, or waits for its place.
pub(super) async fn run_again(express: Express, hold: Hold) {
    let shared = &express.0;
    let (mut after, mut executions, mut hold) = (None, 0_u64, Some(hold));
    loop {
        let page = match shared.store.express_starts(after, limits::EXPRESS_RERUN_PAGE).await {
            Ok(page) => page,
            Err(StoreError::Closed) => return,
            Err(failure @ StoreError::Corrupt { .. }) => {
                error!(%failure, "Express executions of an earlier start cannot be read and are not run again");
                return;
            }
            Err(failure) => {
                warn!(%failure, "Express executions of an earlier start cannot be read; trying again");
                tokio::time::sleep(limits::REVIVAL_RETRY).await;
                continue;
            }
        };
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (id, record) in page {
            match record {
                Ok(record) if record.process == shared.process => {}
                Ok(record) => {
                    let bytes = record.input.len();
                    let share = if let Ok(share) = Share::take(&shared.room, bytes) {
                        Some(share)
                    } else {
                        // Those who have a place may need time to pass before they give it back.
                        hold = None;
                        Share::wait(&shared.room, bytes).await
                    };
                    let Some(share) = share else { return };
                    executions += 1;
                    again(shared, id, record, share).await;
                }
                Err(failure) => {
                    error!(%failure, ?id, "an Express execution cannot be read and is not run again");
                }
            }
        }
    }
    drop(hold);
    if executions > 0 {
        info!(executions, "Express executions that had not ended are run again");
    }
}

async fn again(shared: &Arc<Shared>, id: ExecutionId, record: ExpressRecord, share: Share) {
    let arn = record.context.execution_arn.clone();
    let machine = match shared.machines.get(record.machine, record.revision).await {
        Ok(machine) => machine,
        Err(failure) => {
            error!(execution = %arn, %failure, "an Express execution cannot be run again");
            return;
        }
    };
    // It was valid JSON when it was started.
    let input: Value = serde_json::from_str(&record.input).unwrap_or_default();
    let ExpressRecord { context, trace_header, observation, .. } = record;
    let facts = Facts { id, machine, trace_header, observation, share };
    let run = Run::new(Arc::clone(shared), facts, context, input);
    let shared = Arc::clone(shared);
    tokio::spawn(async move { finish(&shared, id, run).await });
}
