//! URL-encoding: query texts, and bodies of forms with their arrays in one of four forms (Developer Guide, "Applying
//! URL-encoding on request body").
//!
//! Everything but letters, digits and `-_.~` is encoded, spaces as `%20`, as recorded requests have it.

use crate::limits;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

/// What is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How arrays are written (`ArrayFormat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ArrayFormat {
    /// `a[0]=x&a[1]=y`
    #[default]
    Indices,
    /// `a=x&a=y`
    Repeat,
    /// `a=x,y`
    Commas,
    /// `a[]=x&a[]=y`
    Brackets,
}

impl ArrayFormat {
    pub(super) fn parse(name: &str) -> Option<ArrayFormat> {
        Some(match name {
            "INDICES" => ArrayFormat::Indices,
            "REPEAT" => ArrayFormat::Repeat,
            "COMMAS" => ArrayFormat::Commas,
            "BRACKETS" => ArrayFormat::Brackets,
            _ => return None,
        })
    }
}

/// One text, encoded.
pub(crate) fn text(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// One text of a query, decoded: a plus is a space there.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Names and values, encoded and joined.
pub(crate) fn pairs<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", text(name.as_ref()), text(value.as_ref())));
    pairs.collect::<Vec<_>>().join("&")
}

/// The members of a value as a form. None: it is nested too deep.
pub(super) fn form(value: &Value, arrays: ArrayFormat) -> Option<String> {
    let mut form = Vec::new();
    add(&mut form, "", value, arrays, limits::FORM_DEPTH)?;
    Some(form.join("&"))
}

fn add(form: &mut Vec<String>, name: &str, value: &Value, arrays: ArrayFormat, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}[{member}]") };
                add(form, &name, value, arrays, depth)?;
            }
        }
        Value::Array(items) if arrays == ArrayFormat::Commas && items.iter().all(is_plain) => {
            let items: Vec<String> = items.iter().map(|item| text(&plain(item))).collect();
            form.push(format!("{}={}", text(name), items.join(",")));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let name = match arrays {
                    // Structures in a list with commas have no other way to be told apart.
                    ArrayFormat::Indices | ArrayFormat::Commas => format!("{name}[{index}]"),
                    ArrayFormat::Brackets => format!("{name}[]"),
                    ArrayFormat::Repeat => name.to_owned(),
                };
                add(form, &name, item, arrays, depth)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            form.push(format!("{}={}", text(name), text(&plain(value))));
        }
    }
    Some(())
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

/// A value as it stands in a form: texts without quotes, null as nothing.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A form with its brackets and commas readable.
    fn readable(value: &Value, arrays: ArrayFormat) -> String {
        form(value, arrays).unwrap().replace("%5B", "[").replace("%5D", "]")
    }

    #[test]
    fn arrays_have_four_forms() {
        let value = json!({"array": ["a", "b"], "n": 1});
        for (arrays, expected) in [
            (ArrayFormat::Indices, "array[0]=a&array[1]=b&n=1"),
            (ArrayFormat::Repeat, "array=a&array=b&n=1"),
            (ArrayFormat::Commas, "array=a,b&n=1"),
            (ArrayFormat::Brackets, "array[]=a&array[]=b&n=1"),
        ] {
            assert_eq!(readable(&value, arrays), expected);
        }
    }

    #[test]
    fn structures_are_nested_in_brackets() {
        let value = json!({"m": {"order details": "ü & more", "none": null}, "l": [{"x": true}, [2.5]]});
        let expected = "m[order%20details]=%C3%BC%20%26%20more&m[none]=&l[0][x]=true&l[1][0]=2.5";
        assert_eq!(readable(&value, ArrayFormat::Indices), expected);
        let expected = "m[order%20details]=%C3%BC%20%26%20more&m[none]=&l[0][x]=true&l[1]=2.5";
        assert_eq!(readable(&value, ArrayFormat::Commas), expected);
        let mut deep = json!(1);
        for _ in 0..limits::FORM_DEPTH {
            deep = json!({"d": deep});
        }
        assert_eq!(form(&deep, ArrayFormat::Indices), None);
    }

    #[test]
    fn pairs_cannot_break_out_of_a_query() {
        assert_eq!(pairs(&[("a&b", "c=d"), ("é", "x y+z")]), "a%26b=c%3Dd&%C3%A9=x%20y%2Bz");
    }
}
