//! Reference Paths (specification, "Reference Paths"): where ResultPath puts a result.
//!
//! Only names and non-negative indexes; it must never select more than one place.

use serde_json::{Map, Value};

use crate::jsonpath::{JsonPath, ReferenceStep};

/// A single place in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReferencePath {
    text: String,
    steps: Vec<Step>,
}

/// One step on the way to the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An entry of an object.
    Name(String),
    /// An element of an array.
    Index(usize),
}

impl Step {
    /// The name, if this is one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Step::Name(name) => Some(name),
            Step::Index(_) => None,
        }
    }

    /// The value that `steps` lead to from `value`.
    pub(crate) fn follow<'v>(steps: &[Step], value: &'v Value) -> Option<&'v Value> {
        steps.iter().try_fold(value, |value, step| match step {
            Step::Name(name) => value.as_object()?.get(name),
            Step::Index(index) => value.as_array()?.get(*index),
        })
    }
}

impl ReferencePath {
    /// Parses `$.a['b'][0]`; `None` when the text is no path or may name several places.
    pub(crate) fn parse(text: &str) -> Option<ReferencePath> {
        let path = JsonPath::parse(text).ok()?;
        let steps = path.reference_steps()?;
        let steps = steps
            .into_iter()
            .map(|step| match step {
                ReferenceStep::Name(name) => Some(Step::Name(name.to_owned())),
                ReferenceStep::Index(index) => usize::try_from(index).ok().map(Step::Index),
            })
            .collect::<Option<Vec<_>>>()?;
        Some(ReferencePath { text: text.to_owned(), steps })
    }

    /// The steps from the document to the place.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether this is `$`: the whole document.
    pub(crate) fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// Puts `value` at this place of `document`, creating missing objects on the way.
    /// Gives the text of the failure when a step meets a value of the wrong kind or an index outside its array.
    pub(crate) fn apply(&self, mut document: Value, value: Value) -> Result<Value, String> {
        if self.steps.is_empty() {
            return Ok(value);
        }
        match Self::place(&mut document, &self.steps, value) {
            Ok(()) => Ok(document),
            Err(()) => Err(format!("Unable to apply ReferencePath {} to input {document}", self.text)),
        }
    }

    fn place(target: &mut Value, steps: &[Step], value: Value) -> Result<(), ()> {
        let mut target = target;
        for step in steps {
            target = match step {
                Step::Name(name) => {
                    if target.is_null() {
                        *target = Value::Object(Map::new());
                    }
                    target.as_object_mut().ok_or(())?.entry(name.as_str()).or_insert(Value::Null)
                }
                Step::Index(index) => {
                    target.as_array_mut().and_then(|items| items.get_mut(*index)).ok_or(())?
                }
            };
        }
        *target = value;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn puts_values_where_they_belong() {
        for (path, document, expected) in [
            ("$", json!({"a": 1}), Ok(json!("new"))),
            ("$.b", json!({"a": 1}), Ok(json!({"a": 1, "b": "new"}))),
            ("$.a", json!({"a": 1}), Ok(json!({"a": "new"}))),
            ("$.b.c.d", json!({}), Ok(json!({"b": {"c": {"d": "new"}}}))),
            ("$.a[1]", json!({"a": [1, 2]}), Ok(json!({"a": [1, "new"]}))),
            ("$.a[2]", json!({"a": [1, 2]}), Err(())),
            ("$.a.b", json!({"a": "text"}), Err(())),
            ("$.a", json!("text"), Err(())),
        ] {
            let result = ReferencePath::parse(path).unwrap().apply(document, json!("new"));
            assert_eq!(result.map_err(|_| ()), expected, "{path}");
        }
    }

    #[test]
    fn refuses_paths_with_several_places() {
        for path in ["$[*]", "$..a", "$.a[0,1]", "$.a[-1]", "$.a[1:2]", "a"] {
            assert_eq!(ReferencePath::parse(path), None, "{path}");
        }
    }
}
