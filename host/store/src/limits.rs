//! Every bound of the byte-level store, in one place. Bytes, counts and durations only; no behaviour.
//!
//! A bound that a caller can run into is answered with [`crate::StoreError::TooLarge`]; the others shape how
//! work is cut into pieces and are invisible.

use std::time::Duration;

/// Longest key, in bytes, without its space. sled keeps up to 257 keys in an index node and moves a node over
/// about 128 KiB into a separate file that it never syncs; 384 keeps index nodes below that.
pub const KEY_BYTES: usize = 384;

/// Longest value, in bytes. The longest one known: all variables of one scope, 10 MiB of JSON text; the stored form
/// of a number takes up to 2.25 times the bytes of its text.
pub const VALUE_BYTES: usize = 32 * 1024 * 1024;

/// Largest batch, in bytes of keys and values.
pub const BATCH_BYTES: usize = 64 * 1024 * 1024;

/// Most operations plus expectations in one batch.
pub const BATCH_ENTRIES: usize = 16_384;

/// Most items in one page of a scan; a larger limit is cut to this.
pub const PAGE_ITEMS: usize = 1_000;

/// Tokens that are remembered of the redrives of an execution (API reference, section 1.12).
pub const REDRIVE_TOKENS: usize = 10;

/// Bytes of keys and values after which a page ends, whatever its limit.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Largest record that is written to sled, in bytes with its envelope. Longer values are cut into chunks. A sled
/// leaf holds 17 records: 17 of these stay below the 128 KiB of [`KEY_BYTES`].
pub const SLED_RECORD_BYTES: usize = 6 * 1024;

/// The same for redb. It gives a long record a page of its own, of the next power of two: with its key and the
/// head of the page this just fits into 64 KiB.
pub const REDB_RECORD_BYTES: usize = 63 * 1024;

/// Items of a page up to which a scan is tried on the calling thread.
pub const INLINE_ITEMS: usize = 32;

/// Reads that may wait for the committer, a lock or the disk at the same time.
pub const BLOCKING_READS: usize = 8;

/// Bytes of values after which a read on the calling thread is given up.
pub const INLINE_BYTES: usize = 64 * 1024;

/// Bytes of records after which sled is given them: enough to share what each of its batches costs, and applied in a
/// few milliseconds.
pub const SLED_APPLY_BYTES: u64 = 64 * 1024;

/// The same for redb.
pub const REDB_APPLY_BYTES: u64 = 64 * 1024;

/// Bytes in the write-ahead log after which sled syncs what it was given. As long as that it has unsynced segments,
/// and a power cut leaves any part of them: as much as one large group did before there was a log.
pub const SLED_LAG_BYTES: u64 = 512 * 1024;

/// The same for redb, which writes pages: the more commits share a sync, the fewer it writes.
pub const REDB_LAG_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes up to which a batch is committed on the thread of its caller, if nobody else commits.
pub const INLINE_COMMIT_BYTES: usize = 64 * 1024;

/// Time of a sync above which no caller waits for one on its own thread: others have work for that thread.
pub const INLINE_COMMIT_SYNC: Duration = Duration::from_millis(1);

/// Most batches merged into one durable flush.
pub const GROUP_BATCHES: usize = 1_024;

/// The same before anything is known of their cost, and the fewest that are allowed however much they cost.
pub const GROUP_BATCHES_FIRST: usize = 64;

/// See [`GROUP_BATCHES_FIRST`].
pub const GROUP_BATCHES_MIN: usize = 8;

/// Time that a group should take: everyone in it waits for so long.
pub const GROUP_TIME: Duration = Duration::from_millis(5);

/// Bytes of batches after which a group is flushed.
pub const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// KiB of batches that may wait for the committer; a commit beyond it waits before it enters the queue.
/// A batch counts as at least one.
pub const QUEUE_KIB: u32 = 128 * 1024;

/// Keys deleted in one flush by `delete_range`: it yields to commits after that many.
pub const DELETE_KEYS: usize = 256;

/// Free space, in bytes, below which commits are refused as long as it lasts; the default.
pub const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// Free space, in bytes, that opening a store asks for beside twice its snapshots: what its recovery writes.
pub const OPEN_FREE_BYTES: u64 = 8 * 1024 * 1024;

