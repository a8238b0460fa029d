//! The cases of one file, run one after the other: they share the server's virtual time.
//!
//! It must never judge: see `judge`.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::arn::Identity;
use super::super::client::Client;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{source, wait};
use super::file::{Case, Kind, TestFile};
use super::judge::{self, Outcome};
use super::mocks;
use super::server::TestServer;

/// Most events of a history that are read.
const HISTORY_EVENTS: usize = 25_000;

/// How a case ended.
pub(super) struct Report {
    pub(super) case: String,
    /// What differs; empty if it passed.
    pub(super) differences: Vec<String>,
    /// Real time that it took.
    pub(super) took: Duration,
}

/// A file's machine on a server of its own.
pub(super) struct Bench<'f> {
    file: &'f TestFile,
    server: TestServer,
    machine: String,
    timeout: Duration,
}

impl<'f> Bench<'f> {
    /// Starts the server, and installs modules, secrets and machines. Errors name what is wrong.
    pub(super) fn set_up(
        file: &'f TestFile,
        identity: &Identity,
        timeout: Duration,
    ) -> Result<Bench<'f>, Failure> {
        let server = TestServer::start(file, &mocks::document(file)?, identity)?;
        let client = &server.client;
        for (name, value) in &file.secrets {
            client.put(&["secrets", name], "application/octet-stream", value.as_bytes())?;
        }
        for (name, path) in &file.modules {
            let module = source::module_file(&file.at(path))?;
            let content = if module.is_archive { "application/zip" } else { "application/wasm" };
            client.put(&["modules", name], content, &module.bytes)?;
        }
        let role = identity.default_role_arn();
        for (name, path) in &file.machines {
            create(client, name, &file.at(path), Kind::Standard, &role)?;
        }
        let machine = create(client, &file.machine_name(), &file.definition(), file.kind, &role)?;
        Ok(Bench { file, server, machine, timeout })
    }

    /// Runs one case. Errors: of its input file, and of a server that is gone.
    pub(super) fn run(&self, number: usize, case: &Case, output: &mut Output) -> Result<Report, Failure> {
        let began = Instant::now();
        let input = match &case.input_file {
            Some(path) => source::json_file(&self.file.at(path))?,
            None => case.input.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string),
        };
        let machine = format!("{}#{}", self.machine, mocks::case_name(number));
        let request = json!({"stateMachineArn": machine, "input": input});
        let outcome = match self.file.kind {
            Kind::Express => self.express(&request),
            Kind::Standard => self.standard(&request, output),
        };
        let differences = match outcome {
            Ok(outcome) => judge::differences(&case.expect, &outcome),
            Err(failure @ (Failure::Refused { .. } | Failure::NotSucceeded { .. })) => {
                vec![failure.to_string()]
            }
            Err(failure) => return Err(failure),
        };
        Ok(Report { case: case.name.clone(), differences, took: began.elapsed() })
    }

    fn express(&self, request: &Value) -> Result<Outcome, Failure> {
        let client = self.server.client.waiting(self.timeout.as_secs().max(1));
        let execution = client.call("StartSyncExecution", request)?;
        Ok(Outcome { execution, history: Vec::new() })
    }

    fn standard(&self, request: &Value, output: &mut Output) -> Result<Outcome, Failure> {
        let client = &self.server.client;
        let started = client.call("StartExecution", request)?;
        let arn = started["executionArn"].as_str().unwrap_or_default();
        let execution = match wait::follow(client, output, arn, Some(Instant::now() + self.timeout)) {
            Err(Failure::NotSucceeded { .. }) => {
                let stopped = client.call("StopExecution", &json!({"executionArn": arn}));
                return Err(still_running(self.timeout, stopped.err()));
            }
            other => other?,
        };
        let wanted = Map::from_iter([("executionArn".to_owned(), json!(arn))]);
        let history = client.list("GetExecutionHistory", "events", wanted, HISTORY_EVENTS)?.items;
        Ok(Outcome { execution, history })
    }
}

fn still_running(timeout: Duration, not_stopped: Option<Failure>) -> Failure {
    let not_stopped = not_stopped.map(|failure| format!(" (nor could it be stopped: {failure})"));
    Failure::NotSucceeded {
        message: format!(
            "it did not end within {} s of real time: mock what waits for someone, or give --timeout{}",
            timeout.as_secs(),
            not_stopped.unwrap_or_default()
        ),
        hint: None,
    }
}

fn create(
    client: &Client,
    name: &str,
    definition: &std::path::Path,
    kind: Kind,
    role: &str,
) -> Result<String, Failure> {
    let text = source::text_file(definition)?;
    let kind = match kind {
        Kind::Standard => "STANDARD",
        Kind::Express => "EXPRESS",
    };
    let request = json!({"name": name, "definition": text, "roleArn": role, "type": kind});
    let answer = client.call("CreateStateMachine", &request);
    let answer = answer.map_err(|failure| failure.in_file(&source::label(definition)))?;
    Ok(answer["stateMachineArn"].as_str().unwrap_or_default().to_owned())
}
