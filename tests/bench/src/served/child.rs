//! Child processes: the server under test, and the bare echo server. No child outlives its guard.

use super::echo;
use super::process::Usage;
use crate::store_kind::StoreKind;
use anyhow::{Context as _, bail, ensure};
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time from the start of a process until it says where it listens: recovery of a large store included.
const START_LIMIT: Duration = Duration::from_mins(15);
/// How often its output is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(2);
/// What stands before the port in a server's first lines.
const ADDRESS: &str = "http://127.0.0.1:";
/// How much of its output is shown when it does not start, in bytes.
const SHOWN_BYTES: usize = 4 << 10;

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The server, `stepwell`.
    pub stepwell: PathBuf,
    /// The benchmark itself, which is the echo server when told so.
    pub bench: PathBuf,
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The server's program.
    pub stepwell: PathBuf,
    /// What keeps its bytes.
    pub store: StoreKind,
    /// A folder of its own, for the store and its output.
    pub directory: PathBuf,
}

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Programs {
    /// The programs, when the server is not named: it lies beside the benchmark.
    pub fn find(bench: PathBuf, stepwell: Option<PathBuf>) -> anyhow::Result<Programs> {
        let stepwell = stepwell.unwrap_or_else(|| bench.with_file_name("stepwell"));
        ensure!(
            stepwell.is_file(),
            "there is no server at {}: build it (cargo build --release --workspace --bins), or name one with \
             --stepwell-bin",
            stepwell.display()
        );
        Ok(Programs { stepwell, bench })
    }

    /// Starts the bare echo server. Its folder is for its output.
    pub fn start_echo(&self, directory: &Path) -> anyhow::Result<Running> {
        let mut command = Command::new(&self.bench);
        // The pipe closes with this process, however that ends.
        command.arg(echo::ARGUMENT).stdin(Stdio::piped());
        Running::start(command, &directory.join("echo-output"))
    }
}

impl Setup {
    /// Starts the server and waits until it says where it listens. Settings of whoever runs the benchmark do not reach it.
    pub fn start(&self) -> anyhow::Result<Running> {
        std::fs::create_dir_all(&self.directory).context("cannot make the server's folder")?;
        let mut command = Command::new(&self.stepwell);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STEPWELL_"))
        {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--store", &self.store.location(&self.directory)]);
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        Running::start(command, &self.directory.join("output"))
    }

    /// Bytes on disk of the folder: what its files occupy, the server's few lines of output included.
    pub fn disk_bytes(&self) -> anyhow::Result<u64> {
        occupied_bytes(&self.directory)
    }
}

impl Running {
    fn start(mut command: Command, output: &Path) -> anyhow::Result<Running> {
        let file = OpenOptions::new().create(true).append(true).open(output)?;
        let before = usize::try_from(file.metadata()?.len())?;
        let errors: File = file.try_clone()?;
        let child = command.stdout(file).stderr(errors).spawn();
        let child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let started = Instant::now();
        // Guarded from here on.
        let mut running = Running { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        loop {
            let text = String::from_utf8_lossy(&std::fs::read(output)?).into_owned();
            let said = text.get(before..).unwrap_or_default();
            if let Some(port) = port(said) {
                running.address.set_port(port);
                return Ok(running);
            }
            let shown = said.get(said.len().saturating_sub(SHOWN_BYTES)..).unwrap_or(said);
            if let Some(status) = running.child.try_wait()? {
                bail!("{} ended with {status}:\n{shown}", command.get_program().display());
            }
            ensure!(started.elapsed() < START_LIMIT, "it does not say where it listens:\n{shown}");
            std::thread::sleep(LOOK);
        }
    }

    /// What it has used so far.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(&self.child.id().to_string())
    }

    /// Kills it as `kill -9` does; it gets no chance to do anything.
    pub fn kill9(mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the server ended by itself");
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port in the first lines, once the line with it is complete.
fn port(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once(ADDRESS)?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    rest[..end].parse().ok()
}

fn occupied_bytes(path: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // A file that is gone meanwhile occupies nothing.
            let Ok(metadata) = entry.metadata() else { continue };
            bytes += metadata.blocks() * 512;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_taken_from_a_complete_line_only() {
        assert_eq!(port("  listening on  http://127.0.0.1:4567\n"), Some(4_567));
        for incomplete in ["", "http://127.0.0.1:", "http://127.0.0.1:45"] {
            assert_eq!(port(incomplete), None, "{incomplete:?}");
        }
    }

    #[test]
    fn a_missing_server_is_named_with_the_way_to_build_it() {
        let directory = tempfile::tempdir().unwrap();
        let refused = Programs::find(directory.path().join("stepwell-bench"), None).unwrap_err().to_string();
        assert!(refused.contains("--stepwell-bin") && refused.contains("cargo build"), "{refused}");
    }

    #[test]
    fn files_in_folders_occupy_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("below")).unwrap();
        let before = occupied_bytes(directory.path()).unwrap();
        std::fs::write(directory.path().join("below/file"), vec![1; 100_000]).unwrap();
        assert!(occupied_bytes(directory.path()).unwrap() >= before + 100_000);
    }

    #[test]
    fn a_program_that_ends_is_shown_with_what_it_said() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no room; exit 3"]).stdin(Stdio::null());
        let refused = Running::start(command, &directory.path().join("output")).unwrap_err().to_string();
        assert!(refused.contains("no room") && refused.contains('3'), "{refused}");
    }
}
