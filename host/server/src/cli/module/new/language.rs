//! The languages that have a template, and what a project in each consists of.
//!
//! Templates and SDKs lie in `guest-sdk/` and are part of the program. One that runs from a build keeps no path to its
//! sources.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use include_dir::{Dir, DirEntry, include_dir};

use super::TemplateFile;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// With cargo
    Rust,
    /// With componentize-py
    Python,
    /// With QuickJS; TypeScript as well
    Javascript,
    /// With the Go project's compiler
    Go,
    /// With zig's C compiler
    C,
    /// With zig
    Zig,
}

/// A folder, and where its files go in a project.
type Part = (&'static str, &'static Dir<'static>);

/// Where a project has its SDK.
const SDK: &str = "stepwell-sdk";
/// The contract with the host.
const CONTRACT: (&str, &str) = ("wit/task.wit", include_str!("../../../../../../wit/task.wit"));
/// The manifests of Rust's SDK: two crates, laid out as in `guest-sdk/`, so that their paths fit.
const RUST_MANIFESTS: [(&str, &str); 2] = [
    ("stepwell-sdk/rust/Cargo.toml", include_str!("../../../../../../guest-sdk/rust/Cargo.toml")),
    (
        "stepwell-sdk/rust-macros/Cargo.toml",
        include_str!("../../../../../../guest-sdk/rust-macros/Cargo.toml"),
    ),
];

// One line each: the macro wants a literal.
static RUST: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/rust/template");
static RUST_SDK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/rust/sdk");
static RUST_CRATE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/rust/src");
static RUST_MACROS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/rust-macros/src");
static PYTHON: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/python/template");
static PYTHON_SDK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/python/sdk");
static JAVASCRIPT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/javascript/template");
static JAVASCRIPT_SDK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/javascript/sdk");
static GO: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/go/template");
static GO_SDK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/go/sdk");
static C: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/c/template");
static C_SDK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/c/sdk");
static ZIG: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/zig/template");
static ZIG_SDK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/zig/sdk");

/// Everything that a project consists of.
pub(super) fn files(language: Language) -> Vec<TemplateFile> {
    let (template, sdk): (&Dir<'static>, Vec<Part>) = match language {
        Language::Rust => {
            let crates =
                [("stepwell-sdk/rust/src", &RUST_CRATE), ("stepwell-sdk/rust-macros/src", &RUST_MACROS)];
            (&RUST, [(SDK, &RUST_SDK)].into_iter().chain(crates).collect())
        }
        Language::Python => (&PYTHON, vec![(SDK, &PYTHON_SDK)]),
        Language::Javascript => (&JAVASCRIPT, vec![(SDK, &JAVASCRIPT_SDK)]),
        Language::Go => (&GO, vec![(SDK, &GO_SDK)]),
        Language::C => (&C, vec![(SDK, &C_SDK)]),
        Language::Zig => (&ZIG, vec![(SDK, &ZIG_SDK)]),
    };
    let mut files = Vec::new();
    add(&mut files, ("", template), true);
    for part in sdk {
        add(&mut files, part, false);
    }
    let manifests: &[(&str, &str)] = if language == Language::Rust { &RUST_MANIFESTS } else { &[] };
    for (path, content) in [CONTRACT].iter().chain(manifests) {
        files.push(TemplateFile { path: path.into(), content: content.as_bytes(), is_template: false });
    }
    files
}

/// An input that the task in the template understands: JSON that a shell takes between single quotes.
pub(super) fn example_input(language: Language) -> &'static str {
    match language {
        Language::Python | Language::Javascript => {
            r#"{"id": "7", "lines": [{"sku": "CUP", "quantity": 2, "cents": 950}]}"#
        }
        Language::Rust | Language::Go | Language::C | Language::Zig => r#"{"order": "7", "cents": 1999}"#,
    }
}

/// Adds a folder's files. What tools leave in a checkout does not belong to a project.
fn add(files: &mut Vec<TemplateFile>, (place, folder): Part, is_template: bool) {
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        for entry in folder.entries() {
            match entry {
                _ if is_left_over(entry.path()) => {}
                DirEntry::Dir(inner) => waiting.push(inner),
                DirEntry::File(file) => {
                    let path = Path::new(place).join(renamed(file.path()));
                    files.push(TemplateFile { path, content: file.contents(), is_template });
                }
            }
        }
    }
}

/// A template's `gitignore` would work in the repository if it had its real name.
fn renamed(path: &Path) -> PathBuf {
    if path.file_name().is_some_and(|name| name == "gitignore") {
        path.with_file_name(".gitignore")
    } else {
        path.to_owned()
    }
}

fn is_left_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = ["__pycache__", "node_modules", "target", "zig-cache", "zig-out"].contains(&name.as_ref());
    // Hidden folders of tools: `.venv`, `.tools`.
    let hidden = name.starts_with('.');
    let built = path.extension().is_some_and(|extension| extension == "wasm" || extension == "pyc");
    folder || hidden || built
}
