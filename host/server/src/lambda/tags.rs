//! ListTags, TagResource and UntagResource (API reference, section 10), for functions.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::change::{change, current};
use super::error::LambdaError;
use super::name;
use super::request::Call;
use super::settings;
use super::{Answer, Reply};
use crate::limits;
use crate::server::Server;

/// ListTags.
pub(super) async fn list(server: &Server, mut call: Call) -> Answer {
    let name = function(&mut call)?;
    let module = current(server, &name, None).await?;
    Ok(Reply::ok(&json!({"Tags": module.settings.tags})))
}

/// TagResource.
pub(super) async fn add(server: &Server, mut call: Call) -> Answer {
    call.fields.require("tags");
    let tags = settings::texts(&mut call, "tags").unwrap_or_default();
    let name = function(&mut call)?;
    change(server, &name, None, |settings, _| {
        settings.tags.extend(tags.clone());
        check(&settings.tags)
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// UntagResource. Keys that are not there are removed already.
pub(super) async fn remove(server: &Server, mut call: Call) -> Answer {
    call.fields.require("tagKeys");
    let keys = call.fields.list("tagKeys").unwrap_or_default();
    let name = function(&mut call)?;
    change(server, &name, None, |settings, _| {
        for key in keys.iter().filter_map(Value::as_str) {
            settings.tags.remove(key);
        }
        Ok(())
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// The bounds of tags. Errors: InvalidParameterValue.
pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), LambdaError> {
    let refused = |message: String| Err(LambdaError::InvalidParameterValue(message));
    if tags.len() > limits::TAGS {
        return refused(format!("A function has at most {} tags", limits::TAGS));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > limits::TAG_KEY_CHARACTERS {
            return refused(format!("The key of a tag has 1 to {} characters", limits::TAG_KEY_CHARACTERS));
        }
        if value.chars().count() > limits::TAG_VALUE_CHARACTERS {
            let longest = limits::TAG_VALUE_CHARACTERS;
            return refused(format!("The value of the tag {key} is longer than {longest} characters"));
        }
    }
    Ok(())
}

/// Reads the name in `resource`, the last member that an operation reads.
fn function(call: &mut Call) -> Result<String, LambdaError> {
    let resource = call.fields.required_text("resource", 1, limits::LAMBDA_ARN_CHARACTERS);
    call.fields.check()?;
    let target = name::parse(&resource).filter(|_| resource.starts_with("arn:"));
    let Some(target) = target else {
        return Err(LambdaError::InvalidParameterValue(format!("{resource} is not the ARN of a function")));
    };
    if target.qualifier.is_some() {
        return Err(LambdaError::InvalidParameterValue(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
                .to_owned(),
        ));
    }
    Ok(target.name)
}
