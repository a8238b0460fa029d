//! `stepwell module inspect`: what a file is and what it needs, without compiling it and without a server.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use stepwell_sandbox::{ImportAccess, Manifest, ModuleDescription, ModuleImport, Tool, describe};

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{source, table};
use super::grants::GrantArgs;
use super::{local, show};

const AFTER_HELP: &str = "\
Examples:
  stepwell module inspect charge_card.wasm
  stepwell module inspect charge_card.zip --json

The exit code is 1 if an upload would be refused whatever its manifest says.";

/// Arguments of `stepwell module inspect`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct InspectArgs {
    /// The WebAssembly file, or a zip archive with one; `-` for standard input
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
}

pub(super) fn run(output: &mut Output, args: &InspectArgs) -> Result<(), Failure> {
    let module = local::read(&args.file, &GrantArgs::default())?;
    let in_file = |reason: &dyn std::fmt::Display| format!("{}: {reason}", source::label(&args.file));
    let description = describe(&module.wasm).map_err(|error| Failure::Usage(in_file(&error)))?;
    if output.wants_json() {
        output.json(&as_json(&description, module.manifest.as_ref()))?;
    } else {
        show(output, &description, module.manifest.as_ref())?;
    }
    match &description.refusal {
        None => Ok(()),
        Some(reason) => Err(Failure::NotSucceeded {
            message: in_file(&format!("an upload would be refused: {reason}")),
            hint: None,
        }),
    }
}

fn show(output: &mut Output, module: &ModuleDescription, manifest: Option<&Manifest>) -> Result<(), Failure> {
    let mut fields = table::fields([
        ("kind", table::text(&kind(module))),
        ("size", table::text(&table::bytes(module.size_bytes))),
        ("sha256", table::text(&module.digest)),
    ]);
    let grants = manifest.map(|manifest| show::grants(&json!(manifest))).unwrap_or_default();
    let made_with: Vec<String> = module.tools.iter().map(tool).collect();
    for (title, lines) in [("exports", &module.exports), ("made with", &made_with), ("may reach", &grants)] {
        for (index, line) in lines.iter().enumerate() {
            table::add_field(&mut fields, if index == 0 { title } else { "" }, table::text(line));
        }
    }
    let (memories, tables) = (module.memories, module.tables);
    let size = format!(
        "{}, {} at the start, {}",
        memories.count,
        table::bytes(memories.initial_bytes),
        memories.maximum_bytes.map_or_else(
            || "no bound of its own".to_owned(),
            |bytes| format!("at most {}", table::bytes(bytes))
        ),
    );
    table::add_field(&mut fields, "memories", table::text(&size));
    let size = format!("{}, {} at the start", tables.count, entries(tables.initial_elements));
    table::add_field(&mut fields, "tables", table::text(&size));
    table::add_field(&mut fields, "core modules", table::text(&module.core_modules.to_string()));
    let names = if module.has_function_names {
        "name functions"
    } else {
        "cannot name functions: their names were stripped from the module"
    };
    table::add_field(&mut fields, "backtraces", table::text(names));
    output.table(fields)?;
    if module.imports.is_empty() {
        return output.line("\nimports nothing");
    }
    output.line("")?;
    let mut rows = table::titled(&["IMPORT", "WHAT IT GIVES"]);
    for import in &module.imports {
        rows.add_row(vec![table::text(&import.name), table::text(&access(import, manifest))]);
    }
    output.table(rows)
}

/// What an import gives, in words, with the manifest if there is one.
fn access(import: &ModuleImport, manifest: Option<&Manifest>) -> String {
    match import.access {
        ImportAccess::Free => "needs no grant".to_owned(),
        ImportAccess::Granted(members) => format!("what the manifest grants as {}", members.join(", ")),
        ImportAccess::Required(member) => match manifest {
            Some(manifest) if !manifest.http.is_empty() => format!("what the manifest grants as {member}"),
            Some(_) => format!("refused: the manifest needs {member}"),
            None => format!("refused unless the manifest has {member}"),
        },
        ImportAccess::Never => "nothing, and no grant changes that".to_owned(),
        ImportAccess::Refused => "refused: the sandbox does not provide it".to_owned(),
    }
}

