//! CreateStateMachine, DescribeStateMachine, UpdateStateMachine, DeleteStateMachine, ListStateMachines,
//! ValidateStateMachineDefinition.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use stepwell_store::MemoryBackend;

use crate::support::{ACCOUNT, Callee, REGION, TestServer, pass, role, wait_a_minute, wait_for};

fn arn(name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}")
}

fn create(name: &str, more: &Value) -> Value {
    let mut input = json!({"name": name, "definition": pass().to_string(), "roleArn": role()});
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    input
}

#[test]
fn a_machine_is_described_as_it_was_created() {
    let server = TestServer::start();
    let definition = "{ \"StartAt\":\"A\",\n \"States\": {\"A\": {\"End\": true, \"Type\": \"Pass\"}}}";
    let created = server.ok("CreateStateMachine", &create("m", &json!({"definition": definition}))).body;
    assert_eq!(created["stateMachineArn"], arn("m"));
    let described = server.ok("DescribeStateMachine", &json!({"stateMachineArn": arn("m")})).body;
    let expected = json!({
        "stateMachineArn": arn("m"),
        "name": "m",
        "status": "ACTIVE",
        "definition": definition,
        "roleArn": role(),
        "type": "STANDARD",
        "creationDate": created["creationDate"],
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
        "tracingConfiguration": {"enabled": false},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    });
    assert_eq!(described, expected);
    let bare = json!({"stateMachineArn": arn("m"), "includedData": "METADATA_ONLY"});
    assert_eq!(server.ok("DescribeStateMachine", &bare).body["definition"], "{}");
}

#[test]
fn an_execution_keeps_the_machine_that_it_was_started_with() {
    let server = TestServer::start();
    let reading = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"y.$": "States.Array($x, $x)"}, "End": true},
    }});
    let created =
        server.ok("CreateStateMachine", &create("m", &json!({"definition": reading.to_string()}))).body;
    let started = server.ok("StartExecution", &json!({"stateMachineArn": arn("m"), "name": "e"})).body;
    let execution = json!({"executionArn": started["executionArn"]});
    let described = server.ok("DescribeStateMachineForExecution", &execution).body;
    let expected = json!({
        "stateMachineArn": arn("m"),
        "name": "m",
        "definition": reading.to_string(),
        "roleArn": role(),
        "updateDate": created["creationDate"],
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
        "tracingConfiguration": {"enabled": false},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
        "variableReferences": {"B": ["x"]},
    });
    assert_eq!(described, expected);
    let update = json!({"stateMachineArn": arn("m"), "definition": pass().to_string()});
    server.ok("UpdateStateMachine", &update);
    assert_eq!(server.ok("DescribeStateMachineForExecution", &execution).body, expected);
    let today = server.ok("DescribeStateMachine", &json!({"stateMachineArn": arn("m")})).body;
    assert_eq!(today["variableReferences"], Value::Null);
    let again = server.ok("StartExecution", &json!({"stateMachineArn": arn("m")})).body;
    let again = json!({"executionArn": again["executionArn"], "includedData": "METADATA_ONLY"});
    let again = server.ok("DescribeStateMachineForExecution", &again).body;
    assert_eq!((&again["definition"], &again["revisionId"]), (&json!("{}"), &today["revisionId"]));
}

#[test]
fn settings_are_stored_and_shown() {
    let server = TestServer::start();
    let settings = json!({
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": true},
        "tracingConfiguration": {"enabled": true},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
        "tags": [],
        "publish": false,
    });
    server.ok("CreateStateMachine", &create("m", &settings));
    let described = server.ok("DescribeStateMachine", &json!({"stateMachineArn": arn("m")})).body;
    for member in ["loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"] {
        assert_eq!(described[member], settings[member], "{member}");
    }
}

#[test]
fn creating_twice_is_idempotent_only_for_the_same_text_and_settings() {
    let server = TestServer::start();
    let first = server.ok("CreateStateMachine", &create("m", &json!({}))).body;
    let defaults = json!({
        "roleArn": "arn:aws:iam::111111111111:role/other",
        "type": "STANDARD",
        "loggingConfiguration": {"level": "OFF"},
        "tracingConfiguration": {"enabled": false},
    });
    assert_eq!(server.ok("CreateStateMachine", &create("m", &defaults)).body, first);
    let described = server.ok("DescribeStateMachine", &json!({"stateMachineArn": arn("m")})).body;
    assert_eq!(described["roleArn"], role(), "a different role is not applied");
    for different in [
        json!({"definition": format!(" {}", pass())}),
        json!({"tracingConfiguration": {"enabled": true}}),
        json!({"loggingConfiguration": {"level": "OFF", "includeExecutionData": true}}),
    ] {
        let refused = server.refused("CreateStateMachine", &create("m", &different));
        let message = format!("State Machine Already Exists: '{}'", arn("m"));
        assert_eq!(refused, ("StateMachineAlreadyExists".into(), message), "{different}");
    }
}

