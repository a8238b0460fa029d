//! `kill -9` while one execution fans out: a Map of tasks inside a Parallel, with retries, waits and variables. The
//! checkpoint lies in many parts then, and every restart puts it together again.
//!
//! What must hold: one sound history that never takes anything back, every iteration begun and ended exactly once, and
//! the result that the input asks for.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use stepwell_it::{Client, Server, announce, extends, function_arn, stub};

const ITEMS: usize = 150;
const KILLS: usize = 8;
/// Longest time from the last kill to the end.
const LIMIT: Duration = Duration::from_mins(1);

fn definition() -> Value {
    json!({
        "StartAt": "Prepare",
        "States": {
            "Prepare": {"Type": "Pass", "Assign": {"offset": 1_000}, "Next": "Fan"},
            "Fan": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "Each", "States": {"Each": {
                        "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 20,
                        "ItemSelector": {"item.$": "$$.Map.Item.Value"},
                        "ItemProcessor": {"StartAt": "Nap", "States": {
                            "Nap": {"Type": "Task", "Resource": function_arn("nap"), "Next": "Rest"},
                            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Tell"},
                            "Tell": {
                                "Type": "Pass", "End": true,
                                "Parameters": {"sum.$": "States.MathAdd($.item, $offset)", "index.$": "$$.Map.Item.Index"},
                                "OutputPath": "$.sum",
                            },
                        }},
                        "End": true,
                    }}},
                    {"StartAt": "Flaky", "States": {
                        "Flaky": {
                            "Type": "Task", "Resource": function_arn("broken"),
                            "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 2}],
                            "Catch": [{"ErrorEquals": ["Broken"], "Next": "Gave up"}],
                            "End": true,
                        },
                        "Gave up": {"Type": "Pass", "Result": "gave up", "End": true},
                    }},
                ],
                "End": true,
            },
        },
    })
}

/// The same in JSONata. The items come in an order that is made by chance, and made again after every restart.
fn in_jsonata() -> Value {
    json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Prepare",
        "States": {
            "Prepare": {"Type": "Pass", "Assign": {"offset": "{% 10 * 100 %}"}, "Next": "Fan"},
            "Fan": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "Each", "States": {"Each": {
                        "Type": "Map", "Items": "{% $shuffle($states.input.items) %}", "MaxConcurrency": 20,
                        "ItemSelector": {"item": "{% $states.context.Map.Item.Value %}", "half": "{% $random() < 0.5 %}"},
                        "ItemProcessor": {"StartAt": "Nap", "States": {
                            "Nap": {
                                "Type": "Task", "Resource": function_arn("nap"),
                                "Output": {"item": "{% $states.result.item + 0 %}"}, "Next": "Rest",
                            },
                            "Rest": {"Type": "Wait", "Seconds": "{% 2 - 1 %}", "Next": "Tell"},
                            "Tell": {
                                "Type": "Pass", "End": true,
                                "Output": "{% $states.input.item = $states.context.Map.Item.Value ? $states.input.item + $offset : $error('another item') %}",
                            },
                        }},
                        "Output": "{% $sort($states.result) %}",
                        "End": true,
                    }}},
                    {"StartAt": "Flaky", "States": {
                        "Flaky": {
                            "Type": "Task", "Resource": function_arn("broken"),
                            "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 2}],
                            "Catch": [{"ErrorEquals": ["Broken"], "Output": "{% 'gave ' & 'up' %}", "Next": "Gave up"}],
                            "End": true,
                        },
                        "Gave up": {"Type": "Pass", "End": true},
                    }},
                ],
                "End": true,
            },
        },
    })
}

#[test]
fn a_fan_out_survives_kill_9() {
    survive("fan-out", &definition());
}

#[test]
fn a_fan_out_in_jsonata_survives_kill_9() {
    survive("fan-out-in-jsonata", &in_jsonata());
}

fn survive(name: &str, definition: &Value) {
    let seed = fastrand::u64(..);
    announce(&format!("kill9 {name}: seed {seed}"));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = Server::start();
    let client = server.client();
    if definition["QueryLanguage"] == "JSONata" {
        compile_evaluator(&client);
    }
    client.install("nap", &stub(&json!({"behaviour": "sleep_then_return_event", "seconds": 0.05})));
    client.install("broken", &stub(&json!({"behaviour": "raise", "error": "Broken", "cause": "on purpose"})));
    let machine = client.create_machine(name, definition);
    let items: Vec<usize> = (0..ITEMS).collect();
    let arn = client.start(&machine, "one", &json!({"items": items}));

    let mut read: Vec<Value> = Vec::new();
    let mut interrupted = 0;
    for _ in 0..KILLS {
        // The random moment itself; nothing is synchronised by it.
        std::thread::sleep(Duration::from_millis(random.u64(100..900)));
        server.kill9();
        let client = server.restart();
        let history = client.history(&arn).expect("the history");
        assert!(extends(&history, &read), "the history was taken back");
        interrupted += usize::from(client.describe(&arn)["status"] == "RUNNING");
        read = history;
    }
    let client = server.client();
    let description = client.ended(&arn, LIMIT);
    let history = client.history(&arn).expect("the history");
    assert!(extends(&history, &read), "the history was taken back");
    assert_eq!(description["status"], "SUCCEEDED", "{description}");
    let sums: Vec<usize> = (0..ITEMS).map(|item| item + 1_000).collect();
    let output: Value =
        serde_json::from_str(description["output"].as_str().unwrap_or_default()).expect("JSON");
    assert_eq!(output, json!([sums, "gave up"]));
    check_history(&history);
    announce(&format!(
        "kill9 {name}: {} events, {interrupted} of {KILLS} kills interrupted it",
        history.len()
    ));
    // Otherwise the kills came too late to prove anything.
    assert!(interrupted >= KILLS / 2, "only {interrupted} kills interrupted it");
}

/// Before the first kill: it takes seconds, and would begin anew after each.
fn compile_evaluator(client: &Client) {
    let evaluates = json!({"StartAt": "P", "States": {
        "P": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 + 1 %}", "End": true},
    }});
    let machine = client.create_machine("evaluates", &evaluates);
    client.ended(&client.start(&machine, "one", &json!({})), LIMIT);
}

fn check_history(history: &[Value]) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut begun: BTreeMap<u64, usize> = BTreeMap::new();
    for (event, number) in history.iter().zip(1_u64..) {
        assert_eq!(event["id"], json!(number), "ids are dense");
        assert!(event["previousEventId"].as_u64() < Some(number), "{event}");
        *kinds.entry(event["type"].as_str().unwrap_or_default()).or_default() += 1;
        if let Some(index) = event["mapIterationStartedEventDetails"]["index"].as_u64() {
            *begun.entry(index).or_default() += 1;
        }
    }
    assert_eq!(begun.len(), ITEMS);
    assert!(begun.values().all(|times| *times == 1), "an iteration began twice: {begun:?}");
    for (kind, wanted) in [
        ("MapIterationSucceeded", ITEMS),
        ("WaitStateExited", ITEMS),
        ("LambdaFunctionSucceeded", ITEMS),
        ("LambdaFunctionScheduled", ITEMS + 3),
        ("LambdaFunctionFailed", 3),
        ("ParallelStateSucceeded", 1),
        ("ExecutionSucceeded", 1),
    ] {
        assert_eq!(kinds.get(kind).copied().unwrap_or_default(), wanted, "{kind}");
    }
}
