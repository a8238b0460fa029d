//! What reading a definition finds beside the states themselves: problems, names that must be unique, and which
//! states read which variables (API: variableReferences).
//!
//! It must never keep more problems than `limits` allows, however many a hostile definition has: it only counts on.

use super::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use super::query_language::QueryLanguage;
use crate::limits;
use crate::payload_template::Expression;
use crate::query_path::QueryPath;
use std::collections::{BTreeMap, BTreeSet};

/// What a definition is read for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Purpose {
    /// To become a Standard state machine.
    #[default]
    Standard,
    /// To become an Express state machine.
    Express,
    /// To try one of its states: what cannot be run is no problem.
    Test,
    /// The same where that state is all there is: where it leads to is not there.
    LoneTest,
}

/// Everything found so far. Readers of nested objects share one.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    purpose: Purpose,
    /// The query language of the whole machine.
    machine_language: QueryLanguage,
    /// What parsing the expressions so far has cost, by estimate.
    expression_work: u64,
    /// Some state is in JSONata.
    has_jsonata: bool,
    /// The state being read.
    state: StateReading,
    /// The names of all states so far.
    names: BTreeSet<String>,
    /// The labels of all Map states so far.
    labels: BTreeSet<String>,
    /// Variables by the state that refers to them.
    by_state: BTreeMap<String, BTreeSet<String>>,
}

/// A state that is being read; the one around it waits.
#[derive(Debug, Default)]
pub(crate) struct StateReading {
    /// Where it stands in the definition.
    pointer: String,
    language: QueryLanguage,
    /// Variables that it refers to.
    references: BTreeSet<String>,
}

impl Findings {
    pub(super) fn new(express: bool) -> Findings {
        let purpose = if express { Purpose::Express } else { Purpose::Standard };
        Findings { purpose, ..Findings::default() }
    }

    /// For a definition one state of which is to be tried; `lone_state` where it is the only one.
    pub(super) fn for_test(lone_state: bool) -> Findings {
        let purpose = if lone_state { Purpose::LoneTest } else { Purpose::Test };
        Findings { purpose, ..Findings::default() }
    }

    /// Whether a state of the definition is only to be tried.
    pub(crate) fn is_test(&self) -> bool {
        matches!(self.purpose, Purpose::Test | Purpose::LoneTest)
    }

    /// Whether the only state of the machine's own level is to be tried.
    pub(super) fn is_lone_state(&self) -> bool {
        self.purpose == Purpose::LoneTest
    }

    /// Reports an error. The place is only worked out where the problem is kept.
    pub(crate) fn error(
        &mut self,
        code: DiagnosticCode,
        message: impl Into<String>,
        location: impl FnOnce() -> String,
    ) {
        if self.has_room(Severity::Error) {
            self.push(Diagnostic::error(code, message, location()));
        }
    }

    /// Reports a warning, likewise.
    pub(crate) fn warning(
        &mut self,
        code: DiagnosticCode,
        message: impl Into<String>,
        location: impl FnOnce() -> String,
    ) {
        if self.has_room(Severity::Warning) {
            let error = Diagnostic::error(code, message, location());
            self.push(Diagnostic { severity: Severity::Warning, ..error });
        }
    }

    /// Counts a problem, and says whether it is to be kept.
    fn has_room(&mut self, severity: Severity) -> bool {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        *count <= limits::DIAGNOSTICS
    }

    fn push(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Reports an error of the definition as a whole.
    pub(super) fn error_of_all(&mut self, problem: Diagnostic) {
        if self.has_room(Severity::Error) {
            self.push(problem);
        }
    }

    /// How many problems of severity error there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    pub(super) fn is_express(&self) -> bool {
        self.purpose == Purpose::Express
    }

    pub(super) fn machine_language(&self) -> QueryLanguage {
        self.machine_language
    }

    pub(super) fn set_machine_language(&mut self, language: QueryLanguage) {
        self.machine_language = language;
        self.set_language(language);
    }

    /// The language of the state being read.
    pub(super) fn language(&self) -> QueryLanguage {
        self.state.language
    }

    pub(super) fn set_language(&mut self, language: QueryLanguage) {
        self.has_jsonata |= language == QueryLanguage::Jsonata;
        self.state.language = language;
    }

    /// Where the state being read stands.
    pub(super) fn state_pointer(&self) -> &str {
        &self.state.pointer
    }

    pub(super) fn has_jsonata(&self) -> bool {
        self.has_jsonata
    }

    /// Notes the name of a state; false when another state has it.
    pub(super) fn name_is_new(&mut self, name: &str) -> bool {
        self.names.insert(name.to_owned())
    }

    /// Notes the label of a Map state; false when another one has it.
    pub(crate) fn label_is_new(&mut self, label: &str) -> bool {
        self.labels.insert(label.to_owned())
    }

    /// Notes the variable that `path` reads, if it reads one.
    pub(crate) fn refers_to(&mut self, path: &QueryPath) {
        self.refers_to_variables(path.variable());
    }

    /// Notes variables that are read.
    pub(crate) fn refers_to_variables<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        self.state.references.extend(names.into_iter().map(str::to_owned));
    }

    /// Notes every variable that `expression` reads.
    pub(crate) fn refers_to_all(&mut self, expression: &Expression) {
        for path in expression.paths() {
            self.refers_to(path);
        }
    }

    /// Adds to the work of parsing expressions, and gives what it was before.
    pub(crate) fn count_work(&mut self, work: u64) -> u64 {
        let before = self.expression_work;
        self.expression_work = before.saturating_add(work);
        before
    }

    /// Begins reading the state at `pointer`: gives back the one around it.
    pub(crate) fn enter_state(&mut self, pointer: &str) -> StateReading {
        let language = self.machine_language;
        let state = StateReading { pointer: pointer.to_owned(), language, references: BTreeSet::new() };
        std::mem::replace(&mut self.state, state)
    }

    /// Ends reading the state `name`; `outer` is what [`Findings::enter_state`] gave.
    pub(crate) fn leave_state(&mut self, name: &str, outer: StateReading) {
        let StateReading { references, .. } = std::mem::replace(&mut self.state, outer);
        if !references.is_empty() {
            self.by_state.insert(name.to_owned(), references);
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Diagnostic>, BTreeMap<String, BTreeSet<String>>) {
        (self.problems, self.by_state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_bounded_and_warnings_hide_no_error() {
        let mut findings = Findings::default();
        for _ in 0..2 * limits::DIAGNOSTICS {
            findings.warning(DiagnosticCode::NoPath, "", String::new);
        }
        findings.error(DiagnosticCode::SchemaValidationFailed, "last", String::new);
        assert_eq!(findings.errors(), 1);
        let (problems, _) = findings.into_parts();
        assert_eq!(problems.len(), limits::DIAGNOSTICS + 1);
        assert_eq!(problems.last().map(|problem| problem.message.as_str()), Some("last"));
    }
}
