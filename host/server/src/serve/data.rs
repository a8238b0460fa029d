//! What a server is made of: its store, its sandbox and its executor, opened as the command line says.
//!
//! It must never leave a store open when something after it cannot be opened.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use stepwell_asl::Quotas;
use stepwell_executor::{
    Clock, Executor, ExecutorConfig, ExpressBounds, Observer, SystemClock, VirtualClock,
};
use stepwell_integrations::{Background, Functions, Service};
use stepwell_sandbox::{Sandbox, SandboxConfig};
use stepwell_store::transfer::{self, Recorder};
use stepwell_store::{Backend, OpenOptions, Store, StoreLocation};
use tempfile::TempDir;

use super::tasks;
use crate::auth::access;
use crate::auth::policy::Service as WireService;
use crate::cli::serve_args::{NamedDirectory, ServeArgs};
use crate::expressions::{self, SandboxExpressions};
use crate::functions::SandboxFunctions;
use crate::http_tasks;
use crate::lambda::{CallBounds, Calls};
use crate::modules::{Modules, ModulesConfig};
use crate::observe;
use crate::observe::metrics::MeasuredFunctions;
use crate::own_service::OwnService;
use crate::resources::Resources;
use crate::secrets::SecretKey;
use crate::server::{Identity, Server};

/// What lives in a directory, or in memory and a directory that goes away.
pub(super) struct Data {
    pub(super) store: Store,
    /// What stands between the store and its files.
    pub(super) recorder: Arc<Recorder>,
    pub(super) sandbox: Sandbox,
    pub(super) max_module_bytes: usize,
    /// Where compiled code and modules live.
    pub(super) directory: PathBuf,
    /// Removed when the server ends.
    pub(super) _temporary: Option<TempDir>,
}

impl Data {
    pub(super) async fn open(args: &ServeArgs) -> anyhow::Result<Data> {
        let (data, temporary) = match &args.store {
            StoreLocation::Memory => {
                let temporary = tempfile::tempdir().context("cannot make a directory for modules")?;
                (temporary.path().to_owned(), Some(temporary))
            }
            StoreLocation::Sled(directory) => (directory.clone(), None),
            // The file has its companions beside it, and so have modules and the key of secrets.
            StoreLocation::Redb(file) => (file.parent().unwrap_or(Path::new("")).to_owned(), None),
        };
        let backend = open_store(args).await?;
        let recorder = Arc::new(Recorder::new(backend));
        let mut config = SandboxConfig::new(data.join("modules"));
        config.max_concurrent_calls = args.max_concurrent_calls;
        config.memory_limit_bytes = args.memory_limit_mib.saturating_mul(1 << 20);
        config.max_waiting_calls = usize::try_from(args.max_waiting_calls).unwrap_or(usize::MAX);
        config.compiler = Some(own_program()?);
        if let Some(mebibytes) = args.total_memory_mib {
            config.total_memory_bytes = mebibytes.saturating_mul(1 << 20);
        }
        if let Some(seconds) = args.call_cpu_seconds {
            config.max_cpu = Duration::from_secs(seconds);
        }
        let max_module_bytes = usize::try_from(config.max_module_bytes).unwrap_or(usize::MAX);
        let store = Store::new(Arc::clone(&recorder) as Arc<dyn Backend>);
        let opened = tokio::task::spawn_blocking(move || Sandbox::open(config)).await;
        let sandbox =
            match opened.context("opening the sandbox broke off").map(|opened| opened.map_err(Into::into)) {
                Ok(Ok(sandbox)) => sandbox,
                Ok(Err(error)) | Err(error) => {
                    store.close().await.context("cannot close the store")?;
                    return Err(error.context("cannot open the sandbox"));
                }
            };
        Ok(Data { store, recorder, sandbox, max_module_bytes, directory: data, _temporary: temporary })
    }

