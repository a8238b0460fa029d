//! The server that test cases run on: this program as a child, in memory and in virtual time, for one file.
//!
//! It must never outlive the command, and never take settings from the environment: a test says the same everywhere.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use super::super::arn::Identity;
use super::super::client::Client;
use super::super::exit::Failure;
use super::file::TestFile;

/// What the line of the banner begins with that says where the server listens.
const LISTENING: &str = "listening on";
/// Most of a failed server's messages that are shown, in bytes.
const SAID_BYTES: u64 = 16_384;

/// A server of its own.
pub(super) struct TestServer {
    child: Child,
    pub(super) client: Client,
    /// Mocks, logs and whatever else it writes.
    _files: TempDir,
}

impl TestServer {
    /// Starts it with the mocks and the directories of a file. Errors: `NotSucceeded`, with what the server said.
    pub(super) fn start(file: &TestFile, mocks: &Value, identity: &Identity) -> Result<Self, Failure> {
        let files = tempfile::tempdir().map_err(|error| cannot(&error.to_string()))?;
        let (child, endpoint) = launch(file, mocks, identity, &files)?;
        Ok(TestServer { child, client: Client::new(&endpoint, false), _files: files })
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // Nothing of it is kept, so there is nothing to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(
    file: &TestFile,
    mocks: &Value,
    identity: &Identity,
    files: &TempDir,
) -> Result<(Child, String), Failure> {
    let io = |error: std::io::Error| cannot(&error.to_string());
    let mock_file = files.path().join("mocks.json");
    std::fs::write(&mock_file, mocks.to_string()).map_err(io)?;
    let said = NamedTempFile::new_in(files).map_err(io)?;
    let mut command = Command::new(std::env::current_exe().map_err(io)?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STEPWELL_")) {
        command.env_remove(name);
    }
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", "memory:", "--virtual-clock", "auto"]);
    command.args(["--auth", "off", "--stop-with-stdin", "--log-filter", "warn", "--execution-logs", "none"]);
    command.args(["--account", &identity.account, "--region", &identity.region]);
    command.arg("--mock-config").arg(&mock_file);
    for (name, path) in &file.data_directories {
        command.arg("--data-directory").arg(format!("{name}={}", file.at(path).display()));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said.reopen().map_err(io)?);
    let mut child = command.spawn().map_err(io)?;
    if let Some(endpoint) = endpoint(&mut child) {
        return Ok((child, endpoint));
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(cannot(&last_words(said.path())))
}

/// Reads the banner up to the address; `None` if the server ends before it says one.
fn endpoint(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let endpoint =
        lines.by_ref().find_map(|line| Some(line.ok()?.trim().strip_prefix(LISTENING)?.trim().to_owned()));
    // The rest of the banner must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    endpoint
}

fn last_words(path: &std::path::Path) -> String {
    let mut said = String::new();
    let read = File::open(path).and_then(|file| file.take(SAID_BYTES).read_to_string(&mut said));
    match read {
        Ok(_) if !said.trim().is_empty() => said.trim().to_owned(),
        Ok(_) | Err(_) => "it said nothing".to_owned(),
    }
}

fn cannot(reason: &str) -> Failure {
    Failure::NotSucceeded {
        message: format!("the server for the tests does not start: {reason}"),
        hint: None,
    }
}
