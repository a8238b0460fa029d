//! StartExecution, DescribeExecution, ListExecutions, StopExecution, and the execution log.

use std::thread;

use serde_json::{Value, json};

use crate::support::{ACCOUNT, REGION, TestServer, pass, task, wait_a_minute};

#[test]
fn an_execution_is_described_with_its_data_as_given() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let input = " {\"b\": 1.50, \"a\":[ ]}";
    let started =
        server.ok("StartExecution", &json!({"stateMachineArn": machine, "name": "e", "input": input})).body;
    let arn = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:m:e");
    assert_eq!(started["executionArn"], arn);
    let described = server.ended(&arn);
    let expected = json!({
        "executionArn": arn,
        "stateMachineArn": machine,
        "name": "e",
        "status": "SUCCEEDED",
        "startDate": started["startDate"],
        "stopDate": described["stopDate"],
        "input": input,
        "inputDetails": {"included": true},
        "output": "{\"b\":1.5,\"a\":[]}",
        "outputDetails": {"included": true},
        "redriveCount": 0,
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
    });
    assert_eq!(described, expected);
    assert!(described["stopDate"].as_f64() >= described["startDate"].as_f64());
    let bare =
        server.ok("DescribeExecution", &json!({"executionArn": arn, "includedData": "METADATA_ONLY"})).body;
    assert_eq!((bare.get("input"), bare.get("output")), (None, None));
    assert_eq!(
        (&bare["inputDetails"], &bare["outputDetails"]),
        (&json!({"included": false}), &json!({"included": false}))
    );
}

#[test]
fn names_and_inputs_have_defaults() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let started = server.ok("StartExecution", &json!({"stateMachineArn": machine})).text("executionArn");
    let described = server.ended(&started);
    assert_eq!(described["name"].as_str().map(str::len), Some(36));
    assert_eq!((&described["input"], &described["output"]), (&json!("{}"), &json!("{}")));
    assert_eq!(described.get("traceHeader"), None);
}

#[test]
fn the_trace_header_of_the_request_wins_over_the_body() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let body = json!({"stateMachineArn": machine, "traceHeader": "Root=body"});
    let arn = server.ok("StartExecution", &body).text("executionArn");
    assert_eq!(server.ended(&arn)["traceHeader"], "Root=body");
    let headers = [("X-Amz-Target", "AWSStepFunctions.StartExecution"), ("X-Amzn-Trace-Id", "Root=header")];
    let arn = server.post(&headers, body.to_string().as_bytes()).text("executionArn");
    assert_eq!(server.ended(&arn)["traceHeader"], "Root=header");
    let foreign = json!({"stateMachineArn": machine, "traceHeader": "ü"});
    let (_, message) = server.refused("StartExecution", &foreign);
    let constraint = "Value 'ü' at 'traceHeader' failed to satisfy constraint: \
                      Member must satisfy regular expression pattern: \\p{ASCII}*";
    assert_eq!(message, format!("1 validation error detected: {constraint}"));
}

#[test]
fn wrong_starts_are_refused() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let unknown = machine.replace(":m", ":x");
    let (labelled, version) = (format!("{machine}/label"), format!("{machine}:1"));
    let input = |text: &str| json!({"stateMachineArn": machine, "input": text});
    let execution_input = |text: &str| format!("Invalid State Machine Execution Input: '{text}'");
    for (request, code, message) in [
        (input(""), "InvalidExecutionInput", execution_input("Invalid execution input.")),
        (
            input("{'not': 'json'"),
            "InvalidExecutionInput",
            execution_input(
                "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
            ),
        ),
        (
            input("{\"a\": nope}"),
            "InvalidExecutionInput",
            execution_input(
                "Unrecognized token 'nope': was expecting (JSON String, Number, Array, Object or token 'null', \
                 'true' or 'false')",
            ),
        ),
        (json!({"stateMachineArn": machine, "name": "a*b"}), "InvalidName", "Invalid Name: 'a*b'".into()),
        (
            json!({"stateMachineArn": unknown}),
            "StateMachineDoesNotExist",
            format!("State Machine Does Not Exist: '{unknown}'"),
        ),
        (
            json!({"stateMachineArn": version}),
            "StateMachineDoesNotExist",
            format!("State Machine Does Not Exist: '{version}'"),
        ),
        (json!({"stateMachineArn": "x"}), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'".into()),
        (
            json!({"stateMachineArn": machine.replace("stateMachine", "activity")}),
            "InvalidArn",
            "Invalid Arn: 'Resource type not valid in this context: activity'".into(),
        ),
    ] {
        assert_eq!(server.refused("StartExecution", &request), (code.to_owned(), message), "{request}");
    }
    let reply = server.call("StartExecution", &json!({"stateMachineArn": labelled}));
    assert_eq!(reply.code(), "ValidationException");
    assert_eq!(reply.body["reason"], "API_DOES_NOT_SUPPORT_LABELED_ARNS");
    let long = json!({"stateMachineArn": machine, "name": "ü".repeat(80)});
    assert_eq!(server.call("StartExecution", &long).status, 200);
    let wide = server.machine(&"名".repeat(80), &pass());
    let (code, message) =
        server.refused("StartExecution", &json!({"stateMachineArn": wide, "name": "前".repeat(80)}));
    assert_eq!(code, "ValidationException");
    assert!(message.contains("use a shorter name"), "{message}");
}