    /// Recovers what was running, and puts a server together that listens on `address`.
    pub(super) async fn server(&self, args: &ServeArgs, address: SocketAddr) -> anyhow::Result<Server> {
        let clock = clock(args);
        let store = self.store.clone();
        let modules = Modules::new(ModulesConfig {
            store: store.clone(),
            sandbox: self.sandbox.clone(),
            clock: Arc::clone(&clock),
            max_bytes: self.max_module_bytes,
            secret_key: SecretKey::of_store(&args.store, args.secret_key_file.as_deref())
                .map_err(anyhow::Error::msg)?,
            directories: data_directories(args)?,
        });
        // Before anything runs: a server that nobody may reach like that does not touch what it has.
        modules.accounts().set_home(&args.identity.account);
        let auth = access::auth(args, address, &store, &modules).await?;
        let call_timeout = Duration::from_secs(args.call_timeout_seconds);
        let observe = observe::start(args, &store, &self.directory)?;
        let functions = SandboxFunctions::new(Arc::clone(&modules), Arc::clone(&clock), call_timeout);
        let functions: Arc<dyn Functions> =
            Arc::new(MeasuredFunctions::new(Arc::new(functions), Arc::clone(&observe.metrics)));
        let bounds = CallBounds {
            timeout: call_timeout,
            memory_bytes: args.memory_limit_mib.saturating_mul(1 << 20),
            concurrent_calls: args.max_concurrent_calls,
        };
        let calls = Calls::new(Arc::clone(&functions), bounds);
        let background = Arc::new(calls.clone()) as Arc<dyn Background>;
        let own = Arc::new(OwnService::default());
        let mocks = tasks::mocks(args)?;
        let seal = modules.secrets().seal().clone();
        let payload_bytes = quotas(args).payload_bytes;
        let http = http_tasks::parts(args, payload_bytes, store.clone(), seal, Arc::clone(&clock));
        let services: tasks::Services = vec![("http", http.tasks)];
        let integration = tasks::integration(functions, &clock, mocks.clone(), services, (background, &own));
        let resources = match args.profile.resources() {
            Some(bounds) => {
                Resources::counted(&store, bounds).await.context("cannot count what the store has")?
            }
            None => Resources::unbounded(),
        };
        let config = ExecutorConfig {
            quotas: quotas(args),
            mailbox: usize::try_from(args.max_waiting_requests).unwrap_or(usize::MAX),
            retention: args.retention.0,
            express: express_bounds(args),
            open_executions: resources.open_executions.clone(),
            ..ExecutorConfig::default()
        };
        tracing::info!(retention = %args.retention, "closed executions are kept so long (`none`: for ever)");
        let jsonata = expressions::open(&self.directory, own_program()?);
        let expressions = Arc::new(SandboxExpressions::new(Arc::clone(&jsonata)));
        let observer = Arc::clone(&observe) as Arc<dyn Observer>;
        let executor = Executor::open_observed(
            store.clone(),
            integration,
            expressions,
            Arc::clone(&clock),
            config,
            observer,
        )?;
        let identity =
            Identity { account: args.identity.account.clone(), region: args.identity.region.clone() };
        let server = Server::new(store, executor, modules, calls, jsonata, clock, identity);
        let server = server.with_recorder(Arc::clone(&self.recorder)).with_resources(resources);
        let server = server.with_auth(auth).with_observe(observe).with_mocks(mocks).with_own_service(own);
        // Of a service's parts the first that offers an operation answers it.
        let services: Vec<(WireService, Arc<dyn Service>)> =
            vec![(WireService::Events, Arc::new(http.connections))];
        let server = server.with_services(services).with_exchanges(http.exchanges);
        Ok(if args.aws_request_rates { server.with_aws_request_rates() } else { server })
    }
}

/// Opens the files that the command line names, and refuses what an import that was cut short has left.
async fn open_store(args: &ServeArgs) -> anyhow::Result<Arc<dyn Backend>> {
    let location = args.store.clone();
    let reserve_bytes = args.min_free_mib.saturating_mul(1 << 20);
    let cache_bytes = args.store_cache_mib.saturating_mul(1 << 20);
    let options = OpenOptions { reserve_bytes, cache_bytes, ..OpenOptions::default() };
    let opened = tokio::task::spawn_blocking(move || stepwell_store::open(&location, options)).await;
    let backend = opened.context("opening the store broke off")?.context("cannot open the store")?;
    if let Err(unfinished) = transfer::check_whole(&*backend).await {
        backend.close().await.context("cannot close the store")?;
        return Err(anyhow!(unfinished).context("cannot open the store"));
    }
    Ok(backend)
}

/// What time it is for workflows, for modules, and in all records.
fn clock(args: &ServeArgs) -> Arc<dyn Clock> {
    let real = Arc::new(SystemClock);
    match args.virtual_clock {
        Some(mode) => Arc::new(VirtualClock::new(real, mode.skipping())),
        None => real,
    }
}

/// What Express executions may take, as the command line says.
fn express_bounds(args: &ServeArgs) -> ExpressBounds {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    ExpressBounds {
        executions: whole(args.max_express_executions),
        bytes: whole(args.express_data_mib.saturating_mul(1 << 20)),
        execution_bytes: whole(args.express_execution_data_mib.saturating_mul(1 << 20)),
    }
}

/// The directories that manifests may name, each by its true path.
fn data_directories(args: &ServeArgs) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut directories = BTreeMap::new();
    for NamedDirectory { name, path } in &args.data_directories {
        let unusable = || format!("--data-directory {name}: cannot use {}", path.display());
        let true_path = path.canonicalize().with_context(unusable)?;
        if !true_path.is_dir() {
            return Err(anyhow!("it is no directory").context(unusable()));
        }
        if directories.insert(name.clone(), true_path).is_some() {
            return Err(anyhow!("--data-directory {name}: the name is given twice"));
        }
    }
    Ok(directories)
}

/// Where this program lies, for the processes that compile uploads. Linux's own link leads there even after an update
/// has put another file in its place.
fn own_program() -> anyhow::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        return Ok(link);
    }
    std::env::current_exe().context("cannot find this program, which is to compile modules")
}

/// Those of the profile, and of the command line where it names a number.
fn quotas(args: &ServeArgs) -> Quotas {
    let quotas = args.profile.quotas();
    let bytes = |kib: u64| usize::try_from(kib * 1_024).unwrap_or(usize::MAX);
    Quotas {
        payload_bytes: args.payload_limit_kib.map_or(quotas.payload_bytes, bytes),
        history_events: args.history_limit.unwrap_or(quotas.history_events),
        map_concurrency: args.map_concurrency.unwrap_or(quotas.map_concurrency),
    }
}
