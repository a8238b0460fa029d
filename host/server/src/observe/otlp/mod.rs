//! OpenTelemetry's protocol over HTTP with JSON (OTLP 1.x): finished spans and log records, in batches.
//!
//! JSON and not protobuf: the encoding is the standard's own, every collector takes it on the same port, and it needs no
//! crate beyond those that are here. Nothing may wait for a collector: what it does not take in time is dropped and counted.

mod encode;
mod exporter;
mod settings;

use serde_json::Value;
use stepwell_asl::Timestamp;

pub(crate) use self::exporter::Exporter;
pub(crate) use self::settings::{OtlpSettings, from_environment};

/// A span that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) begun_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) events: Vec<SpanEvent>,
    /// What went wrong; none of what went well.
    pub(super) failure: Option<String>,
}

/// What happened during a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpanEvent {
    pub(super) at: Timestamp,
    pub(super) name: &'static str,
    pub(super) attributes: Vec<(&'static str, String)>,
}

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Internal,
    Server,
    Client,
}

/// A trace and a span in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) trace: [u8; 16],
    pub(super) span: [u8; 8],
}

/// A record of an execution's log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogRecord {
    pub(super) at: Timestamp,
    pub(super) event_type: String,
    pub(super) group: String,
    pub(super) record: Value,
    pub(super) ids: Ids,
}
