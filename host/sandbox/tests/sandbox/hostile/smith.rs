//! What wasm-smith made of fixed seeds: hundreds of small modules and components that nobody would write.
//!
//! `smith.bin` is written by the program in `host/sandbox/tests/smith`, which says how.

use super::{Arena, Case, Expected};
use std::time::Duration;

const MODULES: &[u8] = include_bytes!("smith.bin");
/// Time of each call: random code loops often.
const CALL: Duration = Duration::from_millis(40);

fn cases() -> Vec<Case> {
    let (mut cases, mut rest) = (Vec::new(), MODULES);
    while let Some((length, after)) = rest.split_first_chunk() {
        let (wasm, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        let case = Case::new(format!("smith {}", cases.len()), wasm.to_vec(), Expected::Bounded);
        cases.push(Case { timeout: CALL, ..case });
        rest = after;
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_modules_end() {
    let cases = cases();
    assert_eq!(cases.len(), 400);
    let endings = Arena::open().await.run_all(cases).await;
    // Random modules that are all refused, or all end alike, would try nothing.
    println!("{endings:?}");
    let count = |ending: &str| endings.get(ending).copied().unwrap_or_default();
    let refused: u32 = ["CoreModule", "MissingExport", "UnknownImport"].map(count).iter().sum();
    assert!(refused >= 80, "{endings:?}");
    assert!(count("Sandbox.Trap") >= 40, "{endings:?}");
}
