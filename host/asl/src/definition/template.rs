//! Reads payload templates: Parameters, ResultSelector, ItemSelector, BatchInput, Assign, Credentials
//! (specification, "Payload Template").
//!
//! Every part of a template is copied once, however deeply it is nested.

use super::diagnostic::DiagnosticCode;
use super::fields::Fields;
use crate::limits;
use crate::payload_template::{Expression, PayloadTemplate};
use serde_json::{Map, Value};

impl Fields<'_> {
    /// A payload template. A state in JSONata has none.
    pub(crate) fn payload_template(&mut self, name: &'static str) -> Option<PayloadTemplate> {
        if self.is_jsonata() {
            return None;
        }
        let value = self.get(name)?;
        read(self, name, value, 0)
    }
}

/// Reads one part of the template in the field `place`. As deep as `limits::TEMPLATE_DEPTH`.
fn read(fields: &mut Fields<'_>, place: &str, value: &Value, depth: usize) -> Option<PayloadTemplate> {
    if depth > limits::TEMPLATE_DEPTH {
        fields.problem_of(DiagnosticCode::TooDeeplyNested, place, "Nested too deeply");
        return None;
    }
    match value {
        Value::Object(object) => {
            // All parts are read before a bad one counts: each reports its own problem.
            let parts: Vec<_> =
                object.keys().map(|name| read_field(fields, place, name, object, depth)).collect();
            parts.into_iter().collect::<Option<Vec<_>>>().map(join_object)
        }
        Value::Array(items) => {
            let parts: Vec<_> = items.iter().map(|item| read(fields, place, item, depth + 1)).collect();
            parts.into_iter().collect::<Option<Vec<_>>>().map(join_array)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Some(PayloadTemplate::Literal(value.clone()))
        }
    }
}

fn read_field(
    fields: &mut Fields<'_>,
    place: &str,
    name: &str,
    object: &Map<String, Value>,
    depth: usize,
) -> Option<(String, PayloadTemplate)> {
    let value = object.get(name)?;
    let Some(plain) = name.strip_suffix(".$") else {
        if value.as_str().is_some_and(looks_like_expression) {
            let message = format!(
                "The value of the field '{name}' looks like a JSONPath or an intrinsic function call, but the \
                 field's name does not end with '.$'"
            );
            fields.warning(DiagnosticCode::NoDollar, place, message);
        }
        return Some((name.to_owned(), read(fields, place, value, depth + 1)?));
    };
    if object.contains_key(plain) {
        fields.problem(place, format!("The fields '{plain}' and '{name}' give the same field two values"));
    }
    let Some(expression) = value.as_str().and_then(Expression::parse) else {
        let message = format!(
            "The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
        );
        fields.problem(place, message);
        return None;
    };
    fields.findings().refers_to_all(&expression);
    Some((plain.to_owned(), PayloadTemplate::Expression { field: name.to_owned(), expression }))
}

/// An object of these parts; a literal when all of them are.
fn join_object(parts: Vec<(String, PayloadTemplate)>) -> PayloadTemplate {
    if !parts.iter().all(|(_, part)| is_literal(part)) {
        return PayloadTemplate::Object(parts);
    }
    let literals = parts.into_iter().filter_map(|(name, part)| into_literal(part).map(|value| (name, value)));
    PayloadTemplate::Literal(Value::Object(literals.collect()))
}

/// An array of these parts, likewise.
fn join_array(parts: Vec<PayloadTemplate>) -> PayloadTemplate {
    if !parts.iter().all(is_literal) {
        return PayloadTemplate::Array(parts);
    }
    PayloadTemplate::Literal(Value::Array(parts.into_iter().filter_map(into_literal).collect()))
}

fn is_literal(part: &PayloadTemplate) -> bool {
    matches!(part, PayloadTemplate::Literal(_))
}

fn into_literal(part: PayloadTemplate) -> Option<Value> {
    match part {
        PayloadTemplate::Literal(value) => Some(value),
        PayloadTemplate::Object(_) | PayloadTemplate::Array(_) | PayloadTemplate::Expression { .. } => None,
    }
}

/// Whether a text is likely to be meant as a path or a call. `$5` and `$name` are not: money and templates of
/// other tools look like that.
pub(crate) fn looks_like_expression(text: &str) -> bool {
    let starts = ["$.", "$[", "$$.", "$$[", "States."];
    starts.iter().any(|start| text.starts_with(start)) && Expression::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Diagnostic, Findings};
    use serde_json::json;

    fn read_template(template: &Value) -> (Option<PayloadTemplate>, Vec<Diagnostic>) {
        let mut findings = Findings::default();
        let value = json!({"Parameters": template});
        let template = Fields::new(&value, "/S".to_owned(), &mut findings)
            .and_then(|mut fields| fields.payload_template("Parameters"));
        (template, findings.into_parts().0)
    }

    #[test]
    fn templates_without_expressions_are_literals() {
        for template in [json!({"a": [1, {"b": null}], "c": "$"}), json!([]), json!("text"), json!({})] {
            assert_eq!(read_template(&template), (Some(PayloadTemplate::Literal(template)), Vec::new()));
        }
        let (template, _) = read_template(&json!({"a": {"b": 1}, "c": [{"d.$": "$.d"}]}));
        let Some(PayloadTemplate::Object(parts)) = template else { panic!("{template:?}") };
        assert_eq!(parts[0], ("a".to_owned(), PayloadTemplate::Literal(json!({"b": 1}))));
    }

    #[test]
    fn every_problem_of_a_template_is_reported() {
        let (template, problems) = read_template(&json!({
            "a.$": "x", "b": {"c.$": 1}, "d": [{"e.$": "States.Nothing()"}],
            "f": 1, "f.$": "$.f", "g": "$.g", "h": "States.UUID()", "i": "$5", "j": "States of mind",
        }));
        assert_eq!(template, None);
        let bad = "must be a valid JSONPath or a valid intrinsic function call at /S/Parameters";
        let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 6, "{found:#?}");
        for (index, name) in ["a.$", "c.$", "e.$"].into_iter().enumerate() {
            assert_eq!(
                found[index],
                format!("SCHEMA_VALIDATION_FAILED: The value for the field '{name}' {bad}")
            );
        }
        assert!(found[3].contains("The fields 'f' and 'f.$'"), "{found:#?}");
        assert!(found[4].starts_with("NO_DOLLAR: The value of the field 'g'"), "{found:#?}");
        assert!(found[5].starts_with("NO_DOLLAR: The value of the field 'h'"), "{found:#?}");
    }
}
