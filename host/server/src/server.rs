//! What the endpoints share, the table of addresses, and serving them until told to stop.
//!
//! No address may be added behind the gate's layer: only what is in front of it is asked who it is.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{delete, get, post};
use stepwell_executor::{Clock, Executor};
use stepwell_integrations::{Exchanges, MockConfig, Service};
use stepwell_jsonata::Jsonata;
use stepwell_store::Store;
use stepwell_store::transfer::Recorder;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api::page_token::PageTokens;
use crate::auth::policy::Service as WireService;
use crate::auth::{Auth, Caller};
use crate::deletion::{self, Deletions};
use crate::jsonata::Trials;
use crate::lambda::Calls;
use crate::listen::{self, Listening};
use crate::modules::{AccountModules, Modules};
use crate::observe::Observe;
use crate::observe::metrics::count_request;
use crate::own_service::OwnService;
use crate::resources::Resources;
use crate::throttle::Throttle;
use crate::{api, jsonata, lambda, rest};

/// Account and region of the ARNs that a server gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
}

/// Everything that a request may need, as one caller may see it.
#[derive(Clone)]
pub struct Server {
    pub(crate) store: Store,
    pub(crate) executor: Executor,
    /// Those of the caller's account.
    pub(crate) modules: AccountModules,
    pub(crate) calls: Arc<Calls>,
    pub(crate) trials: Arc<Trials>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The caller's account, and the server's region.
    pub(crate) identity: Identity,
    pub(crate) caller: Caller,
    pub(crate) auth: Arc<Auth>,
    /// The request rates of AWS, where they are asked for.
    pub(crate) throttle: Option<Arc<Throttle>>,
    /// Through which the store can be exported; none in tests that need no exports.
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// What accounts have and may have.
    pub(crate) resources: Resources,
    pub(crate) page_tokens: Arc<PageTokens>,
    /// What watches executions and requests; none in tests that need nothing of it.
    pub(crate) observe: Option<Arc<Observe>>,
    /// The test cases that executions can be started for.
    pub(crate) mocks: Option<Arc<MockConfig>>,
    /// The parts of services that clients can call as well as tasks.
    pub(crate) services: Arc<[(WireService, Arc<dyn Service>)]>,
    /// Where tasks call this server; none in tests that need nothing of it.
    pub(crate) own_service: Option<Arc<OwnService>>,
    /// What HTTP tasks send and get, for those who test a state.
    pub(crate) exchanges: Exchanges,
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
        modules.accounts().set_home(&identity.account);
        let page_tokens = Arc::new(PageTokens::new(modules.secrets().seal().clone()));
        Server {
            store,
            executor,
            modules: AccountModules::new(modules, &identity.account),
            calls: Arc::new(calls),
            trials: Arc::new(Trials::new(jsonata)),
            clock,
            identity,
            caller: Caller::Anyone,
            auth: Arc::new(Auth::open()),
            throttle: None,
            recorder: None,
            resources: Resources::unbounded(),
            page_tokens,
            observe: None,
            mocks: None,
            services: Arc::new([]),
            own_service: None,
            exchanges: Exchanges::default(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Lets the store be exported while the server runs: all writes go through this recorder.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Arc<Recorder>) -> Server {
        self.recorder = Some(recorder);
        self
    }

    /// Bounds what accounts may have: what was counted in its store, and its executor was given.
    #[must_use]
    pub fn with_resources(mut self, resources: Resources) -> Server {
        self.resources = resources;
        self
    }

    /// Has requests counted, and shows what is measured and logged.
    #[must_use]
    pub(crate) fn with_observe(mut self, observe: Arc<Observe>) -> Server {
        self.observe = Some(observe);
        self
    }

    /// Lets tasks call its operations.
    #[must_use]
    pub(crate) fn with_own_service(mut self, own: Arc<OwnService>) -> Server {
        self.own_service = Some(own);
        self
    }

    /// Lets executions be started for the test cases of these mocks.
    #[must_use]
    pub(crate) fn with_mocks(mut self, mocks: Option<Arc<MockConfig>>) -> Server {
        self.mocks = mocks;
        self
    }

    /// Answers the operations that these offer.
    #[must_use]
    pub(crate) fn with_services(mut self, services: Vec<(WireService, Arc<dyn Service>)>) -> Server {
        self.services = services.into();
        self
    }

    /// Shows those who test a state what its HTTP task sends.
    #[must_use]
    pub(crate) fn with_exchanges(mut self, exchanges: Exchanges) -> Server {
        self.exchanges = exchanges;
        self
    }

    /// Asks those who send requests who they are.
    #[must_use]
    pub(crate) fn with_auth(mut self, auth: Auth) -> Server {
        self.auth = Arc::new(auth);
        self
    }

    /// Refuses what comes too often for AWS.
    #[must_use]
    pub(crate) fn with_aws_request_rates(mut self) -> Server {
        self.throttle = Some(Arc::new(Throttle::new(api::operations())));
        self
    }

    /// The server as a caller may see it.
    pub(crate) fn seen_by(&self, caller: Caller) -> Server {
        let mut seen = self.clone();
        if let Some(account) = caller.account() {
            seen.modules = AccountModules::new(Arc::clone(self.modules.all()), account);
            account.clone_into(&mut seen.identity.account);
        }
        seen.caller = caller;
        seen
    }

    /// The server as the tasks of an account's executions see it: with nothing but what is that account's, where accounts
    /// are told apart.
    pub(crate) fn seen_by_task(&self, account: &str) -> Server {
        if self.auth.is_required() {
            return self.seen_by(Caller::Task(account.to_owned()));
        }
        let mut seen = self.seen_by(Caller::Anyone);
        seen.modules = AccountModules::new(Arc::clone(self.modules.all()), account);
        account.clone_into(&mut seen.identity.account);
        seen
    }

    /// Whether an account is the server's own.
    pub(crate) fn is_home(&self, account: &str) -> bool {
        self.modules.all().accounts().is_home(account)
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
        self.serve_on(Listening::plain(listener), stop).await;
        Ok(())
    }

    /// The same, with bounds of its connections, and TLS or not.
    pub(crate) async fn serve_on(
        self: Arc<Self>,
        listening: Listening,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let modules = Arc::clone(self.modules.all());
        let told = self.stopping.clone();
        tokio::spawn(deletion::resume(Deletions::of(&self)));
        let stop = async move {
            stop.await;
            told.send_replace(true);
        };
        tokio::select! {
            () = listen::serve(listening, self.router(), stop) => {}
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
            .route("/metrics", get(rest::metrics))
            .route("/api/keys", get(rest::list_keys).post(rest::create_key))
            .route("/api/keys/{id}", delete(rest::revoke_key))
            .fallback(lambda::handle)
            .layer(middleware::from_fn_with_state(Arc::clone(&self), count_request))
            .with_state(self)
    }
}
