//! A JSONata expression: what is read of it, the place of what is wrong with it, and what is handed to an evaluator.

use super::dice::Dice;
use super::run::Run;
use super::samples;
use serde_json::{Map, Value, json};
use stepwell_asl::jsonata::Trial;
use stepwell_asl::{Quotas, StateMachine, Status, Timestamp};

/// Checks an expression, a line break, and a JSON input. Where the second part is no JSON, a fixed one stands in.
pub fn check(text: &str) {
    let (expression, input) = samples::text_and_document(text);
    let trial = match Trial::parse(expression) {
        Ok(trial) => trial,
        Err(error) => {
            assert!(error.position <= expression.chars().count(), "{error:?} lies behind {expression:?}");
            assert!(!error.message.is_empty(), "{expression:?} is wrong without a reason");
            return;
        }
    };
    let variables: Map<String, Value> = [("v".to_owned(), input.clone())].into_iter().collect();
    let states = json!({"input": input, "context": {"a": input}});
    // What comes of it is the dice's; that the parts handed over are JSON is checked by them.
    let _ = trial.evaluate(&states, &variables, (Timestamp(0), 1), &Dice);
    let definition = json!({
        "StartAt": "P", "QueryLanguage": "JSONata",
        "States": {"P": {"Type": "Pass", "Output": {"x": format!("{{% {expression} %}}")}, "End": true}},
    });
    let Ok(machine) = StateMachine::parse(&definition.to_string()) else { return };
    let mut run = Run::new(&machine, input, Quotas::default());
    run.start();
    let end = &run.execution().progress;
    assert!(matches!(end.status, Status::Succeeded | Status::Failed), "a Pass state ends at once");
}
