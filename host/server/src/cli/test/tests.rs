//! Files are read strictly, mocks are put together, differences name their place.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::file::TestFile;
use super::judge::{Outcome, differences};
use super::mocks;

/// A test file beside a definition with one task.
fn read(test: &Value) -> Result<(TestFile, TempDir), String> {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true});
    let inner = json!({"StartAt": "Inner", "States": {"Inner": task}});
    let definition = json!({"StartAt": "Both", "States": {
        "Both": {"Type": "Parallel", "Branches": [inner], "End": true}}});
    std::fs::write(folder.join("m.asl.json"), definition.to_string()).unwrap();
    let config = json!({
        "StateMachines": {"m": {"TestCases": {"Happy": {"Inner": "Sent"}}}},
        "MockedResponses": {"Sent": {"0": {"Return": 1}}},
    });
    std::fs::write(folder.join("mocks.json"), config.to_string()).unwrap();
    let path = folder.join("m.test.json");
    std::fs::write(&path, test.to_string()).unwrap();
    TestFile::read(&path).map(|file| (file, directory)).map_err(|failure| failure.to_string())
}

fn one(case: &Value) -> Value {
    json!({"machine": "m.asl.json", "cases": [case]})
}

#[test]
fn what_is_wrong_in_a_file_is_named() {
    let twice = json!({"machine": "m.asl.json", "cases": [{"name": "a"}, {"name": "a"}]});
    let mut express = one(&json!({"name": "a", "expect": {"path": ["Both"]}}));
    express["type"] = json!("EXPRESS");
    for (file, expected) in [
        (json!({"machine": "m.asl.json", "cases": []}), "cases is empty"),
        (json!({"cases": [{"name": "a"}]}), "missing field `machine`"),
        (twice, "two cases are named 'a'"),
        (one(&json!({"name": "a", "inputs": {}})), "unknown field `inputs`"),
        (one(&json!({"name": "a", "input": 1, "inputFile": "f"})), "give input or inputFile, not both"),
        (one(&json!({"name": "a", "mockCase": "Happy"})), "mockCase needs mockConfig"),
        (express, "path and history need a STANDARD machine"),
    ] {
        let error = read(&file).map(|_| ()).unwrap_err();
        assert!(error.contains(expected) && error.contains("m.test.json"), "{error}");
    }
}

#[test]
fn mocks_of_the_case_win_over_those_of_the_mock_file() {
    let file = json!({"machine": "m.asl.json", "mockConfig": "mocks.json", "cases": [
        {"name": "from the file", "mockCase": "Happy"},
        {"name": "its own", "mockCase": "Happy", "mocks": {"Inner": [{"Return": 2}, {"Throw": {"Error": "E"}}]}},
        {"name": "always", "mocks": {"Inner": {"Return": 3}}},
    ]});
    let (file, _directory) = read(&file).unwrap();
    let document = mocks::document(&file).unwrap();
    let cases = &document["StateMachines"]["m"]["TestCases"];
    let responses = &document["MockedResponses"];
    let of = |case: &str| &responses[cases[case]["Inner"].as_str().unwrap()];
    assert_eq!(*of("case-0"), json!({"0": {"Return": 1}}));
    assert_eq!(*of("case-1"), json!({"0": {"Return": 2}, "1": {"Throw": {"Error": "E"}}}));
    assert_eq!(*of("case-2"), json!({"0-1000000": {"Return": 3}}));
}

#[test]
fn mocks_of_nothing_are_refused() {
    let mut file = one(&json!({"name": "a", "mocks": {"Iner": {"Return": 1}}}));
    let refusal = |file: &Value| {
        let (file, _directory) = read(file).unwrap();
        mocks::document(&file).unwrap_err().to_string()
    };
    assert!(refusal(&file).contains("mocks.Iner: the machine has no state of this name"));
    file = one(&json!({"name": "a", "mockCase": "Sad"}));
    file["mockConfig"] = json!("mocks.json");
    assert!(refusal(&file).contains("mockCase 'Sad'") && refusal(&file).contains("[\"Happy\"]"));
}

/// The differences between what is expected and one outcome.
fn judge(expect: &Value) -> Vec<String> {
    let (file, _directory) = read(&one(&json!({"name": "a", "expect": expect}))).unwrap();
    let entered =
        |name: &str| json!({"type": "PassStateEntered", "stateEnteredEventDetails": {"name": name}});
    let outcome = Outcome {
        execution: json!({
            "status": "SUCCEEDED", "startDate": 10.0, "stopDate": 12.5,
            "output": r#"{"a": 1.0, "b": [{"c": null}, 2]}"#,
        }),
        history: ["A", "C", "B", "D"].map(entered).to_vec(),
    };
    differences(&file.cases[0].expect, &outcome)
}

#[test]
fn what_is_as_expected_has_no_difference() {
    for expect in [
        json!({}),
        json!({"status": "SUCCEEDED", "output": {"a": 1, "b": [{"c": null}, 2]}}),
        json!({"outputIncludes": {"b": [{}, 2]}, "minSeconds": 2.5, "maxSeconds": 2.5}),
        json!({"path": ["A", ["B", "C"], "D"]}),
        json!({"history": [{"stateEnteredEventDetails": {"name": "A"}}, {"stateEnteredEventDetails": {"name": "D"}}]}),
    ] {
        assert_eq!(judge(&expect), Vec::<String>::new(), "{expect}");
    }
}

#[test]
fn every_difference_names_its_place() {
    for (expect, expected) in [
        (
            json!({"error": "E"}),
            &["status: expected FAILED, got SUCCEEDED", "error: expected \"E\", got none"][..],
        ),
        (
            json!({"output": {"a": 2}}),
            &["output.a: expected 2, got 1.0", "output.b: not expected, got [{\"c\":null},2]"],
        ),
        (json!({"outputIncludes": {"b": [{"d": 1}, 2]}}), &["output.b[0].d: expected 1, but it is missing"]),
        (json!({"output": null}), &["output: expected null, got {\"a\":1.0,\"b\":[{\"c\":null},2]}"]),
        (json!({"minSeconds": 3}), &["minSeconds: expected 3 at least, it took 2.500"]),
        (json!({"maxSeconds": 2}), &["maxSeconds: expected 2 at most, it took 2.500"]),
        (json!({"path": ["A", "B"]}), &["path: expected A > B\n      got      A > C > B > D"]),
        (
            json!({"history": [{"stateEnteredEventDetails": {"name": "D"}}, {"type": "PassStateEntered"}]}),
            &[
                "history[1]: no event like {\"type\":\"PassStateEntered\"} follows those before it, in PassStateEntered > \
               PassStateEntered > PassStateEntered > PassStateEntered",
            ],
        ),
    ] {
        assert_eq!(judge(&expect), expected, "{expect}");
    }
}
