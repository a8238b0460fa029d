//! GetExecutionHistory.

use serde_json::{Value, json};

use crate::support::{TestServer, pass, task};

fn ids(page: &Value) -> Vec<u64> {
    page["events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()).collect()
}

#[test]
fn events_come_whole_and_in_order() {
    let server = TestServer::start();
    let machine = server.machine("m", &pass());
    let arn = server.execution(&machine, "{\"a\":1}");
    let described = server.ended(&arn);
    let history = server.ok("GetExecutionHistory", &json!({"executionArn": arn})).body;
    assert_eq!(history.get("nextToken"), None);
    let mut events = history["events"].as_array().unwrap().clone();
    for event in &mut events {
        let at = event["timestamp"].take().as_f64().unwrap();
        assert!(
            at >= described["startDate"].as_f64().unwrap() && at <= described["stopDate"].as_f64().unwrap()
        );
    }
    let data = json!({"truncated": false});
    let expected = json!([
        {"timestamp": null, "type": "ExecutionStarted", "id": 1, "previousEventId": 0, "executionStartedEventDetails":
            {"input": "{\"a\":1}", "inputDetails": data, "roleArn": crate::support::role()}},
        {"timestamp": null, "type": "PassStateEntered", "id": 2, "previousEventId": 0, "stateEnteredEventDetails":
            {"name": "A", "input": "{\"a\":1}", "inputDetails": data}},
        {"timestamp": null, "type": "PassStateExited", "id": 3, "previousEventId": 2, "stateExitedEventDetails":
            {"name": "A", "output": "{\"a\":1}", "outputDetails": data}},
        {"timestamp": null, "type": "ExecutionSucceeded", "id": 4, "previousEventId": 3,
            "executionSucceededEventDetails": {"output": "{\"a\":1}", "outputDetails": data}},
    ]);
    assert_eq!(Value::Array(events), expected);
}

#[test]
fn data_can_be_left_out() {
    let server = TestServer::start();
    let machine = server.machine("m", &task("echo"));
    let arn = server.execution(&machine, "{\"secret\":1}");
    server.ended(&arn);
    let input = json!({"executionArn": arn, "includeExecutionData": false});
    let history = server.ok("GetExecutionHistory", &input).body;
    assert_eq!(ids(&history), [1, 2, 3, 4, 5, 6, 7]);
    assert!(!history.to_string().contains("secret"), "{history}");
    assert_eq!(
        history["events"][0]["executionStartedEventDetails"]["inputDetails"],
        json!({"truncated": false})
    );
}

#[test]
fn pages_go_both_ways() {
    let server = TestServer::start();
    let machine = server.machine("m", &task("echo"));
    let arn = server.execution(&machine, "{}");
    server.ended(&arn);
    for (reverse, expected) in [(false, [1, 2, 3, 4, 5, 6, 7]), (true, [7, 6, 5, 4, 3, 2, 1])] {
        let mut input = json!({"executionArn": arn, "reverseOrder": reverse, "maxResults": 2});
        let mut found = Vec::new();
        loop {
            let page = server.ok("GetExecutionHistory", &input).body;
            assert!(ids(&page).len() <= 2);
            found.extend(ids(&page));
            let Some(token) = page.get("nextToken") else { break };
            input["nextToken"] = token.clone();
        }
        assert_eq!(found, expected, "reverse {reverse}");
        input["reverseOrder"] = json!(!reverse);
        assert_eq!(server.refused("GetExecutionHistory", &input).0, "InvalidToken", "the order is another");
    }
}

#[test]
fn a_page_of_large_events_ends_early() {
    let server = TestServer::start();
    let states: Value = (0..30)
        .map(|number| {
            let next =
                if number == 29 { json!({"End": true}) } else { json!({"Next": format!("S{}", number + 1)}) };
            let mut state = json!({"Type": "Pass"});
            state.as_object_mut().unwrap().extend(next.as_object().unwrap().clone());
            (format!("S{number}"), state)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let machine = server.machine("m", &json!({"StartAt": "S0", "States": states}));
    let arn = server.execution(&machine, &format!("\"{}\"", "x".repeat(250_000)));
    server.ended(&arn);
    let mut input = json!({"executionArn": arn, "maxResults": 1000});
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = server.ok("GetExecutionHistory", &input).body;
        assert!(page.to_string().len() < 20 << 20, "a page of {} bytes", page.to_string().len());
        found.extend(ids(&page));
        pages += 1;
        let Some(token) = page.get("nextToken") else { break };
        input["nextToken"] = token.clone();
    }
    assert_eq!(found, (1..=62).collect::<Vec<_>>());
    assert!(pages > 1, "{pages} pages");
}
