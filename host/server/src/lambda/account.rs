//! GetAccountSettings (API reference, section 10): the bounds of this server, and what is stored on it.

use serde_json::json;

use super::request::Call;
use super::{Answer, Reply};
use crate::server::Server;

pub(super) async fn settings(server: &Server, _call: Call) -> Answer {
    let modules = server.modules.list().await?;
    let stored: u64 = modules.iter().map(|module| module.latest.size_bytes).sum();
    let calls = server.calls.bounds.concurrent_calls;
    let longest = server.modules.max_bytes;
    Ok(Reply::ok(&json!({
        "AccountLimit": {
            // What a disk holds: nothing counts it.
            "TotalCodeSize": i64::MAX,
            "CodeSizeUnzipped": longest,
            "CodeSizeZipped": longest,
            "ConcurrentExecutions": calls,
            "UnreservedConcurrentExecutions": calls,
        },
        "AccountUsage": {"TotalCodeSize": stored, "FunctionCount": modules.len()},
    })))
}
