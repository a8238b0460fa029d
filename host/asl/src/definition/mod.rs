//! Definitions: the text of a state machine, parsed and validated once into types that cannot be wrong.
//!
//! All problems are reported together, each with the place it was found at. Nothing here runs a state.

mod diagnostic;
mod fields;
mod findings;
mod state_graph;
mod state_machine;
mod transitions;

pub use diagnostic::{Diagnostic, DiagnosticCode, Severity};
pub(crate) use fields::Fields;
pub(crate) use findings::Findings;
pub(crate) use state_graph::StateGraph;
pub use state_machine::StateMachine;
pub(crate) use state_machine::query_language;