/// Memory for the engine's page cache, in bytes; the default. 256 MiB were measured to make nothing faster while the
/// system's own cache of files has room for the store, and take memory that is not given back.
pub const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// Time for opening and checking a store before it counts as damaged; the default. A million transitions
/// without a clean close were seen to take 7 seconds.
pub const OPEN_LIMIT: Duration = Duration::from_mins(10);

/// Time for which another handle of the same process may still hold sled's own lock after a close.
pub const HANDOVER_LIMIT: Duration = Duration::from_secs(5);

/// Bytes on disk below which the opening of a store reads every record: that takes well under a second.
pub const VERIFY_BYTES: u64 = 64 * 1024 * 1024;

/// Records that the check in the background reads at a time, a commit on sled waiting as long. It then sleeps this
/// many times as long as that took, within bounds: it takes at most a fifth of a processor.
pub const SCRUB_RECORDS: usize = 64;

/// See [`SCRUB_RECORDS`].
pub const SCRUB_PAUSE: u32 = 4;

/// Shortest pause between two pieces of the check in the background.
pub const SCRUB_PAUSE_MIN: Duration = Duration::from_millis(1);

/// Longest one.
pub const SCRUB_PAUSE_MAX: Duration = Duration::from_millis(100);

/// Records that a check reads at a time when somebody waits for it.
pub const VERIFY_RECORDS: usize = 256;

/// How often the watermark follows the commits.
pub const WATERMARK_EVERY: Duration = Duration::from_secs(1);

/// First space byte that the store keeps for itself.
pub const FIRST_RESERVED_SPACE: u8 = 0xF0;

/// Entries of the changes of one or more transitions after which the branches that a state begins go into batches
/// of their own. What may still follow in the same transition keeps within [`BATCH_ENTRIES`].
pub const CHANGES_ENTRIES: usize = 8_192;

/// Bytes after which they do so. What may still follow keeps within [`BATCH_BYTES`].
pub const CHANGES_BYTES: usize = 8 * 1024 * 1024;

/// Transitions after which an execution gets a checkpoint: what recovery takes through `step` again at most.
pub const CHECKPOINT_TRANSITIONS: usize = 64;

/// Bytes of journal, as a multiple of the last checkpoint's, after which it gets one: writing checkpoints costs a
/// quarter of writing the journal at most.
pub const CHECKPOINT_FACTOR: usize = 4;

/// Bytes of journal below which size is no reason for one.
pub const CHECKPOINT_BYTES: usize = 256 * 1024;

/// Bytes of journal above which it is, however large the last one was: what has changed fits a batch.
pub const CHECKPOINT_MOST_BYTES: usize = 8 * 1024 * 1024;

/// Records that one batch of a removal takes at most, but for a few: about what a full group of commits changes.
pub const REMOVAL_RECORDS: usize = 512;

/// Problems that a check of all records names; more are only counted.
pub const CHECK_EXAMPLES: usize = 100;

/// Half-removed executions that a check of all records knows by their ids. What is left of more shows as a problem.
pub const CHECK_REMOVING: usize = 10_000;

/// Bytes of payloads after which the history events of one transition are cut into several records.
pub const HISTORY_BYTES: usize = 4 * 1024 * 1024;

/// Length of a text in the journal, in bytes, from which it is kept apart from the records: large enough that a name, a
/// cause or an ordinary payload never is, small enough that what is larger is not written twice.
pub const TEXT_APART_BYTES: usize = 64 * 1024;

/// Texts kept apart of which an execution in memory knows that they are stored; it may store others again.
pub const TEXTS_KNOWN: usize = 1_024;

/// Bytes of texts kept apart that a reader of a journal remembers.
pub const TEXTS_BYTES: usize = 16 * 1024 * 1024;

/// Version of the stored format that this build writes, and the newest that it reads. Format 3 stores a
/// journal and checkpoints that lag behind it; format 4 has the same records behind a write-ahead log; format 5 keeps long texts of a journal apart;
/// format 6 has map runs and the records of built-in services.
pub const FORMAT: u32 = 6;

/// The first format with a write-ahead log: a store of it whose log is gone may lack acknowledged commits.
pub const FORMAT_WITH_LOG: u32 = 4;

/// The oldest stored format that this build reads.
pub const OLDEST_FORMAT: u32 = 3;
