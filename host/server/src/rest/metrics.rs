//! `GET /metrics`: what is measured, in the text format of Prometheus; on the address of the API, and on one of its own
//! for scrapers that cannot sign.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::{Answer, RestError};
use crate::api::error::ApiError;
use crate::auth::AsCaller;
use crate::observe::metrics::State as Looked;
use crate::server::Server;

/// `GET /metrics`.
pub(crate) async fn metrics(AsCaller(server): AsCaller) -> Answer {
    text(&server).await
}

/// Answers `GET /metrics` to everybody who reaches this listener, and nothing else, until the server is gone.
pub(crate) fn listen_for_metrics(server: &Arc<Server>, listener: TcpListener) {
    let router = Router::new()
        .route("/metrics", get(|State(server): State<Arc<Server>>| async move { text(&server).await }))
        .with_state(Arc::clone(server));
    let stopping = Arc::clone(server);
    tokio::spawn(async move {
        let stop = async move { stopping.stopping().await };
        if let Err(failure) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::warn!(%failure, "metrics are not served any more");
        }
    });
}

async fn text(server: &Server) -> Answer {
    let Some(observe) = &server.observe else { return Err(RestError::NotFound("/metrics".to_owned())) };
    let metrics = &observe.metrics;
    let sandbox = server.modules.all().sandbox();
    let state = Looked {
        executor: server.executor.load(),
        running_calls: sandbox.running_calls(),
        waiting_calls: sandbox.waiting_calls(),
    };
    let store = server.store.stats().await.ok();
    metrics.gauges.look(state, store.as_ref(), metrics.executions.balance());
    let text = metrics.text().map_err(|error| RestError::Api(ApiError::internal(&error)))?;
    let response: Response =
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response();
    Ok(response)
}