fn kind(module: &ModuleDescription) -> String {
    let what = if module.is_core { "core module" } else { "component" };
    match module.kind {
        None => format!("none: a {what} without a known entry"),
        Some(kind) if module.is_core => format!("{}, adapted from a core module", kind.name()),
        Some(kind) => kind.name().to_owned(),
    }
}

/// `Rust 1.95.0 (language)`.
fn tool(tool: &Tool) -> String {
    let version = if tool.version.is_empty() { String::new() } else { format!(" {}", tool.version) };
    format!("{}{version} ({})", tool.name, tool.role)
}

fn entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

fn as_json(module: &ModuleDescription, manifest: Option<&Manifest>) -> Value {
    let import = |import: &ModuleImport| {
        let (access, members): (_, &[&str]) = match &import.access {
            ImportAccess::Free => ("free", &[]),
            ImportAccess::Granted(members) => ("granted", members),
            ImportAccess::Required(member) => ("required", std::slice::from_ref(member)),
            ImportAccess::Never => ("never", &[]),
            ImportAccess::Refused => ("refused", &[]),
        };
        json!({"name": import.name, "access": access, "manifestMembers": members})
    };
    let tool = |tool: &Tool| json!({"role": tool.role, "name": tool.name, "version": tool.version});
    let mut description = json!({
        "kind": module.kind.map(stepwell_sandbox::ModuleKind::name),
        "adapted": module.is_core,
        "sizeBytes": module.size_bytes,
        "sha256": module.digest,
        "refusal": module.refusal,
        "exports": module.exports,
        "imports": module.imports.iter().map(import).collect::<Vec<_>>(),
        "tools": module.tools.iter().map(tool).collect::<Vec<_>>(),
        "coreModules": module.core_modules,
        "memories": {
            "count": module.memories.count,
            "initialBytes": module.memories.initial_bytes,
            "maximumBytes": module.memories.maximum_bytes,
        },
        "tables": {
            "count": module.tables.count,
            "initialElements": module.tables.initial_elements,
            "maximumElements": module.tables.maximum_elements,
        },
        "hasFunctionNames": module.has_function_names,
    });
    if let Some(manifest) = manifest {
        description["manifest"] = json!(manifest);
    }
    description
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::super::test_support;

    const PROGRAM: &str = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 2 10) (table 1 funcref) (func $main (export "_start")))"#;

    fn inspect(text: &str, flags: &[&str]) -> test_support::Ran {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.wasm");
        std::fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
        let line = ["module", "inspect", file.to_str().unwrap()].into_iter().chain(flags.iter().copied());
        test_support::run("http://127.0.0.1:1", &line.collect::<Vec<_>>())
    }

    #[test]
    fn a_program_is_shown_with_what_it_needs() {
        let ran = inspect(PROGRAM, &[]);
        assert_eq!(ran.code, 0, "{}", ran.diagnostic);
        for line in [
            "kind          command, adapted from a core module\n",
            "exports       memory\n              _start\n",
            "memories      1, 128.0 KiB at the start, at most 640.0 KiB\n",
            "tables        1, 1 entry at the start\n",
            "backtraces    name functions\n",
            "\nIMPORT                  WHAT IT GIVES\nwasi_snapshot_preview1  what the manifest grants as arguments,",
        ] {
            assert!(ran.standard.contains(line), "{line}: {}", ran.standard);
        }
    }

    #[test]
    fn a_refusal_is_named_and_seen_by_scripts() {
        let ran = inspect(r#"(module (import "env" "f" (func)) (func (export "_start")))"#, &["--json"]);
        assert_eq!(ran.code, 1);
        assert!(ran.diagnostic.contains("would be refused: the module imports env"), "{}", ran.diagnostic);
        let description: Value = serde_json::from_str(&ran.standard).unwrap();
        assert_eq!(description["imports"][0]["access"], "refused");
        assert_eq!(description["kind"], "command");
        let ran = inspect(r#"(module (func (export "add")))"#, &[]);
        assert!(ran.standard.contains("none: a core module without a known entry"), "{}", ran.standard);
    }
}
