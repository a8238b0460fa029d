//! The field `QueryLanguage`, of the machine and of a state (specification, "Using JSONPath", "Using JSONata").
//!
//! A state without it has the language of the machine, however deeply it is nested: one that a Map or Parallel
//! state around it declares for itself does not count.

use super::fields::Fields;

/// What the expressions of a state are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum QueryLanguage {
    #[default]
    JsonPath,
    Jsonata,
}

const NAMES: [&str; 2] = ["JSONPath", "JSONata"];

/// Reads the field of the machine, and notes it for all states.
pub(super) fn machine_language(fields: &mut Fields<'_>) {
    if fields.choice("QueryLanguage", &NAMES) == Some("JSONata") {
        fields.findings().set_machine_language(QueryLanguage::Jsonata);
    }
}

/// Reads the field of a state, and notes it for everything in the state.
pub(crate) fn state_language(fields: &mut Fields<'_>) {
    let of_machine = fields.findings().machine_language();
    let language = match (fields.choice("QueryLanguage", &NAMES), of_machine) {
        (None, _) => of_machine,
        (Some("JSONata"), _) => QueryLanguage::Jsonata,
        (Some(_), QueryLanguage::JsonPath) => QueryLanguage::JsonPath,
        (Some(_), QueryLanguage::Jsonata) => {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            fields.problem_here(message);
            QueryLanguage::JsonPath
        }
    };
    fields.findings().set_language(language);
}
