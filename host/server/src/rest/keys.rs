//! `/api/keys`: access keys made, listed and revoked. A secret is in the answer that made it and in no other.
//!
//! An admin of an account sees and changes the keys of that account; one of the server's own account those of all.

use std::sync::Arc;

use axum::extract::{Path, Request};
use axum::http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_executor::{Clock as _, SystemClock};

use super::modules::read;
use super::{Answer, RestError, answer, members};
use crate::api::error::ApiError;
use crate::auth::policy::Policies;
use crate::auth::{AccessKeys, AsCaller, Caller, KeyError, NewKey};
use crate::server::Server;

/// What `POST` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewKeyBody {
    /// 12 digits; none is the caller's.
    account: Option<String>,
    /// Names of policies, at least one.
    policies: Vec<String>,
    description: Option<String>,
    /// Seconds from now; none is for ever.
    expires_in_seconds: Option<u64>,
}

/// `POST /api/keys`.
pub(crate) async fn create_key(AsCaller(server): AsCaller, request: Request) -> Answer {
    let body: NewKeyBody = members::read(&read(request).await?)?;
    let policies = Policies::parse(body.policies.iter().map(String::as_str)).ok_or_else(|| {
        let names = Policies::NAMES.map(|(name, _)| name).join(", ");
        RestError::Invalid(format!("policies: give at least one of {names}"))
    })?;
    let account = body.account.unwrap_or_else(|| server.identity.account.clone());
    check_account(&server, &account, "stepwell:CreateAccessKey")?;
    let expires_at = body.expires_in_seconds.map(|seconds| SystemClock.now().plus_seconds(seconds));
    let description = body.description.unwrap_or_default();
    let wish = NewKey { account, policies, description, expires_at };
    let (key, secret) = keys(&server)?.create(wish).await.map_err(refused)?;
    let mut body = key.to_json();
    body["secretAccessKey"] = json!(secret);
    let mut response = answer(StatusCode::CREATED, &body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /api/keys`.
pub(crate) async fn list_keys(AsCaller(server): AsCaller) -> Answer {
    let keys = keys(&server)?.list();
    let own = keys.iter().filter(|key| sees(&server, key.account()));
    Ok(answer(StatusCode::OK, &json!({"accessKeys": own.map(|key| key.to_json()).collect::<Vec<Value>>()})))
}

/// `DELETE /api/keys/{id}`.
pub(crate) async fn revoke_key(AsCaller(server): AsCaller, Path(id): Path<String>) -> Answer {
    let keys = keys(&server)?;
    // Another account's key does not exist for this one.
    let own = keys.list().iter().any(|key| key.id() == id && sees(&server, key.account()));
    if !own {
        return Err(refused(KeyError::Missing(id)));
    }
    let key = keys.revoke(&id).await.map_err(refused)?;
    Ok(answer(StatusCode::OK, &key.to_json()))
}

fn keys(server: &Server) -> Result<&AccessKeys, RestError> {
    server.auth.keys.as_ref().ok_or_else(|| RestError::NotFound("/api/keys".to_owned()))
}

/// Whether keys of an account are this caller's to see.
fn sees(server: &Arc<Server>, account: &str) -> bool {
    match &server.caller {
        Caller::Anyone => true,
        Caller::Task(_) => false,
        Caller::Key(key) => key.account() == account || server.is_home(key.account()),
    }
}

fn check_account(server: &Arc<Server>, account: &str, action: &str) -> Result<(), ApiError> {
    if sees(server, account) { Ok(()) } else { Ok(server.caller.check_account(account, action, "*")?) }
}

fn refused(error: KeyError) -> RestError {
    match error {
        KeyError::Invalid(message) => RestError::Invalid(message),
        KeyError::Missing(_) => {
            RestError::Missing { code: "AccessKeyDoesNotExist", message: error.to_string() }
        }
        KeyError::Secret(error) => RestError::Secret("access key".to_owned(), error),
        KeyError::Store(error) => error.into(),
    }
}