#[test]
fn inputs_are_bounded_in_bytes() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let start =
        |text: String| server.call("StartExecution", &json!({"stateMachineArn": machine, "input": text}));
    assert_eq!(start(format!("\"{}\"", "x".repeat(262_142))).status, 200);
    let wide = format!("\"{}\"", "ü".repeat(131_072));
    for text in [format!("\"{}\"", "x".repeat(262_143)), wide] {
        let reply = start(text);
        assert_eq!(reply.body["__type"], "com.amazon.coral.validate#ValidationException");
        let constraint =
            "at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144";
        assert!(reply.message().ends_with(constraint), "{} bytes", reply.message().len());
    }
}

#[test]
fn a_repeated_start_answers_the_same_while_it_runs() {
    let server = TestServer::start();
    let machine = server.machine("m", &wait_a_minute());
    let start = json!({"stateMachineArn": machine, "name": "e", "input": "{}"});
    let replies: Vec<Value> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| server.ok("StartExecution", &start).body)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    let listed = server.ok("ListExecutions", &json!({"stateMachineArn": machine})).body;
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1);

    let arn = replies[0]["executionArn"].as_str().unwrap();
    let taken = ("ExecutionAlreadyExists".to_owned(), format!("Execution Already Exists: '{arn}'"));
    let other = json!({"stateMachineArn": machine, "name": "e", "input": "{ }"});
    assert_eq!(server.refused("StartExecution", &other), taken);
    server.ok("StopExecution", &json!({"executionArn": arn}));
    assert_eq!(server.refused("StartExecution", &start), taken);
}

#[test]
fn a_failed_execution_shows_its_error_and_can_be_redriven() {
    let server = TestServer::start();
    let machine = server.machine("m", &task("fail"));
    let described = server.ended(&server.execution(&machine, "{}"));
    assert_eq!(described["status"], "FAILED");
    assert_eq!((&described["error"], &described["cause"]), (&json!("Boom"), &json!("call 1")));
    assert_eq!(
        (&described["redriveStatus"], described.get("redriveStatusReason")),
        (&json!("REDRIVABLE"), None)
    );
    assert_eq!((described.get("output"), described.get("outputDetails")), (None, None));
}

#[test]
fn a_running_execution_has_no_end() {
    let server = TestServer::start();
    let machine = server.machine("m", &task("block"));
    let arn = server.execution(&machine, "{}");
    let described = server.ok("DescribeExecution", &json!({"executionArn": arn})).body;
    assert_eq!((&described["status"], described.get("stopDate")), (&json!("RUNNING"), None));
    assert_eq!(described["redriveStatusReason"], "Execution is RUNNING and cannot be redriven");
    let listed = server.ok("ListExecutions", &json!({"stateMachineArn": machine})).body;
    let expected = json!([{
        "executionArn": arn,
        "stateMachineArn": machine,
        "name": described["name"],
        "status": "RUNNING",
        "startDate": described["startDate"],
        "redriveCount": 0,
    }]);
    assert_eq!(listed["executions"], expected);
}

#[test]
fn stopping_stores_error_and_cause_and_can_be_repeated() {
    let server = TestServer::start();
    let machine = server.machine("m", &task("block"));
    let arn = server.execution(&machine, "{}");
    let stop = json!({"executionArn": arn, "error": "Cancelled", "cause": "sold out"});
    let stopped = server.ok("StopExecution", &stop).body;
    let described = server.ok("DescribeExecution", &json!({"executionArn": arn})).body;
    assert_eq!(described["status"], "ABORTED");
    assert_eq!((&described["error"], &described["cause"]), (&json!("Cancelled"), &json!("sold out")));
    assert_eq!(described["stopDate"], stopped["stopDate"]);
    assert_eq!(server.ok("StopExecution", &json!({"executionArn": arn})).body, stopped);
    let (code, message) =
        server.refused("StopExecution", &json!({"executionArn": arn, "error": "e".repeat(257)}));
    assert_eq!(code, "ValidationException");
    assert!(message.ends_with(
        "at 'error' failed to satisfy constraint: Member must have length less than or equal to 256"
    ));
}

