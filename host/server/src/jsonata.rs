//! `POST /jsonata`, for editors: what is wrong with an expression, what it reads, and what it gives for values that the
//! request brings. Plain JSON, errors in the form of the API's.
//!
//! It touches no execution, and must never take from executions more than one processor.

use std::sync::{Arc, Once};

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use stepwell_asl::Timestamp;
use stepwell_asl::jsonata::{EvaluationError, Evaluator, SyntaxError, Trial};
use stepwell_jsonata::Jsonata;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::api::error::ApiError;
use crate::auth::AsCaller;
use crate::expressions::compile_soon;
use crate::rest::RestError;
use crate::{body, limits};

/// The members of a request.
const MEMBERS: [&str; 4] = ["expression", "states", "variables", "evaluate"];
/// What `$states` can hold (specification, "Reserved variable: $states").
const STATES_MEMBERS: [&str; 4] = ["input", "result", "errorOutput", "context"];

/// The evaluator, and the order of those who want it for a trial.
pub(crate) struct Trials {
    jsonata: Arc<Jsonata>,
    /// Held by the one that is under way.
    turn: Arc<Semaphore>,
    /// Held by that one and by those who wait for it.
    places: Semaphore,
    /// Done when somebody has asked for the evaluator to be compiled.
    compiling: Once,
    /// Held by those who try a state, while its task runs too.
    pub(crate) tests: Semaphore,
}

impl Trials {
    pub(crate) fn new(jsonata: Arc<Jsonata>) -> Trials {
        let turn = Arc::new(Semaphore::new(1));
        let (places, tests) = (Semaphore::new(limits::TRIALS), Semaphore::new(limits::STATE_TESTS));
        Trials { jsonata, turn, places, compiling: Once::new(), tests }
    }

    /// Says that JSONata will be evaluated before long: a definition uses it.
    pub(crate) fn expect_evaluations(&self) {
        self.compiling.call_once(|| compile_soon(&self.jsonata));
    }

    /// Does `work` on a thread that may block, when all earlier work is done. A caller that goes away while it waits
    /// leaves nothing behind. Errors: `Throttling` when too many wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Jsonata) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let _place = self.places.try_acquire().map_err(|_| ApiError::Throttling)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn: OwnedSemaphorePermit = turn.map_err(|error| ApiError::internal(&error))?;
        let jsonata = Arc::clone(&self.jsonata);
        let done = tokio::task::spawn_blocking(move || {
            // Held here, not by the caller: what is under way goes on when the caller has gone.
            let _turn = turn;
            work(&jsonata)
        });
        done.await.unwrap_or_else(|error| Err(ApiError::internal(&error)))
    }
}

/// `POST /jsonata`.
pub(crate) async fn handle(AsCaller(server): AsCaller, request: Request) -> Result<Response, RestError> {
    let (parts, body) = request.into_parts();
    let limit_bytes = limits::trial_request_bytes(server.executor.quotas());
    let bytes = body::read(body, &parts.headers, limit_bytes).await?;
    let now = server.clock.now();
    // All of it has its turn, the parsers too: megabytes keep them busy for as long as an evaluation.
    let work = move |jsonata: &Jsonata| {
        let (_, seed) = Uuid::new_v4().as_u64_pair();
        Ok(TrialRequest::parse(&bytes)?.answer(jsonata, (now, seed)).to_string())
    };
    let answer = server.trials.run(work).await?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], answer).into_response())
}

/// What a request asks for.
#[derive(Debug, PartialEq)]
struct TrialRequest {
    expression: String,
    /// What `$states` holds: an object.
    states: Value,
    variables: Map<String, Value>,
    evaluate: bool,
}

