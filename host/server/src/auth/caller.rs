//! Who a request comes from, and the server as that one may see it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::AuthError;
use super::keys::AccessKey;
use super::policy::Policies;
use crate::api::error::ApiError;
use crate::rest::RestError;
use crate::server::Server;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Whoever reaches a server that asks nobody for a signature. Accounts are not told apart then.
    Anyone,
    /// The holder of an access key.
    Key(Arc<AccessKey>),
    /// A task of an execution of this account, on a server that tells accounts apart.
    Task(String),
}

impl Caller {
    /// The account that all of this caller's resources belong to; none where accounts are not told apart.
    pub(crate) fn account(&self) -> Option<&str> {
        match self {
            Caller::Anyone => None,
            Caller::Key(key) => Some(key.account()),
            Caller::Task(account) => Some(account),
        }
    }

    /// Refuses what belongs to another account, as AWS does. Errors: `Denied`.
    pub(crate) fn check_account(&self, account: &str, action: &str, resource: &str) -> Result<(), AuthError> {
        match self {
            Caller::Key(key) if key.account() != account => Err(AuthError::Denied(format!(
                "{} because no resource-based policy allows the {action} action",
                not_authorized(key, action, resource)
            ))),
            Caller::Task(own) if own != account => Err(AuthError::Denied(format!(
                "User: arn:aws:iam::{own}:root is not authorized to perform: {action} on resource: {resource} because no \
                 resource-based policy allows the {action} action"
            ))),
            Caller::Anyone | Caller::Key(_) | Caller::Task(_) => Ok(()),
        }
    }

    /// Refuses what the operation's own needs do not cover. Errors: `Denied`.
    pub(crate) fn check_policy(&self, needed: Policies, action: &str) -> Result<(), AuthError> {
        match self {
            Caller::Key(key) if !key.policies.allow(needed) => Err(AuthError::Denied(format!(
                "{} because no identity-based policy allows the {action} action",
                not_authorized(key, action, "*")
            ))),
            // What a task may do was decided when its machine was deployed.
            Caller::Key(_) | Caller::Anyone | Caller::Task(_) => Ok(()),
        }
    }
}

/// The beginning of what a caller is told that may not do something.
pub(super) fn not_authorized(key: &AccessKey, action: &str, resource: &str) -> String {
    let user = format!("arn:aws:iam::{}:user/{}", key.account(), key.id());
    format!("User: {user} is not authorized to perform: {action} on resource: {resource}")
}

/// The server as the caller of a request may see it. Only the gate makes one: a handler that asks for it on a way around
/// the gate gets nothing.
#[derive(Clone)]
pub(crate) struct AsCaller(pub(crate) Arc<Server>);

impl FromRequestParts<Arc<Server>> for AsCaller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<AsCaller, Response> {
        let server = parts.extensions.get::<AsCaller>().cloned();
        server.ok_or_else(|| {
            RestError::Api(ApiError::internal(&"a request came past the gate")).into_response()
        })
    }
}
