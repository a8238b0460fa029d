//! Where the guests are, how the stub is patched, and a sandbox in a directory of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell_sandbox::{
    Call, CallContext, CallError, CallHost, CallOutput, Grants, InstallError, InstalledModule, LogLevel,
    Manifest, Sandbox, SandboxConfig,
};
use tokio::sync::Semaphore;

/// How the guests are built; the Makefile does it before the tests.
const BUILD: &str = "cargo build --release --target wasm32-wasip2 --manifest-path modules/Cargo.toml";
/// Size of the stub's buffer and where its JSON text begins (`modules/test-guests/stub/README.md`).
const STUB_BUFFER_BYTES: usize = 65_536;
const STUB_MARKER: &[u8] = b"STEPWELL-STUB-CONFIG:";

/// Reads a built guest. `STEPWELL_GUESTS` names another place than the workspace's own target directory.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let directory = std::env::var_os("STEPWELL_GUESTS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules/target/wasm32-wasip2/release")),
        PathBuf::from,
    );
    let path = directory.join(format!("{name}.wasm"));
    match std::fs::read(&path) {
        Ok(wasm) => wasm,
        Err(error) => panic!("{}: {error}\nbuild the guests first:\n    {BUILD}", path.display()),
    }
}

/// Returns the stub with a behaviour patched in.
pub(crate) fn stub(config: &str) -> Vec<u8> {
    let mut wasm = guest("stub");
    let found: Vec<_> = wasm
        .windows(STUB_MARKER.len())
        .enumerate()
        .filter(|(_, window)| *window == STUB_MARKER)
        .map(|(index, _)| index)
        .collect();
    let [start] = found[..] else { panic!("the marker occurs {} times", found.len()) };
    let mut buffer = format!("STEPWELL-STUB-CONFIG:{:08}\n{config}", config.len()).into_bytes();
    buffer.resize(STUB_BUFFER_BYTES, b' ');
    wasm[start..start + STUB_BUFFER_BYTES].copy_from_slice(&buffer);
    wasm
}

/// A sandbox that takes its directory with it.
pub(crate) struct Fixture {
    pub(crate) sandbox: Sandbox,
    pub(crate) directory: tempfile::TempDir,
}

impl Fixture {
    /// Opens a small sandbox with the default limits.
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// Opens a small sandbox with other limits.
    pub(crate) fn with(change: impl FnOnce(&mut SandboxConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = SandboxConfig::new(directory.path());
        config.max_concurrent_calls = 16;
        change(&mut config);
        Self { sandbox: Sandbox::open(config).unwrap(), directory }
    }

    /// Closes the sandbox and opens another one on the same directory.
    pub(crate) fn restart(self) -> Self {
        let Self { sandbox, directory } = self;
        drop(sandbox);
        let config = SandboxConfig { max_concurrent_calls: 16, ..SandboxConfig::new(directory.path()) };
        Self { sandbox: Sandbox::open(config).unwrap(), directory }
    }

    /// Installs a module that gets nothing.
    pub(crate) async fn install(&self, wasm: Vec<u8>) -> Result<InstalledModule, InstallError> {
        self.sandbox.install(wasm, &Manifest::default()).await
    }

    /// Installs a module and calls it once.
    pub(crate) async fn run(&self, wasm: Vec<u8>, input: &str) -> Result<String, CallError> {
        let digest = self.install(wasm).await.unwrap().digest;
        self.sandbox.invoke(&digest, call(input)).await.map(|CallOutput { result }| result)
    }

    /// Calls the hostile guest.
    pub(crate) async fn hostile(&self, input: &str) -> Result<String, CallError> {
        self.run(guest("hostile"), input).await
    }
}

/// Remembers what a module told its host.
pub(crate) struct Recorder {
    pub(crate) lines: Mutex<Vec<(LogLevel, String)>>,
    pub(crate) beats: Mutex<u32>,
    /// One permit per beat, for tests that wait until a module has started.
    pub(crate) started: Arc<Semaphore>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { lines: Mutex::default(), beats: Mutex::default(), started: Arc::new(Semaphore::new(0)) }
    }
}

impl CallHost for Recorder {
    fn log(&self, level: LogLevel, message: &str) {
        self.lines.lock().unwrap().push((level, message.to_owned()));
    }

    fn heartbeat(&self) {
        *self.beats.lock().unwrap() += 1;
        self.started.add_permits(1);
    }
}

/// A call with ten seconds to live and nobody listening.
pub(crate) fn call(input: &str) -> Call {
    call_for(input, Arc::new(Recorder::default()))
}

/// A call with ten seconds to live.
pub(crate) fn call_for(input: &str, host: Arc<Recorder>) -> Call {
    let context = CallContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:orders:1".into(),
        state_name: "Charge \"card\"".into(),
        attempt: 2,
        idempotency_key: "orders/1/7".into(),
        task_token: Some("token".into()),
    };
    let (grants, queue) = (Arc::new(Grants::default()), Arc::from("orders"));
    Call { input: input.into(), context, grants, queue, timeout: Duration::from_secs(10), host }
}

/// A call with ten seconds to live of a module with a manifest.
pub(crate) fn call_with(input: &str, manifest: Manifest) -> Call {
    let grants = Grants { manifest, ..Grants::default() };
    Call { grants: Arc::new(grants), ..call(input) }
}
