//! Whole definitions with every problem that they have, as messages of InvalidDefinition write them, and the
//! bounds of hostile ones. Longer than other files because it is mostly a table.

use super::{DiagnosticCode, Severity, StateMachine};
use crate::limits;
use serde_json::{Value, json};
use std::fmt::Write;

fn problems(definition: &Value) -> Vec<String> {
    StateMachine::validate(&definition.to_string()).iter().map(ToString::to_string).collect()
}

/// A machine of one state S and one E behind it.
fn machine_of(state: &Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state, "E": {"Type": "Succeed"}}})
}

/// Checks the problems of single states, without those between states.
fn check_states(cases: &[(Value, &[&str])]) {
    for (state, expected) in cases {
        let mut found = problems(&machine_of(state));
        found.retain(|problem| !problem.contains("is not reachable"));
        assert_eq!(found, *expected, "{state}");
    }
}

#[test]
fn top_level_fields() {
    let states = json!({"E": {"Type": "Succeed"}});
    for (definition, expected) in [
        (json!({}), &["SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /"][..]),
        (
            json!({"StartAt": "E", "States": {}}),
            &[
                "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States",
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: E at /StartAt",
            ],
        ),
        (
            json!({"StartAt": 1, "States": states, "Surprise": 1, "Version": "2.0", "TimeoutSeconds": 0, "QueryLanguage": "SQL"}),
            &[
                "SCHEMA_VALIDATION_FAILED: Expected an integer from 1 to 99999999, but was 0 at /TimeoutSeconds",
                "SCHEMA_VALIDATION_FAILED: Version must be '1.0', but was '2.0' at /Version",
                "SCHEMA_VALIDATION_FAILED: The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata] at /QueryLanguage",
                "SCHEMA_VALIDATION_FAILED: Expected value of type String at /StartAt",
                "SCHEMA_VALIDATION_FAILED: Field 'Surprise' is not supported at /",
            ],
        ),
        (
            json!({"Comment": "c", "StartAt": "E", "States": states, "Version": "1.0", "TimeoutSeconds": 1}),
            &[],
        ),
    ] {
        assert_eq!(problems(&definition), expected, "{definition}");
    }
}

#[test]
fn all_problems_are_reported_together() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "charge", "Next": "Nowhere", "Retry": [{"ErrorEquals": [], "IntervalSeconds": -1}]},
        "B/C": {"Type": "Wait", "Seconds": 1, "Timestamp": "x", "End": true},
        "E": {"Type": "Dance"},
    }});
    assert_eq!(
        problems(&definition),
        [
            "SCHEMA_VALIDATION_FAILED: The resource provided charge is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource",
            "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/A/Retry[0]/ErrorEquals",
            "SCHEMA_VALIDATION_FAILED: Expected an integer from 1 to 99999999, but was -1 at /States/A/Retry[0]/IntervalSeconds",
            "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/B~1C/Timestamp",
            "SCHEMA_VALIDATION_FAILED: Only one of these fields may be given: [Seconds, Timestamp] at /States/B~1C/Timestamp",
            "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/E/Type",
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: Nowhere at /States/A/Next",
            "MISSING_TRANSITION_TARGET: State \"B/C\" is not reachable. at /States/B~1C",
            "MISSING_TRANSITION_TARGET: State \"E\" is not reachable. at /States/E",
        ]
    );
}

