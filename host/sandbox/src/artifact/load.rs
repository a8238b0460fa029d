//! The one unsafe call of the project. Nothing else may go into this file.

use super::Artifact;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Turns checked machine code into a component.
#[allow(unsafe_code, reason = "wasmtime cannot know that a compiled file is its own; `Artifact` proves it")]
pub(crate) fn load(engine: &Engine, artifact: &Artifact) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` needs bytes that `Engine::precompile_component` returned. An `Artifact` holds nothing else:
    // it was compiled by this process, or it was read from a directory that only the server writes to and its
    // SHA-256, source digest and wasmtime compatibility matched. The bytes are copied, so a later change of the file
    // changes nothing.
    unsafe { Component::deserialize(engine, artifact.code()) }
}
