//! The operations that the benchmark needs, over one connection.
//!
//! It repeats what the server asks to be repeated (ThrottlingException) and nothing else, and it says how often.

use super::connection::{Connection, Reply};
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Longest time that an execution may take to end; more is a failure of the benchmark.
const END_LIMIT: Duration = Duration::from_mins(5);
/// First and longest pause between two looks at an execution, where the server cannot say when it ends.
const POLL: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(8)];
/// Most times that one request is repeated because the server is too busy.
const REPEATS: usize = 1_000;
/// The pause before a repetition when the server does not name one, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];
/// Events of one page of a history.
const PAGE: usize = 1_000;

/// How a client learns that an execution has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The server answers when it ends: `GET /api/executions/{arn}/wait`.
    LongPoll,
    /// The client asks again and again: DescribeExecution after 1, 2, 4, 8, 8, ... ms.
    Polling,
}

/// A client of one server. One request at a time.
pub struct Api {
    connection: Connection,
    ends: Ends,
    /// Requests that were repeated because the server was too busy.
    pub throttled: u64,
}

/// What an execution has come to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Execution {
    /// `RUNNING` while it has not ended.
    pub status: String,
    /// JSON text of what it returned.
    pub output: Option<String>,
}

/// A page of ListExecutions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The executions on it.
    pub executions: Vec<Value>,
    /// What leads to the next page.
    pub next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    state_machine_arn: &'a str,
    name: &'a str,
    input: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    execution_arn: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    execution_arn: String,
}

impl Ends {
    /// In words, for the report.
    pub fn words(self) -> &'static str {
        match self {
            Ends::LongPoll => "clients wait for ends with GET /api/executions/{arn}/wait",
            Ends::Polling => {
                "clients poll for ends with DescribeExecution (this server has no /api/executions/{arn}/wait)"
            }
        }
    }
}

impl Api {
    /// Connects.
    pub async fn open(address: SocketAddr, ends: Ends) -> anyhow::Result<Api> {
        Ok(Api { connection: Connection::open(address).await?, ends, throttled: 0 })
    }

