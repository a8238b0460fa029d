//! Makes components of core modules: programs and tasks for WASI preview 1, and bare modules without any WASI.
//!
//! The same bytes always give the same component: it is not stored, but made again when it is compiled again. The input
//! is anybody's: this runs where uploads are compiled, within the bounds there.

use crate::inspect::{CoreModule, PREVIEW1};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract, for core modules that do not carry it themselves.
const TASK_WIT: &str = include_str!("../../../wit/task.wit");
const TASK_WORLD: &str = "task";
/// How the custom sections begin in which tools store the interfaces of a core module.
const METADATA_SECTION: &str = "component-type";

/// Makes a component.
///
/// # Errors
/// In words: what the module lacks, or what is wrong with it.
pub(crate) fn adapt(wasm: &[u8], core: CoreModule) -> Result<Vec<u8>, String> {
    let facts = facts(wasm).map_err(|error| error.to_string())?;
    let component = match core {
        CoreModule::Command => encode(wasm, Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)),
        CoreModule::Task => {
            let adapter = facts.preview1.then_some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
            if facts.metadata {
                encode(wasm, adapter)
            } else {
                with_metadata(wasm).and_then(|wasm| encode(&wasm, adapter))
            }
        }
    };
    component.map_err(|error| format!("{error:#}"))
}

/// What decides how a module is adapted.
struct Facts {
    preview1: bool,
    metadata: bool,
}

fn facts(wasm: &[u8]) -> Result<Facts, wasmparser::BinaryReaderError> {
    let mut facts = Facts { preview1: false, metadata: false };
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::ImportSection(section) = payload {
            for import in section.into_imports() {
                facts.preview1 |= import?.module == PREVIEW1;
            }
        } else if let Payload::CustomSection(section) = payload {
            facts.metadata |= section.name().starts_with(METADATA_SECTION);
        }
    }
    Ok(facts)
}

/// Adds the contract to a module.
fn with_metadata(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("task.wit", TASK_WIT)?;
    let world = resolve.select_world(&[package], Some(TASK_WORLD))?;
    let mut wasm = wasm.to_vec();
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8)?;
    Ok(wasm)
}

fn encode(wasm: &[u8], adapter: Option<&[u8]>) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default().module(wasm)?;
    if let Some(adapter) = adapter {
        encoder = encoder.adapter(PREVIEW1, adapter)?;
    }
    encoder.validate(true).encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_preview_1_becomes_a_command() {
        let text = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 0))))"#;
        let component = adapt(&wat::parse_str(text).unwrap(), CoreModule::Command).unwrap();
        assert!(Parser::is_component(&component));
    }

    #[test]
    fn a_bare_task_becomes_a_component() {
        let text = r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
            (func (export "stepwell:task/handler@0.1.0#run") (param i32 i32) (result i32) (i32.const 16)))"#;
        let component = adapt(&wat::parse_str(text).unwrap(), CoreModule::Task).unwrap();
        assert!(Parser::is_component(&component));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let text = r#"(module (memory (export "memory") 1)
            (func (export "stepwell:task/handler@0.1.0#run") (param f32)))"#;
        let error = adapt(&wat::parse_str(text).unwrap(), CoreModule::Task).unwrap_err();
        assert!(error.contains("stepwell:task/handler@0.1.0#run"), "{error}");
    }
}
