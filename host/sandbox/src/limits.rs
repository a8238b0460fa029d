//! Every bound of the sandbox that is not a setting, by name.
//!
//! Settings that an operator chooses per installation are in `config.rs`, with their defaults here. Nothing in this crate
//! may loop, queue or allocate on behalf of a module without a bound from one of the two.

use std::time::Duration;

/// Default of `SandboxConfig::max_concurrent_calls`.
pub const DEFAULT_CONCURRENT_CALLS: u32 = 1_000;
/// Default of `SandboxConfig::memory_limit_bytes`: what AWS Lambda gives a function that asks for nothing.
pub const DEFAULT_MEMORY_LIMIT_BYTES: u64 = 128 << 20;
/// Default of `SandboxConfig::max_module_bytes`: room for a module that carries a language's interpreter.
pub const DEFAULT_MODULE_BYTES: u64 = 50 << 20;
/// Default of `SandboxConfig::max_result_bytes`: AWS Lambda's bound of a synchronous response. The bound of a state's data is
/// smaller and belongs to the executor.
pub const DEFAULT_RESULT_BYTES: u64 = 6 << 20;
/// Default of `SandboxConfig::max_log_bytes`.
pub const DEFAULT_LOG_BYTES: u64 = 256 << 10;
/// Default of `SandboxConfig::max_output_bytes`: a flood, not a talkative task.
pub const DEFAULT_OUTPUT_BYTES: u64 = 64 << 20;
/// Default of `SandboxConfig::max_waiting_calls`.
pub const DEFAULT_WAITING_CALLS: usize = 100_000;
/// `SandboxConfig::total_memory_bytes` where the machine's memory is unknown.
pub(crate) const FALLBACK_TOTAL_MEMORY_BYTES: u64 = 4 << 30;

/// Longest time a call may be given. Longer wishes are cut to it.
pub const MAX_CALL_TIMEOUT: Duration = Duration::from_hours(366 * 24);
/// Longest error name of a task, in characters (API: `SensitiveError`, 256).
pub const MAX_ERROR_NAME_CHARS: usize = 256;
/// Longest cause, in characters (API: `SensitiveCause`, 32,768).
pub const MAX_CAUSE_CHARS: usize = 32_768;

/// Modules that stay loaded. The least recently used one makes room.
pub(crate) const MAX_LOADED_MODULES: usize = 256;
/// Modules that are compiled at the same time: compiling already uses every core.
pub(crate) const MAX_CONCURRENT_COMPILES: usize = 1;
/// Names of a module's exports or imports that a refusal lists.
pub(crate) const MAX_LISTED_NAMES: usize = 20;

/// How often the epoch advances while calls run: how long a busy guest keeps a thread before it yields, and how exact
/// its deadline is.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(1);
/// Ticks without any running call after which the epoch thread sleeps until the next call.
pub(crate) const IDLE_TICKS: u32 = 100;

/// Stack of the guest itself, in bytes. Beyond it: a trap, "call stack exhausted".
pub(crate) const MAX_WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of the fibre that a call runs on, in bytes: the guest's and the host functions' above it.
pub(crate) const FIBRE_STACK_BYTES: usize = 2 << 20;
/// A page of linear memory, in bytes.
pub(crate) const WASM_PAGE_BYTES: u64 = 64 << 10;
/// Entries of all tables of a call together, and of each.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Files and directories that one call may have open.
pub(crate) const MAX_OPEN_FILES: u64 = 64;
/// Requests that one call may have under way.
pub(crate) const MAX_HTTP_REQUESTS: usize = 64;
/// Memory maps that stay for everything but calls: libraries, threads, heap.
pub(crate) const RESERVED_MAPS: u64 = 4_096;

/// Longest time that one upload may be compiled for, in a process of its own.
pub(crate) const MAX_COMPILE_TIME: Duration = Duration::from_mins(3);
/// Processor time of that process: two cores for as long.
pub(crate) const MAX_COMPILE_CPU_SECONDS: u64 = 360;
/// Address space of that process, in bytes. The largest interpreters take 400 MiB of memory.
pub(crate) const MAX_COMPILE_ADDRESS_SPACE_BYTES: u64 = 6 << 30;
/// How much that process stands back behind others.
pub(crate) const COMPILE_NICENESS: i32 = 10;
/// Longest machine code that is taken from it, in bytes.
pub(crate) const MAX_CODE_BYTES: u64 = 1 << 30;