    /// Many clients at once.
    pub async fn open_many(address: SocketAddr, ends: Ends, count: u32) -> anyhow::Result<Vec<Api>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Api::open(address, ends).await?);
        }
        Ok(clients)
    }

    /// Starts an execution and returns its ARN.
    pub async fn start(&mut self, machine: &str, name: &str, input: &str) -> anyhow::Result<String> {
        let start = Start { state_machine_arn: machine, name, input };
        let body = self.call("AWSStepFunctions.StartExecution", &start).await?;
        Ok(serde_json::from_slice::<Started>(&body)?.execution_arn)
    }

    /// The body of a request that starts an execution.
    pub fn start_body(machine: &str, name: &str, input: &str) -> anyhow::Result<Bytes> {
        Ok(Bytes::from(serde_json::to_vec(&Start { state_machine_arn: machine, name, input })?))
    }

    /// Runs an Express execution and returns the answer as it came.
    pub async fn run(&mut self, body: &Bytes) -> anyhow::Result<Bytes> {
        self.send("AWSStepFunctions.StartSyncExecution", body).await
    }

    /// Describes an execution.
    pub async fn describe(&mut self, execution: &str) -> anyhow::Result<Execution> {
        let named = Named { execution_arn: execution };
        let body = self.call("AWSStepFunctions.DescribeExecution", &named).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Stops an execution.
    pub async fn stop(&mut self, execution: &str) -> anyhow::Result<()> {
        self.call("AWSStepFunctions.StopExecution", &Named { execution_arn: execution }).await?;
        Ok(())
    }

    /// Waits until an execution has ended.
    pub async fn ended(&mut self, execution: &str) -> anyhow::Result<Execution> {
        let limit = Instant::now() + END_LIMIT;
        let [mut pause, longest] = POLL;
        loop {
            let seen = match self.ends {
                Ends::LongPoll => {
                    self.long_poll(execution, 20).await?.with_context(|| format!("{execution} is unknown"))?
                }
                Ends::Polling => {
                    tokio::time::sleep(pause).await;
                    pause = longest.min(pause * 2);
                    self.describe(execution).await?
                }
            };
            if seen.status != "RUNNING" {
                return Ok(seen);
            }
            ensure!(Instant::now() < limit, "{execution} does not end");
        }
    }

    /// Finds out with an execution of this server how ends can be learnt, and does it so from now on.
    pub async fn choose_ends(&mut self, execution: &str) -> anyhow::Result<Ends> {
        self.ends =
            if self.long_poll(execution, 1).await?.is_some() { Ends::LongPoll } else { Ends::Polling };
        Ok(self.ends)
    }

    /// None if the server has no such address, or no such execution.
    async fn long_poll(&mut self, execution: &str, seconds: u32) -> anyhow::Result<Option<Execution>> {
        let path = format!("/api/executions/{execution}/wait?timeout={seconds}");
        let reply = self.connection.send(Method::GET, &path, &[], Bytes::new()).await?;
        match reply.status {
            StatusCode::OK => Ok(Some(serde_json::from_slice(&reply.body)?)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => bail!("waiting for {execution}: {}", shown(&reply)),
        }
    }

    /// The whole history of an execution.
    pub async fn history(&mut self, execution: &str) -> anyhow::Result<Vec<Value>> {
        let mut input = json!({"executionArn": execution, "maxResults": PAGE});
        let mut events = Vec::new();
        loop {
            let body = self.call("AWSStepFunctions.GetExecutionHistory", &input).await?;
            let mut page: Value = serde_json::from_slice(&body)?;
            if let Value::Array(more) = page["events"].take() {
                events.extend(more);
            }
            // The quota bounds every history, and so this loop.
            let token = page["nextToken"].take();
            if token.is_null() {
                return Ok(events);
            }
            input["nextToken"] = token;
        }
    }

    /// Whether any execution of a machine runs.
    pub async fn any_runs(&mut self, machine: &str) -> anyhow::Result<bool> {
        let input = json!({"stateMachineArn": machine, "statusFilter": "RUNNING", "maxResults": 1});
        let body = self.call("AWSStepFunctions.ListExecutions", &input).await?;
        let page: Value = serde_json::from_slice(&body)?;
        page["executions"].as_array().map(|some| !some.is_empty()).context("no list of executions")
    }

    /// A page of a machine's executions, newest first.
    pub async fn list(
        &mut self,
        machine: &str,
        status: Option<&str>,
        items: u64,
        token: Option<&str>,
    ) -> anyhow::Result<Listed> {
        let mut input = json!({"stateMachineArn": machine, "maxResults": items});
        for (member, text) in [("statusFilter", status), ("nextToken", token)] {
            if let Some(text) = text {
                input[member] = json!(text);
            }
        }
        let body = self.call("AWSStepFunctions.ListExecutions", &input).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Creates a machine and returns its ARN.
    pub async fn create_machine(&mut self, name: &str, definition: &Value) -> anyhow::Result<String> {
        self.create(name, "STANDARD", definition).await
    }

    /// Creates an Express machine and returns its ARN.
    pub async fn create_express(&mut self, name: &str, definition: &Value) -> anyhow::Result<String> {
        self.create(name, "EXPRESS", definition).await
    }

    async fn create(&mut self, name: &str, kind: &str, definition: &Value) -> anyhow::Result<String> {
        let input = json!({
            "name": name,
            "type": kind,
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/bench",
        });
        let body = self.call("AWSStepFunctions.CreateStateMachine", &input).await?;
        let created: Value = serde_json::from_slice(&body)?;
        Ok(created["stateMachineArn"].as_str().context("no ARN of the machine")?.to_owned())
    }

    /// Uploads a module.
    pub async fn upload(&mut self, name: &str, wasm: Vec<u8>) -> anyhow::Result<()> {
        let headers = [("content-type", "application/wasm")];
        let reply =
            self.connection.send(Method::PUT, &format!("/modules/{name}"), &headers, wasm.into()).await?;
        ensure!(reply.status.is_success(), "the module is refused: {}", shown(&reply));
        Ok(())
    }

    /// Calls an operation until the server has time for it.
    async fn call(&mut self, target: &'static str, input: &impl Serialize) -> anyhow::Result<Bytes> {
        let body = Bytes::from(serde_json::to_vec(input)?);
        self.send(target, &body).await
    }

    async fn send(&mut self, target: &'static str, body: &Bytes) -> anyhow::Result<Bytes> {
        for _ in 0..REPEATS {
            let reply = self.connection.post(target, body.clone()).await?;
            if reply.status == StatusCode::OK {
                return Ok(reply.body);
            }
            let code = reply.headers.get("x-amzn-errortype").map(HeaderValue::as_bytes);
            ensure!(code == Some(b"ThrottlingException"), "{target}: {}", shown(&reply));
            self.throttled += 1;
            tokio::time::sleep(pause_before_repeat(&reply)).await;
        }
        bail!("{target}: refused {REPEATS} times because the server was too busy")
    }
}

/// What `x-amz-retry-after` says, in milliseconds.
fn pause_before_repeat(reply: &Reply) -> Duration {
    let [default, longest] = PAUSES;
    let header = reply.headers.get("x-amz-retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    header.map_or(default, Duration::from_millis).min(longest)
}

fn shown(reply: &Reply) -> String {
    format!("HTTP {}: {}", reply.status, String::from_utf8_lossy(&reply.body))
}
