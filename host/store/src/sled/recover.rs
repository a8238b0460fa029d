//! sled's recovery, on a thread of its own: it may panic or never end on damaged files.
//!
//! It must never let a store through that is of another format, behind its watermark, or not what its digest says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use sled::Db;

use super::{
    Broken, SledOptions,
    lock::Lock,
    meta::{self, State},
    panic_text,
};
use crate::{limits, location::VerifyOnOpen};

/// How often a long recovery is mentioned in the log.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// An open tree; without a state if nothing was ever acknowledged in it.
pub(super) struct Recovered {
    pub(super) db: Db,
    pub(super) state: Option<State>,
}

/// Why a tree was not let through.
pub(super) enum Refusal {
    /// It has this format, which this build no longer reads.
    Older(u32),
    /// It has this newer format.
    Newer(u32),
    /// It ends at this commit, before the watermark.
    Behind(u64),
    /// Someone else holds sled's own lock.
    Locked,
    /// There is no space for what opening writes.
    NoSpace,
    /// It cannot be read.
    Damaged(String),
}

impl From<Broken> for Refusal {
    fn from(broken: Broken) -> Self {
        Self::Damaged(broken.0)
    }
}

/// Opens and checks the tree. The lock travels with the work: if that never ends, the lock is never released.
pub(super) fn recover(
    directory: &Path,
    options: &SledOptions,
    acknowledged: u64,
    lock: Lock,
) -> Result<(Recovered, Lock), Refusal> {
    let config = sled::Config::new().path(directory).cache_capacity(options.cache_bytes).flush_every_ms(None);
    let verify = options.verify != VerifyOnOpen::Never;
    let (done, outcome) = mpsc::channel();
    let work = move || {
        let recovered = catch_unwind(AssertUnwindSafe(|| inspect(open(&config)?, acknowledged, verify)));
        let recovered = recovered.unwrap_or_else(|panic| Err(refusal(&panic_text(&*panic))));
        // Nobody listens any more if it took too long.
        let _ = done.send(recovered.map(|recovered| (recovered, lock)));
    };
    let thread = thread::Builder::new().name("store-recovery".to_owned()).spawn(work);
    thread.map_err(|error| Refusal::Damaged(format!("no thread to open it: {error}")))?;

    let started = Instant::now();
    loop {
        let left = options.open_limit.saturating_sub(started.elapsed());
        match outcome.recv_timeout(left.min(REPORT_EVERY)) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Timeout) if left > REPORT_EVERY => {
                tracing::info!(directory = %directory.display(), waited = ?started.elapsed(), "still opening the store");
            }
            Err(RecvTimeoutError::Timeout) => {
                let limit = options.open_limit;
                return Err(Refusal::Damaged(format!("opening it did not end within {limit:?}")));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Refusal::Damaged("opening it ended without a result".to_owned()));
            }
        }
    }
}

/// Opens sled. Its own lock may still be held for a moment by a handle of this process that has just been
/// closed: our lock is already ours, so only a foreign program can hold sled's for long.
fn open(config: &sled::Config) -> Result<Db, Refusal> {
    let started = Instant::now();
    loop {
        match config.open() {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if started.elapsed() > limits::HANDOVER_LIMIT {
                    return Err(Refusal::Locked);
                }
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(refusal(&error.to_string())),
        }
    }
}

/// What sled's failure to open means. Its errors and panics carry only the text of the system's answer.
pub(super) fn refusal(text: &str) -> Refusal {
    if text.contains("No space left on device") {
        return Refusal::NoSpace;
    }
    Refusal::Damaged(format!("sled says: {text}"))
}

/// Checks format, watermark and digest, in this order.
fn inspect(db: Db, acknowledged: u64, verify: bool) -> Result<Recovered, Refusal> {
    let Some(format) = meta::read_format(&db)? else {
        return match (db.is_empty(), acknowledged) {
            (true, 0) => Ok(Recovered { db, state: None }),
            (true, _) => Err(Refusal::Behind(0)),
            (false, _) => Err(Refusal::Damaged("it has records but no format".to_owned())),
        };
    };
    if format > limits::FORMAT {
        return Err(Refusal::Newer(format));
    }
    if format < limits::OLDEST_FORMAT {
        return Err(Refusal::Older(format));
    }
    migrate(format);
    let state =
        State::read(&db)?.ok_or_else(|| Refusal::Damaged("it has a format but no state".to_owned()))?;
    if state.commit < acknowledged {
        return Err(Refusal::Behind(state.commit));
    }
    if verify {
        meta::verify(&db, state)?;
    }
    Ok(Recovered { db, state: Some(state) })
}

/// The place of migrations from older formats. There is none yet: format 1 was never released.
fn migrate(_from: u32) {}
