//! DeleteFunction (API reference, section 10): a function with its versions and aliases, or one version.

use axum::http::StatusCode;

use super::error::LambdaError;
use super::name::{LATEST, Target, is_version};
use super::request::Call;
use super::{Answer, Reply};
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let target = Target::read(&mut call)?;
    let refused = |message: &str| Err(LambdaError::InvalidParameterValue(message.to_owned()));
    let deleted = match target.qualifier.as_deref() {
        None => server.modules.delete(&target.name).await,
        Some(LATEST) => {
            return refused("$LATEST version cannot be deleted without deleting the function.");
        }
        Some(alias) if !is_version(alias) => {
            return refused("Deletion of aliases is not currently supported: use DeleteAlias.");
        }
        Some(number) => match number.parse() {
            Ok(number) => server.modules.delete_version(&target.name, number).await,
            // No version has a number of that size.
            Err(_) => return Err(target.not_found(&server.identity)),
        },
    };
    deleted.map_err(|error| LambdaError::of_modules(error, &server.identity))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
