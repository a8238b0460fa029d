//! Replays the steps of one recorded case, each case on a server of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::compare::Bindings;
use crate::support::{Reply, TestServer, wait_for};

/// How a case went.
pub(crate) enum Outcome {
    /// Every comparable step answered as recorded.
    Passed,
    /// The first difference.
    Failed(String),
    /// Why the case cannot be replayed by this release.
    Skipped(String),
}

/// The operations of this release.
const OPERATIONS: [&str; 12] = [
    "CreateStateMachine",
    "DeleteStateMachine",
    "DescribeExecution",
    "DescribeStateMachine",
    "DescribeStateMachineForExecution",
    "GetExecutionHistory",
    "ListExecutions",
    "ListStateMachines",
    "StartExecution",
    "StopExecution",
    "UpdateStateMachine",
    "ValidateStateMachineDefinition",
];

/// Steps that wait for something.
const AWAITS: [&str; 7] = [
    "await:execution_success",
    "await:execution_aborted",
    "await:execution_terminated",
    "await:on_execution_events",
    "await:list_execution_status",
    "await:state_machine_listed",
    "await:state_machine_not_listed",
];

/// Replays a case.
pub(crate) fn replay(case: &Value) -> Outcome {
    let steps = case["steps"].as_array().unwrap();
    if let Some(need) = case["needs"].as_array().and_then(|needs| needs.first()) {
        return Outcome::Skipped(format!("needs {need}"));
    }
    let unknown = steps
        .iter()
        .map(|step| step["op"].as_str().unwrap())
        .find(|op| !OPERATIONS.contains(op) && !AWAITS.contains(op) && *op != "expect");
    if let Some(unknown) = unknown {
        return Outcome::Skipped(format!("uses {unknown}"));
    }
    let mut replay = Replay {
        server: TestServer::start(),
        exact: case["trust"].as_str().is_some_and(|trust| trust.starts_with("aws")),
        bindings: Bindings::default(),
        replies: BTreeMap::new(),
        listed: Vec::new(),
    };
    for step in steps {
        if let Some(difference) = replay.step(step) {
            return Outcome::Failed(format!("{} {}: {difference}", step["id"], step["op"]));
        }
    }
    Outcome::Passed
}

struct Replay {
    server: TestServer,
    /// Whether bodies count, or only status and code.
    exact: bool,
    bindings: Bindings,
    /// Bodies by step.
    replies: BTreeMap<String, Value>,
    /// The machines of the last complete list.
    listed: Vec<Value>,
}

impl Replay {
    fn step(&mut self, step: &Value) -> Option<String> {
        let operation = step["op"].as_str().unwrap();
        let arguments = self.resolved(&step["args"]);
        if operation == "expect" {
            return self.expected_list(&step["expect"]);
        }
        if let Some(what) = operation.strip_prefix("await:") {
            self.wait(what, &arguments);
            return None;
        }
        let refusal = step.get("expect_error").map(recorded_error);
        if matches!(refusal, Some(Recorded::Client)) {
            return None;
        }
        let reply = self.server.call(operation, &arguments);
        if operation == "ListStateMachines" && reply.status == 200 && step["paginated"] == true {
            self.listed = self.all_machines(&arguments);
        } else if operation == "ListStateMachines" && reply.status == 200 {
            self.listed = self.all_machines(&json!({}));
        }
        self.replies.insert(step["id"].as_str().unwrap().to_owned(), reply.body.clone());
        match refusal {
            Some(Recorded::Service { code, message }) => self.refusal(&reply, &code, &message),
            Some(Recorded::Client) => None,
            None => self.success(&reply, step.get("expect")),
        }
    }

    fn refusal(&mut self, reply: &Reply, code: &Value, message: &Value) -> Option<String> {
        if reply.status != 400 {
            return Some(format!("refusal {code} expected, not {} {}", reply.status, reply.body));
        }
        let code = self.bindings.difference(code, &json!(reply.code()), "code");
        let mut message = || self.bindings.difference(message, &json!(reply.message()), "message");
        code.or_else(|| if self.exact { message() } else { None })
    }

