//! The value of a `.$` key, intrinsic functions above all: run by a Pass state, which ends at once.

use super::run::Run;
use super::samples;
use serde_json::json;
use stepwell_asl::{Quotas, StateMachine, Status};

/// Checks an expression, a line break, and a JSON input. Where the second part is no JSON, a fixed one stands in.
pub fn check(text: &str) {
    let (expression, input) = samples::text_and_document(text);
    let definition = json!({
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "Parameters": {"x.$": expression}, "End": true}},
    });
    let Ok(machine) = StateMachine::parse(&definition.to_string()) else { return };
    // Every step of a run is taken twice and compared: that is the check of determinism.
    let mut run = Run::new(&machine, input, Quotas::default());
    run.start();
    let end = &run.execution().progress;
    match end.status {
        Status::Succeeded => {
            let output = end.output.as_ref().and_then(|output| output.as_object());
            let fields: Vec<&String> = output.into_iter().flat_map(serde_json::Map::keys).collect();
            assert_eq!(fields, ["x"], "the template has one field");
        }
        Status::Failed => {
            let error = end.error.as_deref().unwrap_or_default();
            assert!(error.starts_with("States."), "{error:?} is no error of the language");
        }
        Status::Running | Status::TimedOut | Status::Aborted => panic!("a Pass state ends at once"),
    }
}
