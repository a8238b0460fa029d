//! Replays third-party recordings of Step Functions executions, and says which areas agree.
//!
//! The cases lie outside the project (`STEPWELL_CONFORMANCE`, or a folder beside the checkout); without them the
//! runners say so and test nothing. It must never know a case by name except in the list of deviations.

#![allow(clippy::missing_panics_doc, reason = "a runner panics when a recording cannot be read")]

pub mod case;
pub mod compare;
pub mod deviations;
pub mod report;
pub mod stub;
