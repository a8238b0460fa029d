//! An engine's recovery, on a thread of its own: it may panic or never end on damaged files.
//!
//! It must never let a store through that is of another format, behind its watermark, or not what its digest says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Broken, ReadError,
    engine::{Engine, View},
    lock::Lock,
    meta::{self, State, Tally},
    panic_text,
    scrub::verified,
    wal::Wal,
};
use crate::{limits, stats::Verified};

/// How often a long recovery is mentioned in the log.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// An open engine; without a state if nothing was ever acknowledged in it.
pub(crate) struct Recovered<E> {
    pub(super) engine: E,
    /// The log, at its beginning; none in a store that has none yet.
    pub(super) wal: Option<Wal>,
    /// Format and state.
    pub(super) state: Option<(u32, State)>,
    /// What the check of all records has found, if there was one.
    pub(super) verified: Option<Verified>,
}

/// Why a store was not let through.
pub(crate) enum Refusal {
    /// It has this format, which this build no longer reads.
    Older(u32),
    /// It has this newer format.
    Newer(u32),
    /// It ends at this commit, before the watermark.
    Behind(u64),
    /// Someone else holds the engine's own lock.
    Locked,
    /// There is no space for what opening writes.
    NoSpace,
    /// It cannot be read.
    Damaged(String),
}

impl From<Broken> for Refusal {
    fn from(broken: Broken) -> Self {
        Self::damaged(broken.0)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(error) => Self::Damaged(error.to_string()),
            ReadError::Broken(broken) => broken.into(),
        }
    }
}

impl Refusal {
    /// What an engine's failure means. Its errors and panics carry only the text of the system's answer.
    pub(crate) fn damaged(text: String) -> Self {
        if text.contains("No space left on device") { Self::NoSpace } else { Self::Damaged(text) }
    }
}

/// What an opening is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Checks {
    /// The last commit known to have been acknowledged.
    pub(crate) acknowledged: u64,
    /// Whether every record is read.
    pub(crate) verify: bool,
    /// How long all of it may take.
    pub(crate) limit: Duration,
}

/// Opens and checks an engine, and gives it what only the log has. The lock travels with the work: if that never ends, the lock is never released.
pub(crate) fn recover<E: Engine>(
    place: &Path,
    checks: Checks,
    (lock, wal): (Lock, Option<Wal>),
    open: impl FnOnce() -> Result<E, Refusal> + Send + 'static,
) -> Result<(Recovered<E>, Lock), Refusal> {
    let (done, outcome) = mpsc::channel();
    let work = move || {
        let recovered = catch_unwind(AssertUnwindSafe(|| inspect(open()?, wal, checks)));
        let recovered = recovered.unwrap_or_else(|panic| {
            Err(Refusal::damaged(format!("{} panicked: {}", E::NAME, panic_text(&*panic))))
        });
        // Nobody listens any more if it took too long.
        let _ = done.send(recovered.map(|recovered| (recovered, lock)));
    };
    let thread = thread::Builder::new().name("store-recovery".to_owned()).spawn(work);
    thread.map_err(|error| Refusal::Damaged(format!("no thread to open it: {error}")))?;

    let started = Instant::now();
    loop {
        let left = checks.limit.saturating_sub(started.elapsed());
        match outcome.recv_timeout(left.min(REPORT_EVERY)) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Timeout) if left > REPORT_EVERY => {
                tracing::info!(place = %place.display(), waited = ?started.elapsed(), "still opening the store");
            }
            Err(RecvTimeoutError::Timeout) => {
                let limit = checks.limit;
                return Err(Refusal::Damaged(format!("opening it did not end within {limit:?}")));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Refusal::Damaged("opening it ended without a result".to_owned()));
            }
        }
    }
}

/// Checks the format, replays the log, checks watermark and digest, in this order.
fn inspect<E: Engine>(engine: E, mut wal: Option<Wal>, checks: Checks) -> Result<Recovered<E>, Refusal> {
    let Some((format, begun)) = identify(&engine.view()?)? else {
        return match checks.acknowledged {
            // Its creation was cut short.
            0 => Ok(Recovered { engine, wal: None, state: None, verified: None }),
            _ => Err(Refusal::Behind(0)),
        };
    };
    let reached = match &mut wal {
        Some(wal) => wal.replay(&engine, begun.commit)?,
        None if format >= limits::FORMAT_WITH_LOG => {
            return Err(Refusal::Damaged("its write-ahead log is missing".to_owned()));
        }
        None => begun.commit,
    };
    let view = engine.view()?;
    let state = State::read(&view)?.filter(|state| state.commit == reached);
    let state = state.ok_or_else(|| Refusal::Damaged(format!("it has no state of commit {reached}")))?;
    if reached < checks.acknowledged {
        return Err(Refusal::Behind(reached));
    }
    let verified = if checks.verify { Some(check(&view, state)?) } else { None };
    drop(view);
    Ok(Recovered { engine, wal, state: Some((format, state)), verified })
}

/// Format and state of a store; `None` if it is empty.
fn identify<V: View>(view: &V) -> Result<Option<(u32, State)>, Refusal> {
    let Some(format) = meta::read_format(view)? else {
        let mut empty = true;
        view.scan(&[], &[u8::MAX; limits::KEY_BYTES], false, &mut |_, _| {
            empty = false;
            Ok(false)
        })?;
        if empty {
            return Ok(None);
        }
        return Err(Refusal::Damaged("it has records but no format".to_owned()));
    };
    if format > limits::FORMAT {
        return Err(Refusal::Newer(format));
    }
    if format < limits::OLDEST_FORMAT {
        return Err(Refusal::Older(format));
    }
    let state = State::read(view)?;
    let state = state.ok_or_else(|| Refusal::Damaged("it has a format but no state".to_owned()))?;
    Ok(Some((format, state)))
}

/// Reads every record.
fn check<V: View>(view: &V, state: State) -> Result<Verified, Refusal> {
    let mut tally = Tally::default();
    tally.read(view, &[], usize::MAX)?;
    match verified(tally, state) {
        (_, Some(fault)) => Err(fault.into()),
        (verified, None) => Ok(verified),
    }
}
