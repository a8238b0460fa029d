//! ListTagsForResource, TagResource, UntagResource of log groups.

use serde_json::{Value, json};

use super::groups::Tags;
use super::{Answer, LogsError, change, find, identified};
use crate::api::constraints::Fields;
use crate::limits;
use crate::server::Server;

pub(super) async fn list(server: &Server, mut fields: Fields) -> Answer {
    let arn = fields.required_text("resourceArn", 1, limits::LOG_ARN_CHARACTERS);
    fields.check()?;
    let name = identified(server, "ListTagsForResource", &arn)?;
    let (record, _) = find(server, &name).await?;
    Ok(json!({"tags": record.tags}))
}

pub(super) async fn tag(server: &Server, mut fields: Fields) -> Answer {
    let arn = fields.required_text("resourceArn", 1, limits::LOG_ARN_CHARACTERS);
    let tags = read(&mut fields, "tags");
    if tags.is_empty() {
        fields.require("tags");
    }
    fields.check()?;
    let name = identified(server, "TagResource", &arn)?;
    change(server, &name, |record| {
        let mut all = record.tags.clone();
        all.extend(tags.clone());
        record.tags = within_bounds(all)?;
        Ok(())
    })
    .await
}

pub(super) async fn untag(server: &Server, mut fields: Fields) -> Answer {
    let arn = fields.required_text("resourceArn", 1, limits::LOG_ARN_CHARACTERS);
    let keys = fields.list("tagKeys").unwrap_or_default();
    fields.check()?;
    let name = identified(server, "UntagResource", &arn)?;
    change(server, &name, |record| {
        record.tags.retain(|key, _| !keys.iter().any(|one| one == key));
        Ok(())
    })
    .await
}

/// Tags from a member that maps keys to values. Violations are noted.
pub(super) fn read(fields: &mut Fields, member: &str) -> Tags {
    let value = fields.value(member).cloned();
    let Some(value) = value else { return Tags::new() };
    let Value::Object(members) = &value else {
        fields.wrong_type(&value, "a Map");
        return Tags::new();
    };
    let mut tags = Tags::new();
    for (key, value) in members {
        match value {
            Value::String(text) => drop(tags.insert(key.clone(), text.clone())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                fields.wrong_type(value, "a String");
            }
        }
    }
    tags
}

/// Errors: `InvalidParameter`, `LimitExceeded`.
pub(super) fn within_bounds(tags: Tags) -> Result<Tags, LogsError> {
    let is_right = |(key, value): (&String, &String)| {
        (1..=limits::TAG_KEY_CHARACTERS).contains(&key.chars().count())
            && value.chars().count() <= limits::TAG_VALUE_CHARACTERS
            && !key.starts_with("aws:")
    };
    if !tags.iter().all(is_right) {
        return Err(LogsError::InvalidParameter("A tag's key or value is not valid".to_owned()));
    }
    if tags.len() > limits::TAGS {
        return Err(LogsError::LimitExceeded("A log group has at most 50 tags"));
    }
    Ok(tags)
}
