//! Whose quotas a server has: those of Step Functions, or wider ones.
//!
//! It holds sizes and counts; how often something may be asked for is `throttle`'s. It must never decide for a single
//! execution: each keeps the quotas that it was started with.

use clap::ValueEnum;
use stepwell_asl::Quotas;

use crate::resources::ResourceBounds;

/// Which quotas apply where the command line names no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    // Plain comments: documented values would stretch the help page.
    // Payloads and histories that Step Functions refuses are possible.
    Relaxed,
    // As Step Functions has it.
    Strict,
}

/// Largest payload of the relaxed profile, in bytes: all that a step can pass on at once.
const RELAXED_PAYLOAD_BYTES: usize = stepwell_asl::limits::PAYLOAD_BYTES_CAP;
/// History events of the relaxed profile: ten times as many as Step Functions has. A loop that never ends is still
/// ended some day.
const RELAXED_HISTORY_EVENTS: u64 = 250_000;

/// What an account may have in a region (API reference, section 5.1).
const STRICT_RESOURCES: ResourceBounds =
    ResourceBounds { machines: 100_000, activities: 100_000, open_executions: 1_000_000 };

impl Profile {
    /// How much an account may have in a region; none: as much as it likes, and nobody counts.
    pub(crate) fn resources(self) -> Option<ResourceBounds> {
        match self {
            Profile::Strict => Some(STRICT_RESOURCES),
            Profile::Relaxed => None,
        }
    }

    /// The quotas of new executions.
    pub(crate) fn quotas(self) -> Quotas {
        match self {
            Profile::Strict => Quotas::default(),
            Profile::Relaxed => Quotas {
                payload_bytes: RELAXED_PAYLOAD_BYTES,
                history_events: RELAXED_HISTORY_EVENTS,
                ..Quotas::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_is_what_step_functions_has_and_relaxed_is_never_less() {
        assert_eq!(Profile::Strict.quotas(), Quotas::default());
        let (relaxed, strict) = (Profile::Relaxed.quotas(), Profile::Strict.quotas());
        assert!(relaxed.payload_bytes > strict.payload_bytes);
        assert!(relaxed.history_events > strict.history_events);
        assert!(relaxed.map_concurrency >= strict.map_concurrency);
    }
}
