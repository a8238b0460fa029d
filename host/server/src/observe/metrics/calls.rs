//! Calls of modules, by what came of them, with their time in the queue.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry};
use stepwell_integrations::{FunctionCall, FunctionError, FunctionReply, Functions};

use super::{Metrics, SECONDS, register};

/// A histogram for each outcome; their counts are the calls.
pub(crate) struct Calls {
    succeeded: Histogram,
    failed: Histogram,
    host_failed: Histogram,
    not_found: Histogram,
    aborted: Histogram,
}

impl Calls {
    pub(super) fn new(registry: &Registry) -> Result<Calls, prometheus::Error> {
        let options = HistogramOpts::new(
            "stepwell_module_call_duration_seconds",
            "How long calls of modules took, waiting for their turn included, by outcome",
        );
        let all = HistogramVec::new(options.buckets(SECONDS.to_vec()), &["outcome"]);
        let all = register(registry, all)?;
        let of = |outcome: &str| all.with_label_values(&[outcome]);
        Ok(Calls {
            succeeded: of("succeeded"),
            failed: of("failed"),
            host_failed: of("host_failed"),
            not_found: of("not_found"),
            aborted: of("aborted"),
        })
    }
}

/// Measures the calls of others.
pub(crate) struct MeasuredFunctions {
    inner: Arc<dyn Functions>,
    metrics: Arc<Metrics>,
}

impl MeasuredFunctions {
    pub(crate) fn new(inner: Arc<dyn Functions>, metrics: Arc<Metrics>) -> MeasuredFunctions {
        MeasuredFunctions { inner, metrics }
    }
}

/// Counts a call as aborted when it is dropped before its end.
struct Running<'a> {
    calls: &'a Calls,
    began: Instant,
    outcome: Option<&'a Histogram>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.outcome.unwrap_or(&self.calls.aborted).observe(self.began.elapsed().as_secs_f64());
    }
}

#[async_trait]
impl Functions for MeasuredFunctions {
    async fn call(&self, call: FunctionCall) -> FunctionReply {
        let calls = &self.metrics.calls;
        let mut running = Running { calls, began: Instant::now(), outcome: None };
        let reply = self.inner.call(call).await;
        running.outcome = Some(match &reply.result {
            Ok(_) => &calls.succeeded,
            Err(FunctionError::Failed(_)) => &calls.failed,
            Err(FunctionError::Service(_)) => &calls.host_failed,
            Err(FunctionError::NotFound) => &calls.not_found,
        });
        reply
    }

    async fn look_up(&self, call: &FunctionCall) -> Result<(), FunctionError> {
        self.inner.look_up(call).await
    }
}
