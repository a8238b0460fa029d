//! The context object of a tested state: the one of the request, checked, or one made up as Step Functions does (API:
//! TestState, `context`; recorded).
//!
//! A context that is given is taken as it is: nothing is added to it.

use serde_json::{Map, Value, json};
use stepwell_asl::test_state::{LONE_STATE, StateTest};
use stepwell_asl::{Pattern, Resource, StateType};
use uuid::Uuid;

use super::{Wish, object};
use crate::api::arn;
use crate::api::error::ApiError;
use crate::server::Server;

/// The type of a member.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Number,
    Anything,
}

/// The members that a context object may have.
const MEMBERS: [(&str, &[(&str, Kind)]); 4] = [
    (
        "Execution",
        &[
            ("Id", Kind::Text),
            ("Input", Kind::Anything),
            ("Name", Kind::Text),
            ("RoleArn", Kind::Text),
            ("StartTime", Kind::Text),
            ("RedriveCount", Kind::Number),
            ("RedriveTime", Kind::Text),
        ],
    ),
    ("State", &[("EnteredTime", Kind::Text), ("Name", Kind::Text), ("RetryCount", Kind::Number)]),
    ("StateMachine", &[("Id", Kind::Text), ("Name", Kind::Text)]),
    ("Task", &[("Token", Kind::Text)]),
];

/// The context object that a request brings.
pub(super) fn given(text: &str, state: &StateTest, has_mock: bool) -> Result<Map<String, Value>, ApiError> {
    if !has_mock {
        return Err(ApiError::validation("Context may only be specified when a mock is specified"));
    }
    let context = object(text).ok_or_else(|| invalid("Context must be a JSON object"))?;
    for (name, value) in &context {
        check_member(name, value)?;
    }
    if context.contains_key("Task") && !has_token(state) {
        return Err(invalid(
            "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern",
        ));
    }
    Ok(context)
}

fn check_member(name: &str, value: &Value) -> Result<(), ApiError> {
    if name == "Map" {
        return Err(invalid("'Map' field is not supported when mocking a Context object"));
    }
    let not_allowed = |name: &str| invalid(&format!("Field '{name}' is not allowed"));
    let (_, known) = MEMBERS.iter().find(|(known, _)| *known == name).ok_or_else(|| not_allowed(name))?;
    let members = value.as_object().ok_or_else(|| invalid(&format!("{name} must be an object")))?;
    for (member, value) in members {
        let (_, kind) = known.iter().find(|(known, _)| known == member).ok_or_else(|| not_allowed(member))?;
        let (fits, wanted) = match kind {
            Kind::Text => (value.is_string(), "a string"),
            Kind::Number => (value.is_number(), "a number"),
            Kind::Anything => (true, ""),
        };
        if !fits {
            return Err(invalid(&format!("{name}.{member} must be {wanted}")));
        }
    }
    Ok(())
}

/// Whether the task's end comes from somebody who has its token, or from a job.
fn has_token(state: &StateTest) -> bool {
    match state.resource() {
        Some(Resource::Integration { pattern, .. }) => *pattern != Pattern::RequestResponse,
        Some(Resource::Activity { .. }) => true,
        Some(Resource::Function { .. }) | None => false,
    }
}

fn invalid(what: &str) -> ApiError {
    ApiError::validation(format!("Invalid Context object provided: {what}"))
}

/// What the context object says where none is given: an Express execution of a machine that does not exist.
pub(super) struct Default {
    pub(super) execution_arn: String,
    execution_name: String,
    machine_arn: String,
    machine_name: String,
    role_arn: Option<String>,
    input: Value,
    at: String,
}

impl Default {
    pub(super) fn new(server: &Server, wish: &Wish, input: Value) -> Default {
        let (machine_name, execution_name) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let machine_arn = arn::machine_arn(&server.identity, &machine_name);
        // No other section of an ARN that this server has given out can hold this text.
        let execution_arn = machine_arn.replacen(":stateMachine:", ":express:", 1);
        Default {
            execution_arn: format!("{execution_arn}:{execution_name}"),
            execution_name,
            machine_arn,
            machine_name,
            role_arn: wish.role_arn.clone(),
            input,
            at: server.clock.now().to_rfc3339(),
        }
    }

    /// The object. It calls the state the same whatever the definition calls it (recorded).
    pub(super) fn context(self, state: &StateTest, retries: u64) -> Map<String, Value> {
        let mut context = Map::new();
        context.insert(
            "Execution".to_owned(),
            json!({
                "Id": self.execution_arn,
                "Input": self.input,
                "Name": self.execution_name,
                "RoleArn": self.role_arn,
                "StartTime": self.at,
            }),
        );
        let mut of_state = json!({"EnteredTime": self.at, "Name": LONE_STATE});
        if matches!(state.state_type(), StateType::Task | StateType::Map | StateType::Parallel) {
            of_state["RetryCount"] = json!(retries);
        }
        context.insert("State".to_owned(), of_state);
        let machine = json!({"Id": self.machine_arn, "Name": self.machine_name});
        context.insert("StateMachine".to_owned(), machine);
        if let Some(
            Resource::Integration { pattern: Pattern::WaitForTaskToken, .. } | Resource::Activity { .. },
        ) = state.resource()
        {
            context.insert("Task".to_owned(), json!({"Token": Uuid::new_v4().to_string()}));
        }
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(context: &Value, resource: &str) -> Option<String> {
        let state = json!({"Type": "Task", "Resource": resource, "End": true});
        let state = StateTest::parse(&state.to_string(), None).unwrap();
        given(&context.to_string(), &state, true).err().map(|error| error.to_string())
    }

    #[test]
    fn a_context_has_known_members_of_their_types() {
        let function = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let token = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
        for (context, resource, what) in [
            (json!({}), function, None),
            (
                json!({"Execution": {"Input": [1], "RedriveCount": 2}, "State": {"RetryCount": 1}}),
                function,
                None,
            ),
            (json!({"Task": {"Token": "t"}}), token, None),
            (json!({"Task": {"Token": "t"}}), function, Some("Context object contains 'Task' when")),
            (
                json!({"Map": {}}),
                function,
                Some("'Map' field is not supported when mocking a Context object"),
            ),
            (json!({"X": {}}), function, Some("Field 'X' is not allowed")),
            (json!({"State": {"x": 1}}), function, Some("Field 'x' is not allowed")),
            (json!({"State": {"RetryCount": "1"}}), function, Some("State.RetryCount must be a number")),
            (json!({"StateMachine": {"Id": null}}), function, Some("StateMachine.Id must be a string")),
            (json!({"Execution": "e"}), function, Some("Execution must be an object")),
            (json!([]), function, Some("Context must be a JSON object")),
        ] {
            let refused = refusal(&context, resource);
            let expected = what.map(|what| format!("Invalid Context object provided: {what}"));
            match (refused, expected) {
                (None, None) => {}
                (Some(refused), Some(expected)) => assert!(refused.starts_with(&expected), "{refused}"),
                (refused, expected) => panic!("{context}: {refused:?}, expected {expected:?}"),
            }
        }
    }
}
