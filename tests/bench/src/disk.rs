//! The disk's own speed: a bare loop of append and fdatasync, the baseline of durable transitions.
//!
//! It does what any log must do before it may say "durable", and nothing else.

use crate::sample::{Sample, Window};
use anyhow::{Context as _, bail};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of one append: what a transition logically weighs, history, checkpoint and index keys together.
pub const APPEND_BYTES: usize = 1_800;

/// `f_type` of a tmpfs (Linux, `statfs(2)`).
const TMPFS: u32 = 0x0102_1994;

/// A file that grows by one append and one fdatasync at a time.
pub struct DiskLoop {
    file: File,
}

impl DiskLoop {
    /// Creates the file in `directory`.
    pub fn create(directory: &Path) -> anyhow::Result<DiskLoop> {
        let path = directory.join("bare-appends");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(DiskLoop { file })
    }

    /// Appends so many bytes and syncs, until the window is over.
    pub fn run(&mut self, length: Duration, append_bytes: usize) -> anyhow::Result<Sample> {
        let bytes = vec![b'.'; append_bytes];
        let mut latencies = Vec::new();
        let (window, started) = (Window::open(), Instant::now());
        let mut last = started;
        while last.duration_since(started) < length {
            self.file.write_all(&bytes).context("cannot append")?;
            self.file.sync_data().context("cannot sync")?;
            let now = Instant::now();
            latencies.push(now.duration_since(last));
            last = now;
        }
        let count = latencies.len() as u64;
        Ok(window.close(|| count, || latencies))
    }
}

/// Refuses a directory in memory: syncing it costs nothing, and every ratio would be nonsense.
pub fn check_real_disk(directory: &Path) -> anyhow::Result<()> {
    let volume =
        rustix::fs::statfs(directory).with_context(|| format!("cannot look at {}", directory.display()))?;
    // The field's width differs between systems; the magic number fits all of them.
    if u32::try_from(volume.f_type).is_ok_and(|kind| kind == TMPFS) {
        bail!(
            "{} is in memory (tmpfs), where a sync costs nothing; name a real disk with --dir",
            directory.display()
        );
    }
    Ok(())
}
