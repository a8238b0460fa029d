//! Writes records of executions to the files of their groups and to the standard output.
//!
//! A group that does not exist, or no longer, gets nothing: as on AWS, its deletion stops the logging and no execution.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use stepwell_store::Store;

use super::{GroupName, LogFiles};
use crate::observe::LogTargets;
use crate::observe::metrics::Metrics;

/// The lines of one turn of the worker, by group.
pub(in crate::observe) struct Writer {
    store: Store,
    files: LogFiles,
    targets: LogTargets,
    metrics: Arc<Metrics>,
    lines: BTreeMap<GroupName, Lines>,
    stdout: Vec<u8>,
    warned: bool,
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

impl Writer {
    pub(in crate::observe) fn new(
        store: Store,
        files: LogFiles,
        targets: LogTargets,
        metrics: Arc<Metrics>,
    ) -> Writer {
        Writer { store, files, targets, metrics, lines: BTreeMap::new(), stdout: Vec::new(), warned: false }
    }

    /// Takes a record for the next [`Writer::write`].
    pub(in crate::observe) fn take(&mut self, group: &GroupName, record: &Value) {
        if self.targets.files {
            let lines = self.lines.entry(group.clone()).or_default();
            lines.bytes.extend_from_slice(record.to_string().as_bytes());
            lines.bytes.push(b'\n');
            lines.count += 1;
        }
        if self.targets.stdout {
            let line = json!({"log_group": group.name, "record": record});
            self.stdout.extend_from_slice(line.to_string().as_bytes());
            self.stdout.push(b'\n');
        }
    }

    /// Writes what was taken.
    pub(in crate::observe) async fn write(&mut self) {
        let mut whole = Vec::new();
        for (group, lines) in std::mem::take(&mut self.lines) {
            match self.store.log_group(&group.account, &group.name).await {
                Ok(Some((record, _))) => whole.push((group, lines, record.retention_days)),
                Ok(None) => self.metrics.watching.lost_logs("group_missing", lines.count),
                Err(failure) => self.failed(&failure, lines.count),
            }
        }
        let stdout = std::mem::take(&mut self.stdout);
        if whole.is_empty() && stdout.is_empty() {
            return;
        }
        let files = self.files.clone();
        let work = move || {
            let mut failed = None;
            for (group, lines, retention_days) in whole {
                let expired = retention_days.map_or(Ok(()), |days| {
                    let age = Duration::from_hours(u64::from(days) * 24);
                    let before = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
                    files.expire(&group.account, &group.name, before)
                });
                let written = files.append(&group.account, &group.name, &lines.bytes);
                if let Err(failure) = written.and(expired) {
                    let (_, count) = failed.take().unwrap_or((String::new(), 0));
                    failed = Some((failure.to_string(), count + lines.count));
                }
            }
            let mut out = std::io::stdout().lock();
            // A pipe that nobody reads any more is no reason to stop.
            let _ = out.write_all(&stdout).and_then(|()| out.flush());
            failed
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(None) => {}
            Ok(Some((failure, count))) => self.failed(&failure, count),
            Err(failure) => self.failed(&failure, 0),
        }
    }

    fn failed(&mut self, failure: &dyn std::fmt::Display, count: u64) {
        self.metrics.watching.lost_logs("write_failed", count);
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(%failure, "events of executions cannot be written to their log group and are lost");
        }
    }
}
