//! Assign: new values of variables, set when a state is left (specification, "Variables").
//!
//! All of an Assign reads the values from before it. It must never set a variable of an outer scope.

use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::jsonata::{Scope, States};
use crate::limits;
use crate::payload::Payload;
use crate::query_path::variable_name;
use crate::states_error::StatesError;
use serde_json::{Map, Value};

/// A parsed `Assign`; empty where there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assign(Option<Payload>);

/// New values by variable name.
pub(crate) type Assigned = Map<String, Value>;

impl Assign {
    /// Reads the field `Assign`.
    pub(crate) fn parse(fields: &mut Fields<'_>, scope: Scope) -> Assign {
        let Some(value) = fields.get("Assign") else { return Assign(None) };
        let Some(object) = value.as_object() else {
            fields.problem("Assign", "Expected value of type Object");
            return Assign(None);
        };
        for name in object.keys() {
            let name = if fields.is_jsonata() { name } else { name.strip_suffix(".$").unwrap_or(name) };
            if !is_variable_name(name) {
                fields.problem("Assign", format!("The variable name '{name}' is not valid"));
            }
        }
        Assign(Payload::parse(fields, "Assign", scope))
    }

    /// The new values; `dollar` is what `$` means in paths, `states` what expressions read.
    pub(crate) fn evaluate(
        &self,
        dollar: &Value,
        states: &States<'_>,
        context: &ContextObject<'_>,
    ) -> Result<Assigned, StatesError> {
        let Some(payload) = &self.0 else { return Ok(Assigned::new()) };
        match payload.evaluate(dollar, states, context)? {
            Value::Object(assigned) => Ok(assigned),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Ok(Assigned::new())
            }
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && variable_name(name) == name
        && name != "states"
        && name.chars().count() <= limits::VARIABLE_NAME_CHARACTERS
}
