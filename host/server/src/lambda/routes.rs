//! The table of Lambda's addresses (API reference, section 10): method and path, the operation's name and its handler.
//! Paths and names are those of the published model; what is not offered is listed too, so that a client is told its
//! name.

use std::pin::Pin;

use super::error::LambdaError;
use super::request::{Call, decoded};
use super::{
    Answer, account, aliases, concurrency, create_function, delete_function, get_function, invoke,
    list_functions, permissions, refresh, tags, update_function_code, update_function_configuration,
    versions,
};
use crate::server::Server;

/// An operation of the table.
pub(super) type Handler = for<'a> fn(&'a Server, Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What a request may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// A JSON object of a few members.
    Members,
    /// A JSON object with an uploaded file in it.
    Code,
    /// The payload of a call.
    Payload,
}

/// Members of a request that its path holds.
pub(super) type Members = Vec<(&'static str, String)>;

/// One address.
pub(super) struct Route {
    method: &'static str,
    /// Parts in braces are members of the request.
    path: &'static str,
    pub(super) operation: &'static str,
    pub(super) body: Body,
    pub(super) handler: Handler,
}

/// Makes a row of the table.
macro_rules! route {
    ($method:literal, $path:literal, $operation:literal, $body:ident, $handler:path) => {
        Route {
            method: $method,
            path: $path,
            operation: $operation,
            body: Body::$body,
            handler: |server, call| Box::pin($handler(server, call)),
        }
    };
}

/// Every operation that is offered.
#[rustfmt::skip] // a table
const OFFERED: [Route; 32] = [
    route!("GET", "/2015-03-31/functions", "ListFunctions", Members, list_functions::handle),
    route!("POST", "/2015-03-31/functions", "CreateFunction", Code, create_function::handle),
    route!("GET", "/2015-03-31/functions/{functionName}", "GetFunction", Members, get_function::function),
    route!("DELETE", "/2015-03-31/functions/{functionName}", "DeleteFunction", Members, delete_function::handle),
    route!("GET", "/2015-03-31/functions/{functionName}/configuration", "GetFunctionConfiguration", Members, get_function::configuration),
    route!("PUT", "/2015-03-31/functions/{functionName}/configuration", "UpdateFunctionConfiguration", Members, update_function_configuration::handle),
    route!("PUT", "/2015-03-31/functions/{functionName}/code", "UpdateFunctionCode", Code, update_function_code::handle),
    route!("POST", "/2015-03-31/functions/{functionName}/invocations", "Invoke", Payload, invoke::handle),
    route!("GET", "/2015-03-31/functions/{functionName}/versions", "ListVersionsByFunction", Members, versions::list),
    route!("POST", "/2015-03-31/functions/{functionName}/versions", "PublishVersion", Members, versions::publish),
    route!("GET", "/2015-03-31/functions/{functionName}/aliases", "ListAliases", Members, aliases::list),
    route!("POST", "/2015-03-31/functions/{functionName}/aliases", "CreateAlias", Members, aliases::create),
    route!("GET", "/2015-03-31/functions/{functionName}/aliases/{name}", "GetAlias", Members, aliases::get),
    route!("PUT", "/2015-03-31/functions/{functionName}/aliases/{name}", "UpdateAlias", Members, aliases::update),
    route!("DELETE", "/2015-03-31/functions/{functionName}/aliases/{name}", "DeleteAlias", Members, aliases::delete),
    route!("GET", "/2015-03-31/functions/{functionName}/policy", "GetPolicy", Members, permissions::get),
    route!("POST", "/2015-03-31/functions/{functionName}/policy", "AddPermission", Members, permissions::add),
    route!("DELETE", "/2015-03-31/functions/{functionName}/policy/{statementId}", "RemovePermission", Members, permissions::remove),
    route!("GET", "/2016-08-19/account-settings", "GetAccountSettings", Members, account::settings),
    route!("GET", "/2017-03-31/tags/{resource}", "ListTags", Members, tags::list),
    route!("POST", "/2017-03-31/tags/{resource}", "TagResource", Members, tags::add),
    route!("DELETE", "/2017-03-31/tags/{resource}", "UntagResource", Members, tags::remove),
    route!("PUT", "/2017-10-31/functions/{functionName}/concurrency", "PutFunctionConcurrency", Members, concurrency::put),
    route!("DELETE", "/2017-10-31/functions/{functionName}/concurrency", "DeleteFunctionConcurrency", Members, concurrency::delete),
    route!("GET", "/2019-09-25/functions/{functionName}/event-invoke-config", "GetFunctionEventInvokeConfig", Members, refresh::event_invoke_config),
    route!("GET", "/2019-09-30/functions/{functionName}/concurrency", "GetFunctionConcurrency", Members, concurrency::get),
    route!("GET", "/2019-09-30/functions/{functionName}/provisioned-concurrency", "GetProvisionedConcurrencyConfig", Members, refresh::provisioned_concurrency),
    route!("GET", "/2020-06-30/functions/{functionName}/code-signing-config", "GetFunctionCodeSigningConfig", Members, refresh::code_signing_config),
    route!("GET", "/2021-07-20/functions/{functionName}/runtime-management-config", "GetRuntimeManagementConfig", Members, refresh::runtime_management_config),
    route!("GET", "/2021-10-31/functions/{functionName}/url", "GetFunctionUrlConfig", Members, refresh::url_config),
    route!("GET", "/2021-10-31/functions/{functionName}/urls", "ListFunctionUrlConfigs", Members, refresh::url_configs),
    route!("GET", "/2024-08-31/functions/{functionName}/recursion-config", "GetFunctionRecursionConfig", Members, refresh::recursion_config),
];

/// Every operation of the model that is not.
#[rustfmt::skip] // a table
const NOT_OFFERED: [(&str, &str, &str); 57] = [
    ("POST", "/2014-11-13/functions/{FunctionName}/invoke-async", "InvokeAsync"),
    ("GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings"),
    ("POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping"),
    ("DELETE", "/2015-03-31/event-source-mappings/{UUID}", "DeleteEventSourceMapping"),
    ("GET", "/2015-03-31/event-source-mappings/{UUID}", "GetEventSourceMapping"),
    ("PUT", "/2015-03-31/event-source-mappings/{UUID}", "UpdateEventSourceMapping"),
    ("GET", "/2018-10-31/layers", "ListLayers"),
    ("GET", "/2018-10-31/layers/{LayerName}/versions", "ListLayerVersions"),
    ("POST", "/2018-10-31/layers/{LayerName}/versions", "PublishLayerVersion"),
    ("DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", "DeleteLayerVersion"),
    ("GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", "GetLayerVersion"),
    ("GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", "GetLayerVersionPolicy"),
    ("POST", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", "AddLayerVersionPermission"),
    ("DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy/{StatementId}", "RemoveLayerVersionPermission"),
    ("DELETE", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "DeleteFunctionEventInvokeConfig"),
    ("POST", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "UpdateFunctionEventInvokeConfig"),
    ("PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "PutFunctionEventInvokeConfig"),
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config/list", "ListFunctionEventInvokeConfigs"),
    ("DELETE", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", "DeleteProvisionedConcurrencyConfig"),
    ("PUT", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", "PutProvisionedConcurrencyConfig"),
    ("GET", "/2020-04-22/code-signing-configs", "ListCodeSigningConfigs"),
    ("POST", "/2020-04-22/code-signing-configs", "CreateCodeSigningConfig"),
    ("DELETE", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", "DeleteCodeSigningConfig"),
    ("GET", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", "GetCodeSigningConfig"),
    ("PUT", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", "UpdateCodeSigningConfig"),
    ("GET", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}/functions", "ListFunctionsByCodeSigningConfig"),
    ("DELETE", "/2020-06-30/functions/{FunctionName}/code-signing-config", "DeleteFunctionCodeSigningConfig"),
    ("PUT", "/2020-06-30/functions/{FunctionName}/code-signing-config", "PutFunctionCodeSigningConfig"),
    ("PUT", "/2021-07-20/functions/{FunctionName}/runtime-management-config", "PutRuntimeManagementConfig"),
    ("DELETE", "/2021-10-31/functions/{FunctionName}/url", "DeleteFunctionUrlConfig"),
    ("POST", "/2021-10-31/functions/{FunctionName}/url", "CreateFunctionUrlConfig"),
    ("PUT", "/2021-10-31/functions/{FunctionName}/url", "UpdateFunctionUrlConfig"),
    ("POST", "/2021-11-15/functions/{FunctionName}/response-streaming-invocations", "InvokeWithResponseStream"),
    ("PUT", "/2024-08-31/functions/{FunctionName}/recursion-config", "PutFunctionRecursionConfig"),
    ("GET", "/2025-11-30/capacity-providers", "ListCapacityProviders"),
    ("POST", "/2025-11-30/capacity-providers", "CreateCapacityProvider"),
    ("DELETE", "/2025-11-30/capacity-providers/{CapacityProviderName}", "DeleteCapacityProvider"),
    ("GET", "/2025-11-30/capacity-providers/{CapacityProviderName}", "GetCapacityProvider"),
    ("PUT", "/2025-11-30/capacity-providers/{CapacityProviderName}", "UpdateCapacityProvider"),
    ("GET", "/2025-11-30/capacity-providers/{CapacityProviderName}/function-versions", "ListFunctionVersionsByCapacityProvider"),
    ("GET", "/2025-11-30/functions/{FunctionName}/function-scaling-config", "GetFunctionScalingConfig"),
    ("PUT", "/2025-11-30/functions/{FunctionName}/function-scaling-config", "PutFunctionScalingConfig"),
    ("POST", "/2025-12-01/durable-execution-callbacks/{CallbackId}/fail", "SendDurableExecutionCallbackFailure"),
    ("POST", "/2025-12-01/durable-execution-callbacks/{CallbackId}/heartbeat", "SendDurableExecutionCallbackHeartbeat"),
    ("POST", "/2025-12-01/durable-execution-callbacks/{CallbackId}/succeed", "SendDurableExecutionCallbackSuccess"),
    ("DELETE", "/2025-12-01/durable-executions/{DurableExecutionArn}", "DeleteDurableExecution"),
    ("GET", "/2025-12-01/durable-executions/{DurableExecutionArn}", "GetDurableExecution"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/checkpoint", "CheckpointDurableExecution"),
    ("GET", "/2025-12-01/durable-executions/{DurableExecutionArn}/history", "GetDurableExecutionHistory"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/pause", "PauseDurableExecution"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/resume", "ResumeDurableExecution"),
    ("GET", "/2025-12-01/durable-executions/{DurableExecutionArn}/state", "GetDurableExecutionState"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/stop", "StopDurableExecution"),
    ("GET", "/2025-12-01/functions/{FunctionName}/durable-executions", "ListDurableExecutionsByFunction"),
    ("DELETE", "/2026-07-09/resource-policy/{ResourceArn}", "DeleteResourcePolicy"),
    ("GET", "/2026-07-09/resource-policy/{ResourceArn}", "GetResourcePolicy"),
    ("PUT", "/2026-07-09/resource-policy/{ResourceArn}", "PutResourcePolicy"),
];

/// Finds the address, and the members that its path holds.
pub(super) fn find(method: &str, path: &str) -> Result<(&'static Route, Members), LambdaError> {
    for route in &OFFERED {
        if route.method == method
            && let Some(members) = fits(route.path, path)
        {
            let members = members.into_iter().map(|(name, text)| Ok((name, decoded(text)?)));
            return Ok((route, members.collect::<Result<_, LambdaError>>()?));
        }
    }
    let known =
        NOT_OFFERED.iter().find(|(known, template, _)| *known == method && fits(template, path).is_some());
    Err(LambdaError::NotOffered(match known {
        Some((_, _, operation)) => {
            format!("The operation '{operation}' is not offered by this release of Stepwell")
        }
        None => format!("There is no operation of Lambda at {method} {path}"),
    }))
}

/// The members in `path` if it has the form of `template`. A slash at the end makes no difference.
fn fits<'a>(template: &'static str, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut members = Vec::new();
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        let part = parts.next()?;
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !part.is_empty() => members.push((name, part)),
            None if wanted == part => {}
            Some(_) | None => return None,
        }
    }
    parts.next().is_none().then_some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_operations_and_their_members() {
        let found = |method: &str, path: &str| {
            find(method, path).map(|(route, members)| (route.operation, members)).ok()
        };
        let name = |name: &str| vec![("functionName", name.to_owned())];
        assert_eq!(found("GET", "/2015-03-31/functions/"), Some(("ListFunctions", Vec::new())));
        assert_eq!(found("GET", "/2015-03-31/functions/a%3A1"), Some(("GetFunction", name("a:1"))));
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        assert_eq!(
            found("POST", &format!("/2015-03-31/functions/{}/invocations", arn.replace(':', "%3A"))),
            Some(("Invoke", name(arn)))
        );
        let alias = found("PUT", "/2015-03-31/functions/f/aliases/live").unwrap().1;
        assert_eq!(alias, [("functionName", "f".to_owned()), ("name", "live".to_owned())]);
        assert_eq!(found("POST", "/2015-03-31/functions//invocations"), None);
    }

    #[test]
    fn what_is_not_offered_is_named() {
        let message = |method: &str, path: &str| {
            find(method, path).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(
            message("GET", "/2018-10-31/layers"),
            "The operation 'ListLayers' is not offered by this release of Stepwell"
        );
        assert_eq!(
            message("PATCH", "/2015-03-31/x"),
            "There is no operation of Lambda at PATCH /2015-03-31/x"
        );
    }

    #[test]
    fn no_address_is_listed_twice() {
        let mut all: Vec<_> = OFFERED.iter().map(|route| (route.method, route.path)).collect();
        all.extend(NOT_OFFERED.iter().map(|(method, path, _)| (*method, *path)));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
