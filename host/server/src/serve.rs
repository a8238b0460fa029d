//! `stepwell serve`: opens the store, the sandbox and the executor, listens, and takes everything down in order.
//!
//! It must never end without having closed the store, unless the store itself has failed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stepwell_asl::Quotas;
use stepwell_executor::integrations::{Functions, Lambda};
use stepwell_executor::{Clock, Executor, ExecutorConfig, Observer, SystemClock, VirtualClock};
use stepwell_sandbox::{Sandbox, SandboxConfig};
use stepwell_store::transfer::{self, Recorder};
use stepwell_store::{Backend, OpenOptions, Store, StoreLocation};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::auth::access::{self, Asks};
use crate::cli::serve_args::{NamedDirectory, ServeArgs};
use crate::expressions::{self, SandboxExpressions};
use crate::functions::SandboxFunctions;
use crate::lambda::{CallBounds, Calls};
use crate::listen::{self, Listening};
use crate::modules::{Modules, ModulesConfig};
use crate::observe::metrics::MeasuredFunctions;
use crate::secrets::SecretKey;
use crate::server::{Identity, Server};
use crate::{banner, limits, logging, observe, rest};

/// Exit code when the command line cannot be understood, as `stepwell --help` says.
const WRONG_COMMAND_LINE: u8 = 2;

/// Runs the server until a signal; the exit code says whether it ended as it should.
pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    if let Err(error) = logging::start(args.log_format, &args.log_filter) {
        eprintln!("stepwell: {error:#}");
        return ExitCode::from(WRONG_COMMAND_LINE);
    }
    match serve(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stepwell: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    raise_descriptor_limit();
    refuse_huge_pages();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the server")?;
    let served = runtime.block_on(serve_until_signal(args));
    // What still blocks a thread is of no use to anyone now.
    runtime.shutdown_background();
    served
}

async fn serve_until_signal(args: &ServeArgs) -> anyhow::Result<()> {
    let signals = Signals::catch().context("cannot catch signals")?;
    let listener = TcpListener::bind(&args.listen)
        .await
        .with_context(|| format!("cannot listen on {}: choose another address with --listen", args.listen))?;
    let address = listener.local_addr().context("cannot read the address that was bound")?;
    let metrics = match &args.metrics_listen {
        None => None,
        Some(address) => {
            let bound = TcpListener::bind(address).await;
            let bound =
                bound.with_context(|| format!("cannot listen on {address}, as --metrics-listen says"))?;
            let address = bound.local_addr().context("cannot read the address that was bound")?;
            tracing::info!("/metrics is served on {address}, to whoever reaches it");
            Some(bound)
        }
    };
    // Before the store is opened: what is wrong with these files is quickly said.
    let tls = listen::tls(args)?;
    let data = Data::open(args).await?;
    let served = async {
        let server = data.server(args, address).await?;
        let asks = Asks::of(&server, address);
        banner::print(
            address,
            tls.is_some(),
            &data.store.describe(),
            &server.identity,
            args.virtual_clock,
            asks,
        );
        if asks == Asks::NobodyThoughReachable {
            eprintln!(
                "stepwell: warning: {address} can be reached from other machines, and everybody who reaches it may do \
                 everything. Make an access key (stepwell key create), or listen on 127.0.0.1."
            );
        }
        let listening = Listening::new(listener, tls, max_connections(args));
        serve_until(server, listening, metrics, signals.first()).await
    };
    let served = served.await;
    let closed = data.store.close().await.context("cannot close the store");
    served.and(closed)
}

/// Serves until `signal` names one, then takes the server down. Errors: of the listener, and of the store.
async fn serve_until(
    server: Server,
    listening: Listening,
    metrics: Option<TcpListener>,
    signal: impl Future<Output = &'static str>,
) -> anyhow::Result<()> {
    let (executor, mut fatal) = (server.executor.clone(), server.store.fatal());
    let observe = server.observe.clone();
    let store = server.store.describe();
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let server = Arc::new(server);
    if let Some(listener) = metrics {
        rest::listen_for_metrics(&server, listener);
    }
    let mut serving = tokio::spawn(server.serve_on(listening, async move { stopped.notified().await }));
    tokio::select! {
        reason = fatal.wait() => return Err(stopped_store(&store, &reason)),
        ended = &mut serving => return ended.context("the server broke off"),
        name = signal => tracing::info!(signal = name, "stopping"),
    }
    stop.notify_one();
    let good_end = async {
        if tokio::time::timeout(limits::REQUESTS_GRACE, serving).await.is_err() {
            tracing::warn!("some requests did not end in time and are dropped");
        }
        executor.shut_down(limits::TASKS_GRACE).await;
        if let Some(observe) = observe {
            observe.flush(limits::OBSERVED_GRACE).await;
        }
    };
    tokio::select! {
        () = good_end => Ok(()),
        reason = fatal.wait() => Err(stopped_store(&store, &reason)),
    }
}

