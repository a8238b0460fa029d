//! Every bound of the language in one place, with its source.
//!
//! A bound is enforced where its value is produced; no other file may invent one.

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
/// Deepest nesting of `And`, `Or` and `Not` in one choice rule.
pub const CHOICE_DEPTH: usize = 50;