#[test]
fn transitions_between_states() {
    let pass = |next: &str| json!({"Type": "Pass", "Next": next});
    let no_end = "MISSING_END_STATE: Workflow has no terminal state";
    for (states, expected) in [
        (json!({"A": pass("B"), "B": pass("A")}), &[no_end][..]),
        (json!({"A": pass("A"), "B": pass("A")}), &[no_end]),
        (
            json!({"A": pass("A"), "C": {"Type": "Succeed"}}),
            &["MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C"],
        ),
        (
            json!({"A": pass("NOPE")}),
            &["MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next", no_end],
        ),
        (
            json!({"A": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "X"}], "Default": "Y"}}),
            &[
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: Y at /States/A/Default",
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/A/Choices[0]/Next",
                no_end,
            ],
        ),
        (
            json!({"A": {"Type": "Pass"}}),
            &["SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /States/A"],
        ),
        (
            json!({"A": {"Type": "Pass", "Next": "A", "End": true}}),
            &[
                "SCHEMA_VALIDATION_FAILED: A state must have either 'Next' or 'End', not both at /States/A/End",
            ],
        ),
        (
            json!({"A": {"Type": "Parallel", "End": true, "Branches": [
                {"StartAt": "B", "States": {"B": pass("B")}}, {"StartAt": "A", "States": {"C": pass("A")}}]}}),
            &[
                "MISSING_END_STATE: Workflow has no terminal state at /States/A/Branches[0]",
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: A at /States/A/Branches[1]/StartAt",
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: A at /States/A/Branches[1]/States/C/Next",
                "MISSING_END_STATE: Workflow has no terminal state at /States/A/Branches[1]",
            ],
        ),
    ] {
        assert_eq!(problems(&json!({"StartAt": "A", "States": states})), expected, "{states}");
    }
}

#[test]
fn names_of_states() {
    let long = "n".repeat(limits::STATE_NAME_CHARACTERS + 1);
    let cut = "n".repeat(limits::STATE_NAME_CHARACTERS);
    let fits = "é".repeat(limits::STATE_NAME_CHARACTERS);
    let named = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Succeed"}}});
    assert_eq!(problems(&named(&fits)), Vec::<String>::new());
    let message = "INVALID_STATE_NAME: State name must have 1 to 80 characters";
    assert_eq!(problems(&named(&long)), [format!("{message} at /States/{cut}")]);
    assert_eq!(problems(&named("")), [format!("{message} at /States")]);
    let inner = json!({"StartAt": "E", "States": {"E": {"Type": "Succeed"}}});
    assert_eq!(
        problems(&machine_of(&json!({"Type": "Map", "ItemProcessor": inner, "Next": "E"}))),
        ["DUPLICATE_STATE_NAME: Duplicate State name: E at /States/E"]
    );
}

#[test]
fn fields_twice_in_an_object() {
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Type": "Pass", "End": true}, "A": {"Type": "Succeed"}}}"#;
    let found: Vec<String> = StateMachine::validate(text).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "INVALID_JSON_DESCRIPTION: Duplicate field 'Type' at /States/A/Type",
            "DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A",
        ]
    );
    assert!(StateMachine::parse(text).is_err());
}

#[test]
fn query_languages() {
    let inner = |state: Value| json!({"StartAt": "I", "States": {"I": state}});
    let of_machine = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Output": "{% 1 %}", "QueryLanguage": "JSONPath", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "C"}], "Default": "D"},
        "C": {"Type": "Parallel", "QueryLanguage": "JSONata", "End": true, "Branches": [inner(json!({"Type": "Fly"}))]},
    }});
    let language = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
    let only = "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage";
    assert_eq!(
        problems(&of_machine),
        [
            format!("SCHEMA_VALIDATION_FAILED: {language} at /States/A"),
            format!("SCHEMA_VALIDATION_FAILED: {only} at /States/A"),
            "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/C/Branches[0]/States/I/Type".to_owned(),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: D at /States/B/Default".to_owned(),
        ]
    );
    // A nested state has the machine's language, not that of the state around it.
    let of_state =
        machine_of(&json!({"Type": "Map", "QueryLanguage": "JSONata", "Items": "{% [] %}", "Next": "E",
        "ItemProcessor": inner(json!({"Type": "Pass", "Output": "{% 1 %}", "End": true}))}));
    assert_eq!(
        problems(&of_state),
        [format!("SCHEMA_VALIDATION_FAILED: {only} at /States/S/ItemProcessor/States/I")]
    );
    let mut processor =
        inner(json!({"Type": "Pass", "Comment": "{% text %}", "Result": "{% 1 %}", "End": true}));
    processor["QueryLanguage"] = json!("JSONPath");
    assert_eq!(
        problems(&machine_of(&json!({"Type": "Map", "Next": "E", "ItemProcessor": processor}))),
        ["SCHEMA_VALIDATION_FAILED: Field 'QueryLanguage' is not supported at /States/S/ItemProcessor"]
    );
}

