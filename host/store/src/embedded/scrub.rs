//! The check of all records of an open store, piece by piece, while commits go on.
//!
//! A check keeps the key that it has come to and the sum over everything before it. A commit that changes something
//! before that key changes the sum, too, so at the end it must equal the digest of the last commit. It must never
//! hold up a commit for longer than the reading of one piece.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Broken, ReadError,
    engine::{Engine, Write},
    meta::{State, Tally},
    recent::Recent,
    shared::Shared,
};
use crate::{
    error::StoreError,
    limits,
    stats::{Scrub, Verified},
};

/// The checks under way, and the state that they are compared with.
pub(super) struct Scrubs {
    inner: Mutex<Inner>,
    /// What the check after the opening has come to. On its own: `inner` is held while a group is applied.
    first: Mutex<Scrub>,
}

struct Inner {
    /// The state of the last group applied.
    applied: State,
    runs: Vec<Run>,
    last: u64,
}

/// One check.
struct Run {
    number: u64,
    /// Everything before this key is in the tally.
    cursor: Vec<u8>,
    tally: Tally,
    /// Changes at or behind the cursor since the piece being read was looked at; none between two pieces.
    since: Option<Vec<(Vec<u8>, u64)>>,
}

impl Scrubs {
    pub(super) fn new(state: State) -> Self {
        let inner = Inner { applied: state, runs: Vec::new(), last: 0 };
        Self { inner: Mutex::new(inner), first: Mutex::default() }
    }

    /// Applies a group in such a way that every check keeps its sum.
    pub(super) fn follow(&self, writes: Vec<Write>, state: State, apply: impl FnOnce(Vec<Write>)) {
        let mut inner = self.inner();
        inner.applied = state;
        for run in &mut inner.runs {
            writes.iter().filter(|write| write.delta != 0).for_each(|write| run.follow(write));
        }
        apply(writes);
    }

    /// What the check after the opening has come to.
    pub(super) fn first(&self) -> Scrub {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_first(&self, scrub: Scrub) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = scrub;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> u64 {
        let mut inner = self.inner();
        inner.last += 1;
        let number = inner.last;
        inner.runs.push(Run { number, cursor: Vec::new(), tally: Tally::default(), since: None });
        number
    }

    fn end(&self, number: u64) {
        self.inner().runs.retain(|run| run.number != number);
    }

    /// Reads the next piece of a check; the outcome if it was the last one.
    fn piece<E: Engine>(&self, engine: &Recent<E>, number: u64, records: usize) -> Result<Piece, ReadError> {
        let (view, cursor, mut tally) = {
            let mut inner = self.inner();
            let run = inner.run(number)?;
            run.since = Some(Vec::new());
            // Under the lock: what is applied from here on is noted and not in the view.
            (engine.view()?, run.cursor.clone(), std::mem::take(&mut run.tally))
        };
        let next = tally.read(&view, &cursor, records)?;
        drop(view);

        let mut inner = self.inner();
        let applied = inner.applied;
        let run = inner.run(number)?;
        // Changes before the cursor went into the run's own, empty tally meanwhile.
        tally.digest = tally.digest.wrapping_add(run.tally.digest);
        for (key, delta) in run.since.take().unwrap_or_default() {
            if next.as_ref().is_none_or(|next| key < *next) {
                tally.digest = tally.digest.wrapping_add(delta);
            }
        }
        let Some(next) = next else { return Ok(Piece::Last(tally, applied)) };
        run.cursor = next;
        let read = tally.records;
        run.tally = tally;
        Ok(Piece::Read(read))
    }
}

/// What a piece of a check has come to.
enum Piece {
    /// So many records are read, and there are more.
    Read(u64),
    /// All of them, compared with this state.
    Last(Tally, State),
}

impl Inner {
    fn run(&mut self, number: u64) -> Result<&mut Run, ReadError> {
        let run = self.runs.iter_mut().find(|run| run.number == number);
        run.ok_or(ReadError::Refused(StoreError::Closed))
    }
}

impl Run {
    fn follow(&mut self, write: &Write) {
        if write.key < self.cursor {
            self.tally.digest = self.tally.digest.wrapping_add(write.delta);
        } else if let Some(since) = &mut self.since {
            since.push((write.key.clone(), write.delta));
        }
    }
}

/// Checks all records. `pause` is called after each piece with the records read so far and the time that the piece
/// took. Blocks.
pub(super) fn check_all<E: Engine>(
    shared: &Shared<E>,
    records: usize,
    mut pause: impl FnMut(u64, Duration),
) -> Result<(Verified, Option<Broken>), StoreError> {
    let number = shared.scrubs.begin();
    let outcome = loop {
        let started = Instant::now();
        let piece = shared.check_alive().and_then(|()| {
            shared.unbroken(|| shared.with_engine(|engine| shared.scrubs.piece(engine, number, records)))
        });
        match piece {
            Ok(Piece::Read(read)) => pause(read, started.elapsed()),
            Ok(Piece::Last(tally, state)) => break Ok(verified(tally, state)),
            Err(error) => break Err(error),
        }
    };
    shared.scrubs.end(number);
    outcome
}

/// The outcome of a check that was read to its end, and the fault that it has found.
pub(super) fn verified(tally: Tally, state: State) -> (Verified, Option<Broken>) {
    let fault = tally.fault(state);
    let complete = fault.is_none();
    let Tally { records, bytes, damaged, examples, .. } = tally;
    (Verified { commit: state.commit, records, bytes, damaged, examples, complete }, fault)
}

/// Starts the slow check in the background. A wrong digest stops the store; a damaged record is logged, and
/// reported to whoever reads it.
pub(super) fn spawn<E: Engine>(shared: Arc<Shared<E>>) -> std::io::Result<()> {
    shared.scrubs.set_first(Scrub::Running(0));
    let work = move || {
        let pause = |read, took: Duration| {
            shared.scrubs.set_first(Scrub::Running(read));
            thread::sleep(
                (took * limits::SCRUB_PAUSE).clamp(limits::SCRUB_PAUSE_MIN, limits::SCRUB_PAUSE_MAX),
            );
        };
        match check_all(&shared, limits::SCRUB_RECORDS, pause) {
            Ok((verified, fault)) => {
                let (records, damaged) = (verified.records, verified.damaged);
                shared.scrubs.set_first(Scrub::Done(verified));
                match fault {
                    None => tracing::info!(records, "every record of the store was checked"),
                    Some(fault) if damaged > 0 => {
                        tracing::error!(records, damaged, reason = fault.0, "the store has damaged records");
                    }
                    Some(fault) => {
                        shared.poison(&fault);
                    }
                }
            }
            // Closed, or stopped for another reason.
            Err(_) => shared.scrubs.set_first(Scrub::Off),
        }
    };
    thread::Builder::new().name("store-scrub".to_owned()).spawn(work).map(|_| ())
}
