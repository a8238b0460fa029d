//! The Succeed state (specification, "Succeed State").

use super::{Exit, Next, Outcome};
use crate::assign::Assigned;
use crate::context_object::ContextObject;
use crate::data_flow::Paths;
use crate::definition::Fields;
use crate::jsonata::{Scope, States};
use crate::states_error::StatesError;
use serde_json::Value;

/// Ends its branch well.
#[derive(Clone, Debug)]
pub(crate) struct SucceedState {
    paths: Paths,
}

impl SucceedState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> SucceedState {
        SucceedState { paths: Paths::parse(fields, Scope::Input) }
    }

    pub(super) fn enter(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Outcome, StatesError> {
        let output = match self.paths.made(&States::of_input(raw), context)? {
            Some(output) => output,
            None => self.paths.output(self.paths.input(raw, context)?.into_owned(), context)?,
        };
        Ok(Outcome::Exit(Exit { output, assigned: Assigned::new(), next: Next::End }))
    }
}
