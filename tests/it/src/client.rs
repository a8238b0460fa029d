//! An HTTP client of the server: AWS JSON 1.0 (API reference, section 1) and Stepwell's own endpoints.
//!
//! Written apart from the product's own client, so that one mistake cannot hide in both. It never retries: a test must
//! see every refusal.

use crate::poll::eventually;
use serde_json::{Value, json};
use std::time::Duration;
use ureq::Agent;

/// Longest wait for an answer; an upload compiles the module before it answers.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES: u64 = 64 << 20;
/// Events asked for in one page of a history (API: GetExecutionHistory, `maxResults`).
const HISTORY_PAGE: usize = 1_000;
/// Most pages of one list: a token that never ends fails the test instead of hanging it.
const PAGES: usize = 1_000;

/// A client of one running server. Cheap to clone; may be used from many threads.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    endpoint: String,
}

/// A complete answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// An error that the server answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `__type` without its namespace, empty if there is none.
    pub code: String,
    /// `message`, empty if there is none.
    pub message: String,
}

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The server said no.
    Refused(Refusal),
    /// There was no complete answer: whether the request was carried out is unknown.
    Broken(String),
}

impl CallFailure {
    /// The server's refusal.
    ///
    /// # Panics
    /// If the connection broke instead.
    pub fn refusal(self) -> Refusal {
        match self {
            CallFailure::Refused(refusal) => refusal,
            CallFailure::Broken(reason) => panic!("expected a refusal, but the connection broke: {reason}"),
        }
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in the answer {text:?}"))
    }

    /// The error that it carries.
    pub fn refusal(&self) -> Refusal {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = body["__type"].as_str().unwrap_or_default();
        Refusal {
            status: self.status,
            code: code.rsplit('#').next().unwrap_or(code).to_owned(),
            message: body["message"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl Client {
    /// A client of the server at `endpoint`, such as `http://127.0.0.1:8083`.
    pub fn new(endpoint: &str) -> Client {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(ANSWER_LIMIT))
            .build();
        Client { agent: config.into(), endpoint: endpoint.to_owned() }
    }

    /// Where the server listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends a request and reads the whole answer. `headers` are added as they are.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, CallFailure> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let broken = |error: ureq::Error| CallFailure::Broken(error.to_string());
        let answer = if body.is_empty() {
            self.agent.run(request.body(()).expect("a well-formed request"))
        } else {
            self.agent.run(request.body(body).expect("a well-formed request"))
        };
        let mut answer = answer.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec().map_err(broken)?;
        Ok(Reply { status, body })
    }

    /// Sends `body` to an operation of the API, whatever it holds.
    pub fn post(&self, operation: &str, body: &[u8]) -> Result<Reply, CallFailure> {
        let target = format!("AWSStepFunctions.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.0")];
        self.send("POST", "/", &headers, body)
    }

    /// Calls an operation of the API.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, CallFailure> {
        let reply = self.post(operation, input.to_string().as_bytes())?;
        if reply.status == 200 { Ok(reply.json()) } else { Err(CallFailure::Refused(reply.refusal())) }
    }

    /// Calls an operation that has to succeed.
    ///
    /// # Panics
    /// If it does not.
    pub fn expect(&self, operation: &str, input: &Value) -> Value {
        self.call(operation, input).unwrap_or_else(|failure| {
            let mut input = input.to_string();
            input.truncate(input.floor_char_boundary(500));
            panic!("{operation} {input}: {failure:?}")
        })
    }

    /// Uploads a module.
    pub fn put_module(&self, name: &str, wasm: &[u8]) -> Result<Reply, CallFailure> {
        self.send("PUT", &format!("/modules/{name}"), &[("content-type", "application/wasm")], wasm)
    }

    /// Uploads a module that has to be accepted.
    ///
    /// # Panics
    /// If it is not.
    pub fn install(&self, name: &str, wasm: &[u8]) {
        let reply = self.put_module(name, wasm).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let text = String::from_utf8_lossy(&reply.body);
        assert!((200..300).contains(&reply.status), "uploading {name}: HTTP {}: {text}", reply.status);
    }

    /// Creates a state machine that has to be accepted and returns its ARN.
    pub fn create_machine(&self, name: &str, definition: &Value) -> String {
        let input = json!({
            "name": name,
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/stepwell",
        });
        let created = self.expect("CreateStateMachine", &input);
        created["stateMachineArn"].as_str().expect("an ARN").to_owned()
    }

    /// Starts an execution that has to be accepted and returns its ARN.
    pub fn start(&self, machine_arn: &str, name: &str, input: &Value) -> String {
        let input = json!({"stateMachineArn": machine_arn, "name": name, "input": input.to_string()});
        let started = self.expect("StartExecution", &input);
        started["executionArn"].as_str().expect("an ARN").to_owned()
    }

    /// Describes an execution that has to exist.
    pub fn describe(&self, execution_arn: &str) -> Value {
        self.expect("DescribeExecution", &json!({"executionArn": execution_arn}))
    }

    /// Waits until an execution has ended, at most for `limit`, and describes it.
    ///
    /// # Panics
    /// If it still runs then.
    pub fn ended(&self, execution_arn: &str, limit: Duration) -> Value {
        eventually(limit, &format!("the end of {execution_arn}"), || {
            Some(self.describe(execution_arn)).filter(|execution| execution["status"] != "RUNNING")
        })
    }

    /// Reads the whole history of an execution.
    pub fn history(&self, execution_arn: &str) -> Result<Vec<Value>, CallFailure> {
        let input = json!({"executionArn": execution_arn, "maxResults": HISTORY_PAGE});
        self.list("GetExecutionHistory", "events", input)
    }

    /// Reads a list to its end; `member` is what the operation calls its items.
    ///
    /// # Panics
    /// If the pages do not end.
    pub fn list(&self, operation: &str, member: &str, mut input: Value) -> Result<Vec<Value>, CallFailure> {
        let mut items = Vec::new();
        for _ in 0..PAGES {
            let mut page = self.call(operation, &input)?;
            if let Value::Array(more) = page[member].take() {
                items.extend(more);
            }
            let token = page["nextToken"].take();
            if token.is_null() {
                return Ok(items);
            }
            input["nextToken"] = token;
        }
        panic!("{operation} did not end within {PAGES} pages");
    }
}
