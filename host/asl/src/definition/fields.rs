//! Reads the fields of one JSON object of a definition, collecting every problem with its place.
//!
//! A reader that finds a problem answers `None` and goes on: the caller sees all problems in one pass.

use super::diagnostic::DiagnosticCode;
use super::findings::Findings;
use super::query_language::QueryLanguage;
use super::template::looks_like_expression;
use crate::payload_template::Expression;
use crate::query_path::QueryPath;
use crate::reference_path::ReferencePath;
use crate::timestamp::Timestamp;
use serde_json::{Map, Value};

/// Fields that only states in JSONata have.
const JSONATA_FIELDS: [&str; 4] = ["Arguments", "Output", "Items", "Condition"];

/// Fields that only states in JSONPath have; so have all others whose names end in `Path`.
const JSONPATH_FIELDS: [&str; 7] = ["Parameters", "ResultSelector", "Result", "Variable", "And", "Or", "Not"];

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
        findings.error(code, "Expected value of type Object", || pointer);
        None
    }

    /// Starts reading the object in a field.
    pub(crate) fn nested(&mut self, name: &'static str) -> Option<Fields<'_>> {
        let at = self.at(name);
        let value = self.get(name)?;
        Fields::new(value, at, self.findings)
    }

    /// The raw value of a field, marked as known.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'d Value> {
        self.known.push(name);
        self.object.get(name)
    }

    /// The raw value of a field, not marked as known.
    pub(crate) fn peek(&self, name: &str) -> Option<&'d Value> {
        self.object.get(name)
    }

    /// Whether the state being read is in JSONata.
    pub(crate) fn is_jsonata(&self) -> bool {
        self.findings.language() == QueryLanguage::Jsonata
    }

    /// The place of a field within its state: `Catch[0]/Output`.
    pub(crate) fn label(&self, name: &str) -> String {
        let within = self.pointer.strip_prefix(self.findings.state_pointer()).unwrap_or_default();
        let within = within.trim_matches('/');
        if within.is_empty() { name.to_owned() } else { format!("{within}/{name}") }
    }

    /// Whether a field is there; does not mark it as known.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Place of a field.
    pub(crate) fn at(&self, name: &str) -> String {
        place(&self.pointer, name)
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
        self.problem_of(DiagnosticCode::SchemaValidationFailed, name, message);
    }

    /// Reports a problem of one field that has a code of its own.
    pub(crate) fn problem_of(&mut self, code: DiagnosticCode, name: &str, message: impl Into<String>) {
        let pointer = &self.pointer;
        self.findings.error(code, message, || place(pointer, name));
    }

    /// Reports a problem of the object as a whole.
    pub(crate) fn problem_here(&mut self, message: impl Into<String>) {
        let pointer = &self.pointer;
        self.findings.error(DiagnosticCode::SchemaValidationFailed, message, || pointer.clone());
    }

    /// Reports what is allowed in one field, but probably not meant.
    pub(crate) fn warning(&mut self, code: DiagnosticCode, name: &str, message: impl Into<String>) {
        let pointer = &self.pointer;
        self.findings.warning(code, message, || place(pointer, name));
    }

    /// Warns of a text in the field `name` that looks like a path, where `name` followed by `Path` takes paths.
    pub(crate) fn warn_no_path(&mut self, name: &str, text: &str) {
        if looks_like_expression(text) {
            let message =
                format!("The value looks like a path, but the field '{name}' does not end with 'Path'");
            self.warning(DiagnosticCode::NoPath, name, message);
        }
    }

    /// Reports a field that ASL has and this release cannot run.
    pub(crate) fn not_supported(&mut self, name: &str, what: &str) {
        let message = format!("{what} is not supported by this release of Stepwell");
        self.problem_of(DiagnosticCode::NotSupported, name, message);
    }

    /// Reports all of `names` that are missing, in one problem as AWS does.
    pub(crate) fn require(&mut self, names: &[&str]) -> bool {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !self.has(name)).collect();
        if missing.is_empty() {
            return true;
        }
        self.problem_here(format!("These fields are required: [{}]", missing.join(", ")));
        false
    }

    /// Reports two fields that exclude each other, when both are there.
    pub(crate) fn only_one_of(&mut self, name: &str, other: &str) {
        if self.has(name) && self.has(other) {
            self.problem(other, format!("Only one of '{name}' and '{other}' may be given"));
        }
    }

    /// A text that is one of `values`.
    pub(crate) fn choice(&mut self, name: &'static str, values: &[&str]) -> Option<&'d str> {
        let text = self.string(name)?;
        if values.contains(&text) {
            return Some(text);
        }
        let values = values.join(", ");
        self.problem(name, format!("The field '{name}' should have one of these values: [{values}]"));
        None
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

    /// A JSONPath, into the input or the context object. Of a state in JSONata no field for paths is known.
    pub(crate) fn path(&mut self, name: &'static str) -> Option<QueryPath> {
        if self.is_jsonata() {
            return None;
        }
        let text = self.string(name)?;
        self.parse_path(name, text)
    }

    /// A field that may hold a path or null: absent gives `$`, null gives `None` inside.
    pub(crate) fn path_or_null(&mut self, name: &'static str) -> Option<QueryPath> {
        if self.is_jsonata() {
            return self.parse_path(name, "$");
        }
        match self.get(name) {
            Some(Value::Null) => None,
            Some(_) => self.path(name),
            None => self.parse_path(name, "$"),
        }
    }

    /// ResultPath: absent gives `$`, null gives `None`.
    pub(crate) fn reference_path_or_null(&mut self, name: &'static str) -> Option<ReferencePath> {
        let text = match self.peek(name) {
            Some(_) if self.is_jsonata() => "$",
            Some(Value::Null) => {
                self.get(name);
                return None;
            }
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

    /// A path, or a call of an intrinsic function.
    pub(crate) fn expression(&mut self, name: &'static str) -> Option<Expression> {
        if self.is_jsonata() {
            return None;
        }
        let Some(expression) = Expression::parse(self.string(name)?) else {
            let message = format!(
                "The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
            );
            self.problem(name, message);
            return None;
        };
        self.findings.refers_to_all(&expression);
        Some(expression)
    }

    /// Reports every field that was not read.
    pub(crate) fn finish(mut self) {
        for name in self.object.keys() {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let (set, other) = match self.findings.language() {
                QueryLanguage::JsonPath if JSONATA_FIELDS.contains(&name.as_str()) => ("JSONPath", "JSONata"),
                QueryLanguage::Jsonata if is_for_json_path(name) => ("JSONata", "JSONPath"),
                QueryLanguage::JsonPath | QueryLanguage::Jsonata => {
                    self.problem_here(format!("Field '{name}' is not supported"));
                    continue;
                }
            };
            self.problem_here(format!(
                "The QueryLanguage is set to '{set}', but field '{name}' is only supported for the '{other}' \
                 QueryLanguage"
            ));
        }
    }
}

fn is_for_json_path(name: &str) -> bool {
    name.ends_with("Path") || JSONPATH_FIELDS.contains(&name)
}

fn place(pointer: &str, name: &str) -> String {
    format!("{}/{}", pointer.trim_end_matches('/'), pointer_step(name))
}

/// A name as one step of a JSON pointer (RFC 6901).
pub(super) fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
