//! Compiles a component that comes with the server, not from an upload, and keeps the machine code in a directory.
//!
//! The one part of this crate's API that shows wasmtime's types: whoever calls it has an engine with settings of its own.
//! What is kept is only a saving of time: nothing about it may fail a caller.

use crate::artifact::{self, Artifact};
use crate::digest::Digest;
use crate::engine::compatibility;
use crate::files::ModuleFiles;
use std::path::Path;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads a component's machine code from a directory, or compiles its source and writes the code there. A directory
/// that is missing is made; one that is damaged or cannot be written to is as good as none. Blocks, for seconds when it
/// compiles. Only the server may be able to write to the directory: what lies there is run as machine code.
///
/// `elsewhere` is asked first to put the code into the directory, in another process: the compiler's memory is the
/// process's for good. It may fail.
pub fn load_or_compile(
    engine: &Engine,
    wasm: &[u8],
    directory: Option<&Path>,
    elsewhere: &dyn Fn(&Path),
) -> wasmtime::Result<Component> {
    let digest = Digest::of(wasm);
    let files = directory.and_then(|directory| match ModuleFiles::open(directory) {
        Ok(files) => Some(files),
        Err(error) => {
            tracing::warn!(%error, "compiled code cannot be kept");
            None
        }
    });
    if let (Some(files), Some(directory)) = (&files, directory) {
        if let Some(component) = load(engine, &digest, files) {
            return Ok(component);
        }
        elsewhere(directory);
        if let Some(component) = load(engine, &digest, files) {
            return Ok(component);
        }
    }
    let code = engine.precompile_component(wasm)?;
    let artifact = Artifact::new(&digest, compatibility(engine), &code);
    if let Some(Err(error)) = files.map(|files| files.write_compiled(&digest, artifact.file())) {
        tracing::warn!(%error, "compiled code cannot be kept");
    }
    artifact::load(engine, &artifact)
}

/// Loads machine code when there is some that fits.
fn load(engine: &Engine, digest: &Digest, files: &ModuleFiles) -> Option<Component> {
    let file = match files.read_compiled(digest) {
        Ok(file) => file?,
        Err(error) => {
            tracing::warn!(%error, "compiling again");
            return None;
        }
    };
    let checked = Artifact::check(file, digest, compatibility(engine))
        .map_err(|unusable| unusable.to_string())
        .and_then(|artifact| artifact::load(engine, &artifact).map_err(|error| format!("{error:#}")));
    match checked {
        Ok(component) => Some(component),
        Err(reason) => {
            tracing::warn!(module = %digest, reason, "compiling again");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const COMPONENT: &[u8] = b"(component)";

    fn compiled_file(directory: &Path) -> std::path::PathBuf {
        let mut files = fs::read_dir(directory.join("compiled")).unwrap();
        files.next().unwrap().unwrap().path()
    }

    fn nobody(_: &Path) {}

    #[test]
    fn code_from_elsewhere_is_taken_and_not_made_again() {
        let (directory, wasm) = (tempfile::tempdir().unwrap(), wat::parse_bytes(COMPONENT).unwrap());
        let engine = Engine::default();
        let asked = std::cell::Cell::new(0);
        let compile = |into: &Path| {
            asked.set(asked.get() + 1);
            load_or_compile(&engine, &wasm, Some(into), &nobody).unwrap();
        };
        let made = || fs::metadata(compiled_file(directory.path())).unwrap().modified().unwrap();
        let first = std::cell::Cell::new(None);
        let compile_and_look = |into: &Path| {
            compile(into);
            first.set(Some(made()));
        };
        for _ in 0..2 {
            load_or_compile(&engine, &wasm, Some(directory.path()), &compile_and_look).unwrap();
        }
        assert_eq!((asked.get(), Some(made())), (1, first.get()));
    }

    #[test]
    fn keeps_code_and_makes_damage_good() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let wasm = wat::parse_bytes(COMPONENT).unwrap();
        load_or_compile(&engine, &wasm, Some(directory.path()), &nobody).unwrap();
        let whole = fs::read(compiled_file(directory.path())).unwrap();
        fs::write(compiled_file(directory.path()), &whole[..whole.len() - 1]).unwrap();
        load_or_compile(&engine, &wasm, Some(directory.path()), &nobody).unwrap();
        assert_eq!(fs::read(compiled_file(directory.path())).unwrap(), whole);
    }

    #[test]
    fn a_directory_that_cannot_be_is_as_good_as_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let wasm = wat::parse_bytes(COMPONENT).unwrap();
        load_or_compile(&Engine::default(), &wasm, Some(file.path()), &nobody).unwrap();
        load_or_compile(&Engine::default(), &wasm, None, &nobody).unwrap();
    }
}
