//! Definitions: the text of a state machine, parsed and validated once into types that cannot be wrong.
//!
//! All problems are reported together, each with the place it was found at. Nothing here runs a state.

mod diagnostic;
mod document;
mod fields;
mod findings;
mod invalid_json;
mod query_language;
mod state_graph;
mod state_machine;
mod task_resource;
mod template;
#[cfg(test)]
mod tests;
mod transitions;

pub use diagnostic::{Diagnostic, DiagnosticCode, Severity};
pub(crate) use fields::Fields;
pub(crate) use findings::Findings;
pub(crate) use query_language::state_language;
pub(crate) use state_graph::StateGraph;
pub use state_machine::StateMachine;
pub(crate) use template::looks_like_expression;
