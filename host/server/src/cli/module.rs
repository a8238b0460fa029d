//! `stepwell module`: the modules behind Task states, through the server's `/modules` endpoints.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::{source, table, timestamp};

/// How much of a SHA-256 is shown in lists, in hexadecimal digits.
const SHORT_HASH: usize = 12;

const AFTER_HELP: &str = "\
Examples:
  stepwell module put charge-card charge_card.wasm
  stepwell module list
  stepwell module get charge-card --json

A definition names the module in a Task state as
  \"Resource\": \"arn:aws:lambda:us-east-1:123456789012:function:charge-card\"";

/// Arguments of `stepwell module`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ModuleArgs {
    #[command(subcommand)]
    command: ModuleCommand,
}

#[derive(Debug, Subcommand)]
enum ModuleCommand {
    /// Upload a module, or a new version of it
    #[command(after_help = "Example:\n  stepwell module put charge-card charge_card.wasm")]
    Put {
        /// The module's name
        name: String,
        /// The WebAssembly file, `-` for standard input
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
    },
    /// List all modules
    #[command(after_help = "Example:\n  stepwell module list")]
    List,
    /// Show one module
    #[command(after_help = "Example:\n  stepwell module get charge-card")]
    Get {
        /// The module's name
        name: String,
    },
    /// Delete a module
    #[command(after_help = "Example:\n  stepwell module delete charge-card")]
    Delete {
        /// The module's name
        name: String,
    },
}

/// Runs one `stepwell module` command.
pub(crate) fn run(client: &Client, output: &mut Output, args: ModuleArgs) -> Result<(), Failure> {
    match args.command {
        ModuleCommand::Put { name, file } => put(client, output, &name, &file),
        ModuleCommand::List => list(client, output),
        ModuleCommand::Get { name } => {
            let module = client.get(&["modules", &name])?;
            show(output, &module)
        }
        ModuleCommand::Delete { name } => {
            let answer = client.delete(&["modules", &name])?;
            if output.wants_json() { output.json(&answer) } else { output.line(&format!("deleted {name}")) }
        }
    }
}

fn put(client: &Client, output: &mut Output, name: &str, file: &Path) -> Result<(), Failure> {
    let bytes = source::wasm_file(file)?;
    output.progress(&format!("uploading and compiling {name} ..."));
    let module = client.put(&["modules", name], "application/wasm", &bytes)?;
    show(output, &module)
}

fn list(client: &Client, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get(&["modules"])?;
    if output.wants_json() {
        return output.json(&answer);
    }
    let modules = answer["modules"].as_array().map_or(&[][..], Vec::as_slice);
    if modules.is_empty() {
        output.note("no modules; upload one with `stepwell module put NAME FILE.wasm`");
        return Ok(());
    }
    let mut rows = table::titled(&["NAME", "KIND", ">SIZE", ">COMPILED IN", "SHA-256", "UPDATED (UTC)"]);
    for module in modules {
        let hash: String = table::member_text(module, "sha256").chars().take(SHORT_HASH).collect();
        rows.add_row(vec![
            table::member(module, "name"),
            table::member(module, "kind"),
            table::number(size(module)),
            table::number(compile_time(module)),
            table::text(&hash),
            table::text(&timestamp::to_the_second(&module["updatedAt"])),
        ]);
    }
    output.table(rows)
}

fn show(output: &mut Output, module: &Value) -> Result<(), Failure> {
    if output.wants_json() {
        return output.json(module);
    }
    let imports = module["imports"].as_array().map_or(&[][..], Vec::as_slice);
    let imports: Vec<String> = imports
        .iter()
        .map(|import| import.as_str().map_or_else(|| import.to_string(), str::to_owned))
        .collect();
    let mut fields = table::fields([
        ("name", table::member(module, "name")),
        ("arn", table::member(module, "arn")),
        ("kind", table::member(module, "kind")),
        ("size", table::text(&size(module))),
        ("compiled in", table::text(&compile_time(module))),
        ("sha256", table::member(module, "sha256")),
        ("created", table::text(&timestamp::to_the_second(&module["createdAt"]))),
        ("updated", table::text(&timestamp::to_the_second(&module["updatedAt"]))),
    ]);
    for (index, import) in imports.iter().enumerate() {
        table::add_field(&mut fields, if index == 0 { "imports" } else { "" }, table::text(import));
    }
    output.table(fields)
}

