//! Traces of executions: a span for each execution, each state, each iteration of a Map and each call of a task (API:
//! TracingConfiguration).
//!
//! Ids follow from the execution and from the ids of its events, so that spans find their parents whichever life of the
//! server exports them. No input and no output may become part of a span.

mod book;
pub(crate) mod header;
mod ids;

use std::collections::BTreeMap;

use stepwell_store::{ExecutionId, Store};

use self::book::Book;
use self::ids::TraceIds;
use super::otlp::{Ids, Span};
use super::queue::Heard;
use crate::limits;

/// The trace and the span of an execution, for its log records.
pub(super) fn execution_ids(heard: &Heard) -> Ids {
    let ids = TraceIds::of(heard);
    Ids { trace: ids.trace, span: ids.span(0) }
}

/// Makes spans of events.
pub(super) struct Tracer {
    store: Store,
    /// Executions under way, by ARN, with when they were last heard of.
    books: BTreeMap<String, (u64, Book)>,
    heard: u64,
}

impl Tracer {
    pub(super) fn new(store: Store) -> Tracer {
        Tracer { store, books: BTreeMap::new(), heard: 0 }
    }

    /// The spans that have ended with these events.
    pub(super) async fn spans(&mut self, heard: &Heard) -> Vec<Span> {
        let Some(first) = heard.events.first().map(|event| event.id) else { return Vec::new() };
        let known = self.books.remove(&heard.execution_arn).map(|(_, book)| book);
        let mut book = match known.filter(|book| book.expects(first)) {
            Some(book) => book,
            None => self.begin(heard, first).await,
        };
        let mut spans = Vec::new();
        for event in &heard.events {
            book.apply(event, &mut spans);
        }
        if !book.has_ended() {
            self.heard += 1;
            self.books.insert(heard.execution_arn.clone(), (self.heard, book));
            self.make_room();
        }
        if TraceIds::of(heard).is_sampled { spans } else { Vec::new() }
    }

    /// What is open of an execution before its event `first`: read from its history when it is not the beginning.
    async fn begin(&self, heard: &Heard, first: u64) -> Book {
        let mut book = Book::new(heard);
        let Some(id) = heard.execution.filter(|_| first > 1) else { return book };
        if let Err(failure) = self.read(&mut book, id, first).await {
            tracing::debug!(%failure, execution = heard.execution_arn, "spans of an execution begin in its middle");
        }
        book
    }

    async fn read(
        &self,
        book: &mut Book,
        id: ExecutionId,
        first: u64,
    ) -> Result<(), stepwell_store::StoreError> {
        let mut next = Some(0);
        while let Some(from) = next {
            let page = self.store.history(id, from, limits::HISTORY_READ_EVENTS, false).await?;
            for event in page.events.iter().filter(|event| event.id < first) {
                // These spans were exported when they ended.
                book.apply(event, &mut Vec::new());
            }
            next = page.next_event_id.filter(|next| *next < first);
        }
        Ok(())
    }

    /// Forgets those that have not been heard of for longest: they are read back when they are.
    fn make_room(&mut self) {
        if self.books.len() <= limits::TRACED_EXECUTIONS {
            return;
        }
        let mut times: Vec<u64> = self.books.values().map(|(at, _)| *at).collect();
        times.sort_unstable();
        let oldest_kept = times[times.len() / 2];
        self.books.retain(|_, (at, _)| *at >= oldest_kept);
    }
}
