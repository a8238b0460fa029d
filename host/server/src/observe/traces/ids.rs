//! The ids of an execution's trace: those that its trace header names, or made of what never changes about it.

use sha2::{Digest as _, Sha256};

use super::header::Incoming;
use crate::observe::queue::Heard;

/// What the spans of one execution share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TraceIds {
    pub(super) trace: [u8; 16],
    /// The span of whoever started the execution.
    pub(super) parent: Option<[u8; 8]>,
    pub(super) is_sampled: bool,
    seed: [u8; 32],
}

impl TraceIds {
    pub(super) fn of(heard: &Heard) -> TraceIds {
        let mut hasher = Sha256::new();
        hasher.update(heard.execution_arn.as_bytes());
        hasher.update(heard.started_at.0.to_be_bytes());
        let seed: [u8; 32] = hasher.finalize().into();
        let incoming = heard.trace_header.as_deref().and_then(Incoming::parse);
        let own = || {
            // The form of X-Ray's ids: seconds, and what tells them apart.
            let seconds = u32::try_from(heard.started_at.0 / 1_000).unwrap_or_default();
            let mut trace = [0; 16];
            trace[..4].copy_from_slice(&seconds.to_be_bytes());
            trace[4..].copy_from_slice(&seed[..12]);
            trace
        };
        TraceIds {
            trace: incoming.as_ref().map_or_else(own, |incoming| incoming.trace),
            parent: incoming.as_ref().and_then(|incoming| incoming.parent),
            is_sampled: incoming.is_none_or(|incoming| incoming.is_sampled),
            seed,
        }
    }

    /// The id of the span that began with an event; 0 is the execution itself.
    pub(super) fn span(&self, event: u64) -> [u8; 8] {
        let digest = Sha256::new().chain_update(self.seed).chain_update(event.to_be_bytes()).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        // All zeros would be no id.
        if id == [0; 8] { [1; 8] } else { id }
    }
}
