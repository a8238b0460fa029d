//! Looks at an upload before it is compiled: what kind of file it is, what it exports, what it imports.
//!
//! Refusing costs little here and says clearly why. It must never execute or compile anything.

use crate::error::InstallError;
use crate::limits;
use crate::manifest::Manifest;
use std::collections::BTreeSet;
use wasmparser::{Parser, Payload, Validator};

/// The interfaces that make a kind, without their versions. A component that exports more than one is of the first.
const ENTRIES: [(&str, ModuleKind); 3] = [
    ("stepwell:task/handler", ModuleKind::Component),
    ("wasi:http/incoming-handler", ModuleKind::Http),
    ("wasi:cli/run", ModuleKind::Command),
];
/// How the export of a core module begins that holds world `task`'s function, and how it ends.
const CORE_HANDLER: (&str, &str) = ("stepwell:task/handler@0.1.", "#run");
/// The export of a core module that is a program.
const CORE_START: &str = "_start";
/// The module name of WASI preview 1's functions.
pub(crate) const PREVIEW1: &str = "wasi_snapshot_preview1";
/// The interfaces that a module may import, without their versions; `wit/README.md` lists them for authors.
const PROVIDED: [&str; 10] = [
    "stepwell:task/context",
    "stepwell:task/log",
    "stepwell:task/heartbeat",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/types",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];
/// The interface that sends requests: only with a rule that says where to.
pub(crate) const OUTGOING: &str = "wasi:http/outgoing-handler";

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

    /// Finds the kind in the names of a component's exports.
    pub(crate) fn of_exports<'a>(exports: impl Iterator<Item = &'a str>) -> Option<Self> {
        let entry = |name: &str| ENTRIES.iter().position(|(entry, _)| interface(name) == *entry);
        exports.filter_map(entry).min().map(|first| ENTRIES[first].1)
    }
}

/// What a core module is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoreModule {
    /// A component of world `task`.
    Task,
    /// A command.
    Command,
}

/// What was found in an acceptable upload.
#[derive(Debug)]
pub(crate) struct Inspection {
    pub(crate) kind: ModuleKind,
    /// Set when the upload must be made a component first.
    pub(crate) core: Option<CoreModule>,
    /// Names of the imports, in the order of the file.
    pub(crate) imports: Vec<String>,
}

/// Decides whether an upload is worth compiling, and whether its manifest grants what it imports.
pub(crate) fn inspect(
    wasm: &[u8],
    manifest: &Manifest,
    max_module_bytes: u64,
) -> Result<Inspection, InstallError> {
    let outline = outline(wasm, max_module_bytes)?;
    let kind = outline.kind.ok_or_else(|| outline.no_entry())?;
    check_imports(&outline.imports, manifest)?;
    Ok(Inspection { kind, core: outline.core, imports: outline.imports })
}

/// What a file is, before anybody judges it.
#[derive(Debug)]
pub(crate) struct Outline {
    /// None when no export is a known entry.
    pub(crate) kind: Option<ModuleKind>,
    /// Whether it is a core module rather than a component.
    pub(crate) is_core: bool,
    /// What a core module is to become.
    pub(crate) core: Option<CoreModule>,
    /// Names of the imports, in the order of the file; of a core module, the modules that it imports from.
    pub(crate) imports: Vec<String>,
    /// Names of the exports, in the order of the file.
    pub(crate) exports: Vec<String>,
}

impl Outline {
    /// The refusal of a file without a known entry.
    pub(crate) fn no_entry(&self) -> InstallError {
        let exports = listed(self.exports.clone());
        if self.is_core {
            InstallError::CoreModule { exports }
        } else {
            InstallError::MissingExport { exports }
        }
    }
}

/// Finds out what a file is. What is no valid WebAssembly is refused.
pub(crate) fn outline(wasm: &[u8], max_module_bytes: u64) -> Result<Outline, InstallError> {
    let size_bytes = wasm.len() as u64;
    if size_bytes > max_module_bytes {
        return Err(InstallError::TooLarge { size_bytes, limit_bytes: max_module_bytes });
    }
    if !wasm.starts_with(b"\0asm") {
        return Err(InstallError::NotWebAssembly { begins_with: hexadecimal(&wasm[..wasm.len().min(4)]) });
    }
    Validator::new().validate_all(wasm).map_err(|error| does_not_validate(&error))?;
    let Names { imports, exports, .. } = names(wasm).map_err(|error| does_not_validate(&error))?;
    let is_core = Parser::is_core_wasm(wasm);
    let core = if is_core { core_module(&exports) } else { None };
    let kind = if is_core {
        core.map(CoreModule::kind)
    } else {
        ModuleKind::of_exports(exports.iter().map(String::as_str))
    };
    Ok(Outline { kind, is_core, core, imports, exports })
}

impl CoreModule {
    fn kind(self) -> ModuleKind {
        match self {
            Self::Task => ModuleKind::Component,
            Self::Command => ModuleKind::Command,
        }
    }
}

