//! Executions, their transitions, and how long it takes to make these durable.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};
use std::sync::atomic::{AtomicI64, Ordering};
use stepwell_executor::Tally;

use super::{SECONDS, register};

/// Counters by type of the state machine.
pub(crate) struct Executions {
    standard: OfType,
    express: OfType,
    commit: Histogram,
    turn: Histogram,
    /// Standard executions that were started or redriven, less those that ended, since the beginning of this process.
    balance: AtomicI64,
}

struct OfType {
    started: IntCounter,
    transitions: IntCounter,
    history_events: IntCounter,
    ended: IntCounterVec,
    name: &'static str,
}

impl Executions {
    pub(super) fn new(registry: &Registry) -> Result<Executions, prometheus::Error> {
        let vector = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let started = vector("stepwell_executions_started_total", "Executions that were started", &["type"])?;
        let ended =
            vector("stepwell_executions_ended_total", "Executions that ended, by how", &["type", "status"])?;
        let transitions = vector("stepwell_transitions_total", "Events that moved an execution", &["type"])?;
        let history_events =
            vector("stepwell_history_events_total", "History events that came of them", &["type"])?;
        let of_type = |name: &'static str| OfType {
            started: started.with_label_values(&[name]),
            transitions: transitions.with_label_values(&[name]),
            history_events: history_events.with_label_values(&[name]),
            ended: ended.clone(),
            name,
        };
        let commit = HistogramOpts::new(
            "stepwell_commit_duration_seconds",
            "How long a shard waited for a turn to become durable",
        );
        let turn =
            HistogramOpts::new("stepwell_turn_transitions", "Transitions that a shard committed at once");
        Ok(Executions {
            standard: of_type("STANDARD"),
            express: of_type("EXPRESS"),
            commit: register(registry, Histogram::with_opts(commit.buckets(SECONDS.to_vec())))?,
            turn: register(
                registry,
                Histogram::with_opts(
                    turn.buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
                ),
            )?,
            balance: AtomicI64::new(0),
        })
    }

    /// Counts what a shard, or an Express execution, was told of.
    pub(crate) fn count(&self, tally: &Tally) {
        let of_type = if tally.express { &self.express } else { &self.standard };
        of_type.started.inc_by(tally.started);
        of_type.transitions.inc_by(tally.transitions);
        of_type.history_events.inc_by(tally.history_events);
        for status in &tally.ended {
            of_type.ended.with_label_values(&[of_type.name, status.as_str()]).inc();
        }
        if tally.express {
            return;
        }
        self.commit.observe(tally.commit.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a turn has few transitions")]
        self.turn.observe(tally.transitions as f64);
        let started = i64::try_from(tally.started + tally.redriven).unwrap_or(i64::MAX);
        let ended = i64::try_from(tally.ended.len()).unwrap_or(i64::MAX);
        if started != ended {
            self.balance.fetch_add(started - ended, Ordering::Relaxed);
        }
    }

    /// Standard executions that were started or redriven, less those that ended.
    pub(crate) fn balance(&self) -> i64 {
        self.balance.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use stepwell_asl::{EventKind, Status};

    use super::*;

    #[test]
    fn one_that_is_redriven_is_open_again() {
        let executions = Executions::new(&Registry::new()).unwrap();
        let redrive = EventKind::Redrive { number: 1 };
        for (event, status, balance) in [
            (EventKind::Start, Status::Running, 1),
            (EventKind::Stop { error: None, cause: None }, Status::Aborted, 0),
            (redrive, Status::Running, 1),
            (EventKind::Stop { error: None, cause: None }, Status::Aborted, 0),
        ] {
            let mut tally = Tally::default();
            tally.count(&event, status, 1);
            executions.count(&tally);
            assert_eq!(executions.balance(), balance);
        }
    }
}
