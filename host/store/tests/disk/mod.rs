//! A disk for tests: it records, blocks and fails sync calls, and remembers what a power cut would leave.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

use stepwell_store::{Disk, RealDisk};

#[derive(Default)]
pub(crate) struct TestDisk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Every sync call, by the last part of its path.
    calls: Vec<String>,
    /// The thread of the last sync of the log.
    thread: String,
    /// Free bytes to report instead of the real ones.
    free_bytes: Option<u64>,
    fail_syncs: bool,
    /// Whether syncs of files return at once.
    pretend: bool,
    /// Whether syncs of the log wait, and how many do.
    gate_closed: bool,
    waiting: usize,
    /// Content of files as of their last sync, and names as of the last sync of their directory.
    contents: BTreeMap<PathBuf, Vec<u8>>,
    names: BTreeSet<PathBuf>,
}

impl TestDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The sync calls since the last time.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    /// Name of the thread that synced the log last.
    pub(crate) fn thread(&self) -> String {
        self.state().thread.clone()
    }

    pub(crate) fn set_free_bytes(&self, bytes: Option<u64>) {
        self.state().free_bytes = bytes;
    }

    pub(crate) fn fail_syncs(&self) {
        self.state().fail_syncs = true;
    }

    /// Syncs of files return at once from here on: as on a disk without a load.
    pub(crate) fn pretend(&self) {
        self.state().pretend = true;
    }

    pub(crate) fn close_gate(&self) {
        self.state().gate_closed = true;
    }

    pub(crate) fn open_gate(&self) {
        self.state().gate_closed = false;
        self.changed.notify_all();
    }

    /// Waits until a sync of the log waits at the gate.
    pub(crate) fn wait_for_sync(&self) {
        let patience = Duration::from_secs(30);
        let waited = self.changed.wait_timeout_while(self.state(), patience, |state| state.waiting == 0);
        assert!(!waited.unwrap().1.timed_out(), "the log is not synced");
    }

    /// Writes what a power cut would leave of one directory to another one.
    pub(crate) fn write_image(&self, from: &Path, to: &Path) {
        let state = self.state();
        for name in state.names.iter().filter(|name| name.starts_with(from)) {
            let target = to.join(name.strip_prefix(from).unwrap());
            if name.is_dir() {
                fs::create_dir_all(target).unwrap();
            } else {
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::write(target, state.contents.get(name).map_or(&[][..], |content| content)).unwrap();
            }
        }
    }
}

impl Disk for TestDisk {
    fn sync_data(&self, file: &File, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.calls.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        let log = path.to_string_lossy().ends_with("wal");
        if log {
            std::thread::current().name().unwrap_or_default().clone_into(&mut state.thread);
        }
        if log && state.gate_closed {
            state.waiting += 1;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |state| state.gate_closed).unwrap();
            state.waiting -= 1;
        }
        if state.fail_syncs {
            return Err(io::Error::from_raw_os_error(5));
        }
        if state.pretend {
            return Ok(());
        }
        RealDisk.sync_data(file, path)?;
        state.contents.insert(path.to_owned(), fs::read(path)?);
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.calls.push(format!("{}/", directory.file_name().unwrap_or_default().to_str().unwrap()));
        state.names.retain(|name| name.parent() != Some(directory));
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            // sled syncs its snapshots itself before it gives them their name.
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")) {
                state.contents.insert(path.clone(), fs::read(&path)?);
            }
            // A file written under another name keeps its content when it gets its own.
            let unfinished = PathBuf::from(format!("{}.new", path.display()));
            if !unfinished.exists()
                && let Some(content) = state.contents.remove(&unfinished)
            {
                state.contents.insert(path.clone(), content);
            }
            state.names.insert(path);
        }
        RealDisk.sync_directory(directory)
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        self.state().free_bytes.map_or_else(|| RealDisk.free_bytes(directory), Ok)
    }
}
