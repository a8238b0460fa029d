//! What operators see of executions: logs, traces, metrics.
//!
//! Shards hand over what has become durable and go on; a task of its own writes it down. Nothing here may make an
//! execution wait: what does not fit in the queue is dropped and counted.

pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod otlp;
mod queue;
mod start;
mod traces;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use stepwell_executor::{Observed, Observer, Tally};
use stepwell_store::{Observation, Store};

use self::logs::LogFiles;
use self::metrics::Metrics;
use self::otlp::Exporter;
use self::queue::{Heard, Queue};

pub(crate) use self::start::start;
pub(crate) use self::traces::header;

/// Where logs of executions go.
#[derive(Clone, Debug)]
pub(crate) struct LogTargets {
    /// To the files of their groups.
    pub(crate) files: bool,
    /// To the standard output.
    pub(crate) stdout: bool,
}

/// Everything that watches.
pub(crate) struct Observe {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) files: LogFiles,
    targets: LogTargets,
    queue: Queue,
    exporter: Option<Arc<Exporter>>,
}

impl Observe {
    /// Begins to watch. Call it inside the runtime.
    pub(crate) fn begin(
        store: Store,
        metrics: Arc<Metrics>,
        files: LogFiles,
        targets: LogTargets,
        exporter: Option<Exporter>,
    ) -> Arc<Observe> {
        let exporter = exporter.map(Arc::new);
        let (queue, inbox) = Queue::new(Arc::clone(&metrics));
        let worker = worker::Worker::new(
            store,
            files.clone(),
            targets.clone(),
            exporter.clone(),
            Arc::clone(&metrics),
        );
        tokio::spawn(worker.run(inbox));
        Arc::new(Observe { metrics, files, targets, queue, exporter })
    }

    /// Writes down what was handed over so far, as far as that works within a time.
    pub(crate) async fn flush(&self, patience: Duration) {
        let all = async {
            self.queue.flush().await;
            if let Some(exporter) = &self.exporter {
                exporter.flush().await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("some logs and traces of executions could not be written in time and are lost");
        }
    }

    fn logs(&self) -> bool {
        self.targets.files
            || self.targets.stdout
            || self.exporter.as_ref().is_some_and(|one| one.takes_logs())
    }

    fn traces(&self) -> bool {
        self.exporter.as_ref().is_some_and(|one| one.takes_spans())
    }
}

impl Observer for Observe {
    fn observes(&self, observation: &Observation) -> bool {
        (observation.log.is_some() && self.logs()) || (observation.traced && self.traces())
    }

    fn observe(&self, observed: Observed<'_>) {
        let traced = self.traces();
        if let Some(heard) = Heard::of(observed, self.logs(), traced) {
            self.queue.put(heard);
        }
    }

    fn count(&self, tally: &Tally) {
        self.metrics.executions.count(tally);
    }
}
