use super::*;
use crate::jsonata::NoEvaluator;
use crate::states_error::StatesError;
use serde_json::json;

fn setting(input: Value) -> Setting {
    let context = json!({"State": {"Name": "StateName"}}).as_object().cloned().unwrap();
    Setting {
        input,
        variables: Variables::new(),
        context,
        at: Timestamp(0),
        seed: 7,
        quotas: Quotas::default(),
        retries: 0,
        failures: 0,
        reader_data: None,
    }
}

fn lone(definition: &Value) -> StateTest {
    StateTest::parse(&definition.to_string(), None).unwrap()
}

fn report(definition: &Value, setting: &Setting, answer: Option<Result<Value, StatesError>>) -> Report {
    match lone(definition).run(setting, answer, &NoEvaluator) {
        Tried::Ended(report) => *report,
        Tried::Task(task) => panic!("a task is to be run: {task:?}"),
    }
}

fn stages(report: &Report) -> Value {
    Value::Object(
        report.inspected.stages.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    )
}

#[test]
fn a_task_shows_each_stage_of_its_data_flow() {
    let task = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "InputPath": "$.in", "Parameters": {"a.$": "$.x", "c.$": "$$.State.Name"}, "ResultSelector": {"r.$": "$.y"},
        "ResultPath": "$.out", "OutputPath": "$.out", "TimeoutSeconds": 9, "Next": "Elsewhere"});
    let setting = setting(json!({"in": {"x": 1}}));
    let Tried::Task(scheduled) = lone(&task).run(&setting, None, &NoEvaluator) else { panic!("no task") };
    assert_eq!(
        (scheduled.parameters, scheduled.timeout_seconds),
        (json!({"a": 1, "c": "StateName"}), Some(9))
    );
    let report = report(&task, &setting, Some(Ok(json!({"y": 2, "z": 3}))));
    assert_eq!((report.status, report.next.as_deref()), (TestStatus::Succeeded, Some("Elsewhere")));
    assert_eq!(report.output, Some(json!({"r": 2})));
    let expected = json!({"afterInputPath": {"x": 1}, "afterParameters": {"a": 1, "c": "StateName"},
        "result": {"y": 2, "z": 3}, "afterResultSelector": {"r": 2}, "afterResultPath": {"in": {"x": 1}, "out": {"r": 2}}});
    assert_eq!(stages(&report), expected);
}

#[test]
fn errors_are_retried_then_caught_then_fail() {
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"},
        "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 2, "IntervalSeconds": 3, "BackoffRate": 2.5}],
        "Catch": [{"ErrorEquals": ["B"], "Next": "X"}, {"ErrorEquals": ["States.ALL"], "Next": "Y", "ResultPath": "$.e",
            "Assign": {"why.$": "$.Cause"}}], "End": true});
    let mut setting = setting(json!({"k": 1}));
    let error = StatesError::new("A", "because");
    setting.retries = 1;
    let retried = report(&task, &setting, Some(Err(error.clone())));
    assert_eq!((retried.status, retried.output, retried.next), (TestStatus::Retriable, None, None));
    let details = retried.inspected.error_details;
    assert_eq!(
        (details.retry_index, details.retry_backoff_seconds, details.catch_index),
        (Some(0), Some(7), None)
    );
    setting.retries = 2;
    let caught = report(&task, &setting, Some(Err(error.clone())));
    assert_eq!((caught.status, caught.next.as_deref()), (TestStatus::CaughtError, Some("Y")));
    assert_eq!(caught.output, Some(json!({"k": 1, "e": {"Error": "A", "Cause": "because"}})));
    assert_eq!((caught.error, caught.inspected.variables["why"].clone()), (Some(error), json!("because")));
    let details = caught.inspected.error_details;
    assert_eq!(
        (details.retry_index, details.retry_backoff_seconds, details.catch_index),
        (Some(0), None, Some(1))
    );
    let failed = report(&task, &setting, Some(Err(StatesError::runtime("never caught"))));
    assert_eq!((failed.status, failed.output), (TestStatus::Failed, None));
}

