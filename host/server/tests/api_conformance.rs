//! Replays API calls that were recorded on AWS against a server of this build, and compares the answers.
//!
//! The recordings are not part of the repository: `STEPWELL_CONFORMANCE` names their folder, and without it a folder
//! `shared/conformance` beside the checkout is tried. Without recordings nothing is tested, and the test says so.

#![allow(clippy::unwrap_used)] // a test may panic, its helpers too

#[path = "conformance/compare.rs"]
mod compare;
#[path = "conformance/replay.rs"]
mod replay;
#[allow(dead_code)] // each test binary uses its part of it
mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use replay::Outcome;

/// The areas that are replayed.
const AREAS: [&str; 6] = ["api", "api_variables", "wait", "scenario_other", "timeouts", "api_validation"];
/// The kinds of cases that are sequences of API calls.
const KINDS: [&str; 3] = ["api", "invalid_definition", "validate_definition"];

/// Cases that have passed once and must go on doing so, by the tail of their name. This list only grows.
const MUST_PASS: [&str; 49] = [
    "test_base_variable_references_in_jsonata_template[CHOICE_CONDITION_CONSTANT_JSONATA]",
    "test_base_variable_references_in_jsonata_template[CHOICE_STATE_UNSORTED_CHOICE_PARAMETERS_JSONATA]",
    "test_validate_state_machine_definition_type_express[INVALID_DOWNGRADE_QUERY_LANGUAGE]",
    "test_validate_state_machine_definition_type_express[VALID_QUERY_LANGUAGE_PASS]",
    "test_create_duplicate_definition_format_sm",
    "test_create_duplicate_sm_name",
    "test_create_update_state_machine_base_definition",
    "test_create_update_state_machine_base_role_arn",
    "test_create_update_state_machine_base_update_none",
    "test_create_update_state_machine_same_parameters",
    "test_delete_nonexistent_sm",
    "test_describe_execution",
    "test_describe_execution_arn_containing_punctuation",
    "test_describe_execution_invalid_arn",
    "test_describe_invalid_arn_sm",
    "test_describe_nonexistent_sm",
    "test_get_execution_history_no_such_execution",
    "test_invalid_start_execution_input",
    "test_list_execution_invalid_arn",
    "test_list_executions_pagination",
    "test_list_sms",
    "test_list_sms_pagination",
    "test_state_machine_status_filter",
    "test_stop_execution",
    "test_wait_timestamp_invalid[INVALID_DATE]",
    "test_wait_timestamp_invalid[INVALID_ISO]",
    "test_wait_timestamp_invalid[INVALID_TIME]",
    "test_wait_timestamp_invalid[JSONATA]",
    "test_wait_timestamp_invalid[NO_T]",
    "test_wait_timestamp_invalid[NO_Z]",
    "test_validate_state_machine_definition_not_a_definition[EMPTY_DICT]",
    "test_validate_state_machine_definition_not_a_definition[EMPTY_STRING]",
    "test_validate_state_machine_definition_type_express[INVALID_BASE_NO_STARTAT]",
    "test_validate_state_machine_definition_type_express[VALID_BASE_PASS]",
    "test_describe_state_machine_for_execution",
    "test_base_variable_references_in_assign_templates[BASE_ASSIGN_FROM_INTRINSIC_FUNCTION]",
    "test_base_variable_references_in_assign_templates[BASE_ASSIGN_FROM_PARAMETERS]",
    "test_base_variable_references_in_assign_templates[BASE_ASSIGN_FROM_RESULT]",
    "test_base_variable_references_in_assign_templates[BASE_REFERENCE_IN_CHOICE]",
    "test_base_variable_references_in_assign_templates[BASE_REFERENCE_IN_FAIL]",
    "test_base_variable_references_in_assign_templates[BASE_REFERENCE_IN_INPUTPATH]",
    "test_base_variable_references_in_assign_templates[BASE_REFERENCE_IN_INTRINSIC_FUNCTION]",
    "test_base_variable_references_in_assign_templates[BASE_REFERENCE_IN_ITERATOR_OUTER_SCOPE]",
    "test_base_variable_references_in_assign_templates[MAP_STATE_REFERENCE_IN_ITEMS_PATH]",
    "test_base_variable_references_in_assign_templates[MAP_STATE_REFERENCE_IN_MAX_CONCURRENCY_PATH]",
    "test_illegal_escapes[ESCAPE_SEQUENCES_ILLEGAL_INTRINSIC_FUNCTION]",
    "test_illegal_escapes[ESCAPE_SEQUENCES_ILLEGAL_INTRINSIC_FUNCTION_2]",
    "test_global_timeout",
    "test_validate_state_machine_definition_not_a_definition[NOT_A_DEF]",
];

#[test]
fn recorded_calls_get_the_recorded_answers() {
    let Some(folder) = folder() else {
        report("no recordings found (set STEPWELL_CONFORMANCE to their folder): nothing was compared\n");
        return;
    };
    let mut broken = Vec::new();
    let mut seen = Vec::new();
    for area in AREAS {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut lines = Vec::new();
        for case in cases(&folder, area) {
            let name = tail(case["name"].as_str().unwrap()).to_owned();
            let must = MUST_PASS.contains(&name.as_str());
            let (word, remark) = match replay::replay(&case) {
                Outcome::Passed if must => ("passed", None),
                Outcome::Passed => ("passed", Some("add it to MUST_PASS".to_owned())),
                Outcome::Failed(why) => ("failed", Some(why)),
                Outcome::Skipped(why) => ("skipped", Some(why)),
            };
            lines.extend(remark.map(|remark| format!("  {word} {name}: {remark}\n")));
            if must && word != "passed" {
                broken.push(name.clone());
            }
            *counts.entry(word).or_default() += 1;
            seen.push(name);
        }
        report(&format!("{area}: {counts:?}\n{}", lines.concat()));
    }
    let missing: Vec<_> = MUST_PASS.iter().filter(|name| !seen.iter().any(|seen| seen == *name)).collect();
    assert!(broken.is_empty() && missing.is_empty(), "no longer passing: {broken:?}; not found: {missing:?}");
}

fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var_os("STEPWELL_CONFORMANCE").map_or(beside, PathBuf::from);
    folder.join("cases").is_dir().then_some(folder)
}

fn cases(folder: &std::path::Path, area: &str) -> Vec<Value> {
    let path = folder.join("cases").join(format!("{area}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let replayable = |case: &&Value| KINDS.iter().any(|kind| case["kind"] == *kind);
    cases.iter().filter(replayable).cloned().collect()
}

/// What is behind the last `::` of a case's name.
fn tail(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// Writes past the capture of the test runner: the figures are worth reading in every run.
fn report(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
