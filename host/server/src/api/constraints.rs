//! The constraints of the API's model: lengths, ranges, enumerations, required members (API reference, sections 1.4,
//! 1.11 and 2). Each reader notes a violation and goes on, so that one message tells all of them.
//!
//! It must never judge anything that needs the store.

use serde_json::{Map, Value};

use super::error::ApiError;
use crate::limits;

/// Stands for a required text that is missing: never seen, because `check` refuses the request.
const MISSING: &str = "";

/// The members of one request. Unknown ones are ignored, `null` counts as absent.
#[derive(Debug)]
pub(crate) struct Fields {
    members: Map<String, Value>,
    violations: Vec<String>,
    mistyped: Option<String>,
}

impl Fields {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Fields, ApiError> {
        // Operations without input may come with an empty body.
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
        let value = serde_json::from_slice(body)
            .map_err(|error| ApiError::Serialization(format!("The request is not valid JSON: {error}")))?;
        if let Value::Object(members) = value {
            Ok(Fields::of(members))
        } else {
            Err(ApiError::Serialization("The request is not a JSON object".to_owned()))
        }
    }

    /// The members of a request that does not come as one JSON object.
    pub(crate) fn of(members: Map<String, Value>) -> Fields {
        Fields { members, violations: Vec::new(), mistyped: None }
    }

    /// Refuses the request if any reader before found something wrong.
    pub(crate) fn check(&mut self) -> Result<(), ApiError> {
        if let Some(message) = self.mistyped.take() {
            return Err(ApiError::Serialization(message));
        }
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(ApiError::Constraints(std::mem::take(&mut self.violations)))
    }