    fn success(&mut self, reply: &Reply, recorded: Option<&Value>) -> Option<String> {
        if reply.status != 200 {
            return Some(format!("success expected, not {} {}", reply.status, reply.body));
        }
        let recorded = recorded?.as_object()?.values().next()?;
        if !self.exact {
            return None;
        }
        let mut actual = reply.body.clone();
        actual["ResponseMetadata"] = json!({"HTTPHeaders": {}, "HTTPStatusCode": reply.status});
        self.bindings.difference(recorded, &actual, "")
    }

    /// A recorded list must be a run of the machines that were listed last: the recordings cut lists as they like.
    fn expected_list(&mut self, expected: &Value) -> Option<String> {
        let expected = expected.as_array()?;
        if expected.is_empty() {
            return None;
        }
        let listed = std::mem::take(&mut self.listed);
        let mut runs = listed.windows(expected.len());
        let found = runs.any(|run| self.bindings.difference(&json!(expected), &json!(run), "").is_none());
        self.listed = listed;
        (!found).then(|| format!("not listed in this order: {expected:?}"))
    }

    fn all_machines(&self, arguments: &Value) -> Vec<Value> {
        let mut arguments = arguments.clone();
        let mut machines = Vec::new();
        loop {
            let page = self.server.ok("ListStateMachines", &arguments).body;
            machines.extend(page["stateMachines"].as_array().unwrap().iter().cloned());
            let Some(token) = page.get("nextToken") else { return machines };
            arguments["nextToken"] = token.clone();
        }
    }

    fn wait(&self, what: &str, arguments: &Value) {
        let execution = json!({"executionArn": arguments["execution_arn"]});
        let status = |wanted: &str| self.server.ok("DescribeExecution", &execution).body["status"] == wanted;
        let listed = || {
            let machines = self.all_machines(&json!({}));
            machines.iter().any(|machine| machine["stateMachineArn"] == arguments["state_machine_arn"])
        };
        let in_list = || {
            let input = json!({
                "stateMachineArn": arguments["state_machine_arn"],
                "statusFilter": arguments["status"],
            });
            let listed = self.server.ok("ListExecutions", &input).body;
            listed["executions"]
                .as_array()
                .unwrap()
                .iter()
                .any(|item| item["executionArn"] == arguments["execution_arn"])
        };
        let entered = || {
            let history = self.server.ok("GetExecutionHistory", &execution).body;
            history["events"].as_array().unwrap().len() > 1
        };
        wait_for(|| {
            let done = match what {
                "execution_success" => status("SUCCEEDED"),
                "execution_aborted" => status("ABORTED"),
                "execution_terminated" => !status("RUNNING"),
                "on_execution_events" => entered(),
                "list_execution_status" => in_list(),
                "state_machine_listed" => listed(),
                "state_machine_not_listed" => !listed(),
                other => panic!("unknown wait {other}"),
            };
            done.then_some(())
        });
    }

    /// Arguments with `{{step.member}}` replaced by what that step answered.
    fn resolved(&self, arguments: &Value) -> Value {
        match arguments {
            Value::String(text) => match text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")) {
                Some(reference) => {
                    let mut steps = reference.split('.');
                    let reply =
                        self.replies.get(steps.next().unwrap_or_default()).cloned().unwrap_or_default();
                    steps.fold(reply, |value, step| value.get(step).cloned().unwrap_or_default())
                }
                None => arguments.clone(),
            },
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.resolved(value))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.resolved(item)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => arguments.clone(),
        }
    }
}

/// A recorded refusal.
enum Recorded {
    /// By the service.
    Service { code: Value, message: Value },
    /// By the client itself: nothing was sent.
    Client,
}

/// Recordings hold refusals as the client's error object, or as the text of its exception.
fn recorded_error(recorded: &Value) -> Recorded {
    let recorded = recorded.as_object().unwrap().values().next().unwrap();
    if let Some(error) = recorded.get("Error") {
        return Recorded::Service { code: error["Code"].clone(), message: error["Message"].clone() };
    }
    let text = recorded.as_str().or_else(|| recorded["exception_value"].as_str()).unwrap_or_default();
    let parts = text.strip_prefix("An error occurred (").and_then(|text| text.split_once(')'));
    let Some((code, rest)) = parts else { return Recorded::Client };
    let message = rest.split_once(" operation: ").map_or("", |(_, message)| message);
    Recorded::Service { code: json!(code), message: json!(message) }
}
