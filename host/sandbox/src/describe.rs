//! Describes a module for whoever is about to upload it: what it is, what it needs, what it was made with.
//!
//! Like `inspect.rs` it must never execute or compile anything. What it calls refused, an installation refuses; linking
//! may refuse more, since versions and functions are compared only there.

mod contents;

pub use contents::{Memories, Tables, Tool};

use crate::digest::Digest;
use crate::error::InstallError;
use crate::inspect::{self, ModuleKind, OUTGOING, Outline, PREVIEW1};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleDescription {
    /// How it is called; none when no export is a known entry.
    pub kind: Option<ModuleKind>,
    /// Whether it is a core module, which is made a component when it is installed.
    pub is_core: bool,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub digest: String,
    /// What it imports, in the order of the file.
    pub imports: Vec<ModuleImport>,
    /// Names of what it exports, in the order of the file.
    pub exports: Vec<String>,
    /// What it was made with, as its tools say; each once.
    pub tools: Vec<Tool>,
    /// Core modules in it; 1 when it is one itself.
    pub core_modules: usize,
    /// The linear memories of all core modules together.
    pub memories: Memories,
    /// The tables of all core modules together.
    pub tables: Tables,
    /// Whether backtraces can name functions: the largest core module carries their names.
    pub has_function_names: bool,
    /// Why it would be refused, whatever its manifest says; none when it would not.
    pub refusal: Option<String>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleImport {
    /// Its name, like `wasi:http/outgoing-handler@0.2.0`; of a core module, the module that it imports from.
    pub name: String,
    /// What it gives.
    pub access: ImportAccess,
}

/// What an import gives a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportAccess {
    /// It works without any grant.
    Free,
    /// It is there and shows nothing, but for what these members of the manifest grant.
    Granted(&'static [&'static str]),
    /// The module is refused unless this member of the manifest grants something.
    Required(&'static str),
    /// It is there, and nothing grants anything through it.
    Never,
    /// The sandbox does not have it: the module is refused.
    Refused,
}

/// Describes a file that may be a module.
///
/// # Errors
/// When it is not WebAssembly, or not valid.
pub fn describe(wasm: &[u8]) -> Result<ModuleDescription, InstallError> {
    let outline = inspect::outline(wasm, u64::MAX)?;
    let contents = contents::read(wasm, outline.is_core)
        .map_err(|error| InstallError::DoesNotValidate { reason: error.to_string() })?;
    let refusal = refusal(&outline).map(|error| error.to_string());
    let imports = outline.imports.into_iter().map(|name| ModuleImport { access: access(&name), name });
    Ok(ModuleDescription {
        kind: outline.kind,
        is_core: outline.is_core,
        size_bytes: wasm.len() as u64,
        digest: Digest::of(wasm).to_string(),
        imports: imports.collect(),
        exports: outline.exports,
        tools: contents.tools,
        core_modules: contents.core_modules,
        memories: contents.memories,
        tables: contents.tables,
        has_function_names: contents.has_function_names,
        refusal,
    })
}

/// Why no manifest would help.
fn refusal(outline: &Outline) -> Option<InstallError> {
    if outline.kind.is_none() {
        return Some(outline.no_entry());
    }
    inspect::check_known(&outline.imports).err()
}

/// What an import gives, by its interface.
fn access(name: &str) -> ImportAccess {
    let interface = inspect::interface(name);
    if interface == OUTGOING {
        ImportAccess::Required("http")
    } else if !inspect::is_provided(name) {
        ImportAccess::Refused
    } else if interface == PREVIEW1 {
        ImportAccess::Granted(&["arguments", "environment", "secrets", "scratch", "directories"])
    } else if interface == "wasi:cli/environment" {
        ImportAccess::Granted(&["arguments", "environment", "secrets"])
    } else if interface.starts_with("wasi:filesystem/") {
        ImportAccess::Granted(&["scratch", "directories"])
    } else if interface.starts_with("wasi:sockets/") {
        ImportAccess::Never
    } else {
        ImportAccess::Free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> ModuleDescription {
        describe(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn a_program_is_described_with_its_sizes() {
        let module = described(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
                (memory (export "memory") 2 10) (table 3 funcref) (func $main (export "_start")))"#,
        );
        assert_eq!((module.kind, module.is_core, module.core_modules), (Some(ModuleKind::Command), true, 1));
        let expected = Memories { count: 1, initial_bytes: 2 << 16, maximum_bytes: Some(10 << 16) };
        assert_eq!(module.memories, expected);
        assert_eq!(module.tables, Tables { count: 1, initial_elements: 3, maximum_elements: None });
        assert_eq!(module.exports, ["memory", "_start"]);
        assert!(matches!(module.imports[0].access, ImportAccess::Granted(_)));
        assert!(module.has_function_names);
        assert_eq!((module.refusal, module.digest.len()), (None, 64));
    }

    #[test]
    fn a_component_is_described_with_what_is_nested_in_it() {
        let module = described(
            r#"(component
                (import "wasi:io/error@0.2.0" (instance))
                (core module (memory 1) (func $a) (func $b) (func $c))
                (core module (func) (table 1 1 funcref) (table 1 1 funcref))
                (component $inner (core module (memory 1 1)))
                (instance $handler (instantiate $inner))
                (export "stepwell:task/handler@0.1.0" (instance $handler)))"#,
        );
        assert_eq!(
            (module.kind, module.is_core, module.core_modules),
            (Some(ModuleKind::Component), false, 3)
        );
        let expected = Memories { count: 2, initial_bytes: 2 << 16, maximum_bytes: None };
        assert_eq!(module.memories, expected);
        assert_eq!(module.tables, Tables { count: 2, initial_elements: 2, maximum_elements: Some(2) });
        assert_eq!(module.exports, ["stepwell:task/handler@0.1.0"]);
        assert!(module.has_function_names && module.refusal.is_none());
        assert_eq!(module.imports[0].access, ImportAccess::Free);
    }

    #[test]
    fn what_would_be_refused_is_described_all_the_same() {
        let module = described(r#"(module (import "env" "f" (func)) (func (export "_start")))"#);
        assert_eq!(module.imports[0].access, ImportAccess::Refused);
        assert!(module.refusal.unwrap().contains("imports env"));
        let module = described(r#"(module (func (export "add")))"#);
        assert_eq!(module.kind, None);
        assert!(module.refusal.unwrap().contains("it exports add"));
        assert!(describe(b"fn main() {}").is_err());
        assert!(describe(b"\0asm\x01\0\0\0\x01").is_err());
    }

    #[test]
    fn imports_say_what_they_need() {
        assert_eq!(access("wasi:http/outgoing-handler@0.2.6"), ImportAccess::Required("http"));
        assert_eq!(access("wasi:sockets/tcp@0.2.0"), ImportAccess::Never);
        assert_eq!(
            access("wasi:cli/environment@0.2.0"),
            ImportAccess::Granted(&["arguments", "environment", "secrets"])
        );
        assert_eq!(
            access("wasi:filesystem/preopens@0.2.0"),
            ImportAccess::Granted(&["scratch", "directories"])
        );
        assert_eq!(access("wasi:cli/stdout@0.2.0"), ImportAccess::Free);
        assert_eq!(access("stepwell:task/log@0.1.0"), ImportAccess::Free);
        assert_eq!(access("acme:db/query"), ImportAccess::Refused);
    }
}
