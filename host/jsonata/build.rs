//! Builds the evaluator that runs inside the sandbox, `guest/`, to a WebAssembly component: `OUT_DIR/evaluator.wasm`.
//!
//! Settings were chosen by measurement; the figures are in `guest/Cargo.toml`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-wasip2";
const NAME: &str = "stepwell_jsonata_guest.wasm";

/// What the guest is made from, for cargo to watch.
const SOURCES: [&str; 4] = ["guest/Cargo.toml", "guest/Cargo.lock", "guest/src", "guest/wit"];

/// What the outer cargo, clippy or a coverage tool says about the host's build. It must not reach the guest's.
const FOREIGN: [&str; 9] = [
    "RUSTFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTUP_TOOLCHAIN_SOURCE",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "LLVM_PROFILE_FILE",
];

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let (manifest, out) = (directory("CARGO_MANIFEST_DIR"), directory("OUT_DIR"));
    let built = build(&manifest.join("guest/Cargo.toml"), &out.join("guest"));
    let copied = built.and_then(|wasm| {
        fs::copy(&wasm, out.join("evaluator.wasm"))
            .map_err(|error| format!("{} cannot be copied: {error}", wasm.display()))
    });
    if let Err(message) = copied {
        println!("cargo::error={message}");
    }
}

/// A directory that cargo names.
fn directory(name: &str) -> PathBuf {
    PathBuf::from(env::var_os(name).unwrap_or_default())
}

/// Runs cargo for the guest and says where the component lies.
fn build(manifest: &Path, target: &Path) -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        // CARGO_HOME, the registry and the network keep what the person has set; all else belongs to the host's build.
        let personal = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_SOURCE_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if FOREIGN.contains(&text.as_ref()) || (text.starts_with("CARGO_") && !personal) {
            command.env_remove(&name);
        }
    }
    let output = command
        .args(["build", "--release", "--locked", "--target", TARGET, "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if output.status.success() {
        return Ok(target.join(TARGET).join("release").join(NAME));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("target may not be installed") {
        return Err(format!("the JSONata evaluator needs a Rust target: rustup target add {TARGET}"));
    }
    // One line per instruction to cargo, so each line of the reason becomes one.
    for line in said.lines() {
        println!("cargo::warning={line}");
    }
    Err("the JSONata evaluator in host/jsonata/guest does not build".to_owned())
}
