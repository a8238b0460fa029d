//! Lists the machines that the fuzzers know: the project's own cases of the language and the folders of
//! `machines/`, one definition and one input each. Must never fail because a case is new or gone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let own = here.join("machines");
    let cases = here.join("../cases");
    let mut folders = sub_folders(&own);
    folders.extend(sub_folders(&cases).iter().flat_map(|area| sub_folders(area)));

    let mut table = String::from("&[\n");
    for folder in &folders {
        let (definition, input) = (folder.join("definition.asl.json"), folder.join("input.json"));
        if definition.is_file() && input.is_file() {
            let name = folder.file_name().unwrap_or_default().display().to_string();
            let (definition, input) = (definition.display().to_string(), input.display().to_string());
            // Writing to a String cannot fail.
            let _ = writeln!(
                table,
                "Machine {{ name: {name:?}, definition: include_str!({definition:?}), input: include_str!({input:?}) }},"
            );
        }
    }
    table.push(']');
    let out = Path::new(&variable("OUT_DIR")).join("machines.rs");
    if let Err(error) = std::fs::write(&out, table) {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
    for folder in [own, cases] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Sorted, so that the same input of the fuzzer means the same machine on every computer.
fn sub_folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}
