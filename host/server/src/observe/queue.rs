//! The queue between shards and the task that writes down: bounded in items and bytes, and never waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stepwell_asl::{HistoryEvent, Timestamp};
use stepwell_executor::Observed;
use stepwell_store::{ExecutionId, LogChoice};
use tokio::sync::{mpsc, oneshot};

use super::logs;
use super::metrics::Metrics;
use crate::limits;

/// What was told of one transition.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) execution: Option<ExecutionId>,
    pub(super) execution_arn: String,
    pub(super) machine_arn: String,
    pub(super) machine_name: String,
    pub(super) started_at: Timestamp,
    pub(super) trace_header: Option<String>,
    pub(super) redrive_count: u64,
    /// None when nothing of it is logged.
    pub(super) log: Option<LogChoice>,
    pub(super) traced: bool,
    pub(super) events: Vec<HistoryEvent>,
    bytes: usize,
}

/// What reaches the worker.
pub(super) enum Item {
    Heard(Box<Heard>),
    /// Everything before it was asked for to be written.
    Flush(oneshot::Sender<()>),
}

impl Heard {
    /// What is worth handing over; none where that is nothing.
    pub(super) fn of(observed: Observed<'_>, logs: bool, traces: bool) -> Option<Heard> {
        let Observed { execution, observation, context, trace_header, redrive_count, mut events } = observed;
        let log = observation
            .log
            .as_ref()
            .filter(|choice| logs && events.iter().any(|one| logs::takes(choice, one)));
        let is_traced = observation.traced && traces;
        if let Some(choice) = log.filter(|_| !is_traced) {
            events.retain(|one| logs::takes(choice, one));
        }
        if log.is_none() && !is_traced {
            return None;
        }
        let mut bytes = size_of::<Heard>() + events.len() * size_of::<HistoryEvent>();
        for event in &mut events {
            event.details.payloads_mut(&mut |payload| bytes += payload.len());
        }
        Some(Heard {
            execution,
            execution_arn: context.execution_arn.clone(),
            machine_arn: context.state_machine_arn.clone(),
            machine_name: context.state_machine_name.clone(),
            started_at: context.start_time,
            trace_header: trace_header.map(str::to_owned),
            redrive_count,
            log: log.cloned(),
            traced: is_traced,
            events,
            bytes,
        })
    }
}

/// The way in.
pub(super) struct Queue {
    sender: mpsc::Sender<Item>,
    bytes: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

/// The way out.
pub(super) struct Inbox {
    receiver: mpsc::Receiver<Item>,
    bytes: Arc<AtomicUsize>,
}

impl Queue {
    pub(super) fn new(metrics: Arc<Metrics>) -> (Queue, Inbox) {
        let (sender, receiver) = mpsc::channel(limits::OBSERVED_ITEMS);
        let bytes = Arc::<AtomicUsize>::default();
        (Queue { sender, bytes: Arc::clone(&bytes), metrics }, Inbox { receiver, bytes })
    }

    /// Hands something over, or drops and counts it.
    pub(super) fn put(&self, heard: Heard) {
        let (bytes, events, log, traced) =
            (heard.bytes, heard.events.len(), heard.log.is_some(), heard.traced);
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= limits::OBSERVED_BYTES
            && self.sender.try_send(Item::Heard(Box::new(heard))).is_ok()
        {
            return;
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.metrics.watching.dropped(events, log, traced);
    }

    /// Waits until everything that was handed over before is written down.
    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.sender.send(Item::Flush(done)).await.is_ok() {
            // An error means that the worker has ended: there is nothing to wait for.
            let _ = written.await;
        }
    }
}

impl Inbox {
    /// The next items, at least one; none when nobody is left to hand anything over.
    pub(super) async fn next(&mut self) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        if self.receiver.recv_many(&mut items, limits::OBSERVED_AT_ONCE).await == 0 {
            return None;
        }
        for item in &items {
            if let Item::Heard(heard) = item {
                self.bytes.fetch_sub(heard.bytes, Ordering::Relaxed);
            }
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use stepwell_asl::{HistoryDetails, StateType};

    use super::*;

    impl Heard {
        /// One of a machine called `machine`, started with this trace header, with nothing in it.
        pub(crate) fn test(trace_header: &str) -> Heard {
            Heard {
                execution: None,
                execution_arn: "arn:aws:states:r:1:execution:machine:e".into(),
                machine_arn: "arn:aws:states:r:1:stateMachine:machine".into(),
                machine_name: "machine".into(),
                started_at: Timestamp(10),
                trace_header: Some(trace_header.into()),
                redrive_count: 0,
                log: None,
                traced: true,
                events: Vec::new(),
                bytes: 0,
            }
        }
    }

    fn heard(input: usize) -> Heard {
        let details = HistoryDetails::StateEntered {
            state_type: StateType::Pass,
            name: "S".into(),
            input: "x".repeat(input),
        };
        let event = HistoryEvent { id: 2, previous_event_id: 1, timestamp: Timestamp(0), details };
        Heard { events: vec![event], bytes: input, ..Heard::test("") }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped_and_counted_and_room_comes_back() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (queue, mut inbox) = Queue::new(Arc::clone(&metrics));
        let half = limits::OBSERVED_BYTES / 2;
        (0..3).for_each(|_| queue.put(heard(half)));
        assert_eq!(metrics.watching.dropped_traces(), 1);
        assert_eq!(inbox.next().await.unwrap().len(), 2);
        queue.put(heard(half));
        assert_eq!(inbox.next().await.unwrap().len(), 1);
        (0..=limits::OBSERVED_ITEMS).for_each(|_| queue.put(heard(0)));
        assert_eq!(metrics.watching.dropped_traces(), 2);
    }
}
