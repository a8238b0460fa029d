//! What watches, as the command line and the environment say.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use stepwell_store::Store;

use super::logs::LogFiles;
use super::metrics::Metrics;
use super::otlp::{self, Exporter};
use super::{LogTargets, Observe};
use crate::cli::serve_args::{ExecutionLogs, ServeArgs};
use crate::limits;

/// Begins to watch, for a server whose data lie in `directory`. Call it inside the runtime.
pub(crate) fn start(args: &ServeArgs, store: &Store, directory: &Path) -> anyhow::Result<Arc<Observe>> {
    let metrics = Arc::new(Metrics::new()?);
    let root = args.log_dir.clone().unwrap_or_else(|| directory.join("logs"));
    let files = LogFiles::new(root, args.log_group_mib.saturating_mul(1 << 20));
    let (to_files, stdout) = match args.execution_logs {
        ExecutionLogs::Files => (true, false),
        ExecutionLogs::Stdout => (false, true),
        ExecutionLogs::Both => (true, true),
        ExecutionLogs::None => (false, false),
    };
    let environment = |name: &str| std::env::var(name).ok();
    let settings = otlp::from_environment(args.otlp_endpoint.as_deref(), environment);
    let settings = settings.map_err(anyhow::Error::msg).context("cannot send traces and logs")?;
    let exporter = settings.map(|settings| {
        tracing::info!(traces = ?settings.traces, logs = ?settings.logs, "telemetry is sent to a collector");
        Exporter::begin(settings, Arc::clone(&metrics))
    });
    tokio::spawn(count_open(store.clone(), Arc::clone(&metrics)));
    let targets = LogTargets { files: to_files, stdout };
    Ok(Observe::begin(store.clone(), metrics, files, targets, exporter))
}

/// Counts the open executions once in a while; in between, their starts and ends are.
async fn count_open(store: Store, metrics: Arc<Metrics>) {
    loop {
        let balance = metrics.executions.balance();
        match store.count_running().await {
            Ok(open) => metrics.gauges.counted_open(open, balance),
            Err(failure) => tracing::debug!(%failure, "open executions cannot be counted"),
        }
        tokio::time::sleep(limits::OPEN_COUNTED_EVERY).await;
    }
}