/// Finds out what an upload must be made a component of; none when it is one, or is nothing that is known.
pub(crate) fn core_of(wasm: &[u8]) -> Option<CoreModule> {
    if Parser::is_core_wasm(wasm) { core_module(&names(wasm).ok()?.exports) } else { None }
}

/// Finds out what a core module is.
fn core_module(exports: &[String]) -> Option<CoreModule> {
    let (begin, end) = CORE_HANDLER;
    if exports.iter().any(|name| name.starts_with(begin) && name.ends_with(end)) {
        return Some(CoreModule::Task);
    }
    exports.iter().any(|name| name == CORE_START).then_some(CoreModule::Command)
}

/// Refuses imports that nothing provides, or that the manifest does not grant.
fn check_imports(imports: &[String], manifest: &Manifest) -> Result<(), InstallError> {
    check_known(imports)?;
    let outgoing: Vec<_> = imports.iter().filter(|name| interface(name) == OUTGOING).collect();
    if !outgoing.is_empty() && manifest.http.is_empty() {
        let names = outgoing.into_iter().cloned().collect();
        let grant =
            "its member `http` must say where requests may go, like [{\"host\": \"api.example.com\"}]";
        return Err(InstallError::NotGranted { names, grant });
    }
    Ok(())
}

/// Refuses imports that nothing provides, whatever a manifest says.
pub(crate) fn check_known(imports: &[String]) -> Result<(), InstallError> {
    let unknown = imports.iter().filter(|name| interface(name) != OUTGOING && !is_provided(name));
    let unknown: Vec<String> = unknown.cloned().collect();
    if unknown.is_empty() { Ok(()) } else { Err(InstallError::UnknownImport { names: listed(unknown) }) }
}

/// Names at the outermost level of a file.
#[derive(Default)]
struct Names {
    imports: Vec<String>,
    /// The core module's imports, for looking up.
    seen: BTreeSet<String>,
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
    } else if let Payload::ImportSection(section) = payload {
        for import in section.into_imports() {
            let module = import?.module;
            // Functions of one module come in a row. What has been seen is looked up, not searched: a hostile file
            // imports from hundreds of thousands of modules.
            let repeated = names.imports.last().is_some_and(|last| last == module);
            if !repeated && names.seen.insert(module.to_owned()) {
                names.imports.push(module.to_owned());
            }
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
pub(crate) fn interface(name: &str) -> &str {
    name.split_once('@').map_or(name, |(interface, _)| interface)
}

/// Tells whether the sandbox has an interface of that name. Linking decides about versions and functions.
pub(crate) fn is_provided(name: &str) -> bool {
    let interface = interface(name);
    interface == PREVIEW1
        || PROVIDED.iter().any(|provided| {
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
    use crate::manifest::HttpRule;

    #[test]
    fn provides_by_interface_whatever_the_version() {
        assert!(is_provided("stepwell:task/log@0.1.0"));
        assert!(is_provided("wasi:io/poll@0.2.6"));
        assert!(!is_provided("stepwell:task/log-more@0.1.0"));
        assert!(!is_provided("wasi:ioctl/x@0.2.0"));
        assert!(!is_provided("env"));
    }

    #[test]
    fn requests_need_a_rule() {
        let imports = ["wasi:http/types@0.2.0".to_owned(), "wasi:http/outgoing-handler@0.2.0".to_owned()];
        let error = check_imports(&imports, &Manifest::default()).unwrap_err().to_string();
        assert!(error.contains("imports wasi:http/outgoing-handler@0.2.0, which its manifest"), "{error}");
        let rule: HttpRule = serde_json::from_str(r#"{"host":"example.com"}"#).unwrap();
        let manifest = Manifest { http: vec![rule], ..Manifest::default() };
        assert!(check_imports(&imports, &manifest).is_ok());
    }

    #[test]
    fn refusals_name_every_import_that_is_missing() {
        let imports = ["env", "wasi:io/poll@0.2.0", "acme:db/query"].map(str::to_owned);
        let error = check_imports(&imports, &Manifest::default()).unwrap_err().to_string();
        assert!(error.contains("imports env, acme:db/query, which"), "{error}");
    }

    #[test]
    fn kinds_follow_the_exports() {
        let kind = |exports: &[&str]| ModuleKind::of_exports(exports.iter().copied());
        assert_eq!(kind(&["a", "wasi:cli/run@0.2.6"]), Some(ModuleKind::Command));
        assert_eq!(kind(&["wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.0"]), Some(ModuleKind::Http));
        assert_eq!(kind(&["stepwell:task/handler@0.1.0"]), Some(ModuleKind::Component));
        assert_eq!(kind(&["wasi:cli/runner@0.2.0"]), None);
        assert_eq!(core_module(&["stepwell:task/handler@0.1.0#run".to_owned()]), Some(CoreModule::Task));
        assert_eq!(core_module(&["memory".to_owned(), "_start".to_owned()]), Some(CoreModule::Command));
        assert_eq!(core_module(&["run".to_owned()]), None);
    }

    #[test]
    fn long_lists_are_cut() {
        let names = (0..23).map(|number| number.to_string()).collect();
        assert_eq!(listed(names).last().map(String::as_str), Some("and 3 more"));
    }
}
