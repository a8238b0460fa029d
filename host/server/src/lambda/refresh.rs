//! What infrastructure tools read of every function, whether it is used or not (API reference, section 10): each answers
//! that nothing is set. Setting any of it is not offered.

use serde_json::json;

use super::error::LambdaError;
use super::get_function::find;
use super::name::Target;
use super::request::Call;
use super::{Answer, Reply};
use crate::server::Server;

/// GetFunctionCodeSigningConfig.
pub(super) async fn code_signing_config(server: &Server, mut call: Call) -> Answer {
    let target = there(server, &mut call).await?;
    Ok(Reply::ok(&json!({"CodeSigningConfigArn": "", "FunctionName": target.name})))
}

/// GetRuntimeManagementConfig.
pub(super) async fn runtime_management_config(server: &Server, mut call: Call) -> Answer {
    let target = there(server, &mut call).await?;
    Ok(Reply::ok(&json!({"UpdateRuntimeOn": "Auto", "FunctionArn": target.arn(&server.identity)})))
}

/// GetFunctionRecursionConfig.
pub(super) async fn recursion_config(server: &Server, mut call: Call) -> Answer {
    there(server, &mut call).await?;
    Ok(Reply::ok(&json!({"RecursiveLoop": "Terminate"})))
}

/// GetFunctionUrlConfig: functions have no addresses of their own here.
pub(super) async fn url_config(server: &Server, mut call: Call) -> Answer {
    there(server, &mut call).await?;
    Err(LambdaError::ResourceNotFound("The resource you requested does not exist.".to_owned()))
}

/// ListFunctionUrlConfigs.
pub(super) async fn url_configs(server: &Server, mut call: Call) -> Answer {
    there(server, &mut call).await?;
    Ok(Reply::ok(&json!({"FunctionUrlConfigs": []})))
}

/// GetFunctionEventInvokeConfig.
pub(super) async fn event_invoke_config(server: &Server, mut call: Call) -> Answer {
    let target = there(server, &mut call).await?;
    let arn = target.arn(&server.identity);
    Err(LambdaError::ResourceNotFound(format!("The function {arn} doesn't have an EventInvokeConfig")))
}

/// GetProvisionedConcurrencyConfig.
pub(super) async fn provisioned_concurrency(server: &Server, mut call: Call) -> Answer {
    there(server, &mut call).await?;
    Err(LambdaError::NoProvisionedConcurrency)
}

/// Reads the target, which must be there. Errors: ResourceNotFound.
async fn there(server: &Server, call: &mut Call) -> Result<Target, LambdaError> {
    let target = Target::read(call)?;
    find(server, &target).await?;
    Ok(target)
}
