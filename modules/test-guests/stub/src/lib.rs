//! A stand-in for any function: it plays the behaviour that is patched into its .wasm before upload.
//!
//! README.md says how to patch. Tests make as many different functions of this one module as they need, without a
//! compiler. Events and constants pass through byte for byte, so that numbers and key order stay as written.

mod behaviour;
mod config;

use behaviour::Config;
use serde_json::value::RawValue;
use stepwell::TaskError;

/// Plays the patched behaviour.
#[stepwell::task]
fn stub(event: Box<RawValue>) -> Result<Box<RawValue>, TaskError> {
    let text = config::read()?;
    let config: Config = serde_json::from_str(&text)
        .map_err(|error| TaskError::new("Stub.InvalidConfig", error.to_string()))?;
    config.play(event)
}
