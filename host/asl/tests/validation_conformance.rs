//! Runs the validation of definitions against the conformance cases: what AWS was recorded to answer, what
//! third-party validators say, and definitions from the real world that must be accepted. The cases live outside
//! the repository; without them this test says so and passes. It must never hold a case; an exception only with
//! the reason why the case is wrong or cannot be asked.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stepwell_asl::{Diagnostic, DiagnosticCode, Severity, StateMachine};

/// Cases that are not met, with the reason. This list only grows shorter.
const DEVIATIONS: [(&str, &str); 7] = [
    (
        "asl-language-service/documentSucceedFailTerminalState",
        "three states are called Second; names are unique within the whole machine (specification, States; AWS \
         refuses it as DUPLICATE_STATE_NAME), which the editor does not look at",
    ),
    (
        "asl-validator/valid-path-array-context.json",
        "`$[(@.length-1)]` is no path of Step Functions' JSONPath library (recorded: Could not parse token)",
    ),
    (
        "statelint/succeed-with-comment-in-catcher.json",
        "the case's own title says that it is allowed; the specification allows Comment everywhere",
    ),
    (
        "asl-validator/invalid-jsonata-surround-syntax-no-spaces.json",
        "`{%10%}`: nothing that AWS says asks for the spaces",
    ),
    (
        "asl-validator/valid-assign.asl.json",
        "assigns a variable named top-level, which is not an identifier (specification, Variables)",
    ),
    (
        "asl-validator/valid-map-with-item-batcher-jsonata.json",
        "has a state in JSONPath in a machine in JSONata (AWS refuses it: recorded)",
    ),
    (
        "asl-language-service/documentTaskInvalidArn",
        "the editor does not look at the ARN; AWS refuses what it does not recognise (recorded)",
    ),
];

/// How many cases each area has, and has to pass.
const AREAS: [(&str, usize, usize); 7] = [
    ("recorded refusals and answers", 19, 19),
    ("recorded executions are accepted", 631, 631),
    ("recorded creations are accepted", 115, 115),
    ("variable references", 13, 13),
    ("validators", 152, 145),
    ("real world", 128, 128),
    ("map run labels", 56, 56),
];

fn cases_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("STEPWELL_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    let cases = folder.join("cases");
    cases.is_dir().then_some(cases)
}

/// The cases of all files of the folder.
fn load(folder: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut files = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()?;
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let mut suite: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        if let Some(Value::Array(found)) = suite.get_mut("cases").map(Value::take) {
            cases.extend(found);
        }
    }
    Ok(cases)
}

fn text_of(definition: &Value) -> String {
    definition.as_str().map_or_else(|| definition.to_string(), str::to_owned)
}

fn errors(problems: &[Diagnostic]) -> Vec<&Diagnostic> {
    let is_error = |problem: &&Diagnostic| {
        problem.severity == Severity::Error && problem.code != DiagnosticCode::NotSupported
    };
    problems.iter().filter(is_error).collect()
}

/// Nothing but what this release cannot run is refused.
fn accepted(definition: &str, express: bool) -> Result<(), String> {
    let problems =
        if express { StateMachine::validate_express(definition) } else { StateMachine::validate(definition) };
    let errors = errors(&problems);
    if errors.is_empty() { Ok(()) } else { Err(format!("{errors:#?}")) }
}

fn refused(definition: &str) -> Result<(), String> {
    match accepted(definition, false) {
        Ok(()) => Err("accepted".to_owned()),
        Err(_) => Ok(()),
    }
}

/// One area's results.
struct Area {
    name: &'static str,
    passed: usize,
    failed: Vec<(String, String)>,
}

impl Area {
    fn new(name: &'static str) -> Area {
        Area { name, passed: 0, failed: Vec::new() }
    }

    fn check(&mut self, case: &Value, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(reason) => self.failed.push((case["name"].as_str().unwrap_or_default().to_owned(), reason)),
        }
    }
}

/// Steps of a case that give a definition to AWS, with what it answered.
fn definition_steps(case: &Value) -> impl Iterator<Item = (&Value, String, bool)> {
    let steps = case["steps"].as_array().into_iter().flatten();
    steps.filter_map(|step| {
        let operation = step["op"].as_str()?;
        let takes_definition = ["CreateStateMachine", "UpdateStateMachine", "ValidateStateMachineDefinition"]
            .contains(&operation);
        let definition = step["args"].get("definition").filter(|definition| !definition.is_null())?;
        let express = step["args"]["type"].as_str() == Some("EXPRESS");
        takes_definition.then(|| (step, text_of(definition), express))
    })
}

