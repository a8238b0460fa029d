//! The fields of a Map state in distributed mode (specification, "Map State"; API reference, section 6.9):
//! ProcessorConfig, ItemReader, ItemBatcher, ResultWriter and Label.
//!
//! They are read and checked completely, so that a definition shows all its problems, and then refused: this
//! release runs no distributed Map. Only TestState, which runs no iterations, makes use of them.

use super::item_batcher::ItemBatcher;
use super::item_reader::ItemReader;
use crate::definition::{DiagnosticCode, Fields};
use crate::limits;
use crate::payload::Payload;

/// How a Map state processes its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Inline,
    Distributed,
}

/// What a Map state has in distributed mode only.
#[derive(Clone, Debug)]
pub(crate) struct Distributed {
    pub(crate) reader: Option<ItemReader>,
    pub(crate) batcher: Option<ItemBatcher>,
    /// The state's result says where the results of its iterations are, and is none of them.
    pub(crate) writes_results: bool,
}

/// The resources that a ResultWriter may have.
const WRITERS: [&str; 1] = ["s3:putObject"];

/// Reads the ProcessorConfig of an ItemProcessor.
pub(super) fn parse_mode(processor: &mut Fields<'_>) -> Mode {
    let Some(mut configuration) = processor.nested("ProcessorConfig") else { return Mode::Inline };
    let mode = match configuration.choice("Mode", &["INLINE", "DISTRIBUTED"]) {
        Some("DISTRIBUTED") => {
            configuration.require(&["ExecutionType"]);
            if !configuration.findings().is_test() {
                configuration.not_supported("Mode", "The distributed mode of Map states");
            }
            Mode::Distributed
        }
        Some(_) | None => Mode::Inline,
    };
    configuration.choice("ExecutionType", &["STANDARD", "EXPRESS"]);
    configuration.finish();
    mode
}

impl Distributed {
    /// Reads the fields of the Map state itself.
    pub(super) fn parse(fields: &mut Fields<'_>, mode: Mode) -> Distributed {
        if mode == Mode::Inline {
            for name in ["ItemReader", "ItemBatcher", "ResultWriter"] {
                if fields.has(name) {
                    fields
                        .not_supported(name, &format!("{name} of a Map state whose mode is not DISTRIBUTED"));
                }
            }
        }
        let reader = ItemReader::parse(fields);
        let batcher = ItemBatcher::parse(fields);
        let writes_results = parse_writer(fields);
        check_label(fields);
        Distributed { reader, batcher, writes_results }
    }
}

/// Whether the results go to a place of their own, so that the state's result only names it.
fn parse_writer(fields: &mut Fields<'_>) -> bool {
    let Some(mut writer) = fields.nested("ResultWriter") else { return false };
    let writes_results = writer.has("Resource");
    if writer.has("Resource") || writer.has("Parameters") {
        writer.require(&["Resource", "Parameters"]);
    } else if !writer.has("WriterConfig") {
        writer.problem_here("One of these fields is required: [Resource, WriterConfig]");
    }
    check_resource(&mut writer, &WRITERS);
    Payload::parse_arguments(&mut writer);
    if let Some(mut configuration) = writer.nested("WriterConfig") {
        configuration.require(&["Transformation", "OutputType"]);
        configuration.choice("Transformation", &["NONE", "COMPACT", "FLATTEN"]);
        configuration.choice("OutputType", &["JSON", "JSONL"]);
        configuration.finish();
    }
    writer.finish();
    writes_results
}

pub(super) fn check_resource(fields: &mut Fields<'_>, known: &[&str]) {
    let Some(text) = fields.string("Resource") else { return };
    let action = text.strip_prefix("arn:").and_then(|rest| rest.split_once(":states:::"));
    if !action.is_some_and(|(partition, action)| partition.starts_with("aws") && known.contains(&action)) {
        let why = "The value is not a valid resource ARN, or the resource is not available in this region.";
        fields.problem("Resource", format!("The resource provided {text} is not recognized. {why}"));
    }
}

/// A label becomes a part of the ARN of each map run (Developer Guide, "Distributed mode", Label).
fn check_label(fields: &mut Fields<'_>) {
    let Some(label) = fields.string("Label") else { return };
    let refused = label.chars().find(|character| {
        character.is_whitespace() || character.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(*character)
    });
    let message = if label.is_empty() {
        "Label cannot be empty".to_owned()
    } else if label.chars().count() > limits::LABEL_CHARACTERS {
        format!("Label cannot have more than {} characters", limits::LABEL_CHARACTERS)
    } else if let Some(refused) = refused {
        format!("Label cannot contain the character {refused:?}")
    } else {
        if !fields.findings().label_is_new(label) {
            fields.problem_of(
                DiagnosticCode::DuplicateLabelName,
                "Label",
                format!("Duplicate label: {label}"),
            );
        }
        return;
    };
    fields.problem_of(DiagnosticCode::InvalidLabelName, "Label", message);
}

#[cfg(test)]
mod tests {
    use crate::definition::{Diagnostic, DiagnosticCode, StateMachine};
    use serde_json::{Value, json};