#[test]
fn what_needs_an_execution_refuses_the_unknown() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let unknown = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:m:x");
    let express = format!("arn:aws:states:{REGION}:{ACCOUNT}:express:m:x:y");
    for operation in
        ["DescribeExecution", "DescribeStateMachineForExecution", "StopExecution", "GetExecutionHistory"]
    {
        for (arn, code, message) in [
            (unknown.as_str(), "ExecutionDoesNotExist", format!("Execution Does Not Exist: '{unknown}'")),
            (
                &express,
                "InvalidArn",
                "Invalid Arn: 'Resource type not valid in this context: express'".into(),
            ),
            ("x", "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'".into()),
            (
                &machine,
                "InvalidArn",
                "Invalid Arn: 'Resource type not valid in this context: stateMachine'".into(),
            ),
        ] {
            let refused = server.refused(operation, &json!({"executionArn": arn}));
            assert_eq!(refused, (code.to_owned(), message), "{operation}");
        }
        assert_eq!(server.refused(operation, &json!({})).0, "ValidationException", "{operation}");
    }
}

#[test]
fn executions_are_listed_newest_first_page_by_page() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let started: Vec<String> = (0..7).map(|_| server.execution(&machine, "{}")).collect();
    for arn in &started {
        server.ended(arn);
    }
    let mut listed = Vec::new();
    let mut input = json!({"stateMachineArn": machine, "maxResults": 3, "statusFilter": "SUCCEEDED"});
    loop {
        let page = server.ok("ListExecutions", &input).body;
        listed.extend(page["executions"].as_array().unwrap().iter().map(|item| item["executionArn"].clone()));
        let Some(token) = page.get("nextToken") else { break };
        // The size of a page may change from one to the next.
        input["maxResults"] = json!(2);
        input["nextToken"] = token.clone();
    }
    assert_eq!(listed, started.iter().rev().map(|arn| json!(arn)).collect::<Vec<_>>());
    let token = input["nextToken"].clone();
    let other = json!({"stateMachineArn": machine, "nextToken": token});
    assert_eq!(server.refused("ListExecutions", &other).0, "InvalidToken", "the status filter is another");
}

#[test]
fn lists_can_be_filtered_by_status() {
    let server = TestServer::start();
    let machine = server.machine("m", &wait_a_minute());
    let (running, stopped) = (server.execution(&machine, "{}"), server.execution(&machine, "{}"));
    server.ok("StopExecution", &json!({"executionArn": stopped}));
    let list = |status: &str| {
        let listed =
            server.ok("ListExecutions", &json!({"stateMachineArn": machine, "statusFilter": status})).body;
        let items = listed["executions"].as_array().unwrap().iter();
        items.map(|item| item["executionArn"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((list("RUNNING"), list("ABORTED"), list("FAILED")), (vec![running], vec![stopped], vec![]));
    let lower = json!({"stateMachineArn": machine, "statusFilter": "succeeded"});
    let expected = "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member \
                    must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]";
    assert_eq!(server.refused("ListExecutions", &lower), ("ValidationException".into(), expected.into()));
    for (input, code) in [
        (json!({}), "ValidationException"),
        (json!({"stateMachineArn": machine, "mapRunArn": "x"}), "ValidationException"),
        (json!({"mapRunArn": "x"}), "ResourceNotFound"),
        (json!({"stateMachineArn": machine, "statusFilter": "PENDING_REDRIVE"}), "ValidationException"),
        (json!({"stateMachineArn": machine, "redriveFilter": "REDRIVEN"}), "ValidationException"),
    ] {
        assert_eq!(server.refused("ListExecutions", &input).0, code, "{input}");
    }
}

#[test]
fn the_log_of_an_execution_holds_what_its_functions_wrote() {
    let server = TestServer::start();
    let machine = server.machine("m", &task("chatty"));
    let arn = server.execution(&machine, "{}");
    server.ended(&arn);
    let log = server.send("GET", &format!("/executions/{arn}/log"), &[], None);
    let line = |level: &str, message: &str| json!({"timestamp": 1.5, "level": level, "state": "A", "attempt": 0, "message": message});
    assert_eq!(log.body, json!({"lines": [line("info", "one"), line("warn", "two")]}));
    let encoded = arn.replace(':', "%3A");
    assert_eq!(server.send("GET", &format!("/executions/{encoded}/log"), &[], None).body, log.body);
    let unknown = server.send("GET", &format!("/executions/{arn}x/log"), &[], None);
    assert_eq!((unknown.status, unknown.code()), (404, "ExecutionDoesNotExist"));
    assert_eq!(server.send("GET", "/executions/x/log", &[], None).status, 400);
}
