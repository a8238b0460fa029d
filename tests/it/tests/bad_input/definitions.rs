//! Definitions that cannot be created: every problem is reported at once, each with its place, by CreateStateMachine,
//! by ValidateStateMachineDefinition and by `stepwell machine validate`.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use stepwell_it::{Client, Server};

/// A definition, and the places of its problems.
type Broken = (Value, &'static [&'static str]);

/// Fields that are wrong, one kind of mistake each.
fn wrong_fields() -> Broken {
    let definition = json!({
        "StartAt": "NoResource",
        "States": {
            "NoResource": {"Type": "Task", "Next": "NegativeWait"},
            "NegativeWait": {"Type": "Wait", "Seconds": -1, "Next": "BadPath"},
            "BadPath": {"Type": "Pass", "InputPath": "no path", "Next": "NoSuchType"},
            "NoSuchType": {"Type": "Teleport"},
            "NoEnd": {"Type": "Pass"},
        },
    });
    let places = &[
        "/States/NoResource",
        "/States/NegativeWait/Seconds",
        "/States/BadPath/InputPath",
        "/States/NoSuchType/Type",
        "/States/NoEnd",
    ];
    (definition, places)
}

/// Transitions that lead nowhere.
fn wrong_transitions() -> Broken {
    let definition = json!({
        "StartAt": "Nowhere",
        "States": {
            "A": {"Type": "Pass", "Next": "Gone"},
            "B": {
                "Type": "Choice", "Default": "Lost",
                "Choices": [{"Variable": "$.x", "IsNull": true, "Next": "Missing"}],
            },
        },
    });
    (definition, &["/StartAt", "/States/A/Next", "/States/B/Default", "/States/B/Choices"])
}

fn validate(client: &Client, definition: &str) -> Value {
    client.expect("ValidateStateMachineDefinition", &json!({"definition": definition}))
}

#[test]
fn all_problems_of_a_definition_are_reported_together() {
    let server = Server::start();
    let client = server.client();
    for (definition, places) in [wrong_fields(), wrong_transitions()] {
        let text = definition.to_string();
        let report = validate(&client, &text);
        assert_eq!(report["result"], "FAIL", "{report}");
        let diagnostics = report["diagnostics"].as_array().expect("diagnostics");
        let locations: BTreeSet<&str> =
            diagnostics.iter().filter_map(|diagnostic| diagnostic["location"].as_str()).collect();
        for place in places {
            assert!(locations.iter().any(|location| location.starts_with(place)), "{place} in {report}");
        }
        let request =
            json!({"name": "broken", "definition": text, "roleArn": "arn:aws:iam::123456789012:role/r"});
        let refusal = client.call("CreateStateMachine", &request).expect_err("a refusal").refusal();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "InvalidDefinition"), "{refusal:?}");
        for place in places {
            assert!(refusal.message.contains(place), "{place} in {}", refusal.message);
        }
    }
    assert_eq!(client.expect("ListStateMachines", &json!({}))["stateMachines"], json!([]));
}

#[test]
fn the_command_line_reports_them_too() {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("broken.asl.json");
    let (definition, places) = wrong_transitions();
    std::fs::write(&file, definition.to_string()).expect("the file");
    let file = file.to_str().expect("a plain path");
    let validated = server.command_line(&["machine", "validate", file]);
    let (table, errors) =
        (String::from_utf8_lossy(&validated.stdout), String::from_utf8_lossy(&validated.stderr));
    assert_eq!(validated.status.code(), Some(1), "{table}{errors}");
    for place in places {
        assert!(table.contains(place), "{place} in {table}");
    }
    let created = server.command_line(&["machine", "create", "broken", "--definition", file]);
    let errors = String::from_utf8_lossy(&created.stderr);
    assert_eq!(created.status.code(), Some(3), "{errors}");
    assert!(errors.contains("InvalidDefinition") && errors.contains("/States/A/Next"), "{errors}");
}

#[test]
fn a_definition_that_is_no_json_is_a_diagnostic_with_its_line() {
    let server = Server::start();
    let client = server.client();
    for text in ["{\n  \"StartAt\": \"A\",\n  oops\n}", "", "[]", "null"] {
        let request =
            json!({"name": "broken", "definition": text, "roleArn": "arn:aws:iam::123456789012:role/r"});
        let refusal = client.call("CreateStateMachine", &request).expect_err("a refusal").refusal();
        // An empty text breaks a constraint of the API's model before anybody reads it as a definition.
        let code = if text.is_empty() { "ValidationException" } else { "InvalidDefinition" };
        assert_eq!((refusal.status, refusal.code.as_str()), (400, code), "{text:?}: {refusal:?}");
    }
    let report = validate(&client, "{\n  \"StartAt\": \"A\",\n  oops\n}");
    let diagnostic = &report["diagnostics"][0];
    assert_eq!(
        (&report["result"], &diagnostic["code"]),
        (&json!("FAIL"), &json!("INVALID_JSON_DESCRIPTION"))
    );
    assert!(
        diagnostic.to_string().contains("line: 3") || diagnostic.to_string().contains("line 3"),
        "{diagnostic}"
    );
    let deep = format!("{{\"StartAt\":{}", "[".repeat(200_000));
    assert_eq!(validate(&client, &deep)["result"], "FAIL");
}
