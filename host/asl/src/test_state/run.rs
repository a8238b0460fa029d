//! Goes through one state as `step` does, with the answer to its work at hand or not yet.
//!
//! It must never change the order of stages: what fails first must be what fails first in an execution.

use super::report::shown;
use super::{ErrorDetails, Inspected, Report, Setting, StateTest, TestStatus};
use crate::context_object::ContextObject;
use crate::execution::{Activity, Branch, BranchId, Execution};
use crate::inspection::{Inspection, Stage};
use crate::json_size::json_bytes;
use crate::jsonata::Evaluator;
use crate::limits;
use crate::states::{Exit, MapState, Next, Outcome, ParallelState, State};
use crate::states_error::StatesError;
use crate::step::{exit_text, result_text};
use serde_json::Value;
use std::cell::{Cell, RefCell};

/// How far a state came.
#[derive(Clone, Debug)]
pub enum Tried {
    /// To its end.
    Ended(Box<Report>),
    /// To its task: its answer is needed to go on.
    Task(Scheduled),
}

/// A task that the state schedules.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The effective input.
    pub parameters: Value,
    /// The state's time limit, in seconds.
    pub timeout_seconds: Option<u64>,
}

/// An error on the way, and whether Retry sees it: only an error of the state's work is retried.
struct Failure {
    error: StatesError,
    is_of_work: bool,
}

impl From<StatesError> for Failure {
    fn from(error: StatesError) -> Failure {
        Failure { error, is_of_work: false }
    }
}

/// How a state was gone through.
enum Passage {
    Exit(Exit),
    Task(Scheduled),
}

/// What one trial reads and notes.
struct Trial<'t> {
    setting: &'t Setting,
    context: Value,
    execution: Execution,
    branch: Branch,
    inspection: RefCell<Inspection>,
    items: Cell<Option<usize>>,
    jsonata: &'t dyn Evaluator,
}

impl StateTest {
    /// Goes through the state. `answer` is what its work gives: the result of a task, or of all branches or iterations
    /// together. Where a task has none yet, it is what has to be run; the same call with the answer comes to the end.
    pub fn run(
        &self,
        setting: &Setting,
        answer: Option<Result<Value, StatesError>>,
        jsonata: &dyn Evaluator,
    ) -> Tried {
        let trial = Trial::new(&self.name, setting, jsonata);
        let passage = match self.state() {
            Some(state) => trial.pass(state, answer),
            // `parse` has found it.
            None => Err(StatesError::runtime(format!("The state '{}' does not exist.", self.name)).into()),
        };
        let mut report = match passage {
            Ok(Passage::Task(scheduled)) => return Tried::Task(scheduled),
            Ok(Passage::Exit(exit)) => match trial.left(exit, TestStatus::Succeeded) {
                Ok(report) => report,
                Err(error) => trial.failed(self.state(), error.into()),
            },
            Err(failure) => trial.failed(self.state(), failure),
        };
        report.items = trial.items.get();
        let has_result = !self.is_jsonata && self.definition.get("Result").is_some();
        let inspection = trial.inspection.into_inner();
        report.inspected.stages = shown(inspection, self.state_type(), self.is_jsonata, has_result);
        Tried::Ended(Box::new(report))
    }
}

