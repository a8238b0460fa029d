//! The mock of a TestState request: a result or an error in the place of the state's work (API: MockInput; messages
//! recorded).
//!
//! A result is checked against what the state's work could give. It must never be changed by that.

use serde_json::Value;
use stepwell_asl::test_state::StateTest;
use stepwell_asl::{Quotas, StateType, StatesError};

use super::shapes::{self, Mode};
use crate::api::constraints::Fields;
use crate::api::error::ApiError;
use crate::api::json_text;
use crate::limits;

const MODES: [&str; 3] = ["STRICT", "PRESENT", "NONE"];

/// A mock that says what the state's work gives.
#[derive(Debug)]
pub(super) struct Mock {
    pub(super) answer: Result<Value, StatesError>,
    mode: Mode,
}

/// A mock as it came.
#[derive(Debug)]
pub(super) struct Given {
    result: Option<String>,
    error: Option<StatesError>,
    mode: Mode,
}

impl Mock {
    /// Reads the members of `mock`, if there is one.
    pub(super) fn read(fields: &mut Fields, quotas: Quotas) -> Option<Given> {
        if !fields.structure("mock") {
            return None;
        }
        let result = fields.payload("mock.result", quotas.payload_bytes);
        let error = fields.structure("mock.errorOutput").then(|| {
            fields.require("mock.errorOutput.error");
            let error = fields.text("mock.errorOutput.error", 0, limits::ERROR_CHARACTERS);
            let cause = fields.text("mock.errorOutput.cause", 0, limits::CAUSE_CHARACTERS);
            StatesError::reported(error, cause)
        });
        let mode = match fields.choice("mock.fieldValidationMode", &MODES) {
            Some("PRESENT") => Mode::Present,
            Some("NONE") => Mode::None,
            Some(_) | None => Mode::Strict,
        };
        Some(Given { result, error, mode })
    }

    /// Refuses a mock that this state cannot have.
    pub(super) fn check(&self, state: &StateTest) -> Result<(), ApiError> {
        let state_type = state.state_type();
        match state_type {
            StateType::Task | StateType::Map | StateType::Parallel => {}
            StateType::Pass | StateType::Choice | StateType::Wait | StateType::Succeed | StateType::Fail => {
                let name = state_type.as_str();
                return Err(ApiError::validation(format!(
                    "State type '{name}' is not supported when a mock is specified"
                )));
            }
        }
        let Ok(result) = &self.answer else { return Ok(()) };
        if state.writes_results() {
            let message = "Mocked result must be a JSON object.";
            return if result.is_object() { Ok(()) } else { Err(ApiError::validation(message)) };
        }
        if state_type != StateType::Task {
            let Some(items) = result.as_array() else {
                return Err(ApiError::validation("Mocked result must be an array."));
            };
            return match state.branches() {
                Some(branches) if branches != items.len() => Err(ApiError::validation(
                    "Mocked result must contain the same number of items as number of Parallel branches.",
                )),
                Some(_) | None => Ok(()),
            };
        }
        let checked = state.resource().map_or(Ok(()), |resource| shapes::check(resource, result, self.mode));
        checked.map_err(|what| ApiError::validation(format!("Mock result schema validation error: {what}")))
    }
}

impl Given {
    /// The mock, if it says one thing.
    pub(super) fn check(self) -> Result<Mock, ApiError> {
        let answer = match (self.result, self.error) {
            (Some(text), None) => Ok(json_text::parse(&text)
                .map_err(|_| ApiError::validation("Mocked result must be valid JSON"))?),
            (None, Some(error)) => Err(error),
            (Some(_), Some(_)) | (None, None) => {
                return Err(ApiError::validation(
                    "A test mock should have only one of the following fields: [result, errorOutput].",
                ));
            }
        };
        Ok(Mock { answer, mode: self.mode })
    }
}