    /// The members as they came.
    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// A member; dots in `path` lead into structures, and as in messages `.2.member` to the second item of a list.
    pub(crate) fn value(&self, path: &str) -> Option<&Value> {
        let mut steps = path.split('.');
        let mut value = self.members.get(steps.next()?)?;
        while let Some(step) = steps.next() {
            value = match value {
                Value::Array(items) => {
                    let number: usize = step.parse().ok()?;
                    steps.next().filter(|step| *step == "member")?;
                    items.get(number.checked_sub(1)?)?
                }
                Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    value.get(step)?
                }
            };
        }
        Some(value).filter(|value| !value.is_null())
    }

    /// A text of `shortest..=longest` characters.
    pub(crate) fn text(&mut self, path: &str, shortest: usize, longest: usize) -> Option<String> {
        let text = self.string(path)?;
        let length = text.chars().count();
        self.length(path, &text, length, shortest, longest);
        Some(text)
    }

    /// The same, required.
    pub(crate) fn required_text(&mut self, path: &str, shortest: usize, longest: usize) -> String {
        self.text(path, shortest, longest).unwrap_or_else(|| {
            self.require(path);
            MISSING.to_owned()
        })
    }

    /// A text of at most `longest` bytes.
    pub(crate) fn payload(&mut self, path: &str, longest: usize) -> Option<String> {
        let text = self.string(path)?;
        let length = text.len();
        self.length(path, &text, length, 0, longest);
        Some(text)
    }

    /// An integer from `least` to `most`.
    pub(crate) fn integer(&mut self, path: &str, least: i64, most: i64) -> Option<i64> {
        let value = self.value(path)?.clone();
        let Some(number) = value.as_i64() else {
            self.wrong_type(&value, "an Integer");
            return None;
        };
        if number > most {
            self.violation(
                path,
                &value.to_string(),
                &format!("Member must have value less than or equal to {most}"),
            );
        }
        if number < least {
            let constraint = format!("Member must have value greater than or equal to {least}");
            self.violation(path, &value.to_string(), &constraint);
        }
        Some(number)
    }

    /// A number from `least` to `most`.
    pub(crate) fn float(&mut self, path: &str, least: i32, most: i32) -> Option<f64> {
        let value = self.value(path)?.clone();
        let Some(number) = value.as_f64() else {
            self.wrong_type(&value, "a Float");
            return None;
        };
        let limit = if number > f64::from(most) {
            format!("less than or equal to {most}")
        } else if number < f64::from(least) {
            format!("greater than or equal to {least}")
        } else {
            return Some(number);
        };
        self.violation(path, &value.to_string(), &format!("Member must have value {limit}"));
        Some(number)
    }

    /// A truth value.
    pub(crate) fn boolean(&mut self, path: &str) -> Option<bool> {
        let value = self.value(path)?.clone();
        if !value.is_boolean() {
            self.wrong_type(&value, "a Boolean");
        }
        value.as_bool()
    }

    /// One of `names`, in the order in which messages list them.
    pub(crate) fn choice(&mut self, path: &str, names: &[&'static str]) -> Option<&'static str> {
        let text = self.string(path)?;
        let found = names.iter().copied().find(|name| *name == text);
        if found.is_none() {
            let constraint = format!("Member must satisfy enum value set: [{}]", names.join(", "));
            self.violation(path, &text, &constraint);
        }
        found
    }

    /// A list.
    pub(crate) fn list(&mut self, path: &str) -> Option<Vec<Value>> {
        let value = self.value(path)?.clone();
        if let Value::Array(items) = value {
            return Some(items);
        }
        self.wrong_type(&value, "a List");
        None
    }

    /// Whether a structure is there.
    pub(crate) fn structure(&mut self, path: &str) -> bool {
        let Some(value) = self.value(path).cloned() else { return false };
        if !value.is_object() {
            self.wrong_type(&value, "a Structure");
        }
        value.is_object()
    }

    /// Notes that a required member is missing.
    pub(crate) fn require(&mut self, path: &str) {
        if self.value(path).is_none() {
            self.note(format!(
                "Value null at '{path}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    /// Notes that a text breaks the pattern of its type.
    pub(crate) fn pattern(&mut self, path: &str, text: &str, pattern: &str) {
        self.violation(path, text, &format!("Member must satisfy regular expression pattern: {pattern}"));
    }

    /// Notes that a part of a text is longer than its type allows.
    pub(crate) fn too_long(&mut self, path: &str, text: &str, longest: usize) {
        self.violation(path, text, &format!("Member must have length less than or equal to {longest}"));
    }

    fn string(&mut self, path: &str) -> Option<String> {
        let value = self.value(path)?.clone();
        if let Value::String(text) = value {
            return Some(text);
        }
        self.wrong_type(&value, "a String");
        None
    }

    /// Notes a length that is out of bounds.
    pub(crate) fn length(&mut self, path: &str, text: &str, length: usize, shortest: usize, longest: usize) {
        if length > longest {
            self.violation(path, text, &format!("Member must have length less than or equal to {longest}"));
        }
        if length < shortest {
            self.violation(
                path,
                text,
                &format!("Member must have length greater than or equal to {shortest}"),
            );
        }
    }

    fn violation(&mut self, path: &str, value: &str, constraint: &str) {
        let value = quoted(value);
        self.note(format!("Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"));
    }

    fn note(&mut self, violation: String) {
        self.violations.push(violation);
    }

    /// Notes that a value is of another type than `wanted`.
    pub(crate) fn wrong_type(&mut self, value: &Value, wanted: &str) {
        let message = match value {
            Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
            Value::Array(_) => "Start of list found where not expected.".to_owned(),
            Value::Number(_) => format!("NUMBER_VALUE can not be converted to {wanted}"),
            Value::String(_) => format!("STRING_VALUE can not be converted to {wanted}"),
            Value::Bool(true) => format!("TRUE_VALUE can not be converted to {wanted}"),
            Value::Bool(false) => format!("FALSE_VALUE can not be converted to {wanted}"),
            Value::Null => format!("NULL_VALUE can not be converted to {wanted}"),
        };
        self.mistyped.get_or_insert(message);
    }
}

/// Refuses the characters that names must not hold (API reference, section 1.11).
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    if name.chars().all(is_name_character) { Ok(()) } else { Err(ApiError::InvalidName(name.to_owned())) }
}

fn is_name_character(character: char) -> bool {
    let forbidden = character.is_whitespace()
        || "?*<>{}[]\"#%\\^|~`$&,;:/".contains(character)
        || matches!(character, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}'..='\u{ffff}' | '\u{10ffff}');
    !forbidden
}

/// A value for a message: whole up to a bound, then cut with a note.
fn quoted(value: &str) -> String {
    match value.char_indices().nth(limits::QUOTED_CHARACTERS) {
        Some((end, _)) => format!("{}... ({} characters)", &value[..end], value.chars().count()),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(body: &Value) -> Fields {
        Fields::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn all_violations_come_in_one_message() {
        let mut fields =
            fields(&json!({"name": "", "maxResults": 1001, "type": "standard", "roleArn": null}));
        fields.required_text("name", 1, 80);
        fields.integer("maxResults", 0, 1000);
        fields.choice("type", &["STANDARD", "EXPRESS"]);
        fields.required_text("roleArn", 1, 256);
        let message = fields.check().unwrap_err().to_string();
        assert_eq!(
            message,
            "4 validation errors detected: \
             Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; \
             Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000; \
             Value 'standard' at 'type' failed to satisfy constraint: \
             Member must satisfy enum value set: [STANDARD, EXPRESS]; \
             Value null at 'roleArn' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn a_wrong_type_is_a_serialization_error() {
        for (body, message) in [
            (json!({"a": 1}), "NUMBER_VALUE can not be converted to a String"),
            (json!({"a": {}}), "Start of structure or map found where not expected."),
            (json!({"a": [1]}), "Start of list found where not expected."),
            (json!({"a": true}), "TRUE_VALUE can not be converted to a String"),
        ] {
            let mut fields = fields(&body);
            assert_eq!(fields.text("a", 0, 9), None);
            let error = fields.check().unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), ("SerializationException", message));
        }
        let mut fields = fields(&json!({"a": "1", "b": 1.5, "c": "true"}));
        assert_eq!(
            (fields.integer("a", 0, 1), fields.integer("b", 0, 1), fields.boolean("c")),
            (None, None, None)
        );
        assert!(fields.check().is_err());
    }

    #[test]
    fn paths_lead_into_structures() {
        let mut fields = fields(&json!({"loggingConfiguration": {"level": "NONE"}}));
        assert!(fields.structure("loggingConfiguration"));
        assert_eq!(fields.choice("loggingConfiguration.level", &["OFF"]), None);
        let message = fields.check().unwrap_err().to_string();
        assert!(message.contains("at 'loggingConfiguration.level'"), "{message}");
    }

    #[test]
    fn lengths_are_characters_and_payloads_bytes() {
        let mut fields = fields(&json!({"name": "äöü", "input": "äöü"}));
        fields.text("name", 1, 3);
        assert!(fields.check().is_ok());
        fields.payload("input", 5);
        assert!(fields.check().is_err());
    }

    #[test]
    fn huge_values_are_not_echoed() {
        let mut fields = fields(&json!({"definition": "x".repeat(10_000)}));
        fields.text("definition", 1, 9_999);
        let message = fields.check().unwrap_err().to_string();
        assert!(
            message.len() < 5_000 && message.contains("... (10000 characters)"),
            "{} bytes",
            message.len()
        );
    }

    #[test]
    fn bodies_must_be_objects() {
        assert!(Fields::parse(b"").is_ok());
        for body in ["[]", "1", "{", "{\"a\":\"\\ud800\"}", "nonsense"] {
            assert_eq!(
                Fields::parse(body.as_bytes()).unwrap_err().code(),
                "SerializationException",
                "{body}"
            );
        }
    }

    #[test]
    fn names_refuse_what_the_reference_lists() {
        for right in ["a", "state.machine_1-2", "größe", "名前", "a=b", "(x)", "a@b!c'd+e"] {
            assert!(check_name(right).is_ok(), "{right}");
        }
        for wrong in
            " \t\n?*<>{}[]\"#%\\^|~`$&,;:/\0\u{1f}\u{7f}\u{9f}\u{fffe}\u{ffff}\u{10ffff}\u{2003}".chars()
        {
            let name = format!("a{wrong}b");
            let error = check_name(&name).expect_err(&name);
            assert_eq!(error.to_string(), format!("Invalid Name: '{name}'"));
        }
    }
}
