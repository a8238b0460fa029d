//! AddPermission, GetPolicy and RemovePermission (API reference, section 10). Policies are kept and read back, for
//! clients that manage them; nobody is refused or admitted by one.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use stepwell_store::ModuleSettings;
use uuid::Uuid;

use super::change::{change, current};
use super::error::LambdaError;
use super::get_function::find;
use super::name::{LATEST, Target};
use super::request::Call;
use super::{Answer, Reply};
use crate::api::error::ApiError;
use crate::limits;
use crate::server::Server;

/// Where policies are kept. A small letter: it is not part of a function's configuration.
const POLICY: &str = "policy";

const ACTION_PATTERN: &str = "(lambda:[*]|lambda:[a-zA-Z]+|[*])";
const STATEMENT_PATTERN: &str = "([a-zA-Z0-9-_]+)";

/// Conditions of a statement: member of the request, operator, key.
const CONDITIONS: [(&str, &str, &str); 5] = [
    ("sourceArn", "ArnLike", "AWS:SourceArn"),
    ("sourceAccount", "StringEquals", "AWS:SourceAccount"),
    ("principalOrgID", "StringEquals", "aws:PrincipalOrgID"),
    ("eventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ("functionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
];

/// AddPermission.
pub(super) async fn add(server: &Server, mut call: Call) -> Answer {
    let id = statement_id(&mut call);
    let action = call.fields.required_text("action", 0, limits::LAMBDA_ARN_CHARACTERS);
    if !action.is_empty() && !is_action(&action) {
        call.fields.pattern("action", &action, ACTION_PATTERN);
    }
    let principal = call.fields.required_text("principal", 0, limits::PRINCIPAL_CHARACTERS);
    let revision = call.fields.text("revisionId", 0, limits::REVISION_CHARACTERS);
    let mut conditions = Map::new();
    for (member, operator, key) in CONDITIONS {
        if let Some(text) = call.fields.text(member, 0, limits::LAMBDA_ARN_CHARACTERS) {
            let operator = conditions.entry(operator).or_insert_with(|| json!({}));
            operator[key] = json!(text);
        }
    }
    let target = Target::read(&mut call)?;
    find(server, &target).await?;
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": written_principal(&principal),
        "Action": action,
        "Resource": target.arn(&server.identity),
    });
    if !conditions.is_empty() {
        statement["Condition"] = Value::Object(conditions);
    }
    edit(server, &target, revision.as_deref(), |statements| {
        if statements.iter().any(|statement| statement["Sid"] == id.as_str()) {
            return Err(LambdaError::ResourceConflict(format!(
                "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement."
            )));
        }
        statements.push(statement.clone());
        Ok(())
    })
    .await?;
    Ok(Reply::json(StatusCode::CREATED, &json!({"Statement": statement.to_string()})))
}

/// GetPolicy.
pub(super) async fn get(server: &Server, mut call: Call) -> Answer {
    let target = Target::read(&mut call)?;
    let settings = find(server, &target).await?.module.settings;
    let statements = statements(&settings, &target)?;
    if statements.is_empty() {
        return Err(LambdaError::ResourceNotFound("The resource you requested does not exist.".to_owned()));
    }
    let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
    Ok(Reply::ok(&json!({"Policy": policy.to_string(), "RevisionId": revision_of(&statements)})))
}

/// RemovePermission.
pub(super) async fn remove(server: &Server, mut call: Call) -> Answer {
    let id = statement_id(&mut call);
    let revision = call.fields.text("revisionId", 0, limits::REVISION_CHARACTERS);
    let target = Target::read(&mut call)?;
    current(server, &target.name, None).await?;
    edit(server, &target, revision.as_deref(), |statements| {
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != id.as_str());
        if statements.len() == before {
            let message = format!("Statement {id} is not found in resource policy.");
            return Err(LambdaError::ResourceNotFound(message));
        }
        Ok(())
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn statement_id(call: &mut Call) -> String {
    let id = call.fields.required_text("statementId", 1, limits::STATEMENT_ID_CHARACTERS);
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        call.fields.pattern("statementId", &id, STATEMENT_PATTERN);
    }
    id
}

fn is_action(action: &str) -> bool {
    let name = action.strip_prefix("lambda:").unwrap_or(action);
    let letters = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    name == "*" || (letters && name.len() < action.len())
}

/// A service, an account or everybody, as policies write them.
fn written_principal(principal: &str) -> Value {
    let account = principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
    if principal == "*" {
        json!("*")
    } else if account {
        json!({"AWS": format!("arn:aws:iam::{principal}:root")})
    } else if principal.starts_with("arn:") {
        json!({"AWS": principal})
    } else {
        json!({"Service": principal})
    }
}

/// Changes the statements of a function, a version or an alias.
async fn edit(
    server: &Server,
    target: &Target,
    revision: Option<&str>,
    edit: impl Fn(&mut Vec<Value>) -> Result<(), LambdaError> + Send + Sync,
) -> Result<(), LambdaError> {
    let edited = change(server, &target.name, None, |settings, _| {
        let mut statements = statements(settings, target)?;
        if revision.is_some_and(|revision| revision != revision_of(&statements)) {
            return Err(LambdaError::PreconditionFailed);
        }
        edit(&mut statements)?;
        let mut policies = policies(settings)?;
        if statements.is_empty() {
            policies.remove(key(target));
        } else {
            policies.insert(key(target).to_owned(), Value::Array(statements));
        }
        if policies.is_empty() {
            settings.others.remove(POLICY);
        } else {
            settings.others.insert(POLICY.to_owned(), Value::Object(policies).to_string());
        }
        Ok(())
    });
    edited.await.map(drop)
}

/// Every qualifier has a policy of its own; `$LATEST` shares the function's.
fn key(target: &Target) -> &str {
    target.qualifier.as_deref().filter(|qualifier| *qualifier != LATEST).unwrap_or_default()
}

/// Statements by qualifier.
fn policies(settings: &ModuleSettings) -> Result<Map<String, Value>, LambdaError> {
    let Some(text) = settings.others.get(POLICY) else { return Ok(Map::new()) };
    serde_json::from_str(text).map_err(|error| ApiError::internal(&error).into())
}

fn statements(settings: &ModuleSettings, target: &Target) -> Result<Vec<Value>, LambdaError> {
    let policies = policies(settings)?;
    Ok(policies.get(key(target)).and_then(Value::as_array).cloned().unwrap_or_default())
}

/// The same for the same statements, in the form of other revision ids.
fn revision_of(statements: &[Value]) -> String {
    let digest = Sha256::digest(json!(statements).to_string());
    Uuid::from_bytes(std::array::from_fn(|index| digest[index])).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_principals_are_those_of_policies() {
        for (action, expected) in [
            ("lambda:InvokeFunction", true),
            ("lambda:*", true),
            ("*", true),
            ("InvokeFunction", false),
            ("s3:GetObject", false),
            ("lambda:", false),
        ] {
            assert_eq!(is_action(action), expected, "{action}");
        }
        assert_eq!(written_principal("s3.amazonaws.com"), json!({"Service": "s3.amazonaws.com"}));
        assert_eq!(written_principal("123456789012"), json!({"AWS": "arn:aws:iam::123456789012:root"}));
    }

    #[test]
    fn a_revision_id_has_the_usual_form() {
        let revision = revision_of(&[json!({"Sid": "a"})]);
        assert_eq!(revision.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_ne!(revision, revision_of(&[]));
    }
}