#[test]
fn fail_and_succeed_states() {
    check_states(&[
        (json!({"Type": "Fail", "Error": "e", "CausePath": "$.c"}), &[]),
        (
            json!({"Type": "Fail", "ErrorPath": "States.UUID()", "CausePath": "States.Format('{}', $$.State.Name)"}),
            &[],
        ),
        (
            json!({"Type": "Fail", "Error": "e", "ErrorPath": "$.e", "Cause": "c", "CausePath": "c"}),
            &[
                "SCHEMA_VALIDATION_FAILED: Only one of 'Error' and 'ErrorPath' may be given at /States/S/ErrorPath",
                "SCHEMA_VALIDATION_FAILED: Only one of 'Cause' and 'CausePath' may be given at /States/S/CausePath",
                "SCHEMA_VALIDATION_FAILED: The value for the field 'CausePath' must be a valid JSONPath or a valid intrinsic function call at /States/S/CausePath",
            ],
        ),
        (
            json!({"Type": "Fail", "ErrorPath": "States.MathAdd(1, 2)"}),
            &[
                "SCHEMA_VALIDATION_FAILED: Only these intrinsic functions are allowed: [States.Format, States.JsonToString, States.ArrayGetItem, States.Base64Encode, States.Base64Decode, States.Hash, States.UUID] at /States/S/ErrorPath",
            ],
        ),
        (
            json!({"Type": "Fail", "Error": "$.e", "Assign": {}, "InputPath": "$"}),
            &[
                "NO_PATH: The value looks like a path, but the field 'Error' does not end with 'Path' at /States/S/Error",
                "SCHEMA_VALIDATION_FAILED: Field 'Assign' is not supported at /States/S",
                "SCHEMA_VALIDATION_FAILED: Field 'InputPath' is not supported at /States/S",
            ],
        ),
        (
            json!({"Type": "Succeed", "Assign": {}, "ResultPath": "$", "Next": "E"}),
            &[
                "SCHEMA_VALIDATION_FAILED: Field 'Assign' is not supported at /States/S",
                "SCHEMA_VALIDATION_FAILED: Field 'ResultPath' is not supported at /States/S",
                "SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported at /States/S",
            ],
        ),
    ]);
}

#[test]
fn pass_and_wait_states() {
    let static_result = "PASS_RESULT_IS_STATIC: The content of the Result field is static; a path in it is not evaluated at /States/S/Result";
    check_states(&[
        (json!({"Type": "Pass", "Result": {"a": ["$5", "$", "text"]}, "Next": "E"}), &[]),
        (json!({"Type": "Pass", "Result": {"a": [{"b.$": 1}]}, "Next": "E"}), &[static_result]),
        (json!({"Type": "Pass", "Result": ["$.a"], "Next": "E"}), &[static_result]),
        (
            json!({"Type": "Pass", "InputPath": 1, "OutputPath": "a", "ResultPath": "$[*]", "ResultSelector": {}, "Next": "E"}),
            &[
                "SCHEMA_VALIDATION_FAILED: Expected value of type String at /States/S/InputPath",
                "SCHEMA_VALIDATION_FAILED: Value is not a valid JSONPath at /States/S/OutputPath",
                "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/S/ResultPath",
                "SCHEMA_VALIDATION_FAILED: Field 'ResultSelector' is not supported at /States/S",
            ],
        ),
        (
            json!({"Type": "Pass", "Assign": {"1a": 1, "states": 1, "b.$": "b"}, "Next": "E"}),
            &[
                "SCHEMA_VALIDATION_FAILED: The variable name '1a' is not valid at /States/S/Assign",
                "SCHEMA_VALIDATION_FAILED: The variable name 'states' is not valid at /States/S/Assign",
                "SCHEMA_VALIDATION_FAILED: The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Assign",
            ],
        ),
        (
            json!({"Type": "Wait", "Next": "E", "Parameters": {}}),
            &[
                "SCHEMA_VALIDATION_FAILED: One of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath] at /States/S",
                "SCHEMA_VALIDATION_FAILED: Field 'Parameters' is not supported at /States/S",
            ],
        ),
        (
            json!({"Type": "Wait", "Timestamp": "2016-12-05 21:29:29Z", "Next": "E"}),
            &["SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/S/Timestamp"],
        ),
    ]);
}

