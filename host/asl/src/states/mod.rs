//! States: one file each. A state is parsed here and says what happens when it is entered.
//!
//! A state must never touch the execution: it answers with an [`Outcome`], and `step` carries it out.

mod amount;
mod choice;
mod comparison;
mod completion;
mod distributed;
mod fail;
mod item_batcher;
mod item_reader;
mod map;
mod parallel;
mod pass;
mod resource;
mod succeed;
mod task;
mod wait;

use crate::assign::Assigned;
use crate::context_object::ContextObject;
use crate::definition::{Fields, Findings, state_language};
use crate::history::StateType;
use crate::retry::{Catcher, Retrier};
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;
use choice::ChoiceState;
use fail::FailState;
use indexmap::IndexMap;
pub(crate) use map::MapState;
pub(crate) use parallel::ParallelState;
use pass::PassState;
pub use resource::{Pattern, Resource};
use serde_json::Value;
use succeed::SucceedState;
pub(crate) use task::{Scheduled, TaskState};
use wait::WaitState;

/// One state of a definition.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// Runs a piece of work.
    Task(Box<TaskState>),
    /// Passes its input on, with optional changes.
    Pass(Box<PassState>),
    /// Branches on its input.
    Choice(Box<ChoiceState>),
    /// Waits for a time.
    Wait(Box<WaitState>),
    /// Ends well.
    Succeed(Box<SucceedState>),
    /// Ends with an error.
    Fail(Box<FailState>),
    /// Runs branches side by side.
    Parallel(Box<ParallelState>),
    /// Runs the same states for every item of an array.
    Map(Box<MapState>),
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
    Exit(Exit),
    /// It waits until the given time; then [`WaitState::exit`] tells its output.
    WaitUntil(Timestamp),
    /// A task is scheduled.
    Schedule(Scheduled),
    /// A Parallel or Map state begins.
    Fork,
    /// A Fail state: the branch ends with this error, and the state is never left.
    Fail(StatesError),
}

/// How a state is left.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) output: Value,
    /// New values of variables.
    pub(crate) assigned: Assigned,
    pub(crate) next: Next,
}

/// Retry and Catch of a state that has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handlers<'s> {
    pub(crate) retriers: &'s [Retrier],
    pub(crate) catchers: &'s [Catcher],
}

impl<'s> Handlers<'s> {
    /// The retrier that an error belongs to, with its index, whether or not it allows another retry.
    pub(crate) fn retrier(&self, error: &StatesError) -> Option<(usize, &'s Retrier)> {
        self.retriers.iter().enumerate().find(|(_, retrier)| retrier.matches(error))
    }

    /// The catcher that catches an error, with its index.
    pub(crate) fn catcher(&self, error: &StatesError) -> Option<(usize, &'s Catcher)> {
        self.catchers.iter().enumerate().find(|(_, catcher)| catcher.matches(error))
    }
}

/// The types, as messages list them.
const TYPES: [&str; 8] = ["Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"];

impl State {
    /// Parses the state `name`; `None` when a problem was reported.
    pub(crate) fn parse(
        name: &str,
        value: &Value,
        pointer: String,
        findings: &mut Findings,
    ) -> Option<State> {
        let (before, outer) = (findings.errors(), findings.enter_state(&pointer));
        let state = Fields::new(value, pointer, findings).and_then(State::parse_fields);
        findings.leave_state(name, outer);
        if findings.errors() > before { None } else { state }
    }

    fn parse_fields(mut fields: Fields<'_>) -> Option<State> {
        if !fields.require(&["Type"]) {
            return None;
        }
        let state_type = fields.choice("Type", &TYPES)?;
        state_language(&mut fields);
        let state = match state_type {
            "Task" => TaskState::parse(&mut fields).map(|task| State::Task(Box::new(task))),
            "Pass" => PassState::parse(&mut fields).map(|pass| State::Pass(Box::new(pass))),
            "Choice" => ChoiceState::parse(&mut fields).map(|choice| State::Choice(Box::new(choice))),
            "Wait" => WaitState::parse(&mut fields).map(|wait| State::Wait(Box::new(wait))),
            "Succeed" => Some(State::Succeed(Box::new(SucceedState::parse(&mut fields)))),
            "Fail" => FailState::parse(&mut fields).map(|fail| State::Fail(Box::new(fail))),
            "Parallel" => ParallelState::parse(&mut fields).map(|state| State::Parallel(Box::new(state))),
            "Map" => MapState::parse(&mut fields).map(|map| State::Map(Box::new(map))),
            // `choice` has let no other through.
            _ => None,
        };
        fields.finish();
        state
    }

    /// Moves the states of nested levels out.
    pub(crate) fn take_nested(&mut self) -> Vec<IndexMap<String, State>> {
        match self {
            State::Parallel(parallel) => parallel.take_nested(),
            State::Map(map) => vec![map.take_nested()],
            State::Task(_)
            | State::Pass(_)
            | State::Choice(_)
            | State::Wait(_)
            | State::Succeed(_)
            | State::Fail(_) => Vec::new(),
        }
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
            State::Parallel(_) => StateType::Parallel,
            State::Map(_) => StateType::Map,
        }
    }

    /// The state as a Task, if it is one.
    pub(crate) fn task(&self) -> Option<&TaskState> {
        match self {
            State::Task(task) => Some(task),
            State::Pass(_)
            | State::Choice(_)
            | State::Wait(_)
            | State::Succeed(_)
            | State::Fail(_)
            | State::Parallel(_)
            | State::Map(_) => None,
        }
    }

    /// The state as a Map, if it is one.
    pub(crate) fn map(&self) -> Option<&MapState> {
        match self {
            State::Map(map) => Some(map),
            State::Task(_)
            | State::Pass(_)
            | State::Choice(_)
            | State::Wait(_)
            | State::Succeed(_)
            | State::Fail(_)
            | State::Parallel(_) => None,
        }
    }

    /// Retry and Catch, where the type has them.
    pub(crate) fn handlers(&self) -> Option<Handlers<'_>> {
        match self {
            State::Task(task) => Some(task.handlers()),
            State::Parallel(parallel) => Some(parallel.handlers()),
            State::Map(map) => Some(map.handlers()),
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
            State::Parallel(_) | State::Map(_) => Ok(Outcome::Fork),
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
