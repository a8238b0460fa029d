//! A field that both query languages have: Parameters and Arguments, ItemSelector, Assign, Credentials.

use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::jsonata::{Scope, States, Template};
use crate::payload_template::PayloadTemplate;
use crate::states_error::StatesError;
use serde_json::Value;

/// Its value, in the language of the state.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    JsonPath(PayloadTemplate),
    Jsonata(Template),
}

impl Payload {
    /// Reads a field that has one name in both languages.
    pub(crate) fn parse(fields: &mut Fields<'_>, name: &'static str, scope: Scope) -> Option<Payload> {
        if fields.is_jsonata() {
            return fields.template(name, scope).map(Payload::Jsonata);
        }
        fields.payload_template(name).map(Payload::JsonPath)
    }

    /// Reads what is called Parameters in JSONPath and Arguments in JSONata.
    pub(crate) fn parse_arguments(fields: &mut Fields<'_>) -> Option<Payload> {
        if fields.is_jsonata() {
            return Payload::parse(fields, "Arguments", Scope::Input);
        }
        Payload::parse(fields, "Parameters", Scope::Input)
    }

    /// The value. Paths start at `dollar`, expressions at `states`.
    pub(crate) fn evaluate(
        &self,
        dollar: &Value,
        states: &States<'_>,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        match self {
            Payload::JsonPath(template) => template.evaluate(dollar, context),
            Payload::Jsonata(template) => template.evaluate(states, context),
        }
    }
}
