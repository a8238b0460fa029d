//! `stepwell execution start --wait`: starts an execution and follows it to its end.
//!
//! For the end of a STANDARD execution the server is asked to wait; one that cannot is polled with DescribeExecution. An
//! EXPRESS execution keeps nothing that could be asked for, so it runs through StartSyncExecution. A server that goes away while an execution runs is given time to come back, because
//! executions survive restarts. Only reading is repeated: StartExecution is sent once.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::arn::short_execution;
use super::client::Client;
use super::exit::Failure;
use super::output::{Output, printable};
use super::{history_table, table, timestamp};

/// How long the server is asked to wait at once, where nobody watches.
const ASKED: Duration = Duration::from_secs(5);

/// The same where somebody does, to show the progress.
const ASKED_LIVE: Duration = Duration::from_secs(1);

/// Pause before the second look at an execution; it grows by half each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a server may be gone before waiting is given up.
const RETURN_SECONDS: u64 = 30;

/// Longest wait for the answer to one look, in seconds.
const LOOK_SECONDS: u64 = 10;

/// Time from which on the progress is shown: shorter executions would only flicker.
const SHOWN_FROM: Duration = Duration::from_millis(150);

/// Longest wait for an EXPRESS execution: the API ends them after five minutes.
const EXPRESS_SECONDS: u64 = 330;

/// Events that are searched for the state an execution is in.
const RECENT_EVENTS: usize = 10;

/// Starts an execution (`input` is that of StartExecution), waits for its end, at most `timeout_seconds`, and prints
/// its output. Fails unless it succeeds in time.
pub(crate) fn start_and_wait(
    client: &Client,
    output: &mut Output,
    input: &Value,
    timeout_seconds: Option<u64>,
) -> Result<(), Failure> {
    if is_express(client, input)? {
        return run_express(client, output, input, timeout_seconds);
    }
    let deadline =
        timeout_seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let started = client.call("StartExecution", input)?;
    let arn = table::member_text(&started, "executionArn");
    if !output.wants_json() {
        output.note(&format!("started {arn}"));
    }
    let execution = follow(client, output, &arn, deadline)?;
    conclude(output, &execution, Some(&arn))
}

