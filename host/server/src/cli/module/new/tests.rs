//! What is written, for every language, and what is refused. `tests/module_new.rs` builds and runs a project.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use super::super::super::test_support::{self, Ran};
use super::Language;
use super::{parse_name, shell_word};

fn new(language: &str, name: &str, folder: &Path) -> Ran {
    let folder = folder.to_str().unwrap();
    test_support::run(
        "http://127.0.0.1:1",
        &["module", "new", "--lang", language, name, "--directory", folder],
    )
}

fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn every_language_gets_a_whole_project() {
    let placeholder = regex_lite::Regex::new(r"\{\{\w+\}\}").unwrap();
    for language in Language::value_variants() {
        let language = language.to_possible_value().unwrap();
        let language = language.get_name();
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/charge-card_2");
        let ran = new(language, "Charge-card_2", &folder);
        assert_eq!(ran.code, 0, "{language}: {}", ran.diagnostic);
        for command in ["  cd ", "  ./build.sh\n", "  stepwell module run Charge-card_2.wasm --input '{\""] {
            assert!(ran.standard.contains(command), "{language}: {}", ran.standard);
        }
        for needed in ["README.md", "build.sh", ".gitignore", "wit/task.wit", "stepwell-sdk/build-module.sh"]
        {
            assert!(folder.join(needed).is_file(), "{language}: {needed}");
        }
        for path in tree(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            let inside = path.strip_prefix(&folder).unwrap();
            assert!(!placeholder.is_match(&text), "{language}: {}", inside.display());
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let is_script = inside.extension().is_some_and(|extension| extension == "sh");
            assert_eq!(mode & 0o100 != 0, is_script, "{language}: {} {mode:o}", inside.display());
            assert_ne!(inside.file_name().unwrap(), "gitignore", "{language}");
        }
        let names = ["README.md", "build.sh"].map(|file| fs::read_to_string(folder.join(file)).unwrap());
        assert!(names.iter().all(|text| text.contains("Charge-card_2")), "{language}");
        let contract = fs::read_to_string(folder.join("wit/task.wit")).unwrap();
        assert!(contract.contains("package stepwell:task@"), "{language}");
        let again = new(language, "charge-card", &folder);
        assert_eq!(again.code, 2);
        assert!(again.diagnostic.contains("is not empty"), "{language}: {}", again.diagnostic);
    }
}

#[test]
fn nothing_is_written_over_a_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("f");
    fs::write(&file, "mine").unwrap();
    let ran = new("c", "charge", &file);
    assert!(ran.code == 2 && ran.diagnostic.contains("f: Not a directory"), "{}", ran.diagnostic);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn names_are_checked() {
    for right in ["a", "Charge-Card_2", &"x".repeat(64)] {
        assert_eq!(parse_name(right).unwrap(), right);
    }
    for wrong in ["", "2a", "-a", "_a", "a b", "a/b", "../a", "a.b", "ä", "a\n", &"x".repeat(65), "stepwell"]
    {
        assert!(parse_name(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn paths_are_quoted_for_the_shell() {
    assert_eq!(shell_word("../a/b-c.d"), "../a/b-c.d");
    assert_eq!(shell_word("a b"), "'a b'");
    assert_eq!(shell_word("it's"), r"'it'\''s'");
    assert_eq!(shell_word("-x"), "./-x");
}