/// The last words when the store acknowledges nothing any more.
fn stopped_store(store: &str, reason: &str) -> anyhow::Error {
    anyhow!(
        "the store has stopped: {reason}. It is {store}. Nothing that was acknowledged is lost: put right what stands \
         in its way and start the server again; if it refuses to start, it says how to restore"
    )
}

/// Lets the process open as many files and connections as the system allows it; the usual limit is low for the sake
/// of programs that a high one breaks.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(failure) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%failure, "the limit on open files stays as it is");
    }
}

/// Keeps the kernel from rounding every used piece of memory up to 2 MiB where it does that to all programs: it took
/// three times the memory and saved no time.
fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(failure) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%failure, "huge pages stay allowed");
    }
}

/// What lives in a directory, or in memory and a directory that goes away.
struct Data {
    store: Store,
    /// What stands between the store and its files.
    recorder: Arc<Recorder>,
    sandbox: Sandbox,
    max_module_bytes: usize,
    /// Where compiled code and modules live.
    directory: PathBuf,
    /// Removed when the server ends.
    _temporary: Option<TempDir>,
}

impl Data {
    async fn open(args: &ServeArgs) -> anyhow::Result<Data> {
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
    async fn server(&self, args: &ServeArgs, address: SocketAddr) -> anyhow::Result<Server> {
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
        let lambda = Arc::new(Lambda::new(functions, Arc::clone(&clock)));
        let config = ExecutorConfig {
            quotas: quotas(args),
            mailbox: usize::try_from(args.max_waiting_requests).unwrap_or(usize::MAX),
            retention: args.retention.0,
            ..ExecutorConfig::default()
        };
        tracing::info!(retention = %args.retention, "closed executions are kept so long (`none`: for ever)");
        let jsonata = expressions::open(&self.directory, own_program()?);
        let expressions = Arc::new(SandboxExpressions::new(Arc::clone(&jsonata)));
        let observer = Arc::clone(&observe) as Arc<dyn Observer>;
        let executor = Executor::open_observed(
            store.clone(),
            lambda,
            expressions,
            Arc::clone(&clock),
            config,
            observer,
        )?;
        let identity =
            Identity { account: args.identity.account.clone(), region: args.identity.region.clone() };
        let server = Server::new(store, executor, modules, calls, jsonata, clock, identity);
        let server = server.with_recorder(Arc::clone(&self.recorder)).with_auth(auth).with_observe(observe);
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

/// The signals that end the server.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the first one. After it a second one ends the process at once, as an impatient operator expects;
    /// that is safe, because a crash at any moment is.
    async fn first(mut self) -> &'static str {
        let name = self.next().await;
        tokio::spawn(async move {
            let name = self.next().await;
            eprintln!("stepwell: {name} again: not waiting any longer");
            std::process::exit(130);
        });
        name
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// As many connections as are asked for, and as leave descriptors for files.
fn max_connections(args: &ServeArgs) -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = descriptors.saturating_sub(limits::OTHER_DESCRIPTORS).max(1);
    usize::try_from(u64::from(args.max_connections).min(most)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use stepwell_store::MemoryBackend;
    use stepwell_store::fault::{FaultBackend, FaultPlan};

    use super::*;
    use crate::cli::{Cli, Command};

    #[tokio::test]
    async fn a_store_that_fails_ends_the_server_with_its_message() {
        let backend = Arc::new(FaultBackend::new(Arc::new(MemoryBackend::new()), FaultPlan::none()));
        let modules = tempfile::tempdir().unwrap();
        let mut config = SandboxConfig::new(modules.path());
        config.max_concurrent_calls = 8;
        let recorder = Arc::new(Recorder::new(Arc::clone(&backend) as Arc<dyn Backend>));
        let data = Data {
            store: Store::new(Arc::clone(&recorder) as Arc<dyn Backend>),
            recorder,
            sandbox: Sandbox::open(config).unwrap(),
            max_module_bytes: 1,
            directory: modules.path().to_owned(),
            _temporary: None,
        };
        let Command::Serve(args) = Cli::parse_from(["stepwell", "serve", "--store", "memory:"]).command
        else {
            panic!("serve was asked for");
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = data.server(&args, address).await.unwrap();
        let serving = serve_until(server, Listening::plain(listener), None, std::future::pending());
        let failing = async {
            // Connected: the failure meets a server that serves.
            drop(tokio::net::TcpStream::connect(address).await.unwrap());
            backend.crash();
            std::future::pending::<()>().await;
        };
        let patience = Duration::from_secs(20);
        tokio::select! {
            () = tokio::time::sleep(patience) => panic!("the server goes on"),
            outcome = serving => {
                let message = outcome.unwrap_err().to_string();
                let reason = data.store.fatal().reason().unwrap();
                assert!(message.contains(&reason) && message.contains(&data.store.describe()), "{message}");
            }
            () = failing => {}
        }
    }
}
