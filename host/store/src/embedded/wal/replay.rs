//! What a start does with the log: it gives the engine the groups that it had not synced.
//!
//! The last frame may be torn: nobody was told of it. It must never take a damaged frame for the end of the log while
//! there is a later one.

use std::{collections::BTreeMap, fs, io};

use super::{
    Wal,
    frame::{ALIGN, FIRST, Frame},
};
use crate::embedded::{Engine, engine::Write, recover::Refusal};

impl Wal {
    /// Brings an engine that is at a commit to the last one of the log, and makes that durable. Returns it.
    pub(in crate::embedded) fn replay<E: Engine>(&mut self, engine: &E, commit: u64) -> Result<u64, Refusal> {
        let log = fs::read(&self.path).map_err(|error| refusal(&error))?;
        let (mut at, mut reached) = (usize::try_from(FIRST).unwrap_or(usize::MAX), commit);
        let mut records = BTreeMap::new();
        while let Some(frame) = self.frame(&log, at) {
            // The engine has synced it, or it is what an earlier pass through the file has left.
            if frame.after > reached {
                if frame.before != reached {
                    return Err(gap(reached, frame.before));
                }
                let writes = frame.writes().ok_or_else(|| damaged("a frame cannot be read"))?;
                records.extend(writes.into_iter().map(|write| (write.key, write.record)));
                reached = frame.after;
            }
            at += frame.bytes();
        }
        if let Some(later) = self.newest_behind(&log, at).filter(|later| *later > reached) {
            return Err(damaged(&format!(
                "what follows commit {reached} is unreadable, and commit {later} was acknowledged after it"
            )));
        }
        if reached > commit {
            let writes = records.into_iter().map(|(key, record)| Write { key, record, delta: 0 });
            engine.apply(&writes.collect::<Vec<_>>())?;
            tracing::info!(
                from = commit,
                to = reached,
                "commits of the write-ahead log were given to the engine"
            );
        }
        // Also what a process that was killed had given it.
        engine.sync()?;
        self.restart().map_err(|error| refusal(&error))?;
        Ok(reached)
    }

    fn frame<'a>(&self, log: &'a [u8], at: usize) -> Option<Frame<'a>> {
        Frame::decode(log.get(at..)?, self.salt)
    }

    /// The newest commit of the frames behind a place at which there is none.
    fn newest_behind(&self, log: &[u8], from: usize) -> Option<u64> {
        (from..log.len()).step_by(ALIGN).filter_map(|at| Some(self.frame(log, at)?.after)).max()
    }
}

fn gap(reached: u64, before: u64) -> Refusal {
    damaged(&format!("it goes on from commit {before}, but the engine's files end at commit {reached}"))
}

fn damaged(detail: &str) -> Refusal {
    Refusal::Damaged(format!("its write-ahead log: {detail}"))
}

fn refusal(error: &io::Error) -> Refusal {
    Refusal::damaged(format!("its write-ahead log: {error}"))
}