#[test]
fn a_map_shows_the_inputs_of_its_iterations() {
    let map = json!({"Type": "Map", "ItemsPath": "$.v", "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"},
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"all.$": "$.v"}}, "ToleratedFailurePercentage": 5, "MaxConcurrencyPath": "$.most",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P", "States": {"P": {"Type": "Succeed"}}},
        "End": true});
    let report = report(&map, &setting(json!({"v": [7, 8, 9], "most": 4})), Some(Ok(json!(["x"]))));
    let item = |index: u64| json!({"i": index, "v": 7 + index});
    let expected = json!({"afterInputPath": {"v": [7, 8, 9], "most": 4}, "afterItemsPath": [7, 8, 9],
        "afterItemSelector": [item(0), item(1), item(2)],
        "afterItemBatcher": [{"BatchInput": {"all": [7, 8, 9]}, "Items": [item(0), item(1)]}, {"BatchInput": {"all": [7, 8, 9]}, "Items": [item(2)]}],
        "toleratedFailurePercentage": 5.0, "maxConcurrency": 4, "afterResultSelector": ["x"], "afterResultPath": ["x"]});
    assert_eq!((stages(&report), report.items), (expected, Some(3)));
}

#[test]
fn failed_iterations_count_against_what_is_tolerated() {
    let status = |tolerated: &Value, failures: u64| {
        let mut map = json!({"Type": "Map", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Succeed"}}}, "End": true,
            "Retry": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"]}]});
        for (name, value) in tolerated.as_object().unwrap() {
            map[name] = value.clone();
        }
        let setting = Setting { failures, ..setting(json!([1, 2, 3, 4])) };
        report(&map, &setting, Some(Ok(json!([])))).status
    };
    for (tolerated, failures, fails) in [
        (json!({}), 0, false),
        (json!({}), 1, true),
        (json!({"ToleratedFailureCount": 2}), 2, false),
        (json!({"ToleratedFailureCount": 2}), 3, true),
        (json!({"ToleratedFailurePercentage": 50}), 2, false),
        (json!({"ToleratedFailurePercentage": 50}), 3, true),
        (json!({"ToleratedFailurePercentage": 50, "ToleratedFailureCount": 1}), 2, true),
    ] {
        let expected = if fails { TestStatus::Retriable } else { TestStatus::Succeeded };
        assert_eq!(status(&tolerated, failures), expected, "{tolerated} {failures}");
    }
}

#[test]
fn a_reader_takes_its_items_from_the_text_that_was_read() {
    let map = |reader: Value| {
        json!({"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b"}, "ReaderConfig": reader},
        "ItemSelector": {"v.$": "$$.Map.Item.Value"}, "End": true,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P", "States": {"P": {"Type": "Succeed"}}}})
    };
    let run = |reader: Value, data: &str| {
        let setting = Setting { reader_data: Some(data.to_owned()), ..setting(json!({})) };
        report(&map(reader), &setting, Some(Ok(json!([]))))
    };
    let shown = stages(&run(json!({"InputType": "JSON", "ItemsPointer": "/a"}), r#"{"a": {"k": 1}}"#));
    assert_eq!(shown["afterItemsPointer"], json!({"k": 1}));
    assert_eq!(shown["afterItemSelector"], json!([{"v": {"Key": "k", "Value": 1}}]));
    let lines = run(json!({"InputType": "JSONL", "MaxItems": 2}), "1\n\n2\n3\n");
    assert_eq!(stages(&lines)["afterItemSelector"], json!([{"v": 1}, {"v": 2}]));
    let refused = run(json!({"InputType": "JSON"}), "3");
    assert!(refused.error.is_some_and(|error| error.is("States.ItemReaderFailed")));
}

#[test]
fn a_state_is_found_at_any_level_of_a_machine() {
    let machine = json!({"QueryLanguage": "JSONata", "StartAt": "M", "States": {"M": {"Type": "Map", "End": true,
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "Inner", "States": {"Inner": {"Type": "Succeed"}}}]}}}}}});
    let test = |name| StateTest::parse(&machine.to_string(), Some(name));
    assert_eq!(test("Inner").unwrap().state_type(), StateType::Succeed);
    let outer = test("M").unwrap();
    assert!(outer.contains("Inner") && outer.contains("P") && !outer.contains("M"));
    assert_eq!(test("P").unwrap().branches(), Some(1));
    assert_eq!(test("Nowhere").unwrap_err(), Untestable::NoSuchState);
    let Err(Untestable::Definition(problems)) =
        StateTest::parse("{\"Type\": \"Parallel\", \"Branches\": [], \"End\": true}", None)
    else {
        panic!("no problem")
    };
    assert_eq!(
        problems[0].to_string(),
        "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/StateName/Branches"
    );
}

