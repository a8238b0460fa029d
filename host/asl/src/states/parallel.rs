//! The Parallel state (specification, "Parallel State"): its branches run side by side, and their outputs become
//! an array in the order of the branches.

use super::completion::Completion;
use super::{Exit, Handlers, Next};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, ResultFlow};
use crate::definition::{Fields, StateGraph};
use crate::jsonata::Scope;
use crate::retry::{Catcher, Retrier, parse_list};
use crate::states::State;
use crate::states_error::StatesError;
use indexmap::IndexMap;
use serde_json::Value;

/// Runs branches side by side.
#[derive(Clone, Debug)]
pub(crate) struct ParallelState {
    /// The branches; their states have moved into the machine.
    branches: Vec<StateGraph>,
    retriers: Vec<Retrier>,
    catchers: Vec<Catcher>,
    completion: Completion,
}

impl ParallelState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<ParallelState> {
        fields.require(&["Branches"]);
        let branches = parse_branches(fields);
        let paths = Paths::parse(fields, Scope::Result);
        let flow = ResultFlow::parse(fields, true);
        let assign = Assign::parse(fields, Scope::Result);
        let retriers = parse_list(fields, "Retry", Retrier::parse);
        let catchers = parse_list(fields, "Catch", Catcher::parse);
        let next = Next::parse(fields);
        let completion = Completion { paths, flow, assign, next: next?, has_result: true };
        Some(ParallelState { branches: branches?, retriers, catchers, completion })
    }

    /// The first state of every branch.
    pub(crate) fn starts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.branches.iter().map(|branch| branch.start_at.as_str())
    }

    /// What every branch is given.
    pub(crate) fn branch_input(
        &self,
        raw: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        let Completion { paths, flow, .. } = &self.completion;
        flow.arguments(paths.input(raw, context)?, context)
    }

    /// The exit with the outputs of all branches.
    pub(crate) fn joined(
        &self,
        raw: &Value,
        outputs: Value,
        context: &ContextObject<'_>,
    ) -> Result<Exit, StatesError> {
        self.completion.exit(raw, outputs, context)
    }

    pub(super) fn handlers(&self) -> Handlers<'_> {
        Handlers { retriers: &self.retriers, catchers: &self.catchers }
    }

    pub(super) fn take_nested(&mut self) -> Vec<IndexMap<String, State>> {
        self.branches.iter_mut().map(|branch| std::mem::take(&mut branch.states)).collect()
    }
}

/// Reads the levels of states that run side by side.
pub(super) fn parse_branches(fields: &mut Fields<'_>) -> Option<Vec<StateGraph>> {
    let at = fields.at("Branches");
    let items = fields.items("Branches")?;
    let mut branches = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(mut branch) = Fields::new(item, format!("{at}[{index}]"), fields.findings()) else {
            continue;
        };
        branches.extend(StateGraph::parse(&mut branch));
        branch.finish();
    }
    (branches.len() == items.len()).then_some(branches)
}