fn size(module: &Value) -> String {
    module["sizeBytes"].as_u64().map_or_else(|| "-".to_owned(), table::bytes)
}

fn compile_time(module: &Value) -> String {
    match module.get("compileMilliseconds") {
        Some(Value::Number(milliseconds)) => format!("{milliseconds} ms"),
        Some(_) | None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_responder::Responder;
    use super::super::test_support::{self, Ran};

    const MODULE: &str = r#"{"name":"charge","arn":"arn:aws:lambda:us-east-1:123456789012:function:charge",
        "sha256":"9f86d081884c7d659a2feaa0c55ad015","kind":"component","sizeBytes":1500000,
        "compileMilliseconds":231,"createdAt":"2026-11-22T16:32:28Z","updatedAt":"2026-11-22T16:32:28Z",
        "imports":["wasi:cli/environment@0.2.6","wasi:http/types@0.2.6"]}"#;

    #[test]
    fn modules_are_listed_as_a_table() {
        let body = format!("{{\"modules\":[{MODULE}]}}");
        let responder = Responder::start([(200, &body)]);
        let Ran { standard, code, .. } = test_support::run(&responder.endpoint, &["module", "list"]);
        let expected = "\
NAME    KIND          SIZE  COMPILED IN  SHA-256       UPDATED (UTC)
charge  component  1.4 MiB       231 ms  9f86d081884c  2026-11-22 16:32:28
";
        assert_eq!((standard.as_str(), code), (expected, 0));
    }

    #[test]
    fn an_upload_sends_the_file_and_shows_the_module() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("charge.wasm");
        std::fs::write(&file, b"\0asm\x0d\0\x01\0").unwrap();
        let responder = Responder::start([(201, MODULE)]);
        let ran =
            test_support::run(&responder.endpoint, &["module", "put", "charge", file.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{}", ran.diagnostic);
        assert!(ran.standard.contains("imports      wasi:cli/environment@0.2.6\n"), "{}", ran.standard);
        assert!(ran.standard.contains("\n             wasi:http/types@0.2.6\n"), "{}", ran.standard);
        assert_eq!(responder.requests()[0].body, b"\0asm\x0d\0\x01\0");
    }

    #[test]
    fn a_file_that_is_no_module_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("charge.rs");
        std::fs::write(&file, "fn main() {}").unwrap();
        let responder = Responder::start([]);
        let ran =
            test_support::run(&responder.endpoint, &["module", "put", "charge", file.to_str().unwrap()]);
        assert_eq!(ran.code, 2);
        assert!(ran.diagnostic.contains("charge.rs: not a WebAssembly file"), "{}", ran.diagnostic);
        assert!(responder.requests().is_empty());
    }

    #[test]
    fn deleting_says_what_is_gone_and_a_refusal_why_not() {
        let missing = r#"{"__type":"ResourceNotFoundException","message":"no module `x`"}"#;
        let responder = Responder::start([(204, ""), (404, missing)]);
        let ran = test_support::run(&responder.endpoint, &["module", "delete", "charge"]);
        assert_eq!((ran.standard.as_str(), ran.code), ("deleted charge\n", 0));
        let ran = test_support::run(&responder.endpoint, &["module", "delete", "x"]);
        assert_eq!((ran.standard.as_str(), ran.code), ("", 3));
        assert_eq!(ran.diagnostic, "error: ResourceNotFoundException: no module `x`\n");
    }
}
