//! Compiling uploads: adapting core modules, and wasmtime's compiler, in a process of its own.
//!
//! The input is anybody's, and compilers take time and memory by what they are given: one function of 80,000 statements
//! took eight seconds. So the server compiles in a child process with bounds, and kills it beyond them. Tests and the
//! command line may compile in their own process.

pub mod child;
mod parent;

use crate::adapt::adapt;
use crate::error::InstallError;
use crate::inspect::{CoreModule, core_of};
use std::borrow::Cow;
use std::path::PathBuf;
use wasmtime::Engine;

/// Where uploads are compiled.
pub(crate) enum Compiler {
    /// In this process.
    Here,
    /// In a child process of this program.
    Child(PathBuf),
}

/// Why there is no machine code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("{0}")]
    DoesNotAdapt(String),
    #[error("{0}")]
    DoesNotCompile(String),
    /// It took too long or too much memory, or broke the compiler.
    #[error("{0}")]
    Limit(String),
    /// The host could not start the compiler.
    #[error("{0}")]
    Host(String),
}

impl Compiler {
    /// Chooses by the settings.
    pub(crate) fn new(program: Option<PathBuf>) -> Self {
        program.map_or(Self::Here, Self::Child)
    }

    /// Compiles an upload for an engine. Blocks, for seconds when the module is large.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        wasm: &[u8],
        core: Option<CoreModule>,
    ) -> Result<Vec<u8>, CompileError> {
        match self {
            Self::Here => compile(engine, wasm, core),
            Self::Child(program) => parent::compile(program, wasm, core),
        }
    }
}

/// Returns the component that an upload is, or is made of: for tools that look into it or run it themselves.
///
/// # Errors
/// When it is a core module that cannot be made a component.
pub fn componentize(wasm: &[u8]) -> Result<Cow<'_, [u8]>, InstallError> {
    match core_of(wasm) {
        None => Ok(Cow::Borrowed(wasm)),
        Some(core) => {
            adapt(wasm, core).map(Cow::Owned).map_err(|reason| InstallError::DoesNotAdapt { reason })
        }
    }
}

/// Compiles an upload in this process.
fn compile(engine: &Engine, wasm: &[u8], core: Option<CoreModule>) -> Result<Vec<u8>, CompileError> {
    let component = match core {
        None => Cow::Borrowed(wasm),
        Some(core) => Cow::Owned(adapt(wasm, core).map_err(CompileError::DoesNotAdapt)?),
    };
    let compiled = engine.precompile_component(&component);
    compiled.map_err(|error| CompileError::DoesNotCompile(format!("{error:#}")))
}
