//! The task that writes down what shards have handed over: records of logs, spans of traces.

use std::sync::Arc;

use stepwell_store::Store;

use super::LogTargets;
use super::logs::{self, GroupName, LogFiles, Writer};
use super::metrics::Metrics;
use super::otlp::{Exporter, LogRecord};
use super::queue::{Heard, Inbox, Item};
use super::traces::{Tracer, execution_ids};

/// Turns what was heard into lines and spans.
pub(super) struct Worker {
    writer: Writer,
    tracer: Tracer,
    exporter: Option<Arc<Exporter>>,
}

impl Worker {
    pub(super) fn new(
        store: Store,
        files: LogFiles,
        targets: LogTargets,
        exporter: Option<Arc<Exporter>>,
        metrics: Arc<Metrics>,
    ) -> Worker {
        let writer = Writer::new(store.clone(), files, targets, metrics);
        Worker { writer, tracer: Tracer::new(store), exporter }
    }

    /// Until nobody is left to hand anything over.
    pub(super) async fn run(mut self, mut inbox: Inbox) {
        while let Some(items) = inbox.next().await {
            let mut flushes = Vec::new();
            for item in items {
                match item {
                    Item::Heard(heard) => self.take(&heard).await,
                    Item::Flush(done) => flushes.push(done),
                }
            }
            self.writer.write().await;
            for done in flushes {
                // Nobody waits any more when this fails.
                let _ = done.send(());
            }
        }
    }

    async fn take(&mut self, heard: &Heard) {
        self.log(heard);
        if let Some(exporter) = &self.exporter
            && heard.traced
        {
            exporter.spans(self.tracer.spans(heard).await);
        }
    }

    fn log(&mut self, heard: &Heard) {
        let Some(choice) = &heard.log else { return };
        let Some(group) = GroupName::parse(&choice.group_arn) else { return };
        let exporter = self.exporter.as_ref().filter(|exporter| exporter.takes_logs());
        let ids = execution_ids(heard);
        for event in &heard.events {
            if !logs::takes(choice, event) {
                continue;
            }
            let name = event.type_name();
            let with_data = choice.include_execution_data;
            let record = logs::record(event, &name, with_data, &heard.execution_arn, heard.redrive_count);
            self.writer.take(&group, &record);
            if let Some(exporter) = exporter {
                exporter.log(LogRecord {
                    at: event.timestamp,
                    event_type: name,
                    group: group.name.clone(),
                    record,
                    ids,
                });
            }
        }
    }
}
