//! Modules that are bombs for compilers, through the process that compiles uploads.
//!
//! It is the server's own program: `STEPWELL_BIN` names one that is built, and without it these cases are skipped.

use super::components::doubling_instances;
use super::tasks::Task;
use super::{Arena, Case, Expected, NEIGHBOUR};
use crate::guests::call;
use std::path::PathBuf;
use std::sync::Arc;

/// Compiled within the bounds, or ended at one of them.
const COMPILED: Expected =
    Expected::Either(&["DoesNotCompile", "CompileLimit"], |result| result == r#""hi""#);
const REFUSED: Expected =
    Expected::Refused(&["DoesNotCompile", "CompileLimit", "DoesNotValidate", "DoesNotAdapt"]);

fn with(more: &str) -> Vec<u8> {
    Task { more: more.to_owned(), ..Task::default() }.wasm()
}

fn cases() -> Vec<Case> {
    let statements: String = (0..80_000)
        .map(|number| {
            let (to, from) = (number % 50, (number * 7 + 3) % 50);
            format!("(local.set {to} (i32.add (i32.load (local.get {from})) (local.get {to})))")
        })
        .collect();
    let branches: String =
        (0..20_000).map(|_| "(br_if 0 (local.get 0)) (local.set 1 (local.get 0))").collect();
    let functions = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))".repeat(30_000);
    vec![
        Case::new(
            "a function of 80,000 statements",
            with(&format!("(func (local {}) {statements})", "i32 ".repeat(50))),
            COMPILED,
        ),
        Case::new(
            "a function of 20,000 branches",
            with(&format!("(func (local i32 i32) (block {branches}))")),
            COMPILED,
        ),
        Case::new("30,000 functions", with(&functions), COMPILED),
        Case::new("components that instantiate each other twice, 14 deep", doubling_instances(14), REFUSED),
        Case::new("components that instantiate each other twice, 28 deep", doubling_instances(28), REFUSED),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compilers_end() {
    let Some(program) = std::env::var_os("STEPWELL_BIN").map(PathBuf::from) else {
        println!("skipped: compilers_end, because STEPWELL_BIN does not name a built stepwell");
        return;
    };
    let arena = Arc::new(Arena::with(|config| config.compiler = Some(program)).await);
    for case in cases() {
        let name = case.name.clone();
        let (running, began) = (Arc::clone(&arena), std::time::Instant::now());
        let task = tokio::spawn(async move { running.run(case).await });
        // While it compiles, the neighbour answers.
        let mut answers: u64 = 0;
        while !task.is_finished() {
            let output = arena.fixture.sandbox.invoke(&arena.neighbour, call(NEIGHBOUR)).await.unwrap();
            assert_eq!(output.result, NEIGHBOUR, "{name}");
            answers += 1;
            tokio::task::yield_now().await;
        }
        println!("{name}: {answers} answers of the neighbour in {:?}", began.elapsed());
        assert_eq!(task.await.unwrap(), None);
    }
}
