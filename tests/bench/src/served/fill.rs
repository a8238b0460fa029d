//! Starts a given number of executions as fast as the server takes them, and says how the speed changed on the way.

use super::api::Api;
use anyhow::Context as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Clients that start executions side by side.
pub const CLIENTS: u32 = 64;

/// How the starts went.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// Starts a second, over all.
    pub per_second: f64,
    /// In the first tenth of them.
    pub first_tenth: f64,
    /// In the last tenth.
    pub last_tenth: f64,
    /// Starts that the server asked to repeat later.
    pub throttled: u64,
}

/// Starts `count` executions, at least ten. `request` says the name and the input of each number.
pub async fn fill(
    clients: Vec<Api>,
    machine: &str,
    count: u64,
    request: impl Fn(u64) -> (String, String) + Send + Sync + 'static,
) -> anyhow::Result<(Vec<Api>, Filled)> {
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tenth = count / 10;
    let marks = Arc::new(Mutex::new([None; 3]));
    let (request, begun) = (Arc::new(request), Instant::now());
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let (next, done, marks) = (Arc::clone(&next), Arc::clone(&done), Arc::clone(&marks));
        let (request, machine) = (Arc::clone(&request), machine.to_owned());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(client);
                }
                let (name, input) = request(number);
                client.start(&machine, &name, &input).await?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                for (mark, at) in [tenth, count - tenth, count].into_iter().enumerate() {
                    if done == at {
                        marks.lock().unwrap_or_else(PoisonError::into_inner)[mark] = Some(Instant::now());
                    }
                }
            }
        });
    }
    let mut clients = Vec::new();
    while let Some(task) = tasks.join_next().await {
        clients.push(task??);
    }
    let marks = *marks.lock().unwrap_or_else(PoisonError::into_inner);
    let [Some(first), Some(last), Some(end)] = marks else {
        return Err(anyhow::anyhow!("fewer than ten executions")).context("nothing to compare");
    };
    let filled = Filled {
        per_second: rate(count, begun, end),
        first_tenth: rate(tenth, begun, first),
        last_tenth: rate(tenth, last, end),
        throttled: clients.iter().map(|client| client.throttled).sum(),
    };
    Ok((clients, filled))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn rate(count: u64, from: Instant, until: Instant) -> f64 {
    count as f64 / until.duration_since(from).as_secs_f64()
}
