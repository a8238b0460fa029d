//! Assign: new values of variables, set when a state is left (specification, "Variables").
//!
//! All of an Assign reads the values from before it. It must never set a variable of an outer scope.

use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::limits;
use crate::payload_template::PayloadTemplate;
use crate::query_path::variable_name;
use crate::states_error::StatesError;
use serde_json::{Map, Value};

/// A parsed `Assign`; empty where there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assign(Option<PayloadTemplate>);

/// New values by variable name.
pub(crate) type Assigned = Map<String, Value>;

impl Assign {
    /// Reads the field `Assign`.
    pub(crate) fn parse(fields: &mut Fields<'_>) -> Assign {
        let Some(value) = fields.get("Assign") else { return Assign(None) };
        let Some(object) = value.as_object() else {
            fields.problem("Assign", "Expected value of type Object");
            return Assign(None);
        };
        for name in object.keys().map(|key| key.strip_suffix(".$").unwrap_or(key)) {
            if !is_variable_name(name) {
                fields.problem("Assign", format!("The variable name '{name}' is not valid"));
            }
        }
        Assign(fields.payload_template("Assign"))
    }

    /// The new values; `input` is what `$` means in it.
    pub(crate) fn evaluate(
        &self,
        input: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Assigned, StatesError> {
        let Some(template) = &self.0 else { return Ok(Assigned::new()) };
        match template.evaluate(input, context)? {
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
