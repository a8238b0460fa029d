//! States: one file each. A state is parsed here and says what happens when it is entered.
//!
//! A state must never touch the execution: it answers with an [`Outcome`], and `step` carries it out.

mod choice;
mod comparison;
mod fail;
mod pass;
mod resource;
mod succeed;
mod task;
mod wait;

use crate::context_object::ContextObject;
use crate::definition::{Diagnostic, Fields};
use crate::history::StateType;
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;
use choice::ChoiceState;
use fail::FailState;
use pass::PassState;
pub use resource::Resource;
use serde_json::Value;
use succeed::SucceedState;
pub(crate) use task::{Scheduled, TaskState};
use wait::WaitState;

/// One state of a definition.
#[derive(Clone, Debug)]
#[allow(private_interfaces)] // the states' insides are this crate's own business
pub enum State {
    /// Runs a piece of work.
    Task(Box<TaskState>),
    /// Passes its input on, with optional changes.
    Pass(Box<PassState>),
    /// Branches on its input.
    Choice(Box<ChoiceState>),
    /// Waits for a time.
    Wait(WaitState),
    /// Ends well.
    Succeed(SucceedState),
    /// Ends with an error.
    Fail(FailState),
}

/// Where a state leads when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The named state.
    State(String),
    /// Nowhere: the branch ends with the state's output.
    End,
}

/// What happens when a state is entered.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is left at once.
    Exit { output: Value, next: Next },
    /// It waits until the given time; then [`WaitState::exit`] tells its output.
    WaitUntil(Timestamp),
    /// A task is scheduled.
    Schedule(Scheduled),
    /// A Fail state: the branch ends with this error, and the state is never left.
    Fail(StatesError),
}

impl State {
    /// Parses one state; `None` when a problem was reported.
    pub(crate) fn parse(value: &Value, pointer: String, problems: &mut Vec<Diagnostic>) -> Option<State> {
        let before = problems.len();
        let mut fields = Fields::new(value, pointer, problems)?;
        if !fields.require(&["Type"]) {
            return None;
        }
        crate::definition::query_language(&mut fields);
        let state = match fields.string("Type")? {
            "Task" => TaskState::parse(&mut fields).map(|task| State::Task(Box::new(task))),
            "Pass" => PassState::parse(&mut fields).map(|pass| State::Pass(Box::new(pass))),
            "Choice" => ChoiceState::parse(&mut fields).map(|choice| State::Choice(Box::new(choice))),
            "Wait" => WaitState::parse(&mut fields).map(State::Wait),
            "Succeed" => Some(State::Succeed(SucceedState::parse(&mut fields))),
            "Fail" => FailState::parse(&mut fields).map(State::Fail),
            other @ ("Parallel" | "Map") => {
                fields.not_supported("Type", &format!("The state type {other}"));
                return None;
            }
            _ => {
                let types = "[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]";
                fields.problem("Type", format!("The field 'Type' should have one of these values: {types}"));
                return None;
            }
        };
        if fields.get("Assign").is_some() {
            fields.not_supported("Assign", "Assign");
        }
        fields.finish();
        let failed =
            problems[before..].iter().any(|problem| problem.severity == crate::definition::Severity::Error);
        if failed { None } else { state }
    }

    /// The type, for event names.
    pub(crate) fn state_type(&self) -> StateType {
        match self {
            State::Task(_) => StateType::Task,
            State::Pass(_) => StateType::Pass,
            State::Choice(_) => StateType::Choice,
            State::Wait(_) => StateType::Wait,
            State::Succeed(_) => StateType::Succeed,
            State::Fail(_) => StateType::Fail,
        }
    }

    /// The `Resource` of a Task.
    pub(crate) fn resource(&self) -> Option<&str> {
        match self {
            State::Task(task) => Some(task.resource.as_str()),
            State::Pass(_) | State::Choice(_) | State::Wait(_) | State::Succeed(_) | State::Fail(_) => None,
        }
    }

    /// Enters the state. Errors: interpretation failed; the bare cause, for `step` to complete.
    pub(crate) fn enter(
        &self,
        input: &Value,
        context: &ContextObject<'_>,
        at: Timestamp,
    ) -> Result<Outcome, StatesError> {
        match self {
            State::Task(task) => task.schedule(input, context).map(Outcome::Schedule),
            State::Pass(pass) => pass.enter(input, context),
            State::Choice(choice) => choice.enter(input, context),
            State::Wait(wait) => wait.enter(input, context, at),
            State::Succeed(succeed) => succeed.enter(input, context),
            State::Fail(fail) => fail.enter(input, context),
        }
    }
}

impl Next {
    /// Reads `Next` or `End`: exactly one of them.
    pub(crate) fn parse(fields: &mut Fields<'_>) -> Option<Next> {
        let next = fields.string("Next").map(str::to_owned);
        let end = fields.boolean("End").unwrap_or(false);
        match (next, end) {
            (Some(name), false) => Some(Next::State(name)),
            (None, true) => Some(Next::End),
            (Some(_), true) => {
                fields.problem("End", "A state must have either 'Next' or 'End', not both");
                None
            }
            (None, false) => {
                fields.require(&["Next"]);
                None
            }
        }
    }
}
