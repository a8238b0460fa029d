//! What the resource of a Task may be: an integration that Step Functions has (API reference, section 6.2), and
//! for an Express state machine none that outlasts a request (Developer Guide, "Choosing workflow type").
//!
//! Judged on the JSON, so that another problem of the state hides none of these. Whether this release can run
//! the resource is for the host to say.

use super::diagnostic::DiagnosticCode;
use super::findings::Findings;
use crate::states::{Pattern, Resource};
use serde_json::Value;

/// An optimised integration: its actions, and how their results may come beside at once.
struct Service {
    name: &'static str,
    /// None where Step Functions has too many to list, or lists that still grow.
    actions: Option<&'static [&'static str]>,
    runs_jobs: bool,
    gives_tokens: bool,
}

const fn service(
    name: &'static str,
    actions: Option<&'static [&'static str]>,
    runs_jobs: bool,
    gives_tokens: bool,
) -> Service {
    Service { name, actions, runs_jobs, gives_tokens }
}

const SERVICES: [Service; 23] = [
    service("apigateway", Some(&["invoke"]), false, true),
    service(
        "athena",
        Some(&["startQueryExecution", "stopQueryExecution", "getQueryExecution", "getQueryResults"]),
        true,
        false,
    ),
    service("batch", Some(&["submitJob"]), true, false),
    service("bedrock", Some(&["invokeModel", "createModelCustomizationJob"]), true, true),
    service("bedrockagentcore", Some(&["invokeHarness"]), false, false),
    service("codebuild", None, true, false),
    service("databrew", Some(&["startJobRun"]), true, false),
    service("dynamodb", Some(&["getItem", "putItem", "updateItem", "deleteItem"]), false, false),
    service("ecs", Some(&["runTask"]), true, true),
    service("eks", None, true, true),
    service("elasticmapreduce", None, true, false),
    service(
        "emr-containers",
        Some(&["createVirtualCluster", "deleteVirtualCluster", "startJobRun"]),
        true,
        false,
    ),
    service("emr-serverless", None, true, false),
    service("events", Some(&["putEvents"]), false, true),
    service("glue", Some(&["startJobRun"]), true, false),
    service("http", Some(&["invoke"]), false, false),
    service("lambda", Some(&["invoke"]), false, true),
    service("mediaconvert", Some(&["createJob"]), true, false),
    service("sagemaker", None, true, false),
    service("sns", Some(&["publish"]), false, true),
    service("sqs", Some(&["sendMessage"]), false, true),
    service("states", Some(&["startExecution"]), true, true),
    // Every other service, by its own API: jobs are not watched there.
    service("aws-sdk", None, false, true),
];

/// Reports the resource of `state` if no task can have it; `at` is the place of the state.
pub(super) fn check_state(state: &Value, at: &str, findings: &mut Findings) {
    if state["Type"].as_str() != Some("Task") {
        return;
    }
    // A text that is no resource at all is reported by the Task itself.
    let Some(resource) = state["Resource"].as_str().and_then(Resource::parse) else { return };
    let message = if !is_known(&resource) {
        let why = "The value is not a valid resource ARN, or the resource is not available in this region.";
        format!("The resource provided {} is not recognized. {why}", resource.as_str())
    } else if let Some(what) = refused_by_express(&resource).filter(|_| findings.is_express()) {
        format!("Express state machine does not support {what}")
    } else {
        return;
    };
    findings.error(DiagnosticCode::SchemaValidationFailed, message, || format!("{at}/Resource"));
}

fn is_known(resource: &Resource) -> bool {
    let Resource::Integration { service, action, pattern, .. } = resource else { return true };
    let service = service.split(':').next().unwrap_or_default();
    let Some(known) = SERVICES.iter().find(|known| known.name == service) else { return false };
    let (name, suffix) = action.split_once('.').unwrap_or((action, ""));
    // The second version of the job pattern is of startExecution alone.
    known.actions.is_none_or(|actions| actions.contains(&name))
        && (suffix != "sync:2" || service == "states")
        && match pattern {
            Pattern::RequestResponse => true,
            Pattern::RunAJob => known.runs_jobs,
            Pattern::WaitForTaskToken => known.gives_tokens,
        }
}

/// What an Express machine would have to support for this resource. The space behind `.waitForTaskToken` is AWS's
/// (recorded).
fn refused_by_express(resource: &Resource) -> Option<&'static str> {
    match resource {
        Resource::Activity { .. } => Some("Activity ARN"),
        Resource::Integration { pattern: Pattern::RunAJob, .. } => Some("'.sync' service integration"),
        Resource::Integration { pattern: Pattern::WaitForTaskToken, .. } => {
            Some("'.waitForTaskToken' service integration ")
        }
        Resource::Function { .. } | Resource::Integration { pattern: Pattern::RequestResponse, .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(resource: &str, express: bool) -> Vec<String> {
        let mut findings = Findings::new(express);
        check_state(&json!({"Type": "Task", "Resource": resource}), "/States/T", &mut findings);
        let is_recognised = |message: &str| !message.contains("is not recognized");
        let found = findings.into_parts().0;
        let texts = found.iter().map(|problem| {
            assert_eq!(problem.location.as_deref(), Some("/States/T/Resource"));
            if is_recognised(&problem.message) { problem.message.clone() } else { "unknown".to_owned() }
        });
        texts.collect()
    }

    #[test]
    fn integrations_are_those_that_step_functions_has() {
        for (resource, known) in [
            ("arn:aws:lambda:us-east-1:123456789012:function:f", true),
            ("arn:aws:states:us-east-1:123456789012:activity:a", true),
            ("arn:aws:states:::lambda:invoke", true),
            ("arn:aws-cn:states:::lambda:invoke.waitForTaskToken", true),
            ("arn:aws:states:::lambda:invoke.sync", false),
            ("arn:aws:states:::lambda:delete", false),
            ("arn:aws:states:::dynamodb:query", false),
            ("arn:aws:states:::dynamodb:getItem.waitForTaskToken", false),
            ("arn:aws:states:::glue:startJobRun.sync", true),
            ("arn:aws:states:::glue:startJobRun.sync:2", false),
            ("arn:aws:states:::states:startExecution.sync:2", true),
            ("arn:aws:states:::elasticmapreduce:addStep.sync", true),
            ("arn:aws:states:::nothing:invoke", false),
            ("arn:aws:states:::aws-sdk:dynamodb:query", true),
            ("arn:aws:states:::aws-sdk:glue:startJobRun.sync", false),
            ("arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken", true),
            ("charge", true), // the Task itself reports it
        ] {
            assert_eq!(problems(resource, false).is_empty(), known, "{resource}");
        }
    }

    #[test]
    fn express_machines_wait_for_nobody() {
        for (resource, expected) in [
            ("arn:aws:lambda:us-east-1:123456789012:function:f", &[][..]),
            ("arn:aws:states:::sqs:sendMessage", &[]),
            (
                "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                &["Express state machine does not support '.waitForTaskToken' service integration "],
            ),
            (
                "arn:aws:states:::states:startExecution.sync:2",
                &["Express state machine does not support '.sync' service integration"],
            ),
            (
                "arn:aws:states:us-east-1:123456789012:activity:a",
                &["Express state machine does not support Activity ARN"],
            ),
            ("arn:aws:states:::nothing:run.sync", &["unknown"]),
        ] {
            assert_eq!(problems(resource, true), expected, "{resource}");
        }
    }
}