/// A call that has not ended after this long is moved to the threads for guests.
pub(crate) const QUICK_CALL: Duration = Duration::from_micros(300);
/// Calls of a module that begin on the threads for guests after one that was not quick.
pub(crate) const SLOW_STREAK: u32 = 64;
/// Shortest secret that is looked for in logs: shorter texts occur by chance.
pub(crate) const MIN_MASKED_SECRET_BYTES: usize = 4;
/// Shortest secret that a result may not hold.
pub(crate) const MIN_GUARDED_SECRET_BYTES: usize = 8;
/// Handles (streams, pollables) that one call may hold open.
pub(crate) const MAX_OPEN_HANDLES: usize = 1_000;
/// Random bytes that a guest may ask for at once.
pub(crate) const MAX_RANDOM_BYTES: u64 = 1 << 20;
/// Core instances in one component. Python modules have up to 38.
pub(crate) const MAX_CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Memories in one component.
pub(crate) const MAX_MEMORIES_PER_COMPONENT: u32 = 8;
/// Tables in one component.
pub(crate) const MAX_TABLES_PER_COMPONENT: u32 = 16;
/// Tables in the pool for each call that fits it.
pub(crate) const TABLES_PER_CALL: u32 = 2;
/// Size of the bookkeeping of one instance, in bytes.
pub(crate) const MAX_INSTANCE_BYTES: usize = 4 << 20;
/// Memory of a slot that is reset by copying instead of being given back to the system, in bytes.
pub(crate) const MEMORY_KEEP_RESIDENT_BYTES: usize = 1 << 20;
/// The same for tables and fibre stacks.
pub(crate) const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// Memory maps that a call in progress needs, measured with 10,000 calls at once.
pub(crate) const MAPS_PER_CALL: u64 = 6;
/// Calls that the pool always has room for, so that a component with many memories fits.
pub(crate) const MIN_CONCURRENT_CALLS: u32 = MAX_MEMORIES_PER_COMPONENT;

/// Bytes that a guest may hand to one host function beyond the result limit: room for the error's other field.
pub(crate) const HOSTCALL_SLACK_BYTES: u64 = 64 << 10;
/// Standard output without a newline becomes a log line after that many bytes.
pub(crate) const MAX_LINE_BYTES: usize = 8 << 10;
/// The end of standard error that a trap's cause quotes, in bytes.
pub(crate) const STDERR_TAIL_BYTES: usize = 2 << 10;

/// Arguments and environment of a manifest together, in bytes.
pub(crate) const MAX_ENVIRONMENT_BYTES: usize = 64 << 10;
/// Entries of one list of a manifest.
pub(crate) const MAX_MANIFEST_ENTRIES: usize = 200;
/// Largest scratch directory that a manifest may ask for, in MiB.
pub(crate) const MAX_SCRATCH_MIB: u64 = 1 << 20;
/// Largest value of any member of a manifest's `limits`.
pub(crate) const MAX_LIMIT: u64 = 1 << 40;
/// How the names of the environment variables begin that the sandbox itself sets.
pub(crate) const RESERVED_VARIABLES: &str = "STEPWELL_";

/// Longest time until an outgoing HTTP connection stands, and the default.
pub(crate) const HTTP_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time until an HTTP response begins, and longest pause within it; also the defaults. Some interfaces compute for minutes.
pub(crate) const HTTP_READ_TIMEOUT: Duration = Duration::from_mins(10);
/// Outgoing HTTP connections of all calls together, when as many files may be open: half of that number otherwise.
pub(crate) const MAX_CONNECTIONS: usize = 20_000;
/// Outgoing HTTP connections of all calls together, at least.
pub(crate) const MIN_CONNECTIONS: usize = 128;
/// Headers of one HTTP message, in bytes, and what is read ahead of a response's body.
pub(crate) const MAX_HTTP_HEAD_BYTES: usize = 32 << 10;
/// How much of a request's body a guest may hand over at once, in bytes. Two such pieces wait for a slow server.
pub(crate) const HTTP_BODY_CHUNK_BYTES: usize = 64 << 10;
/// How much of a denied request's method and host a log line shows, in bytes.
pub(crate) const MAX_SHOWN_METHOD_BYTES: usize = 32;
/// The same for its host.
pub(crate) const MAX_SHOWN_HOST_BYTES: usize = 300;
/// What a file or a directory costs in a scratch directory besides its content, in bytes: a block for itself.
pub(crate) const SCRATCH_ENTRY_BYTES: u64 = 4 << 10;
/// The part of it that stays charged to a directory when a name is gone from it, until another name takes the room or the
/// directory is gone, too: file systems do not make directories shorter. The longest name takes half of it.
pub(crate) const SCRATCH_NAME_BYTES: u64 = 1 << 10;
/// Entries in all directory listings that a call holds. wasmtime keeps them in the host's memory, up to 300 bytes each.
pub(crate) const MAX_LISTED_ENTRIES: u64 = 65_536;
/// Scratch directories that wait to be removed before whoever makes one removes one.
pub(crate) const MAX_WAITING_REMOVALS: usize = 1_000;
/// How often a directory is looked at again, because something was made in it while it was emptied.
pub(crate) const MAX_REMOVAL_PASSES: u32 = 1_000;
