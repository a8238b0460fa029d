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
    /// Free bytes to report instead of the real ones.
    free_bytes: Option<u64>,
    fail_syncs: bool,
    /// Whether syncs of the engine's file wait, and how many do.
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

    pub(crate) fn set_free_bytes(&self, bytes: Option<u64>) {
        self.state().free_bytes = bytes;
    }

    pub(crate) fn fail_syncs(&self) {
        self.state().fail_syncs = true;
    }

    pub(crate) fn close_gate(&self) {
        self.state().gate_closed = true;
    }

    pub(crate) fn open_gate(&self) {
        self.state().gate_closed = false;
        self.changed.notify_all();
    }

    /// Waits until a sync of the engine's file waits at the gate.
    pub(crate) fn wait_for_sync(&self) {
        let patience = Duration::from_secs(30);
        let waited = self.changed.wait_timeout_while(self.state(), patience, |state| state.waiting == 0);
        assert!(!waited.unwrap().1.timed_out(), "the engine's file is not synced");
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
        let data = path.ends_with("sled/db") || path.ends_with("store.redb");
        if data && state.gate_closed {
            state.waiting += 1;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |state| state.gate_closed).unwrap();
            state.waiting -= 1;
        }
        if state.fail_syncs {
            return Err(io::Error::from_raw_os_error(5));
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
            state.names.insert(path);
        }
        RealDisk.sync_directory(directory)
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        self.state().free_bytes.map_or_else(|| RealDisk.free_bytes(directory), Ok)
    }
}
