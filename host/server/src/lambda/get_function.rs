//! GetFunction and GetFunctionConfiguration (API reference, section 10). The waiters of clients poll them.

use serde_json::json;

use super::code;
use super::configuration::Snapshot;
use super::error::LambdaError;
use super::name::Target;
use super::request::Call;
use super::{Answer, Reply};
use crate::modules::{FoundModule, ModuleError};
use crate::server::Server;

/// GetFunction.
pub(super) async fn function(server: &Server, mut call: Call) -> Answer {
    let target = Target::read(&mut call)?;
    let found = find(server, &target).await?;
    let tags = found.module.settings.tags.clone();
    let snapshot = Snapshot::from(found);
    let mut answer = json!({
        "Configuration": snapshot.to_json(server, target.qualifier.as_deref())?,
        "Code": {
            "RepositoryType": "S3",
            "Location": code::location(server, &call, &snapshot.name, &snapshot.version),
        },
    });
    if !tags.is_empty() {
        answer["Tags"] = json!(tags);
    }
    if let Some(calls) = snapshot.manifest()?.limits.concurrent_calls {
        answer["Concurrency"] = json!({"ReservedConcurrentExecutions": calls});
    }
    Ok(Reply::ok(&answer))
}

/// GetFunctionConfiguration.
pub(super) async fn configuration(server: &Server, mut call: Call) -> Answer {
    let target = Target::read(&mut call)?;
    let snapshot = Snapshot::from(find(server, &target).await?);
    Ok(Reply::ok(&snapshot.to_json(server, target.qualifier.as_deref())?))
}

/// What a request is about. Errors: ResourceNotFound.
pub(super) async fn find(server: &Server, target: &Target) -> Result<FoundModule, LambdaError> {
    let found = server.modules.get(&target.name, target.qualifier.as_deref()).await;
    found.map_err(|error| {
        if let ModuleError::Missing { .. } = error {
            // With the qualifier, as it was named.
            return target.not_found(&server.identity);
        }
        LambdaError::of_modules(error, &server.identity)
    })
}
