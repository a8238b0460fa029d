//! Runs task modules: WebAssembly components that implement world `task` of `wit/task.wit`, in wasmtime.
//!
//! [`Sandbox::install`] checks, compiles and stores a module; [`Sandbox::invoke`] runs it once, in a fresh instance,
//! within bounds of time, memory, stack, result and log, with no access to anything but its input, its context, a
//! clock and random numbers.
//!
//! Architecture invariants: no wasmtime type appears in this crate's API, but in [`precompiled`] and [`epoch`], which
//! serve components of the server's own. No module reaches a file, the network or the
//! environment. Nothing is compiled on an async thread, and no guest runs on the caller's threads. Every bound has a
//! name in [`limits`] or [`SandboxConfig`].

mod adapt;
mod artifact;
mod backtrace;
mod bindings;
mod bounds;
mod call;
mod capture;
mod carried;
mod clocks;
pub mod compile;
mod config;
mod cpu;
mod describe;
mod digest;
mod engine;
mod entry;
pub mod epoch;
mod error;
mod failure;
mod files;
mod filesystem;
mod grants;
mod http;
mod inspect;
mod install;
mod invoke;
pub mod limits;
mod loaded;
mod manifest;
mod memory;
mod output;
pub mod precompiled;
mod sandbox;
mod slots;
mod state;
mod stored;

pub use call::{Call, CallContext, CallHost, CallOutput, LogLevel};
pub use compile::componentize;
pub use config::SandboxConfig;
pub use describe::{ImportAccess, Memories, ModuleDescription, ModuleImport, Tables, Tool, describe};
pub use error::{CallError, InstallError, SandboxError};
pub use grants::Grants;
pub use inspect::ModuleKind;
pub use install::InstalledModule;
pub use manifest::{
    ClockGrant, DataDirectory, HttpRule, HttpScheme, Limits, Manifest, ManifestError, RandomGrant, Scratch,
};
pub use sandbox::Sandbox;
