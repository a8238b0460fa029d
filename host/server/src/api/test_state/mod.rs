//! TestState (API reference, sections 2.7 and 8): one state alone, with a mock in the place of its work or with its task
//! really run. Nothing is stored, and there is no execution.
//!
//! Everything that evaluates runs where trials of expressions do, one at a time and off the threads of requests; a task
//! runs as those of executions do. It must never let a test go on after its request has gone.

mod answer;
mod context;
mod mock;
mod patience;
mod request;
mod shapes;

use std::time::Duration;

use serde_json::{Map, Value};
use stepwell_asl::test_state::{Report, Scheduled, Setting, StateTest, Tried, Untestable};
use stepwell_asl::{Pattern, Resource, Severity, StateType, StatesError};
use stepwell_executor::TaskRequest;
use stepwell_jsonata::Jsonata;
use uuid::Uuid;

use self::patience::Patience;
use self::request::Wish;
use super::error::ApiError;
use super::{Answer, Call, json_text};
use crate::auth::policy::Policies;
use crate::limits;
use crate::server::Server;

/// What a Map or Parallel state without a mock is told (recorded).
const NEEDS_MOCK: &str = "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]";
/// What a task without a mock is told that somebody else ends.
const OTHERS_END_IT: &str = "TestState API does not support Activity tasks, '.sync' or '.waitForTaskToken' service integration patterns. Specify a mock to test such a state";

/// A test whose request is in order.
struct Test {
    state: StateTest,
    setting: Setting,
    wish: Wish,
    execution_arn: String,
}

/// How far a test came.
enum Progress {
    Answered(Value),
    Task(Box<Test>, Scheduled),
}

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let wish = Wish::read(&mut call.fields, server.executor.quotas())?;
    if wish.traces == Some(true) {
        // Credentials are shown to nobody else.
        server.caller.check_policy(Policies::ADMIN, "states:RevealSecrets")?;
    }
    let _place = server.trials.tests.try_acquire().map_err(|_| ApiError::Throttling)?;
    let own = server.clone();
    let begin = move |jsonata: &Jsonata| {
        let test = Test::new(&own, wish)?;
        if test.state.uses_jsonata() {
            own.trials.expect_evaluations();
        }
        let answer = test.wish.mock.as_ref().map(|mock| mock.answer.clone());
        Ok(match test.run(answer, jsonata)? {
            Tried::Ended(report) => Progress::Answered(test.answer(&report)),
            Tried::Task(task) => Progress::Task(Box::new(test), task),
        })
    };
    let (test, task) = match server.trials.run(begin).await? {
        Progress::Answered(answer) => return Ok(answer),
        Progress::Task(test, task) => (test, task),
    };
    let key = Uuid::new_v4().to_string();
    let watch = test.wish.traces.and_then(|reveals_secrets| server.exchanges.watch(&key, reveals_secrets));
    let result = run_task(server, &test, task, key).await;
    let exchange = watch.map(|watch| watch.seen()).unwrap_or_default();
    let end = move |jsonata: &Jsonata| match test.run(Some(result), jsonata)? {
        Tried::Ended(report) => Ok(answer::with_exchange(test.answer(&report), exchange)),
        Tried::Task(_) => Err(ApiError::internal(&"a state that had its answer asked for it again")),
    };
    server.trials.run(end).await
}

/// Runs the task as an execution would, within the time of a test.
async fn run_task(server: &Server, test: &Test, task: Scheduled, key: String) -> Result<Value, StatesError> {
    let wanted = task.timeout_seconds.map(Duration::from_secs);
    let time = wanted.map_or(limits::STATE_TEST_TIME, |wanted| wanted.min(limits::STATE_TEST_TIME));
    let request = TaskRequest {
        task_token: None,
        test_case: None,
        execution_arn: test.execution_arn.clone(),
        state_name: test.state.name().to_owned(),
        resource: test.state.resource().map(Resource::as_str).unwrap_or_default().to_owned(),
        parameters: task.parameters,
        attempt: u32::try_from(test.setting.retries).unwrap_or(u32::MAX),
        idempotency_key: key,
        deadline: Some(server.clock.now().plus_seconds(time.as_secs())),
        pinned_at: None,
    };
    match tokio::time::timeout(time, server.executor.run_task(request)).await {
        Ok(outcome) => outcome.result,
        Err(_) => Err(StatesError::timeout()),
    }
}

