//! `stepwell serve`: opens the store, the sandbox and the executor, listens, and takes everything down in order.
//!
//! It must never end without having closed the store, unless the store itself has failed.

mod data;
mod process;
mod tasks;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use self::data::Data;
use self::process::{Signals, max_connections, raise_descriptor_limit, refuse_huge_pages};
use crate::auth::access::Asks;
use crate::cli::serve_args::ServeArgs;
use crate::listen::{self, Listening};
use crate::server::Server;
use crate::{banner, limits, logging, rest};

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
    let signals = Signals::catch(args.stop_with_stdin).context("cannot catch signals")?;
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
    // Until the executor has ended: its tasks may call the server.
    let own_service = server.own_service.clone();
    if let Some(own) = &own_service {
        own.answered_by(&server);
    }
    let kept = Arc::clone(&server);
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
        drop(kept);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;
    use stepwell_sandbox::{Sandbox, SandboxConfig};
    use stepwell_store::fault::{FaultBackend, FaultPlan};
    use stepwell_store::transfer::Recorder;
    use stepwell_store::{Backend, MemoryBackend, Store};

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
