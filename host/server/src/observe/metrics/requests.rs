//! Requests of all three APIs by operation and error code, with their time.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::{SECONDS, register};
use crate::auth::{self, operation_label};
use crate::server::Server;

/// Counters and times of requests.
pub(crate) struct Requests {
    count: IntCounterVec,
    seconds: HistogramVec,
}

impl Requests {
    pub(super) fn new(registry: &Registry) -> Result<Requests, prometheus::Error> {
        let count = Opts::new(
            "stepwell_api_requests_total",
            "Requests by service, operation and error code; OK is none",
        );
        let seconds = HistogramOpts::new(
            "stepwell_api_request_duration_seconds",
            "How long requests took to be answered",
        );
        let labels = ["service", "operation"];
        Ok(Requests {
            count: register(registry, IntCounterVec::new(count, &["service", "operation", "code"]))?,
            seconds: register(registry, HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &labels))?,
        })
    }
}

/// Leads a request to the gate, and counts it: what the gate refuses counts as well. Both are one layer because each layer
/// costs every request a copy of the services behind it.
pub(crate) async fn count_request(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let labels = server.observe.as_ref().zip(operation_label(&request));
    let Some((observe, (service, operation))) = labels else {
        return auth::let_in(&server, request, next).await;
    };
    let requests = &observe.metrics.requests;
    let began = Instant::now();
    let response = auth::let_in(&server, request, next).await;
    let seconds = began.elapsed().as_secs_f64();
    requests.seconds.with_label_values(&[service, operation]).observe(seconds);
    requests.count.with_label_values(&[service, operation, &*code(&response)]).inc();
    response
}

/// The error's name, as the answer's header has it: all are names of this program.
fn code(response: &Response) -> Cow<'_, str> {
    let status = response.status();
    if status.is_success() {
        return Cow::Borrowed("OK");
    }
    let name = response.headers().get("x-amzn-errortype").and_then(|name| name.to_str().ok());
    let name = name.and_then(|name| name.split(':').next()).filter(|name| !name.is_empty());
    name.map_or_else(|| Cow::Owned(status.as_u16().to_string()), Cow::Borrowed)
}