#[test]
fn choice_states() {
    let rule = |rule: Value| json!({"Type": "Choice", "Choices": [rule]});
    let one = "SCHEMA_VALIDATION_FAILED: A choice rule must have exactly one comparison operator at";
    check_states(&[
        (
            json!({"Type": "Choice"}),
            &["SCHEMA_VALIDATION_FAILED: These fields are required: [Choices] at /States/S"],
        ),
        (
            json!({"Type": "Choice", "Choices": [], "End": true}),
            &[
                "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/S/Choices",
                "SCHEMA_VALIDATION_FAILED: Field 'End' is not supported at /States/S",
            ],
        ),
        (rule(json!({"Variable": "$.a", "Next": "E"})), &[&format!("{one} /States/S/Choices[0]")]),
        (
            rule(json!({"Variable": "$.a", "NumericEquals": "1", "Next": "E"})),
            &[
                "SCHEMA_VALIDATION_FAILED: Expected value of type Number at /States/S/Choices[0]/NumericEquals",
            ],
        ),
        (
            rule(json!({"Variable": "$.a", "StringEquals": "$.b", "Next": "E"})),
            &[
                "NO_PATH: The value looks like a path, but the field 'StringEquals' does not end with 'Path' at /States/S/Choices[0]/StringEquals",
            ],
        ),
        (
            rule(
                json!({"And": [{"Variable": "$.a", "IsNull": true, "Next": "E"}], "Or": [], "Condition": "", "Next": "E"}),
            ),
            &[
                "SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported at /States/S/Choices[0]/And[0]",
                "SCHEMA_VALIDATION_FAILED: Field 'Or' is not supported at /States/S/Choices[0]",
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for the 'JSONata' QueryLanguage at /States/S/Choices[0]",
            ],
        ),
    ]);
}

#[test]
fn errors_and_their_handlers() {
    let task = |field: &str, list: Value| json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "E", field: list});
    let at = "at /States/S/Retry[0]";
    check_states(&[
        (
            task(
                "Retry",
                json!([{"ErrorEquals": ["A", "States.ALL"], "BackoffRate": 0.5, "MaxAttempts": 1.5,
                "IntervalSeconds": 5, "MaxDelaySeconds": 5, "JitterStrategy": "full", "Next": "E", "Comment": "c"}, 1]),
            ),
            &[
                "SCHEMA_VALIDATION_FAILED: States.ALL may only stand in the last entry at /States/S/Retry",
                &format!("SCHEMA_VALIDATION_FAILED: States.ALL must appear alone {at}/ErrorEquals"),
                &format!(
                    "SCHEMA_VALIDATION_FAILED: Expected an integer from 0 to 99999999, but was 1.5 {at}/MaxAttempts"
                ),
                &format!(
                    "SCHEMA_VALIDATION_FAILED: Expected a number of at least 1, but was 0.5 {at}/BackoffRate"
                ),
                &format!(
                    "SCHEMA_VALIDATION_FAILED: MaxDelaySeconds must be greater than IntervalSeconds {at}/MaxDelaySeconds"
                ),
                &format!(
                    "SCHEMA_VALIDATION_FAILED: The field 'JitterStrategy' should have one of these values: [FULL, NONE] {at}/JitterStrategy"
                ),
                &format!("SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported {at}"),
                "SCHEMA_VALIDATION_FAILED: Expected value of type Object at /States/S/Retry[1]",
            ],
        ),
        (
            task("Catch", json!([{"ErrorEquals": [1], "ResultPath": "$$.a", "Next": "E"}, {"Next": "E"}])),
            &[
                "SCHEMA_VALIDATION_FAILED: Expected an array of Strings at /States/S/Catch[0]/ErrorEquals",
                "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/S/Catch[0]/ResultPath",
                "SCHEMA_VALIDATION_FAILED: These fields are required: [ErrorEquals] at /States/S/Catch[1]",
            ],
        ),
    ]);
}

