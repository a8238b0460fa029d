//! Looks at an upload before it is compiled: what kind of file it is, what it exports, what it imports.
//!
//! Refusing costs little here and says clearly why. It must never execute or compile anything.

use crate::error::InstallError;
use crate::limits;
use wasmparser::{Parser, Payload, Validator};

/// The interface that a module must export, without its version.
const HANDLER: &str = "stepwell:task/handler";
/// The interfaces that a module may import, without their versions; `wit/README.md` lists them for authors.
const PROVIDED: [&str; 9] = [
    "stepwell:task/context",
    "stepwell:task/log",
    "stepwell:task/heartbeat",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// What kind of module an upload is: how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleKind {
    /// A component that implements world `task` of `wit/task.wit`.
    Component,
    /// A program: `wasi:cli/run`. Input on standard input, result on standard output.
    Command,
    /// A web server: `wasi:http/incoming-handler`. The input is posted to it, the response's body is the result.
    Http,
}

impl ModuleKind {
    /// Returns the kind's name: `component`, `command` or `http`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Command => "command",
            Self::Http => "http",
        }
    }
}

/// What was found in an acceptable upload.
#[derive(Debug)]
pub(crate) struct Inspection {
    pub(crate) kind: ModuleKind,
    /// Names of the imported interfaces, in the order of the file.
    pub(crate) imports: Vec<String>,
}

/// Decides whether an upload is worth compiling.
pub(crate) fn inspect(wasm: &[u8], max_module_bytes: u64) -> Result<Inspection, InstallError> {
    let size_bytes = wasm.len() as u64;
    if size_bytes > max_module_bytes {
        return Err(InstallError::TooLarge { size_bytes, limit_bytes: max_module_bytes });
    }
    if !wasm.starts_with(b"\0asm") {
        return Err(InstallError::NotWebAssembly { begins_with: hexadecimal(&wasm[..wasm.len().min(4)]) });
    }
    Validator::new().validate_all(wasm).map_err(|error| does_not_validate(&error))?;
    let names = names(wasm).map_err(|error| does_not_validate(&error))?;
    if Parser::is_core_wasm(wasm) {
        return Err(InstallError::CoreModule { exports: listed(names.exports) });
    }
    if !names.exports.iter().any(|name| interface(name) == HANDLER) {
        return Err(InstallError::MissingExport { exports: listed(names.exports) });
    }
    if let Some(name) = names.imports.iter().find(|name| !is_provided(name)) {
        return Err(InstallError::UnknownImport { name: name.clone() });
    }
    Ok(Inspection { kind: ModuleKind::Component, imports: names.imports })
}

/// Names at the outermost level of a file.
#[derive(Default)]
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Collects the outermost imports and exports. Nested modules and components have their own, which do not matter.
fn names(wasm: &[u8]) -> Result<Names, wasmparser::BinaryReaderError> {
    let mut names = Names::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if matches!(payload, Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) {
            depth += 1;
        } else if matches!(payload, Payload::End(_)) {
            // The outermost end comes last, so that the count never passes zero before it.
            depth = depth.saturating_sub(1);
        } else if depth == 0 {
            add_names(payload, &mut names)?;
        }
    }
    Ok(names)
}

/// Adds the names of one section, if it has any that matter.
fn add_names(payload: Payload<'_>, names: &mut Names) -> Result<(), wasmparser::BinaryReaderError> {
    if let Payload::ExportSection(section) = payload {
        for export in section {
            names.exports.push(export?.name.to_owned());
        }
    } else if let Payload::ComponentExportSection(section) = payload {
        for export in section {
            names.exports.push(export?.name.name.to_owned());
        }
    } else if let Payload::ComponentImportSection(section) = payload {
        for import in section {
            names.imports.push(import?.name.name.to_owned());
        }
    }
    Ok(())
}

/// Cuts the version off a name like `wasi:io/poll@0.2.6`.
fn interface(name: &str) -> &str {
    name.split_once('@').map_or(name, |(interface, _)| interface)
}

/// Tells whether the sandbox has an interface of that name. Linking decides about versions and functions.
fn is_provided(name: &str) -> bool {
    let interface = interface(name);
    PROVIDED.iter().any(|provided| {
        if provided.ends_with('/') { interface.starts_with(provided) } else { interface == *provided }
    })
}

/// Shortens a list of names for a message.
fn listed(mut names: Vec<String>) -> Vec<String> {
    if names.len() > limits::MAX_LISTED_NAMES {
        let more = names.len() - limits::MAX_LISTED_NAMES;
        names.truncate(limits::MAX_LISTED_NAMES);
        names.push(format!("and {more} more"));
    }
    names
}

/// Writes bytes the way people quote them.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Hands on what the validator said.
fn does_not_validate(error: &wasmparser::BinaryReaderError) -> InstallError {
    InstallError::DoesNotValidate { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provides_by_interface_whatever_the_version() {
        assert!(is_provided("stepwell:task/log@0.1.0"));
        assert!(is_provided("wasi:io/poll@0.2.6"));
        assert!(!is_provided("stepwell:task/log-more@0.1.0"));
        assert!(!is_provided("wasi:http/outgoing-handler@0.2.0"));
        assert!(!is_provided("wasi:ioctl/x@0.2.0"));
    }

    #[test]
    fn long_lists_are_cut() {
        let names = (0..23).map(|number| number.to_string()).collect();
        assert_eq!(listed(names).last().map(String::as_str), Some("and 3 more"));
    }
}
