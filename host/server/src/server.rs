//! What the endpoints share, the table of addresses, and serving them until told to stop.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use stepwell_executor::{Clock, Executor};
use stepwell_jsonata::Jsonata;
use stepwell_store::Store;
use stepwell_store::transfer::Recorder;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::jsonata::Trials;
use crate::lambda::Calls;
use crate::modules::Modules;
use crate::{api, jsonata, lambda, rest};

/// Account and region of the ARNs that a server gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
}

/// Everything that a request may need.
pub struct Server {
    pub(crate) store: Store,
    pub(crate) executor: Executor,
    pub(crate) modules: Arc<Modules>,
    pub(crate) calls: Calls,
    pub(crate) trials: Trials,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) identity: Identity,
    /// Through which the store can be exported; none in tests that need no exports.
    pub(crate) recorder: Option<Arc<Recorder>>,
    stopping: watch::Sender<bool>,
}

impl Server {
    /// Puts a server together.
    pub fn new(
        store: Store,
        executor: Executor,
        modules: Arc<Modules>,
        calls: Calls,
        jsonata: Arc<Jsonata>,
        clock: Arc<dyn Clock>,
        identity: Identity,
    ) -> Server {
        let trials = Trials::new(jsonata);
        Server {
            store,
            executor,
            modules,
            calls,
            trials,
            clock,
            identity,
            recorder: None,
            stopping: watch::Sender::new(false),
        }
    }

    /// Lets the store be exported while the server runs: all writes go through this recorder.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Arc<Recorder>) -> Server {
        self.recorder = Some(recorder);
        self
    }

    /// Answers requests until `stop` is ready; then accepts no more and finishes the open ones. Those that only wait for
    /// something are answered at once.
    ///
    /// Errors: of the listener.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        // Answers are small and written at once: waiting for more to send would only delay them.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its delay");
            }
        });
        let modules = Arc::clone(&self.modules);
        let told = self.stopping.clone();
        let stop = async move {
            stop.await;
            told.send_replace(true);
        };
        let serving = axum::serve(listener, self.router()).with_graceful_shutdown(stop);
        tokio::select! {
            served = serving.into_future() => served,
            never = modules.keep_clean() => match never {},
        }
    }

    /// Waits until the server stops.
    pub(crate) async fn stopping(&self) {
        // An error is impossible: `self` has the sender.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", post(api::handle))
            .merge(rest::routes())
            .route("/modules/{name}/code", get(lambda::download))
            .route("/jsonata", post(jsonata::handle))
            .route("/executions/{arn}/log", get(rest::execution_log))
            .route("/healthz", get(rest::health))
            .fallback(lambda::handle)
            .with_state(self)
    }
}
