//! Machines that are being deleted (API reference, section 2.1: DeleteStateMachine): they are there, as DELETING, until
//! none of their executions runs any more.
//!
//! The store says which they are, so a restart goes on with them. It must never remove a machine with a running
//! execution.

use std::time::Duration;

use stepwell_asl::Status;
use stepwell_executor::Executor;
use stepwell_store::{MachineRecord, Store, StoreError};

use crate::limits;

/// How long to wait before a removal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Removes a machine that is being deleted if nothing of it runs. Whether it is gone.
pub(crate) async fn try_finish(
    store: &Store,
    executor: &Executor,
    machine: &MachineRecord,
) -> Result<bool, StoreError> {
    if !store.executions(machine.id, Some(Status::Running), None, 1).await?.is_empty() {
        return Ok(false);
    }
    match store.machine(&machine.arn).await? {
        Some((found, _)) if found.id == machine.id => store.delete_machine(&machine.arn).await?,
        // Another one has the ARN by now, or none.
        Some(_) | None => {}
    }
    executor.end_deletion(machine.id);
    tracing::info!(arn = machine.arn, "state machine deleted");
    Ok(true)
}

/// Removes a machine when the last of its executions has ended.
pub(crate) async fn finish(store: Store, executor: Executor, machine: MachineRecord) {
    loop {
        match try_finish(&store, &executor, &machine).await {
            Ok(true) => return,
            Ok(false) => {}
            // It is tried again, by a restart if need be.
            Err(error @ (StoreError::Closed | StoreError::Poisoned { .. })) => {
                tracing::debug!(%error, arn = machine.arn, "a state machine stays DELETING");
                return;
            }
            Err(error) => tracing::warn!(%error, arn = machine.arn, "a state machine stays DELETING for now"),
        }
        wait(&store, &executor, &machine).await;
    }
}

/// Waits for the end of an execution that runs, or for a moment.
async fn wait(store: &Store, executor: &Executor, machine: &MachineRecord) {
    let running = store.executions(machine.id, Some(Status::Running), None, 1).await;
    let ended = match running.as_deref() {
        Ok([(id, summary), ..]) => executor.wait(&summary.execution_arn, *id).await.is_ok(),
        Ok([]) => true,
        Err(_) => false,
    };
    if !ended {
        tokio::time::sleep(AGAIN).await;
    }
}

/// Goes on with the deletions that the last process has left.
pub(crate) async fn resume(store: Store, executor: Executor) {
    let mut after: Option<String> = None;
    loop {
        let page = match store.machines(after.as_deref(), limits::MACHINES_READ).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "machines that were being deleted stay until the next start");
                return;
            }
        };
        let Some(last) = page.last() else { return };
        after = Some(last.arn.clone());
        for machine in page.into_iter().filter(|machine| machine.deleting) {
            executor.begin_deletion(machine.id);
            tokio::spawn(finish(store.clone(), executor.clone(), machine));
        }
    }
}
