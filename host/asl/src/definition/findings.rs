//! What reading a definition finds beside the states themselves: problems, and which states read which variables.

use super::diagnostic::{Diagnostic, Severity};
use crate::payload_template::Expression;
use crate::query_path::QueryPath;
use std::collections::{BTreeMap, BTreeSet};

/// Everything found so far. Readers of nested objects share one.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Diagnostic>,
    errors: usize,
    /// Variables that the state being read refers to.
    references: BTreeSet<String>,
    /// Variables by the state that refers to them (API: variableReferences).
    by_state: BTreeMap<String, BTreeSet<String>>,
}

impl Findings {
    pub(crate) fn push(&mut self, problem: Diagnostic) {
        if problem.severity == Severity::Error {
            self.errors += 1;
        }
        self.problems.push(problem);
    }

    /// How many problems of severity error there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Notes the variable that `path` reads, if it reads one.
    pub(crate) fn refers_to(&mut self, path: &QueryPath) {
        self.references.extend(path.variable().map(str::to_owned));
    }

    /// Notes every variable that `expression` reads.
    pub(crate) fn refers_to_all(&mut self, expression: &Expression) {
        for path in expression.paths() {
            self.refers_to(path);
        }
    }

    /// Begins reading a state: gives back what the state around it has referred to so far.
    pub(crate) fn enter_state(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.references)
    }

    /// Ends reading the state `name`; `outer` is what [`Findings::enter_state`] gave.
    pub(crate) fn leave_state(&mut self, name: &str, outer: BTreeSet<String>) {
        let references = std::mem::replace(&mut self.references, outer);
        if !references.is_empty() {
            self.by_state.insert(name.to_owned(), references);
        }
    }

    pub(crate) fn into_parts(self) -> (Vec<Diagnostic>, BTreeMap<String, BTreeSet<String>>) {
        (self.problems, self.by_state)
    }
}
