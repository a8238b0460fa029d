//! Every bound of the language in one place, with its source.
//!
//! A bound is enforced where its value is produced; no other file may invent one.

use serde::{Deserialize, Serialize};

/// The bounds that a server can configure. An execution keeps those that it was started with, so that `step`
/// stays deterministic. The default is what Step Functions has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quotas {
    /// Largest input, output, task result or variable, in bytes of JSON text.
    pub payload_bytes: usize,
    /// Most history events of one execution; the last one is kept for `ExecutionFailed`.
    pub history_events: u64,
    /// Most iterations of one inline Map state at a time; a state's `MaxConcurrency` may only lower it.
    /// At most [`MAP_CONCURRENCY_CAP`].
    pub map_concurrency: u64,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            payload_bytes: PAYLOAD_BYTES,
            history_events: HISTORY_EVENTS,
            map_concurrency: MAP_CONCURRENCY,
        }
    }
}

/// Largest state input, output or task result, in bytes of UTF-8 JSON (Step Functions quota).
pub const PAYLOAD_BYTES: usize = 262_144;
/// Largest definition text, in bytes (CreateStateMachine).
pub const DEFINITION_BYTES: usize = 1_048_576;
/// Deepest nesting of a definition or of a payload template. `serde_json` refuses deeper texts at 128.
pub const TEMPLATE_DEPTH: usize = 100;
/// Most history events of one Standard execution; the last one is kept for `ExecutionFailed` (quota).
pub const HISTORY_EVENTS: u64 = 25_000;
/// Longest state name, in characters (quota).
pub const STATE_NAME_CHARACTERS: usize = 80;
/// Longest error name kept, in characters (history event model).
pub const ERROR_CHARACTERS: usize = 256;
/// Longest cause kept, in characters (history event model).
pub const CAUSE_CHARACTERS: usize = 32_768;
/// Largest `TimeoutSeconds`, `IntervalSeconds`, `MaxAttempts` and `Seconds` (specification, Task and Retry).
pub const SECONDS: u64 = 99_999_999;
/// Largest `MaxDelaySeconds` (specification, Retry).
pub const MAX_DELAY_SECONDS: u64 = 31_622_400;
/// Longest wait, in days (observed: 24,855 days are accepted, 24,856 are not: 2^31 seconds).
pub const WAIT_DAYS: i64 = 24_855;
/// States that one `step()` may enter before it hands back with `Work::Continue`, so that a loop of
/// Pass and Choice states can neither hold a shard nor grow one commit without end.
pub const STATES_PER_STEP: usize = 64;
/// Text that one `step()` may record before it hands back likewise, in bytes: a history record and a commit stay
/// within what a store takes, whatever the payloads are.
pub const STEP_BYTES: usize = 2 * 1_048_576;
/// Largest configurable [`Quotas::payload_bytes`]: a step may pass [`STEP_BYTES`] by the payloads of one state.
pub const PAYLOAD_BYTES_CAP: usize = 4 * 1_048_576;
/// All inputs together that one Parallel state may give to its branches, in bytes.
pub const FORK_BYTES: usize = 32 * 1_048_576;
/// What one payload template may make, in bytes of JSON text.
pub const TEMPLATE_BYTES: usize = 32 * PAYLOAD_BYTES;
/// Deepest nesting of a state's output: what is written must be read again, and JSON readers stop at 128.
pub const OUTPUT_DEPTH: usize = 120;
/// Deepest nesting of `And`, `Or` and `Not` in one choice rule.
pub const CHOICE_DEPTH: usize = 50;
/// Iterations of an inline Map that run at a time by default (quota: about 40).
pub const MAP_CONCURRENCY: u64 = 40;
/// Largest number of iterations at a time that a server can be configured to: one step begins them all.
pub const MAP_CONCURRENCY_CAP: u64 = 1_000;
/// All variables of one execution together, in bytes of JSON text (quota).
pub const VARIABLES_BYTES: u64 = 10 * 1_048_576;
/// Longest name of a variable, in characters (specification, Variables).
pub const VARIABLE_NAME_CHARACTERS: usize = 80;
/// Work of parsing all JSONata expressions of one definition, as `jsonata::expression` estimates it, in steps of about
/// 30 nanoseconds: about two seconds. The parser's time grows with the square of a path's length.
pub const EXPRESSION_WORK: u64 = 60_000_000;
/// What a problem shows of an expression, in characters.
pub const SHOWN_EXPRESSION_CHARACTERS: usize = 1_000;
/// Longest expression, in bytes, in which the place of an error is looked for: that means parsing it many times.
pub const LOCATED_EXPRESSION_BYTES: usize = 16_384;
/// Calls of intrinsic functions inside one another (Developer Guide: up to 10).
pub const INTRINSIC_DEPTH: usize = 10;
/// Arguments of one call of an intrinsic function.
pub const INTRINSIC_ARGUMENTS: usize = 1_000;
/// All values that one evaluation of an intrinsic function makes, nested calls included, in bytes: 32 times the
/// payload quota.
pub const INTRINSIC_BYTES: usize = 32 * PAYLOAD_BYTES;
/// Deepest nesting of a value that an intrinsic function reads or makes. `serde_json` reads 128 back.
pub const INTRINSIC_VALUE_DEPTH: usize = 120;
/// Longest text that is hashed, encoded or decoded, in characters (Developer Guide).
pub const INTRINSIC_TEXT_CHARACTERS: usize = 10_000;
/// Most items that `States.ArrayRange` makes (Developer Guide).
pub const ARRAY_RANGE_ITEMS: usize = 1_000;
/// Most problems of one definition that are kept, of each severity. The API shows 100.
pub const DIAGNOSTICS: usize = 1_000;
/// Deepest nesting of a definition as JSON. `serde_json` refuses deeper texts at 128.
pub const DEFINITION_DEPTH: usize = 120;
/// Longest label of a Map state, in characters (quota).
pub const LABEL_CHARACTERS: usize = 40;
/// Largest `MaxItems` of an ItemReader (quota).
pub const READER_ITEMS: u64 = 100_000_000;
/// Largest `MaxInputBytesPerBatch` of an ItemBatcher, in bytes (quota).
pub const BATCH_BYTES: u64 = 262_144;