impl TrialRequest {
    /// Reads a request's body. Errors: `Serialization` for what is no JSON object, otherwise `Constraints`, which name
    /// the members.
    fn parse(body: &[u8]) -> Result<TrialRequest, ApiError> {
        let mut members: Map<String, Value> = match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(ApiError::Serialization("The request is not a JSON object".to_owned())),
            Err(error) => {
                return Err(ApiError::Serialization(format!("The request is not valid JSON: {error}")));
            }
        };
        let mut violations = Violations::default();
        violations.unknown("", &members, &MEMBERS);
        let expression = violations.expression(members.remove("expression"));
        let states = violations.object("states", members.remove("states"));
        violations.unknown("states.", &states, &STATES_MEMBERS);
        let variables = violations.object("variables", members.remove("variables"));
        violations.names(&variables);
        let evaluate = violations.boolean("evaluate", members.get("evaluate"));
        if !violations.0.is_empty() {
            return Err(ApiError::Constraints(violations.0));
        }
        Ok(TrialRequest { expression, states: Value::Object(states), variables, evaluate })
    }

    /// What is to be said about the expression.
    fn answer(&self, evaluator: &dyn Evaluator, moment: (Timestamp, u64)) -> Value {
        let trial = match Trial::parse(&self.expression) {
            Ok(trial) => trial,
            Err(SyntaxError { code, message, position }) => {
                let mut error = error(code.as_deref(), &message);
                error["position"] = json!(position);
                return json!({"valid": false, "error": error});
            }
        };
        let mut answer = json!({"valid": true, "variables": trial.variables().collect::<Vec<_>>()});
        if let Some(name) = trial.top_level() {
            answer["warning"] = json!(top_level(name));
        }
        if self.evaluate {
            match trial.evaluate(&self.states, &self.variables, moment, evaluator) {
                Ok(Some(value)) => answer["value"] = value,
                Ok(None) => answer["undefined"] = json!(true),
                Err(EvaluationError::Thrown { code, message }) => {
                    answer["error"] = error(code.as_deref(), &message);
                }
                Err(failure @ (EvaluationError::Unsupported | EvaluationError::Exceeded(_))) => {
                    answer["error"] = error(None, &failure.to_string());
                }
            }
        }
        answer
    }
}

fn error(code: Option<&str>, message: &str) -> Value {
    let mut error = Map::new();
    error.extend(code.map(|code| ("code".to_owned(), json!(code))));
    error.insert("message".to_owned(), json!(message));
    Value::Object(error)
}

/// The warning about a name that is read of the top level; empty for `$`.
fn top_level(name: &str) -> String {
    let what = if name.is_empty() { "$".to_owned() } else { format!("'{name}'") };
    format!(
        "The expression reads {what} of the top level, where there is nothing; the state's input is $states.input"
    )
}

/// What is wrong with a request, in the grammar of the API's constraints. `null` counts as absent, as there.
#[derive(Debug, Default)]
struct Violations(Vec<String>);

impl Violations {
    fn note(&mut self, member: &str, constraint: &str) {
        let member = match member.char_indices().nth(limits::QUOTED_MEMBER_CHARACTERS) {
            Some((end, _)) => format!("{}...", &member[..end]),
            None => member.to_owned(),
        };
        if self.0.len() < limits::VIOLATIONS {
            self.0.push(format!("Value at '{member}' failed to satisfy constraint: {constraint}"));
        }
    }

    fn unknown(&mut self, path: &str, members: &Map<String, Value>, known: &[&str]) {
        for member in members.keys().filter(|member| !known.contains(&member.as_str())) {
            let constraint = format!("Member must be one of [{}]", known.join(", "));
            self.note(&format!("{path}{member}"), &constraint);
        }
    }

    fn expression(&mut self, value: Option<Value>) -> String {
        match value {
            Some(Value::String(text)) => {
                if text.len() > stepwell_jsonata::limits::MAX_EXPRESSION_BYTES {
                    let most = stepwell_jsonata::limits::MAX_EXPRESSION_BYTES;
                    self.note("expression", &format!("Member must have at most {most} bytes"));
                }
                return text;
            }
            Some(Value::Null) | None => self.note("expression", "Member must not be null"),
            Some(_) => self.note("expression", "Member must be a string"),
        }
        String::new()
    }

    fn object(&mut self, member: &str, value: Option<Value>) -> Map<String, Value> {
        match value {
            Some(Value::Object(members)) => return members,
            Some(Value::Null) | None => (),
            Some(_) => self.note(member, "Member must be an object"),
        }
        Map::new()
    }

    /// True unless the member says otherwise.
    fn boolean(&mut self, member: &str, value: Option<&Value>) -> bool {
        match value {
            Some(Value::Bool(value)) => return *value,
            Some(Value::Null) | None => (),
            Some(_) => self.note(member, "Member must be a boolean"),
        }
        true
    }

    /// Refuses names that no variable can have, where the value would silently never be read.
    fn names(&mut self, variables: &Map<String, Value>) {
        for name in variables.keys() {
            let member = format!("variables.{name}");
            if name == "states" {
                self.note(&member, "$states is reserved; member 'states' says what it holds");
            } else if name.starts_with('$') {
                self.note(&member, "Member must be the name of a variable, without '$'");
            }
        }
    }
}

#[cfg(test)]
mod tests;
