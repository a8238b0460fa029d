//! Writes a value as JSON text, but only the part of it that is read.

use super::uses::Part;
use crate::json_size::json_text;
use serde_json::Value;

/// A value that stands at a place within another, instead of what is there.
pub(super) type Overlay<'v> = (&'static [&'static str], &'v Value);

/// Appends the part of `value` that is read. Members that are not read are left out; an array is written whole.
pub(super) fn project(value: &Value, part: &Part, overlays: &[Overlay<'_>], text: &mut String) {
    if let Some((_, value)) = overlays.iter().find(|(place, _)| place.is_empty()) {
        return project(value, part, &[], text);
    }
    let Value::Object(members) = value else { return text.push_str(&json_text(value)) };
    if matches!(part, Part::Whole) && overlays.is_empty() {
        return text.push_str(&json_text(value));
    }
    text.push('{');
    let mut first = true;
    for (name, value) in members {
        let Some(part) = part.member(name) else { continue };
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        text.push_str(&json_text(&Value::from(name.as_str())));
        text.push(':');
        let inner = overlays.iter().filter_map(|(place, value)| match place.split_first() {
            Some((outer, rest)) if *outer == name.as_str() => Some((rest, *value)),
            Some(_) | None => None,
        });
        project(value, part, &inner.collect::<Vec<_>>(), text);
    }
    text.push('}');
}
