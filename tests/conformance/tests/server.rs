//! Replays recorded executions through the real server: uploads, HTTP, the store, the sandbox.
//!
//! Functions are played by the stub module. Recordings that hold the length of a text that Python wrote may agree in
//! process and not here; the list of deviations names them.

use serde_json::{Value, json};
use std::time::Duration;
use stepwell_conformance::case::{Case, executions, own};
use stepwell_conformance::report::{Outcome, Report};
use stepwell_conformance::stub::Stubs;
use stepwell_it::{Client, Setup, stub};

/// The longest recording that is replayed waits about ten seconds.
const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn recorded_executions_agree_through_the_server() {
    let mut cases = executions();
    cases.extend(own());
    let server = Setup::default().flags(&["--account", "111111111111", "--profile", "strict"]).start();
    let client = server.client();
    let mut report = Report::new("server");
    // Function names repeat from case to case: those with functions run one after the other, the rest at once.
    let (alone, together): (Vec<_>, Vec<_>) =
        cases.into_iter().enumerate().partition(|(_, case)| !case.functions().is_empty());
    let mut started = Vec::new();
    for (index, case) in together {
        if case.needs_later_release() || case.depends_on_the_date() {
            report.skip(&case);
        } else {
            let arn = start(&client, &case, index);
            started.push((case, arn));
        }
    }
    for (case, arn) in started {
        report.add(&case, arn.and_then(|arn| outcome(&client, &arn)));
    }
    for (index, case) in alone {
        if case.needs_later_release() {
            report.skip(&case);
            continue;
        }
        for function in case.functions() {
            let name = function["name"].as_str().unwrap_or_default();
            client.install(name, &stub(&Stubs::module_configuration(function)));
        }
        let replayed = start(&client, &case, index).and_then(|arn| outcome(&client, &arn));
        for function in case.functions() {
            let name = function["name"].as_str().unwrap_or_default();
            let removed = client.send("DELETE", &format!("/modules/{name}"), &[], &[]);
            assert!(removed.is_ok_and(|reply| reply.status == 204), "{name} cannot be deleted");
        }
        report.add(&case, replayed);
    }
    report.finish();
}

fn start(client: &Client, case: &Case, index: usize) -> Result<String, String> {
    let refused = |failure| format!("{failure:?}");
    let machine = json!({
        "name": format!("case-{index}"),
        "definition": case.definition(),
        "roleArn": case.role_arn(),
    });
    let machine = client.call("CreateStateMachine", &machine).map_err(refused)?;
    let execution = json!({"stateMachineArn": machine["stateMachineArn"], "input": case.input()});
    let execution = client.call("StartExecution", &execution).map_err(refused)?;
    Ok(execution["executionArn"].as_str().unwrap_or_default().to_owned())
}

fn outcome(client: &Client, arn: &str) -> Result<Outcome, String> {
    let execution = client.ended(arn, LIMIT);
    let text = |name: &str| execution[name].as_str().map(str::to_owned);
    Ok(Outcome {
        status: text("status").unwrap_or_default(),
        output: text("output").and_then(|output| serde_json::from_str::<Value>(&output).ok()),
        error: text("error"),
        cause: text("cause"),
        events: client.history(arn).map_err(|failure| format!("{failure:?}"))?,
    })
}