/// Whether the machine is of type EXPRESS. What cannot be described (an alias) is taken for STANDARD: StartExecution
/// judges it better.
fn is_express(client: &Client, input: &Value) -> Result<bool, Failure> {
    match client.call("DescribeStateMachine", &json!({"stateMachineArn": input["stateMachineArn"]})) {
        Ok(machine) => Ok(machine["type"] == "EXPRESS"),
        Err(Failure::Refused { .. }) => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn run_express(
    client: &Client,
    output: &mut Output,
    input: &Value,
    timeout_seconds: Option<u64>,
) -> Result<(), Failure> {
    output.progress("running ...");
    let client = client.waiting(timeout_seconds.unwrap_or(EXPRESS_SECONDS).max(1));
    match client.call("StartSyncExecution", input) {
        Ok(execution) => conclude(output, &execution, None),
        Err(Failure::NoAnswer { seconds, .. }) => Err(Failure::NotSucceeded {
            message: format!("the execution did not end within {seconds} s"),
            hint: None,
        }),
        Err(failure) => Err(failure),
    }
}

/// Looks at an execution until it is no longer running, and returns its description.
pub(super) fn follow(
    client: &Client,
    output: &mut Output,
    arn: &str,
    deadline: Option<Instant>,
) -> Result<Value, Failure> {
    let client = client.waiting(LOOK_SECONDS);
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut gone_since: Option<Instant> = None;
    let mut server_waits = true;
    loop {
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let asked = if output.is_live() { ASKED_LIVE } else { ASKED };
        let asked = left().map_or(asked, |left| left.min(asked));
        let looked = Instant::now();
        let look = if server_waits {
            ask_to_wait(&client, arn, asked)
        } else {
            client.call("DescribeExecution", &json!({"executionArn": arn}))
        };
        let waited = began.elapsed().as_secs();
        match look {
            // An older server has no such address.
            Err(Failure::Refused { code, .. }) if server_waits && is_unknown_address(&code) => {
                server_waits = false;
                continue;
            }
            Ok(execution) if !is_open(&execution) => return Ok(execution),
            Ok(_) => {
                gone_since = None;
                if output.is_live() && began.elapsed() >= SHOWN_FROM {
                    let state = current_state(&client, arn).unwrap_or_default();
                    output.progress(&format!("{} RUNNING, {waited} s{state}", short_execution(arn)));
                }
            }
            Err(failure) if may_pass(&failure) => {
                if gone_since.get_or_insert_with(Instant::now).elapsed().as_secs() >= RETURN_SECONDS {
                    return Err(failure);
                }
                output.progress(&format!("the server is away, {waited} s"));
            }
            Err(failure) => return Err(failure),
        }
        let left = left();
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Failure::NotSucceeded {
                message: format!("{} is still running after {waited} s; it goes on", short_execution(arn)),
                hint: Some(format!("look at it with `stepwell execution describe {arn}`")),
            });
        }
        // Whoever did not wait that long on the other side is not asked again at once.
        if !server_waits || looked.elapsed() < asked {
            thread::sleep(left.map_or(pause, |left| left.min(pause)));
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}

/// Has the server wait for the end, and describe the execution then or after `longest`.
fn ask_to_wait(client: &Client, arn: &str, longest: Duration) -> Result<Value, Failure> {
    let seconds = longest.as_secs_f64().to_string();
    client.get_where(&["api", "executions", arn, "wait"], &[("timeout", &seconds)])
}

/// Whether a code says that nothing is at an address; a missing execution has another one.
fn is_unknown_address(code: &str) -> bool {
    matches!(code, "NotFound" | "HTTP 404")
}

/// Whether a server that restarts, or has too much to do, could have caused the failure.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } | Failure::NoAnswer { .. } => true,
        Failure::Refused { code, .. } => {
            matches!(code.as_str(), "ServiceUnavailable" | "ThrottlingException")
        }
        Failure::NotSucceeded { .. } | Failure::Usage(_) | Failure::Output(_) => false,
    }
}

fn is_open(execution: &Value) -> bool {
    matches!(execution["status"].as_str(), Some("RUNNING" | "PENDING_REDRIVE"))
}

/// The state entered last, as ` in NAME`. Only decoration, so a failure is no failure.
fn current_state(client: &Client, arn: &str) -> Option<String> {
    let input = json!({"executionArn": arn, "reverseOrder": true, "maxResults": RECENT_EVENTS});
    let page = client.call("GetExecutionHistory", &input).ok()?;
    let entered = page["events"]
        .as_array()?
        .iter()
        .find_map(|event| event["stateEnteredEventDetails"]["name"].as_str())?;
    Some(format!(", in {}", printable(entered)))
}

/// Prints the output of an execution that succeeded; any other end is a failure. `history` is the ARN under which its
/// history can be read, if it has one.
fn conclude(output: &mut Output, execution: &Value, history: Option<&str>) -> Result<(), Failure> {
    let status = table::member_text(execution, "status");
    let arn = table::member_text(execution, "executionArn");
    let took = timestamp::between(&execution["startDate"], &execution["stopDate"]);
    let summary = format!("{} {status} after {took}", short_execution(&arn));
    let succeeded = status == "SUCCEEDED";
    if output.wants_json() {
        output.json(execution)?;
    } else if succeeded {
        output.note(&summary);
        let text = execution["output"].as_str().unwrap_or("null");
        output.line(&history_table::pretty(text, ""))?;
    }
    if succeeded {
        return Ok(());
    }
    let mut message = summary;
    for part in ["error", "cause"].iter().filter_map(|name| execution[*name].as_str()) {
        message.push_str(": ");
        message.push_str(&printable(part));
    }
    let hint = history.map(|arn| format!("see what happened with `stepwell execution history {arn}`"));
    Err(Failure::NotSucceeded { message, hint })
}
