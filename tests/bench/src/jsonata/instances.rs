//! Instances of the evaluator: how to get rid of a warm one, and how much memory each takes while it is idle.

use anyhow::{Context as _, ensure};
use std::path::Path;
use stepwell_asl::Timestamp;
use stepwell_asl::jsonata::{Evaluation, Evaluator as _};
use stepwell_jsonata::{Call, Jsonata};

/// Instances that are kept warm at most (`host/jsonata/src/limits.rs`).
const INSTANCES: u32 = 16;
/// Works so much, and with so little memory, that its instance is not kept.
const EXHAUSTING: &str = "($turn := function($n){ $n = 0 ? 'done' : $turn($n - 1) }; $turn(15000))";
/// Takes some milliseconds, so that it is found slow, and little memory.
const SLOW: &str = "($turn := function($n){ $n = 0 ? 'done' : $turn($n - 1) }; $turn(6000))";

/// Makes the evaluator drop the instance that this thread left warm.
pub(super) fn drop_warm(jsonata: &Jsonata) -> anyhow::Result<()> {
    let value = jsonata.evaluate(&evaluation(EXHAUSTING));
    ensure!(value.as_ref().is_ok_and(Option::is_some), "{EXHAUSTING} gives {value:?}");
    Ok(())
}

/// What one warm instance adds to this process's resident memory, in bytes: a new evaluator is made to keep many. None
/// where the system does not tell, or where an instance is so fast that no second one is needed.
pub(super) fn resident_bytes(cache: &Path) -> anyhow::Result<Option<f64>> {
    let jsonata = Jsonata::new(Some(cache.to_owned()));
    jsonata.warm()?;
    let mut reached = 0;
    nest(&jsonata, 1, &mut reached)?;
    let before = resident();
    reached = 0;
    nest(&jsonata, INSTANCES, &mut reached)?;
    let (Some(before), Some(after)) = (before, resident()) else { return Ok(None) };
    if reached < 2 {
        return Ok(None);
    }
    Ok(Some((after - before).max(0.0) / f64::from(reached - 1)))
}

/// Evaluates so many times, each while the one before is under way, and so each in an instance of its own.
fn nest(jsonata: &Jsonata, depth: u32, reached: &mut u32) -> anyhow::Result<()> {
    *reached += 1;
    let mut inner = Ok(());
    let value = jsonata.evaluate_watched(&Call::new(&evaluation(SLOW)), &mut || {
        if depth > 1 {
            inner = nest(jsonata, depth - 1, reached);
        }
    });
    ensure!(value.as_ref().is_ok_and(Option::is_some), "{SLOW} gives {value:?}");
    inner
}

fn evaluation(expression: &str) -> Evaluation<'_> {
    Evaluation { expression, bindings: Vec::new(), now: Timestamp(0), seed: 0 }
}

/// Resident memory of this process in bytes (Linux, `/proc/self/status`).
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u32 = line.trim().strip_suffix(" kB").context("a unit").ok()?.trim().parse().ok()?;
    Some(f64::from(kib) * 1_024.0)
}