#[test]
fn what_a_machine_may_not_have_is_still_refused_when_it_is_created() {
    let map = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P", "States": {"P": {"Type": "Succeed"}}}}}});
    assert!(StateMachine::parse(&map.to_string()).is_err());
    assert!(StateTest::parse(&map.to_string(), Some("M")).is_ok());
}

#[test]
fn each_type_shows_its_own_stages() {
    let run = |definition: &Value, answer: Option<Value>| {
        let report = report(definition, &setting(json!({"a": 1})), answer.map(Ok));
        report.inspected.stages.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    };
    let inner = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}});
    let data_flow = "afterResultSelector afterResultPath";
    for (definition, answer, shown) in [
        (json!({"Type": "Pass", "End": true}), None, format!("afterInputPath afterParameters {data_flow}")),
        (json!({"Type": "Pass", "Result": 1, "End": true}), None, format!("result {data_flow}")),
        (json!({"Type": "Pass", "QueryLanguage": "JSONata", "End": true}), None, String::new()),
        (json!({"Type": "Succeed"}), None, "afterInputPath".to_owned()),
        (json!({"Type": "Wait", "Seconds": 9, "End": true}), None, "afterInputPath".to_owned()),
        (json!({"Type": "Fail", "Error": "E"}), None, "afterInputPath".to_owned()),
        (json!({"Type": "Fail", "QueryLanguage": "JSONata"}), None, String::new()),
        (
            json!({"Type": "Parallel", "Branches": [inner], "End": true}),
            Some(json!([1])),
            data_flow.to_owned(),
        ),
        (
            json!({"Type": "Map", "QueryLanguage": "JSONata", "Items": [1], "MaxConcurrency": 2, "ItemProcessor": inner, "End": true}),
            Some(json!([1])),
            "maxConcurrency".to_owned(),
        ),
        (
            json!({"Type": "Task", "QueryLanguage": "JSONata", "Resource": "arn:aws:states:::http:invoke", "Arguments": {"b": 2}, "End": true}),
            Some(json!(1)),
            "afterArguments result".to_owned(),
        ),
    ] {
        assert_eq!(run(&definition, answer), shown, "{definition}");
    }
}

#[test]
fn a_given_context_is_the_whole_context() {
    let pass =
        json!({"Type": "Pass", "Parameters": {"all.$": "$$", "name.$": "$$.Execution.Input.x"}, "End": true});
    let context = json!({"Execution": {"Input": {"x": 3}}}).as_object().cloned().unwrap();
    let given = Setting { context, ..setting(json!({})) };
    let output = report(&pass, &given, None).output.unwrap();
    assert_eq!(output, json!({"all": {"Execution": {"Input": {"x": 3}}}, "name": 3}));
    let empty = Setting { context: Map::new(), ..setting(json!({})) };
    let error = report(&pass, &empty, None).error.unwrap();
    assert!(error.is(StatesError::RUNTIME), "{error:?}");
}
