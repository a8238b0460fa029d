//! Reads the manifests and keeps the walls between the crates: server -> integrations -> executor -> store
//! -> asl, server -> jsonata -> sandbox -> net <- integrations.

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use stepwell_it::workspace_root;

/// What each crate may depend on of our own, and what it must never depend on at all.
const WALLS: &[(&str, &[&str], &[&str])] = &[
    ("stepwell-asl", &[], &["tokio", "sled", "wasmtime", "axum", "async-trait", "uuid", "reqwest"]),
    ("stepwell-store", &["stepwell-asl"], &["wasmtime", "axum"]),
    ("stepwell-net", &[], &["wasmtime", "axum", "sled", "hyper"]),
    ("stepwell-sandbox", &["stepwell-net"], &["sled", "axum"]),
    ("stepwell-jsonata", &["stepwell-asl", "stepwell-sandbox"], &["sled", "axum", "tokio", "jsonata-core"]),
    ("stepwell-executor", &["stepwell-asl", "stepwell-store"], &["sled", "wasmtime", "axum"]),
    (
        "stepwell-integrations",
        &["stepwell-asl", "stepwell-store", "stepwell-executor", "stepwell-net"],
        &["sled", "wasmtime", "axum"],
    ),
    (
        "stepwell-server",
        &[
            "stepwell-asl",
            "stepwell-store",
            "stepwell-sandbox",
            "stepwell-jsonata",
            "stepwell-executor",
            "stepwell-integrations",
        ],
        &["sled", "wasmtime", "wasmtime-wasi"],
    ),
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(workspace_root())
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
            (name(package), dependencies.filter(|one| one["kind"].is_null()).map(name).collect())
        })
        .collect()
}

#[test]
fn imports_go_down_the_chain_only() {
    let dependencies = dependencies();
    for (wall, own, forbidden) in WALLS {
        let found = dependencies.get(*wall).unwrap_or_else(|| panic!("there is no crate {wall}"));
        for dependency in found {
            let dependency = dependency.as_str();
            assert!(!forbidden.contains(&dependency), "{wall} must not know {dependency}");
            assert!(
                !dependency.starts_with("stepwell") || own.contains(&dependency),
                "{wall} must not import {dependency}"
            );
        }
    }
}
