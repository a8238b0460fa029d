//! The mocks of a file's cases, as the server takes them: a document in the format of Step Functions Local, in which
//! each case of the test file is a test case of its own.
//!
//! Whether an answer is a good one is the server's judgement.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::exit::Failure;
use super::super::source;
use super::file::{Case, TestFile};

/// The last attempt that a single answer is for.
const EVERY_ATTEMPT: &str = "0-1000000";

/// The name under which the server knows the case with this number.
pub(super) fn case_name(number: usize) -> String {
    format!("case-{number}")
}

/// The document. Errors: `Usage`, of the file with mocks, and of a case that names what that does not have.
pub(super) fn document(file: &TestFile) -> Result<Value, Failure> {
    let config = match &file.mock_config {
        None => json!({}),
        Some(path) => serde_json::from_str(&source::json_file(&file.at(path))?).unwrap_or_default(),
    };
    let known = &config["StateMachines"][file.machine_name()]["TestCases"];
    let mut responses = config["MockedResponses"].as_object().cloned().unwrap_or_default();
    let mut cases = Map::new();
    let states_there = states_of(file)?;
    for (number, case) in file.cases.iter().enumerate() {
        let mut states = named(file, case, known)?;
        for (state, answers) in &case.mocks {
            if !states_there.contains(state) {
                return Err(Failure::Usage(format!(
                    "case '{}': mocks.{state}: the machine has no state of this name",
                    case.name
                )));
            }
            let name = format!("{} of case '{}'", state, case.name);
            responses.insert(name.clone(), response(answers));
            states.insert(state.clone(), name.into());
        }
        cases.insert(case_name(number), states.into());
    }
    Ok(json!({
        "StateMachines": {file.machine_name(): {"TestCases": cases}},
        "MockedResponses": responses,
    }))
}

/// The names of the machine's states, at every level.
fn states_of(file: &TestFile) -> Result<BTreeSet<String>, Failure> {
    fn collect(value: &Value, names: &mut BTreeSet<String>) {
        if let Some(states) = value["States"].as_object() {
            names.extend(states.keys().cloned());
        }
        match value {
            Value::Object(members) => members.values().for_each(|value| collect(value, names)),
            Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let definition = serde_json::from_str(&source::json_file(&file.definition())?).unwrap_or_default();
    let mut names = BTreeSet::new();
    collect(&definition, &mut names);
    Ok(names)
}

/// The states that a case takes from the file with mocks, and the names of their responses.
fn named(file: &TestFile, case: &Case, known: &Value) -> Result<Map<String, Value>, Failure> {
    let Some(wanted) = &case.mocked_as else { return Ok(Map::new()) };
    known[wanted].as_object().cloned().ok_or_else(|| {
        let machine = file.machine_name();
        let names: Vec<&str> =
            known.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        Failure::Usage(format!(
            "case '{}': mockCase '{wanted}' is not in StateMachines.{machine}.TestCases, which has {names:?}",
            case.name
        ))
    })
}

/// The answers of one state, by attempt.
fn response(answers: &Value) -> Value {
    match answers.as_array() {
        Some(list) => list.iter().enumerate().map(|(at, one)| (at.to_string(), one.clone())).collect(),
        None => json!({EVERY_ATTEMPT: answers}),
    }
}
