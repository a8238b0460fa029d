//! Where the binaries under test lie: the server and the guests.
//!
//! Nothing is built here: a test that started a compiler would measure and log the compiler. What is missing is named
//! together with the command that builds it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The root of the workspace that this crate belongs to.
pub fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("tests/it lies two levels below the root").to_owned()
}

/// The server under test: `STEPWELL_BIN`, or the newer one of the release and the debug build.
///
/// # Panics
/// If there is none; the message says how to build one.
pub fn server_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STEPWELL_BIN") {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "STEPWELL_BIN names {}, which is no file", path.display());
        return std::path::absolute(&path).expect("a path to an existing file");
    }
    let target = workspace_root().join("target");
    let built = ["release", "debug"].map(|profile| target.join(profile).join("stepwell"));
    let newest = built.iter().filter_map(|path| Some((modified(path)?, path))).max();
    let Some((_, path)) = newest else {
        panic!(
            "there is no server to test: run `cargo build --release -p stepwell-server`, or set STEPWELL_BIN \
             (looked for {} and {})",
            built[0].display(),
            built[1].display()
        );
    };
    path.clone()
}

/// The directory of the built guests: `STEPWELL_GUESTS`, or where their workspace builds them.
///
/// # Panics
/// If the stub is not in it; the message says how to build the guests.
pub fn guests_directory() -> PathBuf {
    let directory = std::env::var_os("STEPWELL_GUESTS")
        .map_or_else(|| workspace_root().join("modules/target/wasm32-wasip2/release"), PathBuf::from);
    assert!(
        directory.join("stub.wasm").is_file(),
        "there are no guests in {}: run `cargo build --release --target wasm32-wasip2 --manifest-path \
         modules/Cargo.toml`, or set STEPWELL_GUESTS",
        directory.display()
    );
    directory
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}
