//! PutFunctionConcurrency, GetFunctionConcurrency and DeleteFunctionConcurrency (API reference, section 10): the
//! manifest's bound of calls at the same time. It is part of `$LATEST`: versions that are published take it along, and
//! versions that are there already keep theirs.

use axum::http::StatusCode;
use serde_json::json;

use super::change::{change, current};
use super::configuration::parse_manifest;
use super::error::LambdaError;
use super::name::Target;
use super::request::Call;
use super::{Answer, Reply};
use crate::server::Server;

/// PutFunctionConcurrency.
pub(super) async fn put(server: &Server, mut call: Call) -> Answer {
    call.fields.require("reservedConcurrentExecutions");
    let calls =
        call.fields.integer("reservedConcurrentExecutions", 0, i64::from(u32::MAX)).unwrap_or_default();
    let name = Target::read(&mut call)?.unqualified()?;
    let Some(bound) = u32::try_from(calls).ok().filter(|calls| *calls > 0) else {
        return Err(LambdaError::InvalidParameterValue(
            "A ReservedConcurrentExecutions of 0, which would stop all calls, is not offered by this release of Stepwell"
                .to_owned(),
        ));
    };
    set(server, &name, Some(bound)).await?;
    Ok(Reply::ok(&json!({"ReservedConcurrentExecutions": bound})))
}

/// GetFunctionConcurrency.
pub(super) async fn get(server: &Server, mut call: Call) -> Answer {
    let name = Target::read(&mut call)?.unqualified()?;
    let module = current(server, &name, None).await?;
    Ok(Reply::ok(&match parse_manifest(&module.latest)?.limits.concurrent_calls {
        Some(calls) => json!({"ReservedConcurrentExecutions": calls}),
        None => json!({}),
    }))
}

/// DeleteFunctionConcurrency.
pub(super) async fn delete(server: &Server, mut call: Call) -> Answer {
    let name = Target::read(&mut call)?.unqualified()?;
    set(server, &name, None).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

async fn set(server: &Server, name: &str, calls: Option<u32>) -> Result<(), LambdaError> {
    let changed = change(server, name, None, |_, manifest| {
        manifest.limits.concurrent_calls = calls;
        Ok(())
    });
    changed.await.map(drop)
}
