//! How many connections all calls together may have: they share the server's files.
//!
//! What waits here waits in the order of its arrival. This file must never let a guest wait without the caller's time-out.

use crate::limits;
use std::sync::{Arc, LazyLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

static CONNECTIONS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(connections())));

/// Waits for the right to one connection.
pub(super) async fn connection() -> Option<OwnedSemaphorePermit> {
    Arc::clone(&CONNECTIONS).acquire_owned().await.ok()
}

/// Half of the files that this process may open: the server itself needs the others, for clients and for storage.
fn connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    open_files(&limits)
        .map_or(limits::MIN_CONNECTIONS, |files| files / 2)
        .clamp(limits::MIN_CONNECTIONS, limits::MAX_CONNECTIONS)
}

/// Reads the soft limit of open files from Linux's table of limits.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(usize::MAX) } else { soft.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_counts() {
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             31508                31508                processes \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(table), Some(1_024));
        assert_eq!(open_files(&table.replace("1024 ", "unlimited ")), Some(usize::MAX));
        assert_eq!(open_files(""), None);
        assert!((limits::MIN_CONNECTIONS..=limits::MAX_CONNECTIONS).contains(&connections()));
    }
}