#[test]
fn parallel_and_map_states() {
    let level = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    check_states(&[
        (
            json!({"Type": "Parallel", "Branches": [], "Next": "E"}),
            &["SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/S/Branches"],
        ),
        (
            json!({"Type": "Map", "Next": "E"}),
            &["SCHEMA_VALIDATION_FAILED: These fields are required: [ItemProcessor] at /States/S"],
        ),
        (
            json!({"Type": "Map", "ItemProcessor": level, "Iterator": {}, "ItemsPath": null, "MaxConcurrency": -1,
                "ItemSelector": {"a.$": 1}, "Parameters": {"b.$": 2}, "ToleratedFailurePercentage": 101, "Next": "E"}),
            &[
                "SCHEMA_VALIDATION_FAILED: Only one of 'ItemProcessor' and 'Iterator' may be given at /States/S/Iterator",
                "SCHEMA_VALIDATION_FAILED: Expected value of type String at /States/S/ItemsPath",
                "SCHEMA_VALIDATION_FAILED: Only one of 'ItemSelector' and 'Parameters' may be given at /States/S/Parameters",
                "SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/ItemSelector",
                "SCHEMA_VALIDATION_FAILED: The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Parameters",
                "SCHEMA_VALIDATION_FAILED: Expected an integer from 0 to 18446744073709551615, but was -1 at /States/S/MaxConcurrency",
                "SCHEMA_VALIDATION_FAILED: ToleratedFailurePercentage must be between 0 and 100. at /States/S/ToleratedFailurePercentage",
            ],
        ),
        (
            json!({"Type": "Map", "ItemProcessor": level, "ItemReader": {"Resource": "arn:aws:states:::s3:getObject"}, "Next": "E"}),
            &[
                "SCHEMA_VALIDATION_FAILED: ItemReader of a Map state whose mode is not DISTRIBUTED is not supported by this release of Stepwell at /States/S/ItemReader",
            ],
        ),
    ]);
}

#[test]
fn warnings_do_not_refuse_a_definition() {
    let text = machine_of(&json!({"Type": "Pass", "Parameters": {"a": "$.a"}, "Next": "E"})).to_string();
    let problems = StateMachine::validate(&text);
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].severity, problems[0].code), (Severity::Warning, DiagnosticCode::NoDollar));
    assert!(StateMachine::parse(&text).is_ok());
}

