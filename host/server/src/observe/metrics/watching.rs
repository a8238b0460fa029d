//! What of logs and traces was lost on its way, and what arrived.

use std::sync::Mutex;
use std::time::Instant;

use prometheus::{IntCounterVec, Opts, Registry};

use super::register;
use crate::limits;

/// Counters of losses.
pub(crate) struct Watching {
    logs: IntCounterVec,
    lost: IntCounterVec,
    sent: IntCounterVec,
    warned: Mutex<Option<Instant>>,
}

impl Watching {
    pub(super) fn new(registry: &Registry) -> Result<Watching, prometheus::Error> {
        let vector = |name: &str, help: &str, label: &str| {
            register(registry, IntCounterVec::new(Opts::new(name, help), &[label]))
        };
        let watching = Watching {
            logs: vector(
                "stepwell_execution_log_events_lost_total",
                "Events of executions that were to be logged and are in no log group, by reason",
                "reason",
            )?,
            lost: vector(
                "stepwell_telemetry_lost_total",
                "Spans and log records that no collector took, by signal",
                "signal",
            )?,
            sent: vector(
                "stepwell_telemetry_sent_total",
                "Spans and log records that a collector took, by signal",
                "signal",
            )?,
            warned: Mutex::default(),
        };
        for reason in ["queue_full", "group_missing", "write_failed"] {
            watching.logs.with_label_values(&[reason]);
        }
        for signal in ["traces", "logs"] {
            watching.lost.with_label_values(&[signal]);
            watching.sent.with_label_values(&[signal]);
        }
        Ok(watching)
    }

    /// The queue had no room.
    pub(in crate::observe) fn dropped(&self, events: usize, log: bool, traced: bool) {
        if log {
            self.lost_logs("queue_full", events as u64);
        }
        if traced {
            self.lost.with_label_values(&["traces"]).inc();
        }
        self.warn("logs and traces of executions come faster than they are written; some are lost");
    }

    pub(in crate::observe) fn lost_logs(&self, reason: &str, events: u64) {
        self.logs.with_label_values(&[reason]).inc_by(events);
    }

    pub(in crate::observe) fn lost_telemetry(&self, signal: &str, items: usize) {
        if items > 0 {
            self.lost.with_label_values(&[signal]).inc_by(items as u64);
        }
    }

    pub(in crate::observe) fn sent_telemetry(&self, signal: &str, items: usize) {
        self.sent.with_label_values(&[signal]).inc_by(items as u64);
    }

    /// Says it, unless it was said a moment ago or somebody else is saying it.
    fn warn(&self, message: &str) {
        let Ok(mut warned) = self.warned.try_lock() else { return };
        if warned.is_none_or(|at| at.elapsed() >= limits::LOSS_WARNINGS) {
            *warned = Some(Instant::now());
            tracing::warn!("{message}; stepwell_execution_log_events_lost_total has their number");
        }
    }

    #[cfg(test)]
    pub(in crate::observe) fn dropped_traces(&self) -> u64 {
        self.lost.with_label_values(&["traces"]).get()
    }
}
