//! Reads the text of a definition as JSON, once: the value, the fields that an object has twice, and the bound on
//! nesting. `serde_json` alone would keep the last of two fields and say nothing.
//!
//! It must never look at what the fields mean, and never recurse more deeply than `limits::DEFINITION_DEPTH`.

use super::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use super::fields::pointer_step;
use super::invalid_json;
use crate::limits;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt::{self, Write};

/// A text that is a JSON object.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) value: Value,
    /// A problem for every field that its object has already.
    pub(super) duplicates: Vec<Diagnostic>,
}

/// What is noted while the text is read.
#[derive(Default)]
struct Notes {
    duplicates: Vec<Diagnostic>,
    /// Where the nesting became too deep: the reading has ended there.
    too_deep_at: Option<String>,
}

/// A place in the document, as steps back to its root.
struct Place<'p> {
    outer: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, PartialEq)]
enum Step<'p> {
    Root,
    Name(&'p str),
    Index(usize),
}

impl Document {
    /// Reads `text`. Errors: the one problem that it is no JSON object, or is nested too deeply.
    pub(super) fn read(text: &str) -> Result<Document, Diagnostic> {
        let mut notes = Notes::default();
        let root = Place { outer: None, step: Step::Root };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let node = Node { notes: &mut notes, place: &root, depth: 0 };
        let read = node.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
        match (read, notes.too_deep_at) {
            (Ok(value), _) if value.is_object() => Ok(Document { value, duplicates: notes.duplicates }),
            (Ok(_), _) => Err(not_an_object()),
            (Err(_), Some(place)) => {
                let message = format!("The definition is nested more than {} deep", limits::DEFINITION_DEPTH);
                Err(Diagnostic::error(DiagnosticCode::TooDeeplyNested, message, place))
            }
            (Err(_), None) if text.trim().is_empty() => Err(not_an_object()),
            (Err(error), None) => Err(invalid_json::explain(text, &error)),
        }
    }
}

fn not_an_object() -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: DiagnosticCode::SchemaValidationFailed,
        message: "Definition must be a valid JSON object".to_owned(),
        location: None,
    }
}

impl Notes {
    fn duplicate(&mut self, place: &Place<'_>, name: &str) {
        if self.duplicates.len() >= limits::DIAGNOSTICS {
            return;
        }
        let steps = place.steps();
        let problem = if is_state(&steps) {
            Diagnostic::error(
                DiagnosticCode::DuplicateStateName,
                format!("Duplicate State name: {name}"),
                pointer(&steps),
            )
        } else {
            let message = format!("Duplicate field '{name}'");
            Diagnostic::error(DiagnosticCode::InvalidJsonDescription, message, pointer(&steps))
        };
        self.duplicates.push(problem);
    }
}

impl<'p> Place<'p> {
    /// The steps from the root, without it.
    fn steps(&self) -> Vec<Step<'p>> {
        let mut steps = Vec::new();
        let mut place = self;
        while let Some(outer) = place.outer {
            steps.push(place.step);
            place = outer;
        }
        steps.reverse();
        steps
    }
}

/// The place as diagnostics write it.
fn pointer(steps: &[Step<'_>]) -> String {
    let mut pointer = String::new();
    for step in steps {
        match step {
            Step::Root => {}
            Step::Name(name) => {
                pointer.push('/');
                pointer.push_str(&pointer_step(name));
            }
            // Writing to a String cannot fail.
            Step::Index(index) => drop(write!(pointer, "[{index}]")),
        }
    }
    pointer
}

/// Whether the steps lead to a state: `States/NAME`, behind any number of nested levels.
fn is_state(steps: &[Step<'_>]) -> bool {
    let mut rest = steps;
    loop {
        rest = match rest {
            [Step::Name("States"), Step::Name(_)] => return true,
            [Step::Name("States"), Step::Name(_), Step::Name("Branches"), Step::Index(_), rest @ ..]
            | [Step::Name("States"), Step::Name(_), Step::Name("ItemProcessor" | "Iterator"), rest @ ..] => {
                rest
            }
            _ => return false,
        };
    }
}

/// Reads one value.
struct Node<'n> {
    notes: &'n mut Notes,
    place: &'n Place<'n>,
    /// Objects and arrays around the value.
    depth: usize,
}

impl Node<'_> {
    fn check_depth<E: Error>(&mut self) -> Result<(), E> {
        if self.depth < limits::DEFINITION_DEPTH {
            return Ok(());
        }
        self.notes.too_deep_at = Some(pointer(&self.place.steps()));
        Err(E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut array = Vec::new();
        loop {
            let place = Place { outer: Some(self.place), step: Step::Index(array.len()) };
            let node = Node { notes: self.notes, place: &place, depth: self.depth + 1 };
            match items.next_element_seed(node)? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let place = Place { outer: Some(self.place), step: Step::Name(&name) };
            if object.contains_key(&name) {
                self.notes.duplicate(&place, &name);
            }
            let node = Node { notes: self.notes, place: &place, depth: self.depth + 1 };
            let value = fields.next_value_seed(node)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_serde_json_reads_them() {
        for text in [
            r#"{"a": [1, -2, 3.5, 1e300, 18446744073709551615, -0.0, "é\n", true, null, {}], "b": {"c": {}}}"#,
            "{}",
        ] {
            let document = Document::read(text).unwrap();
            assert_eq!(document.value, serde_json::from_str::<Value>(text).unwrap());
            assert!(document.duplicates.is_empty());
        }
    }

    #[test]
    fn duplicates_are_reported_with_their_place() {
        let text = r#"{"Comment": 1, "States": {"A": {"Branches": [{}, {"States": {"B": {}, "B": {}}}]},
            "A": {"Parameters": {"States": {"x": 1, "x": 2}}, "Catch": [{"a/b": 1, "a/b": 2}]}}, "Comment": 2}"#;
        let document = Document::read(text).unwrap();
        let found: Vec<String> = document.duplicates.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "DUPLICATE_STATE_NAME: Duplicate State name: B at /States/A/Branches[1]/States/B",
                "DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A",
                "INVALID_JSON_DESCRIPTION: Duplicate field 'x' at /States/A/Parameters/States/x",
                "INVALID_JSON_DESCRIPTION: Duplicate field 'a/b' at /States/A/Catch[0]/a~1b",
                "INVALID_JSON_DESCRIPTION: Duplicate field 'Comment' at /Comment",
            ]
        );
        assert_eq!(document.value["Comment"], 2);
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |depth: usize| format!("{}{}", r#"{"a":"#.repeat(depth) + "1", "}".repeat(depth));
        assert!(Document::read(&nested(limits::DEFINITION_DEPTH)).is_ok());
        for depth in [limits::DEFINITION_DEPTH + 1, 200, 100_000] {
            let problem = Document::read(&nested(depth)).unwrap_err();
            assert_eq!(problem.code, DiagnosticCode::TooDeeplyNested);
            assert_eq!(problem.location.unwrap_or_default(), "/a".repeat(limits::DEFINITION_DEPTH));
        }
        assert_eq!(Document::read(&"[".repeat(500)).unwrap_err().code, DiagnosticCode::TooDeeplyNested);
    }

    #[test]
    fn what_is_no_object_is_said_so() {
        for text in ["", " \n", "[]", "1", "\"{}\"", "null"] {
            let problem = Document::read(text).unwrap_err();
            assert_eq!(
                problem.to_string(),
                "SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object"
            );
        }
    }
}
