use serde_json::json;
use stepwell_asl::test_state::StateTest;

use super::*;

fn checked(resource: &str, result: &Value, mode: Mode) -> String {
    let state = json!({"Type": "Task", "Resource": format!("arn:aws:states:::{resource}"), "End": true});
    let state = StateTest::parse(&state.to_string(), None).unwrap();
    check(state.resource().unwrap(), result, mode).err().unwrap_or_default()
}

#[test]
fn every_table_can_be_read_and_refers_to_shapes_that_it_has() {
    for (service, text) in TABLES {
        let table: Table<'_> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{service}: {error}"));
        assert!(!table.operations.is_empty(), "{service}");
        let has = |shape: &str| shape.starts_with('$') || table.shapes.contains_key(shape);
        for (operation, shape) in &table.operations {
            assert!(has(shape), "{service}: {operation} answers with {shape}");
        }
        for (name, shape) in &table.shapes {
            let (form, refers) = match shape {
                Shape::Structure(form, members, required) => {
                    assert!(required.iter().all(|name| members.contains_key(name)), "{service}: {name}");
                    (*form == "S", members.values().all(|member| has(member)))
                }
                Shape::Nested(form, item) => (["L", "M"].contains(form), has(item)),
                Shape::Bounded(form, _) => (["T", "N"].contains(form), true),
            };
            assert!(form, "{service}: {name} is {shape:?}");
            assert!(refers, "{service}: {name}");
        }
    }
}

#[test]
fn each_mode_checks_what_it_says() {
    let incomplete = json!({"Name": 5});
    let describe = "aws-sdk:sfn:describeExecution";
    assert_eq!(checked(describe, &incomplete, Mode::Strict), "Required field 'ExecutionArn' is missing");
    assert_eq!(checked(describe, &incomplete, Mode::Present), "Field 'Name' must be a string");
    assert_eq!(checked(describe, &incomplete, Mode::None), "");
    assert_eq!(checked(describe, &json!([]), Mode::Present), "Mocked result must be a JSON object");
}

#[test]
fn values_are_checked_by_their_types_and_bounds() {
    for (resource, result, what) in [
        ("aws-sdk:lambda:listFunctions", json!({"Functions": {}}), "Field 'Functions' must be an array"),
        (
            "aws-sdk:lambda:getFunction",
            json!({"Configuration": 1}),
            "Field 'Configuration' must be an object",
        ),
        (
            "aws-sdk:lambda:getFunction",
            json!({"Configuration": {"Timeout": 0}}),
            "Field 'Timeout' is less than the minimum value",
        ),
        ("aws-sdk:s3:deleteObject", json!({"DeleteMarker": "yes"}), "Field 'DeleteMarker' must be a boolean"),
        ("aws-sdk:s3:getObject", json!({"Metadata": {"k": 1}}), "Field 'k' must be a string"),
        ("aws-sdk:s3:listBuckets", json!({"Buckets": [{"Name": 1}]}), "Field 'Name' must be a string"),
        ("sqs:sendMessage", json!({"MessageId": []}), "Field 'MessageId' must be a string"),
        ("events:putEvents", json!({"FailedEntryCount": "0"}), "Field 'FailedEntryCount' must be a number"),
        ("http:invoke", json!({"StatusCode": "200"}), "Field 'StatusCode' must be a number"),
        (
            "aws-sdk:sfn:describeExecution",
            json!({"ExecutionArn": "a".repeat(257)}),
            "Field 'ExecutionArn' exceeds the maximum length",
        ),
        ("dynamodb:getItem", json!({"Item": {"id": {"S": 1}}}), "Field 'S' must be a string"),
        ("dynamodb:getItem", json!({"Item": {"id": {"S": "1"}}, "Unknown": 1, "ConsumedCapacity": null}), ""),
        ("batch:submitJob.sync", json!({"JobId": 1}), ""),
        ("aws-sdk:nothing:known", json!({"a": 1}), ""),
        ("aws-sdk:sqs:deleteMessage", json!([]), ""),
    ] {
        assert_eq!(checked(resource, &result, Mode::Present), what, "{resource} {result}");
    }
}

#[test]
fn what_step_functions_parses_is_not_text() {
    let invoked = json!({"StatusCode": 200, "Payload": {"a": 1}});
    assert_eq!(checked("lambda:invoke", &invoked, Mode::Strict), "");
    assert_eq!(checked("aws-sdk:lambda:invoke", &invoked, Mode::Strict), "Field 'Payload' must be a string");
    let ended = json!({"ExecutionArn": "e", "StateMachineArn": "m", "Status": "SUCCEEDED", "StartDate": "d", "Output": {"a": 1}});
    assert_eq!(checked("states:startExecution.sync:2", &ended, Mode::Strict), "");
    assert_eq!(
        checked("states:startExecution.sync", &ended, Mode::Strict),
        "Field 'Output' must be a string"
    );
    assert_eq!(checked("states:startExecution.waitForTaskToken", &json!(1), Mode::Strict), "");
}