/// The message of an InvalidDefinition that was recorded, without what comes before the problems.
fn recorded_refusal(step: &Value) -> Option<String> {
    let error = step.get("expect_error")?.to_string();
    if !error.contains("InvalidDefinition") {
        return None;
    }
    let mut texts = Vec::new();
    collect_texts(&step["expect_error"], &mut texts);
    let start = "Invalid State Machine Definition: '";
    let text = texts.into_iter().find_map(|text| text.split_once(start).map(|(_, rest)| rest))?;
    text.strip_suffix('\'').map(str::to_owned)
}

fn collect_texts<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect_texts(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What ValidateStateMachineDefinition answered, or how CreateStateMachine refused: word for word.
fn check_recorded(step: &Value, definition: &str, express: bool) -> Result<(), String> {
    let problems =
        if express { StateMachine::validate_express(definition) } else { StateMachine::validate(definition) };
    let errors = errors(&problems);
    if let Some(expected) = recorded_refusal(step) {
        let found = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return if found == expected { Ok(()) } else { Err(format!("expected {expected}\n  got {found}")) };
    }
    let expected = &step["expect"]["validation_response"]["diagnostics"];
    let found: Vec<Value> = errors
        .iter()
        .map(|problem| {
            let mut found = serde_json::json!({"severity": problem.severity.as_str(), "code": problem.code.as_str(),
                "message": problem.message});
            if let Some(location) = &problem.location {
                found["location"] = Value::from(location.as_str());
            }
            found
        })
        .collect();
    if *expected == Value::Array(found.clone()) {
        Ok(())
    } else {
        Err(format!("expected {expected}\n  got {found:?}"))
    }
}

fn is_recorded(case: &Value) -> bool {
    case["trust"].as_str().is_some_and(|trust| trust.starts_with("aws"))
}

fn recorded_answers(cases: &[Value]) -> Area {
    let mut area = Area::new("recorded refusals and answers");
    for case in cases.iter().filter(|case| is_recorded(case)) {
        for (step, definition, express) in definition_steps(case) {
            if recorded_refusal(step).is_some() || step["op"] == "ValidateStateMachineDefinition" {
                area.check(case, check_recorded(step, &definition, express));
            }
        }
    }
    area
}

fn recorded_executions(cases: &[Value]) -> Area {
    let mut area = Area::new("recorded executions are accepted");
    for case in cases.iter().filter(|case| is_recorded(case) && case["kind"] == "execution") {
        let definition = text_of(&case["definition"]);
        area.check(case, accepted(&definition, case["type"] == "EXPRESS"));
    }
    area
}

fn recorded_creations(cases: &[Value]) -> Area {
    let mut area = Area::new("recorded creations are accepted");
    for case in cases.iter().filter(|case| is_recorded(case)) {
        for (step, definition, express) in definition_steps(case) {
            if step["op"] != "ValidateStateMachineDefinition" && step.get("expect_error").is_none() {
                area.check(case, accepted(&definition, express));
            }
        }
    }
    area
}

fn variable_references(cases: &[Value]) -> Area {
    let mut area = Area::new("variable references");
    for case in cases.iter().filter(|case| case["area"] == "api_variables") {
        let Some((_, definition, _)) = definition_steps(case).next() else {
            continue;
        };
        let steps = case["steps"].as_array().into_iter().flatten();
        let answer = steps
            .filter(|step| step["op"] == "DescribeStateMachine")
            .find_map(|step| step["expect"].as_object()?.values().next());
        let expected =
            answer.and_then(|answer| answer.get("variableReferences")).cloned().unwrap_or_default();
        // The mode changes nothing about the references, and only the inline one can be run so far.
        let definition = definition.replace(r#""DISTRIBUTED""#, r#""INLINE""#);
        let result = match StateMachine::parse(&definition) {
            Err(problems) => Err(format!("{problems:#?}")),
            Ok(machine) => {
                let found = machine.variable_references();
                let found = if found.is_empty() { Value::Null } else { serde_json::json!(found) };
                if found == expected { Ok(()) } else { Err(format!("expected {expected}\n  got {found}")) }
            }
        };
        area.check(case, result);
    }
    area
}

/// The specification asks no more of a Resource than that it is a URI, and so do validators other than AWS's:
/// what they call `foo:bar` stands for a function.
fn with_known_resources(definition: &str) -> String {
    definition.replace(r#""foo:bar""#, r#""arn:aws:lambda:us-east-1:111111111111:function:f""#)
}

fn validators(cases: &[Value]) -> Area {
    let mut area = Area::new("validators");
    for case in cases.iter().filter(|case| case["kind"] == "validity") {
        let definition = case["definition_text"].as_str().unwrap_or_default();
        let definition = with_known_resources(definition);
        let valid = case["valid"].as_bool() == Some(true);
        area.check(case, if valid { accepted(&definition, false) } else { refused(&definition) });
    }
    area
}

/// Fills `${...}` as a deployment tool would.
fn substitute(value: &mut Value, field: &str) {
    // A template's own function around the text, such as `!Sub`.
    if let Some(text) = value.get("!Sub").cloned() {
        *value = text;
    }
    match value {
        Value::String(text) if text.starts_with("${") && text.ends_with('}') && !text[2..].contains("${") => {
            let number =
                field.ends_with("Seconds") || field.starts_with("Max") || field.starts_with("Numeric");
            *value = match field {
                "Resource" => Value::from("arn:aws:lambda:us-east-1:111111111111:function:f"),
                _ if number => Value::from(1),
                _ => Value::from("text"),
            };
        }
        Value::String(text) => {
            while let Some((before, rest)) = text.clone().split_once("${")
                && let Some((name, after)) = rest.split_once('}')
            {
                let filling = match name {
                    name if name.ends_with("artition") => "aws",
                    _ if before.ends_with(":states:") => "",
                    _ if field == "Resource" && before.starts_with("arn:aws:states:") => "",
                    _ if field == "Resource" && before.is_empty() => {
                        "arn:aws:lambda:us-east-1:111111111111:function:f"
                    }
                    _ => "text",
                };
                *text = format!("{before}{filling}{after}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| substitute(item, field)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| substitute(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn real_world(cases: &[Value]) -> Area {
    let mut area = Area::new("real world");
    for case in cases.iter().filter(|case| case["kind"] == "valid_definition") {
        let mut definition: Value = serde_json::from_str(&text_of(&case["definition"])).unwrap_or_default();
        substitute(&mut definition, "");
        area.check(case, accepted(&definition.to_string(), false));
    }
    area
}

/// Recorded elsewhere than on AWS: only that they are refused counts.
fn map_run_labels(cases: &[Value]) -> Area {
    let mut area = Area::new("map run labels");
    for case in
        cases.iter().filter(|case| case["area"] == "api_map_run" && case["kind"] == "invalid_definition")
    {
        for (_, definition, _) in definition_steps(case) {
            area.check(case, refused(&definition));
        }
    }
    area
}

#[test]
fn validation_cases() {
    let Some(folder) = cases_folder() else {
        println!("skipped: no conformance cases here (set STEPWELL_CONFORMANCE to their folder)");
        return;
    };
    let cases = load(&folder).unwrap();
    let areas = [
        recorded_answers(&cases),
        recorded_executions(&cases),
        recorded_creations(&cases),
        variable_references(&cases),
        validators(&cases),
        real_world(&cases),
        map_run_labels(&cases),
    ];
    println!("{:<36}{:>8}{:>8}", "area", "passed", "failed");
    let mut unexplained = Vec::new();
    let mut unmet = BTreeSet::new();
    for area in &areas {
        println!("{:<36}{:>8}{:>8}", area.name, area.passed, area.failed.len());
        for (name, reason) in &area.failed {
            match DEVIATIONS.iter().find(|(deviation, _)| deviation == name) {
                Some((deviation, why)) => {
                    println!("    {deviation}: {why}");
                    unmet.insert(*deviation);
                }
                None => unexplained.push(format!("{name}: {reason}")),
            }
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert_eq!(unmet.len(), DEVIATIONS.len(), "a deviation is met now: take it off the list");
    for (area, (name, cases, passed)) in areas.iter().zip(AREAS) {
        assert_eq!(area.name, name);
        assert_eq!(area.passed + area.failed.len(), cases, "cases of {name}");
        assert_eq!(area.passed, passed, "passed of {name}");
    }
}
