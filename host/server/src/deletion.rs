//! Machines that are being deleted (API reference, section 2.1: DeleteStateMachine): they are there, as DELETING, until
//! none of their executions runs any more.
//!
//! The store says which they are, so a restart goes on with them. It must never remove a machine with a running
//! execution.

use std::time::Duration;

use stepwell_asl::Status;
use stepwell_executor::{Allotment, Executor};
use stepwell_store::{MachineRecord, Store, StoreError};

use crate::limits;
use crate::server::Server;

/// How long to wait before a removal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a deletion works with.
#[derive(Clone)]
pub(crate) struct Deletions {
    store: Store,
    executor: Executor,
    machines: Allotment,
}

impl Deletions {
    /// Those of a server.
    pub(crate) fn of(server: &Server) -> Deletions {
        Deletions {
            store: server.store.clone(),
            executor: server.executor.clone(),
            machines: server.resources.machines.clone(),
        }
    }
}

/// Removes a machine that is being deleted if nothing of it runs. Whether it is gone.
pub(crate) async fn try_finish(deletions: &Deletions, machine: &MachineRecord) -> Result<bool, StoreError> {
    let Deletions { store, executor, machines } = deletions;
    if !store.executions(machine.id, Some(Status::Running), None, 1).await?.is_empty() {
        return Ok(false);
    }
    // Another one may have the ARN by now, or none.
    if store.delete_machine(&machine.arn, machine.id).await? {
        drop(machines.taken(&machine.arn));
    }
    executor.end_deletion(machine.id);
    tracing::info!(arn = machine.arn, "state machine deleted");
    Ok(true)
}

/// Removes a machine when the last of its executions has ended.
pub(crate) async fn finish(deletions: Deletions, machine: MachineRecord) {
    loop {
        match try_finish(&deletions, &machine).await {
            Ok(true) => return,
            Ok(false) => {}
            // It is tried again, by a restart if need be.
            Err(error @ (StoreError::Closed | StoreError::Poisoned { .. })) => {
                tracing::debug!(%error, arn = machine.arn, "a state machine stays DELETING");
                return;
            }
            Err(error) => tracing::warn!(%error, arn = machine.arn, "a state machine stays DELETING for now"),
        }
        wait(&deletions, &machine).await;
    }
}

/// Waits for the end of an execution that runs, or for a moment.
async fn wait(deletions: &Deletions, machine: &MachineRecord) {
    let Deletions { store, executor, .. } = deletions;
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
pub(crate) async fn resume(deletions: Deletions) {
    let mut after: Option<String> = None;
    loop {
        let page = match deletions.store.machines(after.as_deref(), limits::MACHINES_READ).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "machines that were being deleted stay until the next start");
                return;
            }
        };
        let Some(last) = page.last() else { return };
        after = Some(last.arn.clone());
        for machine in page.into_iter().filter(|machine| machine.deleting) {
            deletions.executor.begin_deletion(machine.id);
            tokio::spawn(finish(deletions.clone(), machine));
        }
    }
}
