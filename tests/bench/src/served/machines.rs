//! The machines that the server is driven with, and how their executions must end.

use super::api::{Api, Execution};
use crate::guest::{self, INPUT};
use anyhow::ensure;
use serde_json::{Value, json};

/// Task states of a long workflow.
pub const STEPS: u64 = 10;
/// What the input must hold when the machine is `waits_until_due`.
pub const DUE: &str = "due";

/// Length of a wait that the benchmark never sees the end of; an execution may take a year.
const WAIT_SECONDS: u64 = 300 * 24 * 3_600;
const MODULE: &str = "echo";
/// History events of one Task state with a module: entered, scheduled, started, succeeded, exited.
const TASK_EVENTS: u64 = 5;

/// The ARNs of all machines on one server.
#[derive(Clone, Debug)]
pub struct Machines {
    /// Ten Tasks on the stub module, one after the other.
    pub steps: String,
    /// One such Task.
    pub step: String,
    /// One Pass state.
    pub pass: String,
    /// The same as an Express machine.
    pub express_pass: String,
    /// The one Task as an Express machine.
    pub express_step: String,
    /// Waits for most of a year.
    pub waits: String,
    /// Waits until the moment that its input names.
    pub waits_until_due: String,
}

impl Machines {
    /// Uploads the module and creates the machines.
    pub async fn install(api: &mut Api) -> anyhow::Result<Machines> {
        api.upload(MODULE, guest::stub()?).await?;
        let pass = json!({"Type": "Pass", "End": true});
        let wait = json!({"Type": "Wait", "Seconds": WAIT_SECONDS, "End": true});
        let wait_until_due = json!({"Type": "Wait", "TimestampPath": format!("$.{DUE}"), "End": true});
        Ok(Machines {
            steps: api.create_machine("ten-steps", &chain(STEPS)).await?,
            step: api.create_machine("one-step", &chain(1)).await?,
            pass: api.create_machine("pass", &alone(&pass)).await?,
            express_pass: api.create_express("express-pass", &alone(&pass)).await?,
            express_step: api.create_express("express-step", &chain(1)).await?,
            waits: api.create_machine("waits", &alone(&wait)).await?,
            waits_until_due: api.create_machine("due", &alone(&wait_until_due)).await?,
        })
    }
}

/// A machine of one state.
fn alone(state: &Value) -> Value {
    json!({"StartAt": "Alone", "States": {"Alone": state}})
}

fn chain(steps: u64) -> Value {
    let states: serde_json::Map<String, Value> = (1..=steps)
        .map(|number| {
            let mut state = json!({
                "Type": "Task",
                "Resource": format!("arn:aws:lambda:us-east-1:123456789012:function:{MODULE}"),
            });
            if number < steps {
                state["Next"] = json!(format!("Step{}", number + 1));
            } else {
                state["End"] = json!(true);
            }
            (format!("Step{number}"), state)
        })
        .collect();
    json!({"StartAt": "Step1", "States": states})
}

/// Checks that an execution that was given [`INPUT`] has returned it: a fast wrong server must not win.
pub fn check_end(execution: &str, ended: &Execution) -> anyhow::Result<()> {
    let right = ended.status == "SUCCEEDED" && ended.output.as_deref().is_some_and(guest::answers);
    ensure!(right, "{execution} was given {INPUT} and ended as {ended:?}");
    Ok(())
}

/// Checks that the history of an execution of a chain has every event, numbered without a gap.
pub async fn check_history(api: &mut Api, execution: &str, steps: u64) -> anyhow::Result<()> {
    let events = api.history(execution).await?;
    let contiguous = events.iter().zip(1_u64..).all(|(event, id)| event["id"] == id);
    let succeeded = events.last().is_some_and(|event| event["type"] == "ExecutionSucceeded");
    let complete = events.len() as u64 == 2 + TASK_EVENTS * steps;
    ensure!(
        contiguous && succeeded && complete,
        "{execution} has a wrong history of {} events",
        events.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_end_is_noticed() {
        let end = |status: &str, output: Option<&str>| Execution {
            status: status.to_owned(),
            output: output.map(str::to_owned),
        };
        assert!(check_end("a", &end("SUCCEEDED", Some(INPUT))).is_ok());
        for wrong in [end("FAILED", None), end("SUCCEEDED", Some("{}")), end("RUNNING", None)] {
            assert!(check_end("a", &wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(chain(10)["States"].as_object().unwrap().len(), 10);
        assert_eq!(chain(1)["States"]["Step1"]["End"], true);
    }
}