#[test]
fn creating_the_same_at_the_same_time_makes_one_machine() {
    let server = TestServer::start();
    let replies: Vec<Value> = thread::scope(|scope| {
        let create = |_| scope.spawn(|| server.ok("CreateStateMachine", &create("m", &json!({}))).body);
        let threads: Vec<_> = (0..8).map(create).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
}

#[test]
fn what_cannot_be_created_is_refused_by_name() {
    let server = TestServer::start();
    let no_log = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
    let two = json!([{"cloudWatchLogsLogGroup": {"logGroupArn": "a"}}, {"cloudWatchLogsLogGroup": {"logGroupArn": "b"}}]);
    let one = json!([{"cloudWatchLogsLogGroup": {"logGroupArn": "a"}}]);
    for (more, code, message) in [
        (json!({"name": "a b"}), "InvalidName", "Invalid Name: 'a b'"),
        (json!({"name": "a/b"}), "InvalidName", "Invalid Name: 'a/b'"),
        (
            json!({"versionDescription": "x"}),
            "ValidationException",
            "Version description can only be set when publish is true",
        ),
        (
            json!({"tags": [{"key": "aws:k", "value": "v"}]}),
            "ValidationException",
            "Tag keys that begin with 'aws:' are reserved: 'aws:k'",
        ),
        (json!({"loggingConfiguration": {"level": "ALL"}}), "InvalidLoggingConfiguration", no_log),
        (
            json!({"loggingConfiguration": {"level": "OFF", "destinations": two}}),
            "InvalidLoggingConfiguration",
            no_log,
        ),
        (
            json!({"loggingConfiguration": {"level": "ERROR", "destinations": one}}),
            "InvalidLoggingConfiguration",
            "Invalid Logging Configuration: Log Destination not found.",
        ),
        (
            json!({"encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"}}),
            "InvalidEncryptionConfiguration",
            "Customer managed keys are not supported",
        ),
        (
            json!({"definition": "{}"}),
            "InvalidDefinition",
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'",
        ),
        (
            json!({"definition": "{\"StartAt\":\"B\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Next\":\"C\"}}}"}),
            "InvalidDefinition",
            "'MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /StartAt, \
             MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/A/Next, \
             MISSING_END_STATE: Workflow has no terminal state'",
        ),
    ] {
        let (found, text) = server.refused("CreateStateMachine", &create("m", &more));
        assert_eq!(found, code, "{more}: {text}");
        assert!(text.contains(message), "{more}: {text}");
    }
    assert_eq!(server.ok("ListStateMachines", &json!({})).body, json!({"stateMachines": []}));
}

#[test]
fn violated_constraints_come_together() {
    let server = TestServer::start();
    let name = "n".repeat(81);
    let input = json!({"name": name, "definition": "", "type": "standard", "tracingConfiguration": {"enabled": null}});
    let reply = server.call("CreateStateMachine", &input);
    assert_eq!(reply.body["__type"], "com.amazon.coral.validate#ValidationException");
    let expected = format!(
        "4 validation errors detected: \
         Value '{name}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 80; \
         Value '' at 'definition' failed to satisfy constraint: Member must have length greater than or equal to 1; \
         Value null at 'roleArn' failed to satisfy constraint: Member must not be null; \
         Value 'standard' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]"
    );
    assert_eq!(reply.message(), expected);
    let large = create("m", &json!({"definition": " ".repeat(1_048_577)}));
    let (code, message) = server.refused("CreateStateMachine", &large);
    assert_eq!(code, "ValidationException");
    let constraint =
        "at 'definition' failed to satisfy constraint: Member must have length less than or equal to 1048576";
    assert!(message.ends_with(constraint) && message.len() < 10_000, "{} bytes", message.len());
}

#[test]
fn an_update_changes_the_revision_only_when_something_changes() {
    let server = TestServer::start();
    let created = server.ok("CreateStateMachine", &create("m", &json!({}))).body;
    let same = json!({"stateMachineArn": arn("m"), "definition": pass().to_string(), "roleArn": role()});
    let unchanged = server.ok("UpdateStateMachine", &same).body;
    assert_eq!(unchanged, json!({"updateDate": created["creationDate"]}));

    let update = json!({"stateMachineArn": arn("m"), "definition": wait_a_minute().to_string()});
    let first = server.ok("UpdateStateMachine", &update).body;
    assert_eq!(first["revisionId"].as_str().map(str::len), Some(36));
    assert_eq!(server.ok("UpdateStateMachine", &update).body, first);
    let tracing = json!({"stateMachineArn": arn("m"), "tracingConfiguration": {"enabled": true}});
    let second = server.ok("UpdateStateMachine", &tracing).body;
    assert_ne!(second["revisionId"], first["revisionId"]);

    let described = server.ok("DescribeStateMachine", &json!({"stateMachineArn": arn("m")})).body;
    assert_eq!(described["definition"], wait_a_minute().to_string());
    assert_eq!(described["tracingConfiguration"], json!({"enabled": true}));
    assert_eq!(described["revisionId"], second["revisionId"]);
    assert_eq!(described["creationDate"], created["creationDate"]);
}

#[test]
fn a_wrong_update_changes_nothing() {
    let server = TestServer::start();
    server.ok("CreateStateMachine", &create("m", &json!({})));
    let before = server.ok("DescribeStateMachine", &json!({"stateMachineArn": arn("m")})).body;
    let nothing = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration \
                   must be specified";
    for (input, code, message) in [
        (json!({"stateMachineArn": arn("m")}), "MissingRequiredParameter", nothing),
        (
            json!({"stateMachineArn": arn("m"), "definition": "{"}),
            "InvalidDefinition",
            "INVALID_JSON_DESCRIPTION",
        ),
        (
            json!({"stateMachineArn": arn("m"), "roleArn": role(), "versionDescription": "v"}),
            "ValidationException",
            "Version description can only be set when publish is true",
        ),
        (
            json!({"stateMachineArn": "m", "roleArn": role()}),
            "InvalidArn",
            "Invalid Arn: 'Invalid ARN prefix: m'",
        ),
        (
            json!({"stateMachineArn": arn("x"), "roleArn": role()}),
            "StateMachineDoesNotExist",
            "stateMachine:x'",
        ),
        (
            json!({"stateMachineArn": arn("m:1"), "roleArn": role()}),
            "StateMachineDoesNotExist",
            "stateMachine:m:1'",
        ),
        (json!({"stateMachineArn": arn("m/l"), "roleArn": role()}), "ValidationException", "labelled"),
    ] {
        let (found, text) = server.refused("UpdateStateMachine", &input);
        assert_eq!(found, code, "{input}: {text}");
        assert!(text.contains(message), "{input}: {text}");
    }
    assert_eq!(server.ok("DescribeStateMachine", &json!({"stateMachineArn": arn("m")})).body, before);
}

#[test]
fn updates_at_the_same_time_all_count() {
    let server = TestServer::start();
    server.ok("CreateStateMachine", &create("m", &json!({})));
    let mut revisions: Vec<String> = thread::scope(|scope| {
        let update = |number: usize| {
            let input = json!({"stateMachineArn": arn("m"), "roleArn": format!("{}-{number}", role())});
            let server = &server;
            scope.spawn(move || server.ok("UpdateStateMachine", &input).text("revisionId"))
        };
        let threads: Vec<_> = (0..8).map(update).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    revisions.sort();
    revisions.dedup();
    assert_eq!(revisions.len(), 8);
}

#[test]
fn a_machine_is_deleting_until_its_last_execution_has_ended() {
    let server = TestServer::start();
    let machine = server.machine("m", &wait_a_minute());
    let executions: Vec<String> = (0..3).map(|_| server.execution(&machine, "{}")).collect();
    let this = json!({"stateMachineArn": machine});
    assert_eq!(server.ok("DeleteStateMachine", &this).body, json!({}));
    assert_eq!(server.ok("DeleteStateMachine", &this).body, json!({}));
    assert_eq!(server.ok("DescribeStateMachine", &this).body["status"], "DELETING");
    let running = server.ok("ListExecutions", &this).body;
    assert_eq!(running["executions"].as_array().unwrap().len(), 3);
    let update = json!({"stateMachineArn": machine, "roleArn": role()});
    let create = create("m", &json!({}));
    for (operation, input) in [
        ("StartExecution", &this),
        ("PublishStateMachineVersion", &this),
        ("ListStateMachineAliases", &this),
        ("UpdateStateMachine", &update),
        ("CreateStateMachine", &create),
    ] {
        let message = format!("State Machine is being deleted: '{machine}'");
        assert_eq!(server.refused(operation, input), ("StateMachineDeleting".into(), message), "{operation}");
    }
    for execution in &executions {
        server.ok("StopExecution", &json!({"executionArn": execution}));
        let described = server.ok("DescribeExecution", &json!({"executionArn": execution})).body;
        assert_eq!(described["status"], "ABORTED");
        assert_eq!(described["redriveStatusReason"], "State machine is in DELETING status");
    }
    let describe = || server.call("DescribeStateMachine", &this);
    wait_for(|| (describe().status == 400).then_some(()));
    for operation in ["DescribeStateMachine", "StartExecution", "ListExecutions"] {
        let refused = server.refused(operation, &json!({"stateMachineArn": machine}));
        let message = format!("State Machine Does Not Exist: '{machine}'");
        assert_eq!(refused, ("StateMachineDoesNotExist".into(), message), "{operation}");
    }
    server.ok("DeleteStateMachine", &json!({"stateMachineArn": machine}));
    assert_eq!(server.refused("DeleteStateMachine", &json!({"stateMachineArn": "x"})).0, "InvalidArn");
    let version = json!({"stateMachineArn": format!("{machine}:1")});
    assert_eq!(server.refused("DeleteStateMachine", &version).0, "ValidationException");
    // A machine created again is another one: it has no executions.
    server.machine("m", &wait_a_minute());
    assert_eq!(
        server.ok("ListExecutions", &json!({"stateMachineArn": machine})).body,
        json!({"executions": []})
    );
}

#[test]
fn machines_are_listed_by_name_page_by_page_across_a_restart() {
    let backend = MemoryBackend::new();
    let mut names: Vec<String> = (0..13).map(|number| format!("m_{number}")).collect();
    let first = {
        let server = TestServer::start_on(Arc::new(backend.clone()), Callee::Played);
        for name in &names {
            server.machine(name, &pass());
        }
        server.ok("ListStateMachines", &json!({"maxResults": 5})).body
    };
    let server = TestServer::start_on(Arc::new(backend.clone()), Callee::Played);
    let mut listed = Vec::new();
    let mut page = first;
    loop {
        listed.extend(page["stateMachines"].as_array().unwrap().iter().map(|item| item["name"].clone()));
        let Some(token) = page.get("nextToken") else { break };
        page = server.ok("ListStateMachines", &json!({"maxResults": 5, "nextToken": token})).body;
    }
    names.sort();
    assert_eq!(listed, names);
    let whole = server.ok("ListStateMachines", &json!({"maxResults": 13})).body;
    assert_eq!((whole["stateMachines"].as_array().unwrap().len(), whole.get("nextToken")), (13, None));
    let default = server.ok("ListStateMachines", &json!({"maxResults": 0})).body;
    assert_eq!(default["stateMachines"].as_array().unwrap().len(), 13);
}

#[test]
fn forged_tokens_and_wrong_page_sizes_are_refused() {
    let server = TestServer::start();
    for name in ["a", "b"] {
        server.machine(name, &pass());
    }
    let token = server.ok("ListStateMachines", &json!({"maxResults": 1})).text("nextToken");
    let forged = token.replacen(|_: char| true, "B", 1);
    for wrong in ["x", forged.as_str(), &token[..token.len() - 2]] {
        let refused = server.refused("ListStateMachines", &json!({"nextToken": wrong}));
        assert_eq!(refused, ("InvalidToken".into(), "Invalid Token: 'Invalid token'".into()), "{wrong}");
    }
    let elsewhere = json!({"stateMachineArn": arn("a"), "nextToken": token});
    assert_eq!(server.refused("ListExecutions", &elsewhere).0, "InvalidToken");
    let (code, message) = server.refused("ListStateMachines", &json!({"maxResults": 1001, "nextToken": ""}));
    assert_eq!(code, "ValidationException");
    assert_eq!(
        message,
        "2 validation errors detected: Value '1001' at 'maxResults' failed to satisfy constraint: \
         Member must have value less than or equal to 1000; Value '' at 'nextToken' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    );
}

#[test]
fn validation_answers_with_diagnostics() {
    let server = TestServer::start();
    let validate = |input: &Value| server.ok("ValidateStateMachineDefinition", input).body;
    let good = validate(&json!({"definition": pass().to_string(), "type": "EXPRESS"}));
    assert_eq!(good, json!({"result": "OK", "diagnostics": [], "truncated": false}));

    let bad = r#"{"StartAt":"B","States":{"A":{"Type":"Pass","Next":"C"}}}"#;
    let found = validate(&json!({"definition": bad}));
    assert_eq!((&found["result"], &found["truncated"]), (&json!("FAIL"), &json!(false)));
    let first = json!({
        "severity": "ERROR",
        "code": "MISSING_TRANSITION_TARGET",
        "message": "Missing 'Next' target: B",
        "location": "/StartAt",
    });
    assert_eq!(found["diagnostics"][0], first);
    let cut = validate(&json!({"definition": bad, "maxResults": 1}));
    assert_eq!((&cut["diagnostics"], &cut["truncated"]), (&json!([first]), &json!(true)));

    let doubtful = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a":"$.b"},"End":true}}}"#;
    let quiet = validate(&json!({"definition": doubtful}));
    assert_eq!(quiet, json!({"result": "OK", "diagnostics": [], "truncated": false}));
    let loud = validate(&json!({"definition": doubtful, "severity": "WARNING"}));
    assert_eq!((&loud["result"], &loud["diagnostics"][0]["code"]), (&json!("OK"), &json!("NO_DOLLAR")));
    assert_eq!(server.refused("ValidateStateMachineDefinition", &json!({})).0, "ValidationException");
}
