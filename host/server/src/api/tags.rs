//! Tags (API reference, section 2.6): their constraints, and what they belong to.
//!
//! Tags lie beside what they belong to, under its ARN (`stepwell_store::TagsRecord`): whoever creates or removes something
//! that can have tags does the same with them, in one commit. Versions and aliases have none (recorded).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_store::{Changes, StoreError, TagsRecord};

use super::constraints::Fields;
use super::error::ApiError;
use super::{arn, machine};
use crate::limits;
use crate::server::Server;

/// Keys that begin so are AWS's own.
const RESERVED: &str = "aws:";
/// What of a text beside letters, digits and spaces may be in a tag.
const OTHERS: &str = "_.:/=+-@";

/// Reads `tags`; violations are noted in `fields`. Of two tags with one key the last one counts.
pub(super) fn read(fields: &mut Fields) -> Option<BTreeMap<String, String>> {
    let items = fields.list("tags")?;
    let mut tags = BTreeMap::new();
    for number in 1..=items.len() {
        let path = |name: &str| format!("tags.{number}.member.{name}");
        let key = fields.required_text(&path("key"), 1, limits::TAG_KEY_CHARACTERS);
        let value = fields.text(&path("value"), 0, limits::TAG_VALUE_CHARACTERS);
        tags.insert(key, value.unwrap_or_default());
    }
    Some(tags)
}

/// Reads `tagKeys`; violations are noted in `fields`.
pub(super) fn read_keys(fields: &mut Fields) -> Vec<String> {
    fields.require("tagKeys");
    let items = fields.list("tagKeys").unwrap_or_default();
    let paths = (1..=items.len()).map(|number| format!("tagKeys.{number}.member"));
    paths.filter_map(|path| fields.text(&path, 1, limits::TAG_KEY_CHARACTERS)).collect()
}

/// What the model does not say of tags. Errors: `ValidationException`, `TooManyTags`.
pub(super) fn check(resource: &str, tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    for (key, value) in tags {
        if key.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED)) {
            let message = format!("Tag keys that begin with '{RESERVED}' are reserved: '{key}'");
            return Err(ApiError::validation(message));
        }
        for (what, text) in [("key", key), ("value", value)] {
            if !text.chars().all(is_allowed) {
                let message = format!(
                    "A tag's {what} may hold letters, digits, spaces and {OTHERS} only. Received: '{text}'"
                );
                return Err(ApiError::validation(message));
            }
        }
    }
    check_count(resource, tags)
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || OTHERS.contains(character)
}

fn check_count(resource: &str, tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() <= limits::TAGS {
        return Ok(());
    }
    Err(ApiError::TooManyTags {
        message: format!(
            "The resource would have {} tags, and {} are allowed: '{resource}'",
            tags.len(),
            limits::TAGS
        ),
        resource: resource.to_owned(),
    })
}

/// As the API shows them.
pub(super) fn to_json(tags: &BTreeMap<String, String>) -> Value {
    Value::Array(tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect())
}

/// The tags of a resource. Errors: `InvalidArn`, `ResourceNotFound`.
pub(super) async fn of(server: &Server, resource: &str) -> Result<BTreeMap<String, String>, ApiError> {
    require(server, resource, &mut Changes::new()).await?;
    let found = server.store.tags(resource).await?;
    Ok(found.map(|(record, _)| record.tags).unwrap_or_default())
}

/// Changes the tags of a resource that exists. Errors: `InvalidArn`, `ResourceNotFound`, `TooManyTags`.
pub(super) async fn change(
    server: &Server,
    resource: &str,
    change: impl Fn(&mut BTreeMap<String, String>),
) -> Result<(), ApiError> {
    for _ in 0..limits::CHANGE_TRIES {
        let mut changes = Changes::new();
        require(server, resource, &mut changes).await?;
        let (mut record, read) = match server.store.tags(resource).await? {
            Some((record, read)) => (record, Some(read)),
            None => (TagsRecord { arn: resource.to_owned(), tags: BTreeMap::new() }, None),
        };
        let before = record.tags.clone();
        change(&mut record.tags);
        if record.tags == before {
            return Ok(());
        }
        check_count(resource, &record.tags)?;
        changes.tags(&record, read)?;
        match server.store.commit(changes).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Adds the condition that a resource is still the one that is there now.
async fn require(server: &Server, resource: &str, changes: &mut Changes) -> Result<(), ApiError> {
    let missing = || ApiError::ResourceNotFound(resource.to_owned());
    if arn::kind(resource, &["stateMachine", "activity"])? == "activity" {
        let (record, read) = server.store.activity(resource).await?.ok_or_else(missing)?;
        changes.expect_activity(&record.arn, read);
    } else {
        let (record, read) = machine::find(server, resource).await?.ok_or_else(missing)?;
        changes.expect_machine(&record.arn, read);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(key: &str, value: &str) -> Result<(), ApiError> {
        check("r", &[(key.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn letters_digits_spaces_and_some_signs_are_allowed() {
        for right in ["a b", "größe", "名前", "_.:/=+-@", "7", "law:s"] {
            assert!(check_one(right, right).is_ok() && check_one("k", "").is_ok(), "{right}");
        }
        for wrong in ["a\tb", "a\nb", "a#b", "a*", "<x>", "a,b", "\u{1f600}"] {
            assert_eq!(check_one(wrong, "v").unwrap_err().code(), "ValidationException", "{wrong}");
            assert_eq!(check_one("k", wrong).unwrap_err().code(), "ValidationException", "{wrong}");
        }
        assert!(check_one("aws:x", "v").is_err() && check_one("AWS:x", "v").is_err());
        assert!(check_one("k", "aws:x").is_ok());
    }

    #[test]
    fn fifty_are_allowed() {
        let tags = |count: usize| (0..count).map(|number| (format!("k{number}"), String::new())).collect();
        assert!(check("r", &tags(limits::TAGS)).is_ok());
        let error = check("r", &tags(limits::TAGS + 1)).unwrap_err();
        assert_eq!((error.code(), &error.to_json()["resourceName"]), ("TooManyTags", &json!("r")));
    }

    #[test]
    fn violations_name_their_place() {
        let body = json!({"tags": [{"key": "k", "value": "v"}, {"key": "", "value": "x".repeat(257)}], "tagKeys": ["k", ""]});
        let mut fields = Fields::parse(body.to_string().as_bytes()).unwrap();
        read(&mut fields);
        read_keys(&mut fields);
        let message = fields.check().unwrap_err().to_string();
        for place in ["'tags.2.member.key'", "'tags.2.member.value'", "'tagKeys.2.member'"] {
            assert!(message.contains(place), "{message}");
        }
    }
}
