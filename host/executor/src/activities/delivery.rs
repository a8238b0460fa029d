//! A task that was handed out, on its way to the worker. Where it does not arrive, the shard hears of it.

use crate::limits;
use crate::shard::Message;
use std::time::Duration;
use stepwell_asl::WorkId;
use stepwell_store::ExecutionId;
use tokio::sync::mpsc;

/// The task of an activity, handed out durably (API: GetActivityTask). Whoever drops it without having said that it was
/// delivered gives it to another worker.
#[derive(Debug)]
pub struct HandedTask {
    /// Ends the task.
    pub token: String,
    /// Its input, JSON text.
    pub input: String,
    pub(crate) delivery: Delivery,
}

impl HandedTask {
    /// Notes that the worker has it, as far as can be known. That is recorded a little later, and not at all for tasks
    /// that are quicker.
    pub fn delivered(mut self) {
        self.delivery.report(limits::DELIVERY_RECORDED_AFTER, |id, work| Message::Delivered { id, work });
    }
}

/// Gives a task back when it is dropped, unless it has arrived.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) id: ExecutionId,
    pub(crate) work: WorkId,
    pub(crate) home: Option<mpsc::Sender<Message>>,
}

impl Delivery {
    /// Tells the shard once what has become of the task.
    fn report(&mut self, after: Duration, message: fn(ExecutionId, WorkId) -> Message) {
        let Some(home) = self.home.take() else { return };
        let message = message(self.id, self.work);
        // Without a runtime the server has ended, and so have its shards.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(after).await;
                // The shard ends only with the server.
                let _ = home.send(message).await;
            });
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.report(Duration::ZERO, |id, work| Message::Undelivered { id, work });
    }
}
