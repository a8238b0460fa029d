//! Reads the fields of one JSON object of a definition, collecting every problem with its place.
//!
//! A reader that finds a problem answers `None` and goes on: the caller sees all problems in one pass.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::findings::Findings;
use crate::limits;
use crate::payload_template::{Expression, PayloadTemplate};
use crate::query_path::QueryPath;
use crate::reference_path::ReferencePath;
use crate::timestamp::Timestamp;
use serde_json::{Map, Value};

/// The fields of one object. [`Fields::finish`] reports those that nobody asked for.
pub(crate) struct Fields<'d> {
    object: &'d Map<String, Value>,
    pointer: String,
    known: Vec<&'static str>,
    findings: &'d mut Findings,
}

impl<'d> Fields<'d> {
    /// Starts reading `value`, which must be an object. `Comment` is known everywhere.
    pub(crate) fn new(value: &'d Value, pointer: String, findings: &'d mut Findings) -> Option<Fields<'d>> {
        if let Some(object) = value.as_object() {
            return Some(Fields { object, pointer, known: vec!["Comment"], findings });
        }
        let code = DiagnosticCode::SchemaValidationFailed;
        findings.push(Diagnostic::error(code, "Expected value of type Object", pointer));
        None
    }

    /// The raw value of a field, marked as known.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'d Value> {
        self.known.push(name);
        self.object.get(name)
    }

    /// Whether a field is there; does not mark it as known.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Place of a field.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer.trim_end_matches('/'), pointer_step(name))
    }

    /// Place of the object itself.
    pub(crate) fn here(&self) -> String {
        self.pointer.clone()
    }

    /// What was found so far, to hand on to a nested reader.
    pub(crate) fn findings(&mut self) -> &mut Findings {
        self.findings
    }

    /// Reports a problem of one field.
    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        let location = self.at(name);
        self.findings.push(Diagnostic::error(DiagnosticCode::SchemaValidationFailed, message, location));
    }

    /// Reports a field that ASL has and this release cannot run.
    pub(crate) fn not_supported(&mut self, name: &str, what: &str) {
        let location = self.at(name);
        let message = format!("{what} is not supported by this release of Stepwell");
        self.findings.push(Diagnostic::error(DiagnosticCode::NotSupported, message, location));
    }

    /// Reports all of `names` that are missing, in one problem as AWS does.
    pub(crate) fn require(&mut self, names: &[&str]) -> bool {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !self.has(name)).collect();
        if missing.is_empty() {
            return true;
        }
        let message = format!("These fields are required: [{}]", missing.join(", "));
        let location = self.here();
        self.findings.push(Diagnostic::error(DiagnosticCode::SchemaValidationFailed, message, location));
        false
    }

    pub(crate) fn string(&mut self, name: &'static str) -> Option<&'d str> {
        let value = self.get(name)?;
        if value.is_string() {
            return value.as_str();
        }
        self.problem(name, "Expected value of type String");
        None
    }

    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let value = self.get(name)?;
        if value.is_boolean() {
            return value.as_bool();
        }
        self.problem(name, "Expected value of type Boolean");
        None
    }

    /// An integer within `minimum..=maximum`.
    pub(crate) fn integer(&mut self, name: &'static str, minimum: u64, maximum: u64) -> Option<u64> {
        let value = self.get(name)?;
        match value.as_u64() {
            Some(number) if number >= minimum && number <= maximum => Some(number),
            _ => {
                self.problem(
                    name,
                    format!("Expected an integer from {minimum} to {maximum}, but was {value}"),
                );
                None
            }
        }
    }

    /// A number of at least `minimum`.
    pub(crate) fn number(&mut self, name: &'static str, minimum: f64) -> Option<f64> {
        let value = self.get(name)?;
        match value.as_f64() {
            Some(number) if number >= minimum => Some(number),
            _ => {
                self.problem(name, format!("Expected a number of at least {minimum}, but was {value}"));
                None
            }
        }
    }

    /// An array that is not empty.
    pub(crate) fn items(&mut self, name: &'static str) -> Option<&'d [Value]> {
        let value = self.get(name)?;
        match value.as_array() {
            Some(items) if items.is_empty() => self.problem(name, "Value cannot be empty"),
            Some(items) => return Some(items),
            None => self.problem(name, "Expected value of type Array"),
        }
        None
    }

    pub(crate) fn timestamp(&mut self, name: &'static str) -> Option<Timestamp> {
        let timestamp = Timestamp::parse(self.string(name)?);
        if timestamp.is_none() {
            self.problem(name, "String does not match RFC3339 timestamp");
        }
        timestamp
    }

    /// A JSONPath, into the input or the context object.
    pub(crate) fn path(&mut self, name: &'static str) -> Option<QueryPath> {
        let text = self.string(name)?;
        self.parse_path(name, text)
    }

    /// A field that may hold a path or null: absent gives `$`, null gives `None` inside.
    pub(crate) fn path_or_null(&mut self, name: &'static str) -> Option<QueryPath> {
        match self.get(name) {
            Some(Value::Null) => None,
            Some(_) => self.path(name),
            None => self.parse_path(name, "$"),
        }
    }

    /// ResultPath: absent gives `$`, null gives `None`.
    pub(crate) fn reference_path_or_null(&mut self, name: &'static str) -> Option<ReferencePath> {
        let text = match self.get(name) {
            Some(Value::Null) => return None,
            Some(_) => self.string(name)?,
            None => "$",
        };
        let path = ReferencePath::parse(text);
        if path.is_none() {
            self.problem(name, "Value is not a Reference Path");
        }
        path
    }

    fn parse_path(&mut self, name: &str, text: &str) -> Option<QueryPath> {
        let Ok(path) = QueryPath::parse(text) else {
            self.problem(name, "Value is not a valid JSONPath");
            return None;
        };
        self.findings.refers_to(&path);
        Some(path)
    }

    /// A payload template.
    pub(crate) fn payload_template(&mut self, name: &'static str) -> Option<PayloadTemplate> {
        let value = self.get(name)?;
        self.template(name, value, 0)
    }

    fn template(&mut self, place: &str, value: &'d Value, depth: usize) -> Option<PayloadTemplate> {
        if depth > limits::TEMPLATE_DEPTH {
            self.problem(place, "Nested too deeply");
            return None;
        }
        match value {
            Value::Object(fields) => {
                let mut parsed = Vec::with_capacity(fields.len());
                for (name, value) in fields {
                    parsed.push(self.template_field(place, name, value, depth)?);
                }
                if parsed.iter().all(|(_, template)| matches!(template, PayloadTemplate::Literal(_))) {
                    return Some(PayloadTemplate::Literal(value.clone()));
                }
                Some(PayloadTemplate::Object(parsed))
            }
            Value::Array(items) => {
                let parsed: Option<Vec<_>> =
                    items.iter().map(|item| self.template(place, item, depth + 1)).collect();
                let parsed = parsed?;
                if parsed.iter().all(|template| matches!(template, PayloadTemplate::Literal(_))) {
                    return Some(PayloadTemplate::Literal(value.clone()));
                }
                Some(PayloadTemplate::Array(parsed))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(PayloadTemplate::Literal(value.clone()))
            }
        }
    }

    fn template_field(
        &mut self,
        place: &str,
        name: &str,
        value: &'d Value,
        depth: usize,
    ) -> Option<(String, PayloadTemplate)> {
        let Some(plain) = name.strip_suffix(".$") else {
            self.warn_no_dollar(place, name, value);
            return Some((name.to_owned(), self.template(place, value, depth + 1)?));
        };
        let expression = value.as_str().and_then(Expression::parse);
        let Some(expression) = expression else {
            let message = format!(
                "The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
            );
            self.problem(place, message);
            return None;
        };
        self.findings.refers_to_all(&expression);
        Some((plain.to_owned(), PayloadTemplate::Expression { field: name.to_owned(), expression }))
    }

    fn warn_no_dollar(&mut self, place: &str, name: &str, value: &Value) {
        if value.as_str().is_some_and(|text| text.starts_with("$.") || text.starts_with("$$.")) {
            let message = format!(
                "The value of the field '{name}' looks like a path, but the field's name has no '.$'"
            );
            let location = self.at(place);
            self.findings.push(Diagnostic::warning(DiagnosticCode::NoDollar, message, location));
        }
    }

    /// Reports every field that was not read.
    pub(crate) fn finish(self) {
        for name in self.object.keys() {
            if !self.known.contains(&name.as_str()) {
                let location = self.at(name);
                let code = DiagnosticCode::SchemaValidationFailed;
                self.findings.push(Diagnostic::error(code, "Field is not supported", location));
            }
        }
    }
}

/// A name as one step of a JSON pointer (RFC 6901).
pub(super) fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
