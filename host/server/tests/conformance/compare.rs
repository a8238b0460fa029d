//! Compares an answer with a recorded one. In the recording `<*:x>` stands for anything, and any other `<name>` for
//! anything too, but for the same thing wherever it occurs in the case.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::Value;

/// Members that differ from run to run.
const IGNORED: [&str; 1] = ["timestamp"];
/// Members that AWS has added since some recordings were made; newer ones have them.
const ADDED: [&str; 1] = ["encryptionConfiguration"];

/// What the names of one case stand for.
#[derive(Default)]
pub(crate) struct Bindings(BTreeMap<String, String>);

impl Bindings {
    /// Where and how `actual` differs, or nothing.
    pub(crate) fn difference(&mut self, expected: &Value, actual: &Value, path: &str) -> Option<String> {
        match expected {
            Value::String(text) if text.starts_with("<*:") => None,
            Value::String(text) => self.text(text, actual, path),
            Value::Object(members) => {
                // Payload texts were recorded as the objects that they hold.
                let parsed = actual.as_str().and_then(|text| serde_json::from_str(text).ok());
                let actual = parsed.as_ref().unwrap_or(actual);
                let Some(found) = actual.as_object() else {
                    return Some(format!("{path}: no object: {actual}"));
                };
                let known = |name: &&String| {
                    members.contains_key(*name)
                        || IGNORED.contains(&name.as_str())
                        || ADDED.contains(&name.as_str())
                };
                if let Some(name) = found.keys().find(|name| !known(name)) {
                    return Some(format!("{path}.{name}: not recorded"));
                }
                let compared = members.iter().filter(|(name, _)| !IGNORED.contains(&name.as_str()));
                compared.into_iter().find_map(|(name, expected)| match found.get(name) {
                    Some(actual) => self.difference(expected, actual, &format!("{path}.{name}")),
                    None => Some(format!("{path}.{name}: missing")),
                })
            }
            Value::Array(items) => {
                let found = actual.as_array().filter(|found| found.len() == items.len());
                let Some(found) = found else {
                    return Some(format!("{path}: {} items expected: {actual}", items.len()));
                };
                let pairs = items.iter().zip(found).enumerate();
                let mut pairs = pairs.map(|(index, pair)| (format!("{path}[{index}]"), pair));
                pairs.find_map(|(path, (expected, actual))| self.difference(expected, actual, &path))
            }
            Value::Number(number) => {
                let same = number.as_f64() == actual.as_f64();
                (!same).then(|| format!("{path}: {number} expected, not {actual}"))
            }
            Value::Null | Value::Bool(_) => {
                (expected != actual).then(|| format!("{path}: {expected} expected, not {actual}"))
            }
        }
    }

    fn text(&mut self, expected: &str, actual: &Value, path: &str) -> Option<String> {
        let Some(text) = actual.as_str() else { return Some(format!("{path}: no text: {actual}")) };
        let same = text == expected || self.same_with_names(expected, text) || same_json(expected, text);
        let shorten = |text: &str| text.chars().take(300).collect::<String>();
        (!same).then(|| format!("{path}: {:?} expected, not {:?}", shorten(expected), shorten(text)))
    }

    fn same_with_names(&mut self, expected: &str, actual: &str) -> bool {
        let name = Regex::new("<[^<>]{1,60}>").unwrap();
        let names: Vec<&str> = name.find_iter(expected).map(|found| found.as_str()).collect();
        if names.is_empty() {
            return false;
        }
        let mut pattern = String::from("(?s)^");
        let mut rest = expected;
        for name in &names {
            let (before, after) = rest.split_once(name).unwrap();
            pattern.push_str(&regex_lite::escape(before));
            let meaning =
                self.0.get(*name).map_or_else(|| ".+?".to_owned(), |bound| regex_lite::escape(bound));
            pattern.extend(["(", meaning.as_str(), ")"]);
            rest = after;
        }
        pattern.push_str(&regex_lite::escape(rest));
        pattern.push('$');
        let Some(captures) = Regex::new(&pattern).unwrap().captures(actual) else { return false };
        for (index, name) in names.into_iter().enumerate() {
            let meaning = captures.get(index + 1).unwrap().as_str().to_owned();
            self.0.entry(name.to_owned()).or_insert(meaning);
        }
        true
    }
}

fn same_json(expected: &str, actual: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text).ok();
    parse(expected).is_some_and(|expected| parse(actual) == Some(expected))
}

#[cfg(test)]
mod tests {
    use super::Bindings;
    use serde_json::json;

    #[test]
    fn names_mean_the_same_thing_everywhere() {
        let mut bindings = Bindings::default();
        let mut same = |expected, actual| bindings.difference(&expected, &actual, "").is_none();
        assert!(same(json!({"a": "arn:<x>:<y>", "t": "<*:date>"}), json!({"a": "arn:1:2", "t": 5})));
        assert!(same(json!("<y>"), json!("2")));
        assert!(!same(json!("<y>"), json!("3")));
        assert!(same(json!({"in": {"k": [1]}}), json!({"in": "{\"k\": [1.0]}"})));
        assert!(!same(json!({"k": 1}), json!({"k": 1, "l": 2})));
        assert!(!same(json!({"k": 1}), json!({})));
        assert!(!same(json!([1, 2]), json!([1])));
        assert!(!same(json!(true), json!(1)));
    }
}
