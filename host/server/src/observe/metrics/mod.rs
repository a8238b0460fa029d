//! What Prometheus reads at `GET /metrics`: counters that are counted where things happen, and gauges that are looked at
//! when somebody asks.
//!
//! What is counted for each transition or call is atomics only. No label may hold what clients choose: names of
//! operations and of errors come from tables.

mod calls;
mod executions;
mod gauges;
mod requests;
mod watching;

use prometheus::core::Collector;
use prometheus::{Encoder as _, Registry, TextEncoder};

pub(crate) use self::calls::MeasuredFunctions;
pub(crate) use self::executions::Executions;
pub(crate) use self::gauges::{Gauges, State};
pub(crate) use self::requests::{Requests, count_request};
pub(crate) use self::watching::Watching;

/// Everything that is measured.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) executions: Executions,
    pub(crate) calls: calls::Calls,
    pub(crate) requests: Requests,
    pub(crate) watching: Watching,
    pub(crate) gauges: Gauges,
}

impl Metrics {
    /// Errors: of metrics whose names are wrong or taken; a test finds these.
    pub(crate) fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        Ok(Metrics {
            executions: Executions::new(&registry)?,
            calls: calls::Calls::new(&registry)?,
            requests: Requests::new(&registry)?,
            watching: Watching::new(&registry)?,
            gauges: Gauges::new(&registry)?,
            registry,
        })
    }

    /// The text format of Prometheus.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Makes a collector and adds it to the registry. Errors: of names that are wrong or taken.
fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    made: Result<C, prometheus::Error>,
) -> Result<C, prometheus::Error> {
    let made = made?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

/// Bounds of durations, in seconds: from 50 microseconds to a minute.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0,
    60.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_registered_once_and_named_as_prometheus_asks() {
        let metrics = Metrics::new().unwrap();
        metrics.executions.count(&stepwell_executor::Tally::default());
        let families = metrics.registry.gather();
        assert!(families.len() >= 15, "{}", families.len());
        for family in &families {
            let name = family.name();
            assert!(name.starts_with("stepwell_") || name.starts_with("process_"), "{name}");
            assert!(!family.help().is_empty(), "{name}");
            let is_counter = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
            assert_eq!(is_counter, name.ends_with("_total"), "{name}");
        }
        assert!(metrics.text().unwrap().contains("# TYPE stepwell_commit_duration_seconds histogram"));
    }
}