impl<'t> Trial<'t> {
    fn new(name: &str, setting: &'t Setting, jsonata: &'t dyn Evaluator) -> Trial<'t> {
        let mut execution = Execution::placeholder();
        execution.context.seed = setting.seed;
        execution.context.quotas = setting.quotas;
        execution.progress.variable_bytes =
            setting.variables.values().map(|value| json_bytes(value) as u64).sum();
        execution.variables.insert(BranchId::ROOT, setting.variables.clone());
        let branch = Branch {
            parent: None,
            index: 0,
            state: name.to_owned(),
            input: Value::Null,
            entered_at: setting.at,
            entered_event_id: 0,
            previous_event_id: 0,
            retries: Vec::new(),
            activity: Activity::Joining,
        };
        let context = Value::Object(setting.context.clone());
        let (inspection, items) = (RefCell::default(), Cell::new(None));
        Trial { setting, context, execution, branch, inspection, items, jsonata }
    }

    fn context(&self) -> ContextObject<'_> {
        let context = ContextObject::new(&self.execution, BranchId::ROOT, &self.branch, None);
        context.with_evaluator(self.jsonata, self.setting.at).for_test(&self.context, &self.inspection)
    }

    fn pass(&self, state: &State, answer: Option<Result<Value, StatesError>>) -> Result<Passage, Failure> {
        let (input, context) = (&self.setting.input, self.context());
        if matches!(state, State::Fail(_)) {
            context.inspect(Stage::InputPath, input);
        }
        match (state.enter(input, &context, self.setting.at)?, state) {
            (Outcome::Exit(exit), _) => Ok(Passage::Exit(exit)),
            (Outcome::Fail(error), _) => Err(error.into()),
            // Nobody waits: what follows does not depend on it.
            (Outcome::WaitUntil(_), State::Wait(wait)) => Ok(Passage::Exit(wait.exit(input, &context)?)),
            (Outcome::Schedule(scheduled), State::Task(task)) => {
                let Some(answer) = answer else {
                    let (parameters, timeout_seconds) = (scheduled.parameters, scheduled.timeout_seconds);
                    return Ok(Passage::Task(Scheduled { parameters, timeout_seconds }));
                };
                let result = answer.and_then(|result| {
                    result_text(self.setting.quotas, &task.resource, &result).map(|_| result)
                });
                Ok(Passage::Exit(task.succeeded(input, of_work(result)?, &context)?))
            }
            (Outcome::Fork, State::Map(map)) => self.pass_map(map, answer),
            (Outcome::Fork, State::Parallel(parallel)) => self.pass_parallel(parallel, answer),
            (Outcome::WaitUntil(_) | Outcome::Schedule(_) | Outcome::Fork, _) => Err(unanswered()),
        }
    }

    fn pass_parallel(
        &self,
        parallel: &ParallelState,
        answer: Option<Result<Value, StatesError>>,
    ) -> Result<Passage, Failure> {
        let (input, context) = (&self.setting.input, self.context());
        parallel.branch_input(input, &context)?;
        let outputs = of_work(answer.ok_or_else(unanswered)?)?;
        Ok(Passage::Exit(parallel.joined(input, outputs, &context)?))
    }

    fn pass_map(
        &self,
        map: &MapState,
        answer: Option<Result<Value, StatesError>>,
    ) -> Result<Passage, Failure> {
        let (input, context) = (&self.setting.input, self.context());
        let (effective_input, items) = match &map.distributed().reader {
            None => {
                let items = map.items(input, &context)?;
                (items.effective_input, Some(items.items))
            }
            Some(reader) => {
                let effective = map.effective_input(input, &context)?;
                reader.arguments(&effective, &context)?;
                let data = self.setting.reader_data.as_ref();
                let items = data.map(|data| reader.items(data, &effective, &context)).transpose();
                (effective, of_work(items)?)
            }
        };
        self.items.set(items.as_ref().map(Vec::len));
        let bounds = map.bounds(&effective_input, &context)?;
        if let Some(items) = items {
            self.make_inputs(map, &effective_input, items)?;
        }
        let outputs = of_work(answer.ok_or_else(unanswered)?)?;
        if bounds.are_exceeded_by(self.setting.failures, self.items.get()) {
            let name = StatesError::EXCEED_TOLERATED_FAILURE_THRESHOLD;
            let cause = "The specified tolerated failure threshold was exceeded";
            of_work(Err(StatesError::new(name, cause)))?;
        }
        Ok(Passage::Exit(map.joined(input, outputs, &context)?))
    }

    /// Makes the inputs of all iterations: ItemSelector, then ItemBatcher.
    fn make_inputs(
        &self,
        map: &MapState,
        effective_input: &Value,
        mut items: Vec<Value>,
    ) -> Result<(), StatesError> {
        if map.selects_items() {
            let mut bytes = 0;
            for (index, item) in (0..).zip(&mut items) {
                let whole = std::mem::take(item);
                let context = self.context().with_item(index, &whole);
                *item = map.iteration_input(effective_input, &whole, &context)?;
                bytes += json_bytes(item);
                if bytes > limits::FORK_BYTES {
                    let most = limits::FORK_BYTES;
                    let cause = format!("The inputs of all iterations have more than {most} bytes.");
                    return Err(StatesError::runtime(cause));
                }
            }
            self.context().inspect(Stage::ItemSelector, &Value::Array(items.clone()));
        }
        if let Some(batcher) = &map.distributed().batcher {
            let context = self.context();
            let batches = batcher.batches(effective_input, items, &context)?;
            context.inspect(Stage::ItemBatcher, &Value::Array(batches));
        }
        Ok(())
    }

    /// The report on a state that is left. Errors: it may not be left so.
    fn left(&self, exit: Exit, status: TestStatus) -> Result<Report, StatesError> {
        exit_text(&self.execution, BranchId::ROOT, &self.branch.state, &exit)?;
        let Exit { output, assigned, next } = exit;
        let mut variables = self.setting.variables.clone();
        variables.extend(assigned);
        let next = match next {
            Next::State(name) => Some(name),
            Next::End => None,
        };
        let inspected = Inspected { variables, ..Inspected::default() };
        Ok(Report { status, output: Some(output), error: None, next, inspected, items: None })
    }

    /// The report on a state that failed: retried, caught, or neither, in this order.
    fn failed(&self, state: Option<&State>, failure: Failure) -> Report {
        let Failure { error, is_of_work } = failure;
        let handlers = state.and_then(State::handlers);
        let mut details = ErrorDetails::default();
        if let Some((index, retrier)) =
            handlers.filter(|_| is_of_work).and_then(|handlers| handlers.retrier(&error))
        {
            details.retry_index = Some(index);
            if retrier.allows(self.setting.retries) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive and capped
                let seconds = retrier.longest_delay_seconds(self.setting.retries) as u64;
                details.retry_backoff_seconds = Some(seconds);
                return self.unfinished(TestStatus::Retriable, error, details);
            }
        }
        let Some((index, catcher)) = handlers.and_then(|handlers| handlers.catcher(&error)) else {
            return self.unfinished(TestStatus::Failed, error, details);
        };
        let caught = catcher.exit(&self.setting.input, &error, &self.context());
        match caught.and_then(|exit| self.left(exit, TestStatus::CaughtError)) {
            Ok(mut report) => {
                details.catch_index = Some(index);
                report.inspected.error_details = details;
                Report { error: Some(error), ..report }
            }
            // What a catcher makes cannot be caught again.
            Err(error) => self.unfinished(TestStatus::Failed, error, details),
        }
    }

    fn unfinished(&self, status: TestStatus, error: StatesError, error_details: ErrorDetails) -> Report {
        let variables = self.setting.variables.clone();
        let inspected = Inspected { stages: Vec::new(), variables, error_details };
        Report { status, output: None, error: Some(error), next: None, inspected, items: None }
    }
}

/// An error of the state's own work, which Retry sees.
fn of_work<T>(result: Result<T, StatesError>) -> Result<T, Failure> {
    result.map_err(|error| Failure { error, is_of_work: true })
}

/// Only a task can be run; for everything else the answer has to be brought along.
fn unanswered() -> Failure {
    StatesError::runtime("The state cannot be tried without an answer to its work.").into()
}