/// Map states within each other, `levels` of them, with `innermost` as the last state.
fn nested_maps(levels: usize, innermost: &str) -> String {
    let mut text = String::new();
    let mut end = String::new();
    for level in 0..levels {
        let name = format!("{level:0>80}");
        let _ = write!(
            text,
            r#"{{"StartAt":"{name}","States":{{"{name}":{{"Type":"Map","End":true,"ItemProcessor":"#
        );
        end.push_str("}}}");
    }
    format!(r#"{text}{{"StartAt":"X","States":{{"X":{innermost}}}}}{end}"#)
}

/// Test threads have 2 MiB of stack, as those of a server.
#[test]
fn the_deepest_definitions_need_little_stack() {
    let machine = StateMachine::parse(&nested_maps(39, r#"{"Type":"Succeed"}"#)).unwrap();
    assert_eq!(machine.state_names().count(), 40);
    let problems = StateMachine::validate(&nested_maps(40, r#"{"Type":"Pass","Result":[],"End":true}"#));
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, DiagnosticCode::TooDeeplyNested);

    let branches = |levels: usize| {
        let start = |level| {
            format!(
                r#"{{"StartAt":"{level}","States":{{"{level}":{{"Type":"Parallel","End":true,"Branches":["#
            )
        };
        let starts: String = (0..levels).map(start).collect();
        format!("{starts}{}{}", r#"{"StartAt":"X","States":{"X":{"Type":"Succeed"}}}"#, "]}}}".repeat(levels))
    };
    assert!(StateMachine::parse(&branches(29)).is_ok());

    let rules = |depth: usize, start: &str, end: &str| {
        let rule = format!(r#"{}{{"Variable":"$","IsNull":true}}{}"#, start.repeat(depth), end.repeat(depth));
        let choice = format!(r#"{{"Type":"Choice","Choices":[{{"Not":{rule},"Next":"E"}}]}}"#);
        format!(r#"{{"StartAt":"S","States":{{"S":{choice},"E":{{"Type":"Succeed"}}}}}}"#)
    };
    assert!(StateMachine::parse(&rules(limits::CHOICE_DEPTH - 1, r#"{"Not":"#, "}")).is_ok());
    assert!(StateMachine::parse(&rules(40, r#"{"And":["#, "]}")).is_ok());
    for too_deep in [rules(limits::CHOICE_DEPTH, r#"{"Not":"#, "}"), rules(500, r#"{"And":["#, "]}")] {
        let problems = StateMachine::validate(&too_deep);
        assert_eq!(problems[0].code, DiagnosticCode::TooDeeplyNested, "{problems:?}");
    }

    let template = |depth: usize| {
        let parameters = format!(r#"{}{{"b.$":"$.b"}}{}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
        format!(
            r#"{{"StartAt":"S","States":{{"S":{{"Type":"Pass","Parameters":{parameters},"End":true}}}}}}"#
        )
    };
    assert!(StateMachine::parse(&template(limits::TEMPLATE_DEPTH)).is_ok());
    assert_eq!(
        StateMachine::validate(&template(limits::TEMPLATE_DEPTH + 1))[0].to_string(),
        "TOO_DEEPLY_NESTED: Nested too deeply at /States/S/Parameters"
    );
}

/// A text of up to 1 MiB: `start`, `item` as often as it fits, `end`.
fn filled(start: &str, item: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = start.to_owned();
    for index in 0.. {
        let item = item(index);
        if text.len() + item.len() + end.len() + 1 > limits::DEFINITION_BYTES {
            break;
        }
        if index > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text + end
}

#[test]
fn hostile_definitions_have_bounded_answers() {
    let state = |inside: &str, end: &str| {
        let maps = nested_maps(30, "#");
        let (start, rest) = maps.split_once('#').unwrap();
        (format!("{start}{inside}"), format!("{end}{rest}"))
    };
    let (start, end) = state(r#"{"Type":"Choice","Choices":["#, "]}");
    let rules = filled(&start, |_| "{}".to_owned(), &end);
    let (start, end) = state(r#"{"Type":"Pass","End":true,"#, "}");
    let unknown = filled(&start, |index| format!(r#""{index}":0"#), &end);
    let duplicates = filled(&start, |_| r#""a":0"#.to_owned(), &end);
    let states = filled(r#"{"StartAt":"A","States":{"#, |index| format!(r#""{index}":{{}}"#), "}}");
    let name = "n".repeat(500_000);
    let long_name = filled(
        &format!(r#"{{"StartAt":"A","States":{{"{name}":{{"Type":"Succeed","#),
        |index| format!(r#""{index}":0"#),
        "}}}",
    );
    for text in [rules, unknown, duplicates, states, long_name] {
        let problems = StateMachine::validate(&text);
        assert_eq!(problems.len(), limits::DIAGNOSTICS);
        let bytes: usize = problems.iter().map(|problem| problem.to_string().len()).sum();
        assert!(bytes < 8 * limits::DEFINITION_BYTES, "{bytes}");
    }
}