impl Test {
    /// Checks everything that can be wrong with a request before anything is evaluated.
    fn new(server: &Server, wish: Wish) -> Result<Test, ApiError> {
        let state = StateTest::parse(&wish.definition, wish.state_name.as_deref())
            .map_err(|why| untestable(why, &wish))?;
        match &wish.mock {
            Some(mock) => mock.check(&state)?,
            None => check_runs(server, &state, &wish)?,
        }
        let input = json_text::parse(&wish.input).map_err(ApiError::InvalidExecutionInput)?;
        let Some(variables) = object(wish.variables.as_deref().unwrap_or("{}")) else {
            return Err(ApiError::validation("Variables must be a JSON object"));
        };
        wish.check_configuration(&state)?;
        let default = context::Default::new(server, &wish, input.clone());
        let execution_arn = default.execution_arn.clone();
        let context = match &wish.context {
            Some(text) => context::given(text, &state, wish.mock.is_some())?,
            None => default.context(&state, wish.retries),
        };
        let (_, seed) = Uuid::new_v4().as_u64_pair();
        let setting = Setting {
            input,
            variables: variables.into_iter().collect(),
            context,
            at: server.clock.now(),
            seed,
            quotas: server.executor.quotas(),
            retries: wish.retries,
            failures: wish.failures.unwrap_or_default(),
            reader_data: wish.reader_data.clone(),
        };
        Ok(Test { state, setting, wish, execution_arn })
    }

    fn run(&self, answer: Option<Result<Value, StatesError>>, jsonata: &Jsonata) -> Result<Tried, ApiError> {
        let patience = Patience::new(jsonata, limits::STATE_TEST_EXPRESSIONS);
        match self.state.run(&self.setting, answer, &patience) {
            Tried::Ended(report) => {
                self.wish.check_failures(report.items)?;
                Ok(Tried::Ended(report))
            }
            task @ Tried::Task(_) => Ok(task),
        }
    }

    fn answer(&self, report: &Report) -> Value {
        answer::of(report, &self.wish, self.setting.quotas.payload_bytes)
    }
}

/// Refuses what cannot be run without a mock.
fn check_runs(server: &Server, state: &StateTest, wish: &Wish) -> Result<(), ApiError> {
    if matches!(state.state_type(), StateType::Map | StateType::Parallel) {
        return Err(ApiError::Untestable(NEEDS_MOCK));
    }
    match state.resource() {
        None => return Ok(()),
        Some(Resource::Activity { .. }) => return Err(ApiError::Untestable(OTHERS_END_IT)),
        Some(Resource::Integration { pattern: Pattern::RunAJob | Pattern::WaitForTaskToken, .. }) => {
            return Err(ApiError::Untestable(OTHERS_END_IT));
        }
        Some(Resource::Function { .. } | Resource::Integration { pattern: Pattern::RequestResponse, .. }) => {
        }
    }
    if wish.role_arn.is_none() {
        return Err(ApiError::validation("RoleArn must be specified when testing a Task state"));
    }
    match state.unsupported(|resource| server.executor.runs(resource)) {
        Some(problem) => Err(ApiError::InvalidDefinition(problem.to_string())),
        None => Ok(()),
    }
}

fn untestable(why: Untestable, wish: &Wish) -> ApiError {
    match why {
        Untestable::NoSuchState => ApiError::validation("State not found in definition"),
        Untestable::Definition(problems) => {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            let errors: Vec<String> = errors.map(ToString::to_string).collect();
            let is_machine =
                || object(&wish.definition).is_some_and(|members| members.contains_key("States"));
            if wish.state_name.is_none() && is_machine() {
                let hint =
                    "The definition is a state machine: stateName must say which of its states to test";
                return ApiError::InvalidDefinition(format!("{}. {hint}", errors.join(", ")));
            }
            ApiError::InvalidDefinition(errors.join(", "))
        }
    }
}

/// The members of a JSON object.
fn object(text: &str) -> Option<Map<String, Value>> {
    match json_text::parse(text) {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) | Err(_) => None,
    }
}
