//! Every bound of the executor in one place.

use std::time::Duration;
use stepwell_asl::Timestamp;

/// Messages that may wait for one shard. Requests beyond it are refused as busy; task results wait.
pub const MAILBOX: usize = 4_096;
/// How long a shard may try to make a turn durable before new starts are refused: a disk that is slow or full.
pub const COMMIT_PATIENCE: Duration = Duration::from_secs(5);
/// Requests and tasks that may wait for the ends of one shard's executions. Each takes some 100 bytes here. A task may wait
/// for as long as an execution lasts, and there are as many shards as processors: two of them must hold 10,000 and more.
pub const WAITERS: usize = 65_536;
/// Pause before a task that found no room among them asks again.
pub const WAITERS_RETRY: Duration = Duration::from_secs(1);
/// How long is tried to stop a job whose task was aborted.
pub const STOP_JOB: Duration = Duration::from_mins(1);
/// Executions of one shard that may be read back because somebody wants to stop them, or answers one
/// of their tasks; more requests are refused.
pub const REVIVALS_ASKED: usize = 1_024;
/// Workers that may wait for the tasks of one activity (quota of Step Functions).
pub const ACTIVITY_POLLERS: usize = 1_000;
/// Workers that may wait for the tasks of all activities. Each takes some 300 bytes here, and a connection.
pub const POLLERS: usize = 16_384;
/// A worker that has had its task for so long has it after a crash as well. Until then, another one may get it then.
pub const DELIVERY_RECORDED_AFTER: Duration = Duration::from_secs(1);
/// How long whoever wants to skip to the next timer waits until nobody is at work.
pub const SKIP_PATIENCE: Duration = Duration::from_secs(30);
/// The end of virtual time: the last moment that RFC 3339 can write.
pub const LATEST_TIME: Timestamp = Timestamp(253_402_300_799_999);
/// Most events that one turn of a shard handles before it commits.
pub const TURN_EVENTS: usize = 256;
/// Bytes of changes after which a turn commits, whatever the number of its events.
pub const TURN_BYTES: usize = 8 * 1024 * 1024;
/// Entries of a turn's batch after which it commits. What one more transition adds keeps within the store's
/// `BATCH_ENTRIES`: beyond this number the branches that it begins go into batches of their own.
pub const TURN_ENTRIES: usize = stepwell_store::limits::CHANGES_ENTRIES;
/// Ended executions read per page when the executor starts, to remove what they left in the store.
pub const LEFTOVERS_PAGE: usize = 100;
/// Parsed definitions kept in memory, and as many records of machines; beyond it the cache starts anew.
pub const MACHINES: usize = 1_024;
/// Longest sleep before the wall clock is read again: a clock step is noticed within this time.
pub const TIMER_SLEEP: Duration = Duration::from_secs(1);
/// Pause after a failed commit before its events are tried again.
pub const COMMIT_RETRY: Duration = Duration::from_millis(200);
/// Open executions read per page when the executor starts.
pub const RECOVERY_PAGE: usize = 500;
/// An execution that has nothing to do for longer than this leaves memory until its time has come.
pub const PARK_AFTER: Duration = Duration::from_secs(10);
/// Parked executions read per page when their time has come.
pub const WAKE_PAGE: usize = 500;
/// Executions of one shard that are being read back at a time, beside those that somebody asked for.
pub const REVIVALS: usize = 64;
/// Pause before an execution that could not be read back is tried again.
pub const REVIVAL_RETRY: Duration = Duration::from_secs(5);
/// How often closed executions are looked for that are kept no longer.
pub const RETENTION_EVERY: Duration = Duration::from_mins(1);
/// It is looked ten times in the time for which they are kept, but not more often than this.
pub const RETENTION_SOONEST: Duration = Duration::from_secs(1);
/// Closed executions read per page to be removed.
pub const RETENTION_PAGE: usize = 500;
/// After a batch of removals, which has up to the store's `REMOVAL_RECORDS`, the next one waits so many times as long as
/// it took.
pub const RETENTION_PAUSE: u32 = 4;
/// Shortest such pause: at most 200 batches in a second.
pub const RETENTION_PAUSE_MIN: Duration = Duration::from_millis(5);
/// Longest such pause.
pub const RETENTION_PAUSE_MAX: Duration = Duration::from_secs(5);
/// When removals have gone on for longer than this without an end, pauses are only as long as the batches.
pub const RETENTION_PATIENCE: Duration = Duration::from_mins(10);
/// Times that a batch of removals is tried again when somebody else removed some of it.
pub const RETENTION_CONFLICTS: u32 = 4;
/// Times that StartExecution is tried again when somebody else took the name at the same moment.
pub const START_TRIES: u32 = 4;
/// How long the token of a redrive is remembered (API reference, section 1.12).
pub const REDRIVE_TOKEN_KEPT: Duration = Duration::from_mins(15);
/// Executions whose checkpoints are written in one commit when the server shuts down.
pub const LAST_CHECKPOINTS: usize = 256;
/// Fewest threads for the steps of state machines that use JSONata; there is one for each processor.
pub const FAST_THREADS: usize = 2;
/// Of the processors, slow steps run on one in so many, and on one at least; the others wait.
pub const PROCESSORS_PER_SLOW_STEP: usize = 4;
/// Slow steps that run or wait on threads of their own, over the whole executor. Beyond it a slow step keeps the place
/// of a fast one until it has ended. Each holds what its evaluation took before it was slow: some MiB.
pub const SLOW_THREADS: usize = 128;
/// Evaluations of one step that take longer than this together make it slow, even when each of them is quick.
pub const FAST_STEP_MICROSECONDS: u64 = 20_000;
/// Turns after which a slow step is one among equals: before that, who had fewer goes first.
pub const SLOW_RANKS: u64 = 8;
/// By how much the priority of a slow step is lowered (nice value).
pub const SLOW_NICE: i32 = 10;
/// Stack of a thread that takes steps, in bytes of address space: the stack of the evaluator lies on it.
pub const STEP_STACK_BYTES: usize = 16 * 1024 * 1024;
/// Times that a step is tried that panics; then its event is dropped until the next start.
pub const STEP_TRIES: u32 = 3;
/// Longest Express execution; then its status is TIMED_OUT (Step Functions quota: 5 minutes).
pub const EXPRESS_DURATION: Duration = Duration::from_mins(5);
/// Express executions that run at the same time unless configured otherwise; more starts are refused.
pub const EXPRESS_EXECUTIONS: usize = 10_000;
/// What all running Express executions may hold before new starts are refused, unless configured otherwise: bytes of
/// their data as JSON text. In memory it takes a few times as much.
pub const EXPRESS_BYTES: usize = 256 * 1024 * 1024;
/// The same for one of them, unless configured otherwise; one that grows beyond it is ended, and so is one that grows while
/// all together hold twice what they may. A Parallel state alone may copy 32 MiB to its branches.
pub const EXPRESS_EXECUTION_BYTES: usize = 64 * 1024 * 1024;
/// What an Express execution has recorded before its data are measured for the first time, in bytes. Later ones follow
/// when it has recorded as much again as it held then.
pub const EXPRESS_MEASURED_AFTER: usize = 64 * 1024;
/// How long the ends of asynchronous Express executions are gathered before one batch removes their starts.
pub const EXPRESS_CLEAN_EVERY: Duration = Duration::from_millis(250);
/// Starts that such a batch removes.
pub const EXPRESS_CLEAN_STARTS: usize = 1_000;
/// Starts of an earlier life of the server read per page, to run them again.
pub const EXPRESS_RERUN_PAGE: usize = 200;
/// Events of an Express execution: nothing keeps them, and five minutes end it anyway.
pub const EXPRESS_EVENTS: u64 = u64::MAX;
/// How often the starts are looked at even when nobody has told of an end.
pub const EXPRESS_CLEAN_LONGEST: Duration = Duration::from_mins(1);
/// How often a shut-down looks whether Express executions still run.
pub const EXPRESS_EMPTY_LOOK: Duration = Duration::from_millis(20);
/// Largest pin of what a map run reads, in bytes of JSON text: it is stored with the run. A listing is pinned by what it
/// begins with, not by all of its keys.
pub const PIN_BYTES: usize = 64 * 1024;
/// About the most that a page of items may take in memory; one item may be larger.
pub const ITEM_PAGE_BYTES: usize = 8 * 1024 * 1024;