    /// The problems of a distributed Map state with `fields`, without the one that refuses its mode.
    fn problems(fields: &Value) -> Vec<String> {
        let mut map = json!({"Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Succeed"}},
        }});
        for (name, value) in fields.as_object().unwrap() {
            map[name] = value.clone();
        }
        let problems = StateMachine::validate(&json!({"StartAt": "M", "States": {"M": map}}).to_string());
        let is_refusal = |problem: &&Diagnostic| problem.code == DiagnosticCode::NotSupported;
        assert_eq!(problems.iter().filter(is_refusal).count(), 1, "{problems:?}");
        let others = problems.iter().filter(|problem| !is_refusal(problem));
        others.map(|problem| problem.location.clone().unwrap_or_default()).collect()
    }

    #[test]
    fn correct_fields_are_only_refused_as_not_supported() {
        for fields in [
            json!({}),
            json!({"Label": "a-Label_1", "MaxConcurrency": 1000, "ToleratedFailurePercentage": 2.5}),
            json!({"ItemReader": {"Resource": "arn:aws-cn:states:::s3:getObject", "Parameters": {"Bucket.$": "$.b", "Key": "k"},
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "CSVDelimiter": "TAB", "MaxItems": 0}}}),
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b"},
                "ReaderConfig": {"Transformation": "LOAD_AND_FLATTEN", "InputType": "JSONL", "MaxItemsPath": "$.n"}}}),
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "PARQUET", "ManifestType": "ATHENA_DATA", "ItemsPointer": "/a/b"}}}),
            json!({"ItemBatcher": {"MaxItemsPerBatch": 1, "MaxInputBytesPerBatchPath": "$.n", "BatchInput": {"a.$": "$.a"}}}),
            json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}}}),
            json!({"ResultWriter": {"WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}}}),
        ] {
            assert_eq!(problems(&fields), Vec::<String>::new(), "{fields}");
        }
    }

    #[test]
    fn problems_are_found_beside_the_refusal() {
        for (fields, expected) in [
            (json!({"Label": ""}), "/States/M/Label"),
            (json!({"Label": "a b"}), "/States/M/Label"),
            (json!({"Label": "a\u{7f}"}), "/States/M/Label"),
            (json!({"Label": "x".repeat(41)}), "/States/M/Label"),
            (json!({"ToleratedFailurePercentage": 100.5}), "/States/M/ToleratedFailurePercentage"),
            (json!({"ToleratedFailureCount": 1.5}), "/States/M/ToleratedFailureCount"),
            (json!({"ItemReader": 1}), "/States/M/ItemReader"),
            (json!({"ItemReader": {}}), "/States/M/ItemReader"),
            (
                json!({"ItemReader": {"Resource": "arn:aws:states:::s3:putObject"}}),
                "/States/M/ItemReader/Resource",
            ),
            (
                json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Bucket": "b"}}),
                "/States/M/ItemReader",
            ),
            (
                json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Key.$": "k"}}}),
                "/States/M/ItemReader/Parameters",
            ),
            (
                json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"CSVHeaderLocation": "GIVEN"}}}),
                "/States/M/ItemReader/ReaderConfig",
            ),
            (
                json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "XML"}}}),
                "/States/M/ItemReader/ReaderConfig/InputType",
            ),
            (
                json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"MaxItems": 1, "MaxItemsPath": "$.n"}}}),
                "/States/M/ItemReader/ReaderConfig/MaxItemsPath",
            ),
            (json!({"ItemBatcher": {}}), "/States/M/ItemBatcher"),
            (json!({"ItemBatcher": {"MaxItemsPerBatch": 0}}), "/States/M/ItemBatcher/MaxItemsPerBatch"),
            (
                json!({"ItemBatcher": {"MaxInputBytesPerBatch": 262_145}}),
                "/States/M/ItemBatcher/MaxInputBytesPerBatch",
            ),
            (json!({"ResultWriter": {}}), "/States/M/ResultWriter"),
            (
                json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject"}}),
                "/States/M/ResultWriter",
            ),
            (
                json!({"ResultWriter": {"WriterConfig": {"OutputType": "JSON"}}}),
                "/States/M/ResultWriter/WriterConfig",
            ),
            (
                json!({"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "P", "States": {"P": {"Type": "Succeed"}}}}),
                "/States/M/ItemProcessor/ProcessorConfig",
            ),
        ] {
            assert_eq!(problems(&fields), [expected], "{fields}");
        }
    }

    #[test]
    fn labels_are_unique_within_the_machine() {
        let map = |next: &str, inner: &str| {
            json!({"Type": "Map", "Next": next, "Label": "L", "ItemProcessor": {
                "StartAt": inner, "States": {inner: {"Type": "Succeed"}}}})
        };
        let machine = json!({"StartAt": "A", "States": {
            "A": map("B", "X"), "B": map("C", "Y"), "C": {"Type": "Succeed"}}});
        let problems = StateMachine::validate(&machine.to_string());
        let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["DUPLICATE_LABEL_NAME: Duplicate label: L at /States/B/Label"]);
    }
}
