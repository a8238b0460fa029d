//! Every bound of the executor in one place.

use std::time::Duration;

/// Messages that may wait for one shard. Requests beyond it are refused as busy; task results wait.
pub const MAILBOX: usize = 4_096;
/// Most events that one turn of a shard handles before it commits.
pub const TURN_EVENTS: usize = 256;
/// Bytes of changes after which a turn commits, whatever the number of its events.
pub const TURN_BYTES: usize = 8 * 1024 * 1024;
/// Entries of a turn's batch after which it commits. What one more transition adds keeps within the store's
/// `BATCH_ENTRIES`: beyond this number the branches that it begins go into batches of their own.
pub const TURN_ENTRIES: usize = stepwell_store::limits::CHANGES_ENTRIES;
/// Ended executions read per page when the executor starts, to remove what they left in the store.
pub const LEFTOVERS_PAGE: usize = 100;
/// Parsed definitions kept in memory; beyond it the cache starts anew.
pub const MACHINES: usize = 1_024;
/// Longest sleep before the wall clock is read again: a clock step is noticed within this time.
pub const TIMER_SLEEP: Duration = Duration::from_secs(1);
/// Pause after a failed commit before its events are tried again.
pub const COMMIT_RETRY: Duration = Duration::from_millis(200);
/// Open executions read per page when the executor starts.
pub const RECOVERY_PAGE: usize = 500;
/// Last part of a call's log that `LogType: Tail` returns, in bytes (Lambda API).
pub const LOG_TAIL_BYTES: usize = 4_096;
