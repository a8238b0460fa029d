//! The members of a TestState request, and the rules between them.
//!
//! It must never look into the definition.

use stepwell_asl::test_state::StateTest;
use stepwell_asl::{Quotas, StateType};

use super::mock::Mock;
use crate::api::arn::check_role_arn;
use crate::api::constraints::Fields;
use crate::api::error::ApiError;
use crate::limits;

const LEVELS: [&str; 3] = ["INFO", "DEBUG", "TRACE"];

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) definition: String,
    pub(super) state_name: Option<String>,
    pub(super) role_arn: Option<String>,
    /// As it was written.
    pub(super) input: String,
    pub(super) variables: Option<String>,
    pub(super) context: Option<String>,
    pub(super) mock: Option<Mock>,
    /// Whether `inspectionData` is wanted.
    pub(super) inspects: bool,
    /// Whether what an HTTP task sends is wanted as well, and with what its connection adds.
    pub(super) traces: Option<bool>,
    /// Retries that have been made.
    pub(super) retries: u64,
    pub(super) reader_data: Option<String>,
    caused_by: Option<String>,
    /// Iterations of a Map state that have failed.
    pub(super) failures: Option<u64>,
}

impl Wish {
    /// Reads the members. Errors: those of the model first, then those between members.
    pub(super) fn read(fields: &mut Fields, quotas: Quotas) -> Result<Wish, ApiError> {
        let definition = fields.required_text("definition", 1, limits::DEFINITION_CHARACTERS);
        let role_arn = fields.text("roleArn", 1, limits::ARN_CHARACTERS);
        let input = fields.payload("input", quotas.payload_bytes);
        let level = fields.choice("inspectionLevel", &LEVELS).unwrap_or("INFO");
        let reveals_secrets = fields.boolean("revealSecrets").unwrap_or(false);
        let variables = fields.payload("variables", limits::STATE_TEST_BYTES);
        let state_name = fields.text("stateName", 1, limits::NAME_CHARACTERS);
        let mock = Mock::read(fields, quotas);
        let context = fields.payload("context", limits::STATE_TEST_BYTES);
        let has_configuration = fields.structure("stateConfiguration");
        let mut count = |name: &str| {
            let path = format!("stateConfiguration.{name}");
            let given = fields.integer(&path, 0, limits::STATE_TEST_COUNT).filter(|_| has_configuration);
            given.and_then(|given| u64::try_from(given).ok())
        };
        let (retries, failures) = (count("retrierRetryCount"), count("mapIterationFailureCount"));
        let caused_by = fields.text("stateConfiguration.errorCausedByState", 1, limits::NAME_CHARACTERS);
        let reader_data = fields.payload("stateConfiguration.mapItemReaderData", limits::STATE_TEST_BYTES);
        fields.check()?;
        let mock = mock.map(super::mock::Given::check).transpose()?;
        if reveals_secrets && mock.is_some() {
            return Err(ApiError::validation(
                "TestState does not support RevealSecrets when a mock is specified.",
            ));
        }
        role_arn.as_deref().map_or(Ok(()), check_role_arn)?;
        Ok(Wish {
            definition,
            state_name,
            role_arn,
            input: input.unwrap_or_else(|| "{}".to_owned()),
            variables,
            context,
            mock,
            inspects: level != "INFO",
            traces: (level == "TRACE").then_some(reveals_secrets),
            retries: retries.unwrap_or_default(),
            reader_data,
            caused_by,
            failures,
        })
    }

    /// Refuses a configuration that says nothing about this state.
    pub(super) fn check_configuration(&self, state: &StateTest) -> Result<(), ApiError> {
        let state_type = state.state_type();
        if let Some(name) = &self.caused_by {
            if !matches!(state_type, StateType::Map | StateType::Parallel) {
                return Err(ApiError::validation(
                    "ErrorCausedByState is only supported for Map and Parallel states",
                ));
            }
            if !state.contains(name) {
                return Err(ApiError::validation(format!(
                    "ErrorCausedByState '{name}' is not a state within the tested state"
                )));
            }
        }
        if self.failures.is_some() && state_type != StateType::Map {
            return Err(ApiError::validation("MapIterationFailureCount is only supported for Map states"));
        }
        if self.reader_data.is_some() && !state.reads_items() {
            return Err(ApiError::validation(
                "MapItemReaderData is only supported for Map states with an ItemReader",
            ));
        }
        Ok(())
    }

    /// Refuses more failed iterations than there are items, where those are known.
    pub(super) fn check_failures(&self, items: Option<usize>) -> Result<(), ApiError> {
        match (self.failures, items) {
            (Some(failures), Some(items)) if failures > items as u64 => Err(ApiError::validation(format!(
                "MapIterationFailureCount must not be greater than the number of items: {failures} > {items}"
            ))),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }
}
