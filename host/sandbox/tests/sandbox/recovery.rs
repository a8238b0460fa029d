//! Compiled files that are missing, damaged or foreign: the module runs all the same.

use crate::guests::{Fixture, call, guest};
use std::path::{Path, PathBuf};

/// Returns the only file in a folder of the sandbox's directory.
fn only_file(directory: &Path, folder: &str) -> PathBuf {
    let mut files: Vec<_> =
        std::fs::read_dir(directory.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// Installs the stub, damages the directory, restarts, and calls it.
async fn after(damage: impl FnOnce(&Path)) -> (Fixture, Result<String, String>) {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("stub")).await.unwrap().digest;
    damage(fixture.directory.path());
    let fixture = fixture.restart();
    let outcome = fixture.sandbox.invoke(&digest, call("[7]")).await;
    (
        fixture,
        outcome.map(|output| output.result).map_err(|error| format!("{}: {}", error.name(), error.cause())),
    )
}

#[tokio::test]
async fn a_restart_uses_the_compiled_file() {
    let mut written = None;
    let (fixture, result) = after(|directory| {
        written = Some(std::fs::metadata(only_file(directory, "compiled")).unwrap().modified().unwrap());
    })
    .await;
    assert_eq!(result.as_deref(), Ok("[7]"));
    let now = std::fs::metadata(only_file(fixture.directory.path(), "compiled")).unwrap().modified().unwrap();
    assert_eq!(Some(now), written, "it was compiled again");
}

#[tokio::test]
async fn a_missing_compiled_file_is_made_again() {
    let (fixture, result) =
        after(|directory| std::fs::remove_file(only_file(directory, "compiled")).unwrap()).await;
    assert_eq!(result.as_deref(), Ok("[7]"));
    only_file(fixture.directory.path(), "compiled");
}

#[tokio::test]
async fn damaged_compiled_files_are_made_again() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 5] = [
        |file| file.truncate(10),
        |file| file.clear(),
        |file| {
            let middle = file.len() / 2;
            file[middle] ^= 0x40;
        },
        // The compatibility field: code of another build of wasmtime.
        |file| file[8] ^= 1,
        |file| file.extend_from_slice(b"more"),
    ];
    for damage in damages {
        let mut intact = Vec::new();
        let (fixture, result) = after(|directory| {
            let path = only_file(directory, "compiled");
            intact = std::fs::read(&path).unwrap();
            let mut file = intact.clone();
            damage(&mut file);
            std::fs::write(path, file).unwrap();
        })
        .await;
        assert_eq!(result.as_deref(), Ok("[7]"));
        let repaired = std::fs::read(only_file(fixture.directory.path(), "compiled")).unwrap();
        assert!(repaired == intact, "the compiled file was not repaired");
    }
}

#[tokio::test]
async fn a_damaged_source_is_reported_when_it_is_needed() {
    let (_fixture, result) = after(|directory| {
        std::fs::remove_file(only_file(directory, "compiled")).unwrap();
        std::fs::write(only_file(directory, "source"), b"damaged").unwrap();
    })
    .await;
    let error = result.unwrap_err();
    assert!(error.starts_with("Sandbox.HostFailure") && error.contains("upload it again"), "{error}");
}
