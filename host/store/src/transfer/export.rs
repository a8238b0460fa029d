//! The export of a store: frame after frame, each made when it is asked for.
//!
//! Memory is bounded by one page and one frame, whatever the size of the store. Whoever takes the frames decides where
//! they go: this file must never write to a file or a socket.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use super::{
    Head, Recorder, Totals, TransferError, check_whole,
    format::{self, Entry, FrameKind, FrameWriter},
    live::Recording,
};
use crate::{
    backend::{Backend, KeyRange},
    batch::Space,
    limits,
};

/// An export under way.
///
/// Of a store that nothing else writes it is the state of that store. A store that is written meanwhile must be
/// exported with [`Export::live`].
pub struct Export {
    backend: Arc<dyn Backend>,
    frames: FrameWriter,
    stage: Stage,
    totals: Totals,
    recording: Option<Recording>,
}

/// What comes next.
enum Stage {
    Head,
    /// The rest of a space; without a range, the space has not been looked at.
    Space(Space, Option<KeyRange>),
    /// The last changes of a live export.
    Changes,
    End,
    Done,
}

impl Export {
    /// Begins the export of a store that nobody writes.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self::begin(backend, None)
    }

    /// Begins the export of a store that goes on being written. The result is the state after one of the commits
    /// made during the export: see [`Recorder`]. Errors: `Busy`; `Store` if commits do not come to an end.
    pub async fn live(recorder: &Recorder) -> Result<Self, TransferError> {
        let recording = recorder.record().await?;
        Ok(Self::begin(recorder.inner(), Some(recording)))
    }

    fn begin(backend: Arc<dyn Backend>, recording: Option<Recording>) -> Self {
        let (frames, totals) = (FrameWriter::new(), Totals::default());
        Self { backend, frames, stage: Stage::Head, totals, recording }
    }

    /// How much was exported so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The next bytes of the file; `None` after the end mark. After an error what was taken so far is no export.
    pub async fn next(&mut self) -> Result<Option<Bytes>, TransferError> {
        loop {
            if let Some(entries) = self.changes()? {
                return Ok(Some(self.records(&entries)));
            }
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Head => {
                    check_whole(&*self.backend).await?;
                    self.stage = Stage::Space(Space::from_byte(0), None);
                    return Ok(Some(self.head()));
                }
                Stage::Space(space, range) => {
                    if let Some(frame) = self.space(space, range).await? {
                        return Ok(Some(frame));
                    }
                }
                Stage::Changes => {
                    self.stage = Stage::End;
                    if let Some(recording) = &mut self.recording {
                        recording.settle().await?;
                    }
                }
                Stage::End => {
                    self.recording = None;
                    let end = serde_json::to_vec(&self.totals).unwrap_or_default();
                    return Ok(Some(self.frame(FrameKind::End, &end)));
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    /// Changes that were made since they were last asked for.
    fn changes(&mut self) -> Result<Option<Vec<Entry>>, TransferError> {
        // The head comes first, and after the end mark nothing may follow.
        match (&self.stage, &mut self.recording) {
            (Stage::Head | Stage::Done, _) | (_, None) => Ok(None),
            (Stage::Space(..) | Stage::Changes | Stage::End, Some(recording)) => recording.take(),
        }
    }

    fn head(&mut self) -> Bytes {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let head = Head {
            records: limits::FORMAT,
            source: self.backend.describe(),
            at_seconds: since.as_secs(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut bytes = format::header();
        self.totals.file_bytes += bytes.len() as u64;
        let head = serde_json::to_vec(&head).unwrap_or_default();
        bytes.extend_from_slice(&self.frame(FrameKind::Head, &head));
        bytes.into()
    }

    /// Reads one page of a space and goes on to the next space after its last one.
    async fn space(&mut self, space: Space, range: Option<KeyRange>) -> Result<Option<Bytes>, TransferError> {
        let range = match range {
            Some(range) => Some(range),
            None => self.whole(space).await?,
        };
        let Some(range) = range else {
            self.stage = after(space);
            return Ok(None);
        };
        let page = self.backend.scan(space, range, false, limits::PAGE_ITEMS).await?;
        self.stage = page.next.map_or_else(|| after(space), |rest| Stage::Space(space, Some(rest)));
        let entries: Vec<_> =
            page.items.into_iter().map(|(key, value)| Entry::Value(space, key, value)).collect();
        Ok((!entries.is_empty()).then(|| self.records(&entries)))
    }

    /// The range of a space up to the last key that it has now. Keys that a live store adds behind it are among the
    /// changes; without this end the export of a busy store could run after them for ever.
    async fn whole(&self, space: Space) -> Result<Option<KeyRange>, TransferError> {
        let last = self.backend.scan(space, KeyRange::all(), true, 1).await?;
        let last = last.items.into_iter().next();
        Ok(last.map(|(key, _)| KeyRange::all().before(KeyRange::all().after(&key).start)))
    }

    fn records(&mut self, entries: &[Entry]) -> Bytes {
        let mut content = Vec::new();
        for entry in entries {
            format::write_entry(&mut content, entry);
            self.totals.count(entry);
        }
        self.frame(FrameKind::Records, &content)
    }

    fn frame(&mut self, kind: FrameKind, content: &[u8]) -> Bytes {
        let frame = self.frames.frame(kind, content);
        self.totals.file_bytes += frame.len() as u64;
        frame.into()
    }
}

impl Totals {
    /// Counts an entry of a file.
    pub(super) fn count(&mut self, entry: &Entry) {
        self.records += 1;
        let (Entry::Value(_, key, _) | Entry::Gone(_, key)) = entry;
        self.record_bytes += key.len() as u64;
        if let Entry::Value(_, _, value) = entry {
            self.record_bytes += value.len() as u64;
        }
    }
}

/// What follows a space.
fn after(space: Space) -> Stage {
    let next = Space::readable().find(|next| *next > space);
    next.map_or(Stage::Changes, |next| Stage::Space(next, None))
}
