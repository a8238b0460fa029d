//! Where the benchmark's guest is, and the input that it gets.

use anyhow::Context as _;
use std::path::PathBuf;

/// The input of every call: 50 bytes of JSON.
pub const INPUT: &str = r#"{"orderId":"1001","items":[{"sku":"CUP-7","n":1}]}"#;

/// Tells whether a guest answered with its input, alone or as the member `input`, however it writes JSON.
pub fn answers(result: &str) -> bool {
    if result == INPUT {
        return true;
    }
    let Ok(input) = serde_json::from_str::<serde_json::Value>(INPUT) else { return false };
    serde_json::from_str::<serde_json::Value>(result).is_ok_and(|result| result["input"] == input)
}

/// How the guests are built.
const BUILD: &str = "cargo build --release --target wasm32-wasip2 --manifest-path modules/Cargo.toml";

/// Reads the stub guest, which answers with its input. `STEPWELL_GUESTS` names another folder than the one that the
/// build command fills.
pub fn stub() -> anyhow::Result<Vec<u8>> {
    read("stub")
}

/// Reads the guest that misbehaves as it is told.
pub fn hostile() -> anyhow::Result<Vec<u8>> {
    read("hostile")
}

fn read(name: &str) -> anyhow::Result<Vec<u8>> {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules/target/wasm32-wasip2/release");
    let folder = std::env::var_os("STEPWELL_GUESTS").map_or_else(|| PathBuf::from(built), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).with_context(|| {
        format!(
            "the guest {} cannot be read\nbuild the guests first, from the root of the repository:\n    {BUILD}\n\
             or set STEPWELL_GUESTS to the folder that holds {name}.wasm",
            path.display()
        )
    })
}
