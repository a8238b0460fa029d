//! The file with mocks: `MockConfigFile.json` of Step Functions Local. `StateMachines.NAME.TestCases.CASE.STATE` names a
//! response of `MockedResponses`, which has an answer for each invocation or range of invocations.
//!
//! Every problem must name where in the file it is.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// All mocks of a file.
#[derive(Clone, Debug, Default)]
pub struct MockConfig {
    /// Machine -> test case -> state -> response.
    machines: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
    responses: BTreeMap<String, Response>,
}

/// What one mocked state answers.
#[derive(Clone, Debug)]
pub(super) struct Response {
    name: String,
    /// First and last invocation, and the answer.
    answers: Vec<(usize, usize, Answer)>,
}

/// What a mocked task does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Return(Value),
    Throw { error: String, cause: Option<String> },
}

/// What is wrong with a file of mocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MockConfigError(String);

impl MockConfig {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<MockConfig, MockConfigError> {
        let config: Value =
            serde_json::from_str(text).map_err(|error| problem(format!("it is no JSON: {error}")))?;
        MockConfig::of(&config)
    }

    /// Reads a document. Both of its members may be missing.
    pub fn of(config: &Value) -> Result<MockConfig, MockConfigError> {
        let root = object(config, "the file")?;
        let mut mocks = MockConfig::default();
        for (name, response) in members(root, "MockedResponses")? {
            mocks.responses.insert(name.clone(), Response::of(name, response)?);
        }
        for (machine, settings) in members(root, "StateMachines")? {
            let at = format!("StateMachines.{machine}");
            let mut cases = BTreeMap::new();
            for (case, states) in members(object(settings, &at)?, "TestCases")? {
                let at = format!("{at}.TestCases.{case}");
                let mut named = BTreeMap::new();
                for (state, response) in object(states, &at)? {
                    let wrong = || problem(format!("{at}.{state} must be the name of a mocked response"));
                    let response = response.as_str().ok_or_else(wrong)?;
                    if !mocks.responses.contains_key(response) {
                        return Err(problem(format!(
                            "{at}.{state} names '{response}', which MockedResponses does not have"
                        )));
                    }
                    named.insert(state.clone(), response.to_owned());
                }
                cases.insert(case.clone(), named);
            }
            mocks.machines.insert(machine.clone(), cases);
        }
        Ok(mocks)
    }

    /// Whether a machine has a test case of this name.
    pub fn has(&self, machine: &str, case: &str) -> bool {
        self.machines.get(machine).is_some_and(|cases| cases.contains_key(case))
    }

    /// The test cases of a machine, in the order of their names.
    pub fn cases(&self, machine: &str) -> impl Iterator<Item = &str> {
        self.machines.get(machine).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    pub(super) fn response(&self, machine: &str, case: &str, state: &str) -> Option<&Response> {
        self.responses.get(self.machines.get(machine)?.get(case)?.get(state)?)
    }
}

impl Response {
    fn of(name: &str, response: &Value) -> Result<Response, MockConfigError> {
        let at = format!("MockedResponses.{name}");
        let mut answers = Vec::new();
        for (range, answer) in object(response, &at)? {
            let at = format!("{at}.{range}");
            let wrong = || problem(format!("{at}: a number, or a range of numbers such as 1-2, is expected"));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = first
                .parse()
                .ok()
                .zip(last.parse().ok())
                .filter(|(first, last)| first <= last)
                .ok_or_else(wrong)?;
            if answers.iter().any(|(from, to, _)| first <= *to && *from <= last) {
                return Err(problem(format!("{at} overlaps with another range")));
            }
            answers.push((first, last, Answer::of(answer, &at)?));
        }
        Ok(Response { name: name.to_owned(), answers })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The answer to an invocation, counted from 0.
    pub(super) fn answer(&self, number: usize) -> Option<&Answer> {
        let found = self.answers.iter().find(|(first, last, _)| (*first..=*last).contains(&number));
        found.map(|(_, _, answer)| answer)
    }
}

impl Answer {
    fn of(answer: &Value, at: &str) -> Result<Answer, MockConfigError> {
        let members = object(answer, at)?;
        match (members.get("Return"), members.get("Throw")) {
            (Some(value), None) => Ok(Answer::Return(value.clone())),
            (None, Some(thrown)) => {
                let text = |name: &str| thrown.get(name).and_then(Value::as_str).map(str::to_owned);
                let error =
                    text("Error").ok_or_else(|| problem(format!("{at}.Throw.Error must be a text")))?;
                Ok(Answer::Throw { error, cause: text("Cause") })
            }
            (Some(_), Some(_)) | (None, None) => {
                Err(problem(format!("{at} must have one of Return and Throw")))
            }
        }
    }
}

fn problem(message: String) -> MockConfigError {
    MockConfigError(message)
}

fn object<'v>(value: &'v Value, at: &str) -> Result<&'v Map<String, Value>, MockConfigError> {
    value.as_object().ok_or_else(|| problem(format!("{at} must be an object")))
}

/// The members of an object that may be missing.
fn members<'v>(
    of: &'v Map<String, Value>,
    name: &str,
) -> Result<impl Iterator<Item = (&'v String, &'v Value)> + use<'v>, MockConfigError> {
    let members = of.get(name).map(|value| object(value, name)).transpose()?;
    Ok(members.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_name_their_place() {
        for (config, expected) in [
            (json!([]), "the file must be an object"),
            (json!({"MockedResponses": 1}), "MockedResponses must be an object"),
            (
                json!({"MockedResponses": {"R": {"x": {"Return": 1}}}}),
                "MockedResponses.R.x: a number, or a range of numbers such as 1-2, is expected",
            ),
            (
                json!({"MockedResponses": {"R": {"2-1": {"Return": 1}}}}),
                "MockedResponses.R.2-1: a number, or a range of numbers such as 1-2, is expected",
            ),
            (
                json!({"MockedResponses": {"R": {"0-1": {"Return": 1}, "1": {"Return": 1}}}}),
                "MockedResponses.R.1 overlaps with another range",
            ),
            (
                json!({"MockedResponses": {"R": {"0": {}}}}),
                "MockedResponses.R.0 must have one of Return and Throw",
            ),
            (
                json!({"MockedResponses": {"R": {"0": {"Throw": {}}}}}),
                "MockedResponses.R.0.Throw.Error must be a text",
            ),
            (
                json!({"StateMachines": {"M": {"TestCases": {"C": {"S": "R"}}}}}),
                "StateMachines.M.TestCases.C.S names 'R', which MockedResponses does not have",
            ),
        ] {
            assert_eq!(MockConfig::of(&config).unwrap_err().to_string(), expected);
        }
        assert!(MockConfig::parse("{").unwrap_err().to_string().starts_with("it is no JSON: "));
    }

    #[test]
    fn cases_are_found_by_machine() {
        let config = json!({"StateMachines": {"M": {"TestCases": {"B": {}, "A": {}}}}});
        let config = MockConfig::of(&config).unwrap();
        assert!(config.has("M", "A") && !config.has("M", "C") && !config.has("N", "A"));
        assert_eq!(config.cases("M").collect::<Vec<_>>(), ["A", "B"]);
    }
}
