//! Clients that are kept busy through a warm-up and a window, and what the server used in the window.
//!
//! A turn may be longer than a window, so turns are counted when they end, and the clients are busy before the window
//! opens and until it has closed.

use super::process::Usage;
use crate::sample::{Plan, Sample, Window};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A client of a server.
pub trait Client: Send + 'static {
    /// Does one thing and waits until it is done.
    fn turn(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// One window.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// What the clients saw. The processor time is that of this process: theirs.
    pub clients: Sample,
    /// Processor time of the server.
    pub server_cpu: Duration,
    /// Bytes that the server wrote to disk.
    pub written_bytes: u64,
    /// Resident memory of the server at the end.
    pub resident_bytes: u64,
}

impl Load {
    /// Microseconds of the server's processor time per thing; 0 when nothing happened.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn server_microseconds(&self) -> f64 {
        let count = self.clients.count;
        if count == 0 { 0.0 } else { self.server_cpu.as_secs_f64() * 1e6 / count as f64 }
    }

    /// The same window where each turn was so many things.
    #[must_use]
    pub fn times(mut self, things: u64) -> Load {
        self.clients.count *= things;
        self
    }
}

/// Keeps clients busy. `usage` is what the server has used so far. Gives the clients back.
pub async fn keep_busy<C: Client>(
    clients: Vec<C>,
    plan: Plan,
    usage: impl Fn() -> anyhow::Result<Usage>,
) -> anyhow::Result<(Vec<C>, Load)> {
    let opens = Instant::now() + plan.warm_up;
    let turns = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(turn_until_over(client, Arc::clone(&turns), opens, opens + plan.window));
    }
    sleep_until(opens).await;
    let (window, before, begun) = (Window::open(), usage()?, turns.load(Ordering::Relaxed));
    sleep_until(opens + plan.window).await;
    let mut clients = window.close(|| turns.load(Ordering::Relaxed) - begun, Vec::new);
    let after = usage()?;
    let mut idle = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (client, latencies) = task??;
        idle.push(client);
        clients.latencies.extend(latencies);
    }
    clients.latencies.sort_unstable();
    let load = Load {
        clients,
        server_cpu: after.cpu.saturating_sub(before.cpu),
        written_bytes: after.written_bytes.saturating_sub(before.written_bytes),
        resident_bytes: after.resident_bytes,
    };
    Ok((idle, load))
}

/// Times the turns that end in the window.
async fn turn_until_over<C: Client>(
    mut client: C,
    turns: Arc<AtomicU64>,
    opens: Instant,
    closes: Instant,
) -> anyhow::Result<(C, Vec<Duration>)> {
    let mut latencies = Vec::new();
    let mut last = Instant::now();
    while last < closes {
        client.turn().await?;
        turns.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        if now >= opens && now < closes {
            latencies.push(now.duration_since(last));
        }
        last = now;
    }
    Ok((client, latencies))
}
