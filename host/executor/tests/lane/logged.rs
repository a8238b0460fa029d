//! What the executor logs, for tests of it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// The events of one level, each with its fields.
#[derive(Clone)]
pub(crate) struct Logged {
    level: Level,
    events: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Logged {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == self.level
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.events.lock().unwrap().push(text.0);
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        use std::fmt::Write as _;
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Logged {
    pub(crate) fn at(level: Level) -> Logged {
        Logged { level, events: Arc::default() }
    }

    /// What was logged since the last time.
    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}
