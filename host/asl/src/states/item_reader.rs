//! ItemReader of a distributed Map state: the items in the text of an object (specification, "ItemReader"; API
//! reference, section 6.9).
//!
//! It must never fetch anything: who has read the object hands its text over.

use super::amount::Amount;
use super::distributed::check_resource;
use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::inspection::Stage;
use crate::jsonata::States;
use crate::limits;
use crate::payload::Payload;
use crate::states_error::StatesError;
use serde_json::{Map, Value, json};

/// The resources that an ItemReader may have, behind the partition.
const READERS: [&str; 2] = ["s3:getObject", "s3:listObjectsV2"];
/// Delimiters of CSV by their names.
const DELIMITERS: [(&str, char); 5] =
    [("COMMA", ','), ("PIPE", '|'), ("SEMICOLON", ';'), ("SPACE", ' '), ("TAB", '\t')];

/// Reads items.
#[derive(Clone, Debug, Default)]
pub(crate) struct ItemReader {
    /// What the object is called.
    arguments: Option<Payload>,
    form: Form,
    max_items: Option<Amount>,
    pointer: Option<String>,
}

/// How items lie in the text.
#[derive(Clone, Debug, Default)]
enum Form {
    /// One JSON value that holds them all; also stands for forms that are no text.
    #[default]
    Json,
    JsonLines,
    /// With the names of the columns, where the first row has none.
    Csv(char, Option<Vec<String>>),
}

impl ItemReader {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<ItemReader> {
        let mut reader = fields.nested("ItemReader")?;
        reader.require(&["Resource"]);
        check_resource(&mut reader, &READERS);
        let arguments = Payload::parse_arguments(&mut reader);
        let parsed = reader.nested("ReaderConfig").map(|mut configuration| {
            let parsed = parse_configuration(&mut configuration);
            configuration.finish();
            parsed
        });
        reader.finish();
        Some(ItemReader { arguments, ..parsed.unwrap_or_default() })
    }

    /// What the object to read is called.
    pub(crate) fn arguments(
        &self,
        effective_input: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Option<Value>, StatesError> {
        let states = States::of_input(effective_input);
        let arguments = self.arguments.as_ref();
        arguments.map(|arguments| arguments.evaluate(effective_input, &states, context)).transpose()
    }

    /// The items in `text`. Errors: `States.ItemReaderFailed`.
    pub(crate) fn items(
        &self,
        text: &str,
        effective_input: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Vec<Value>, StatesError> {
        let mut items = match &self.form {
            Form::Json => self.of_value(json_of(text)?, context)?,
            Form::JsonLines => {
                text.lines().filter(|line| !line.trim().is_empty()).map(json_of).collect::<Result<_, _>>()?
            }
            Form::Csv(delimiter, headers) => csv_items(text, *delimiter, headers.as_deref())?,
        };
        let most = Amount::resolve(self.max_items.as_ref(), "MaxItems", None, effective_input, context)?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a cast saturates
        match most.map(|most| most as usize) {
            Some(0) => Err(failed("field MaxItems must be positive")),
            Some(most) => {
                items.truncate(most);
                Ok(items)
            }
            None => Ok(items),
        }
    }

    fn of_value(&self, value: Value, context: &ContextObject<'_>) -> Result<Vec<Value>, StatesError> {
        let value = match &self.pointer {
            Some(pointer) => {
                let found = value.pointer(pointer).cloned();
                let found =
                    found.ok_or_else(|| failed(format!("The ItemsPointer '{pointer}' leads to nothing.")))?;
                context.inspect(Stage::ItemsPointer, &found);
                found
            }
            None => value,
        };
        match value {
            Value::Array(items) => Ok(items),
            Value::Object(members) => {
                Ok(members.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(failed("Attempting to map over non-iterable node."))
            }
        }
    }
}

fn parse_configuration(configuration: &mut Fields<'_>) -> ItemReader {
    let input_type = configuration.choice("InputType", &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"]);
    configuration.choice("ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]);
    let transformation = configuration.choice("Transformation", &["NONE", "LOAD_AND_FLATTEN"]);
    if transformation == Some("LOAD_AND_FLATTEN") {
        configuration.require(&["InputType"]);
    }
    let delimiter = configuration.choice("CSVDelimiter", &DELIMITERS.map(|(name, _)| name));
    let given = configuration.choice("CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]) == Some("GIVEN");
    if given {
        configuration.require(&["CSVHeaders"]);
    }
    let headers: Option<Option<Vec<String>>> = configuration
        .items("CSVHeaders")
        .map(|headers| headers.iter().map(|header| header.as_str().map(str::to_owned)).collect());
    if headers == Some(None) {
        configuration.problem("CSVHeaders", "Expected an array of Strings");
    }
    // 0 is accepted here, and fails when the reader runs (recorded).
    let max_items = Amount::count(configuration, "MaxItems", "MaxItemsPath", 0..=limits::READER_ITEMS);
    let pointer = configuration.string("ItemsPointer").map(str::to_owned);
    if pointer.as_ref().is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        configuration.problem("ItemsPointer", "Value is not a valid JSON Pointer");
    }
    let form = match input_type {
        Some("CSV") => {
            let delimiter = DELIMITERS.iter().find(|(name, _)| delimiter == Some(*name));
            Form::Csv(delimiter.map_or(',', |(_, delimiter)| *delimiter), headers.flatten().filter(|_| given))
        }
        Some("JSONL") => Form::JsonLines,
        Some(_) | None => Form::Json,
    };
    ItemReader { arguments: None, form, max_items, pointer }
}

fn json_of(text: &str) -> Result<Value, StatesError> {
    serde_json::from_str(text).map_err(|error| failed(format!("The data of ItemReader is not JSON: {error}")))
}

fn failed(cause: impl Into<String>) -> StatesError {
    StatesError::new("States.ItemReaderFailed", cause)
}

/// One object a row: missing cells are empty, further ones are dropped.
fn csv_items(text: &str, delimiter: char, headers: Option<&[String]>) -> Result<Vec<Value>, StatesError> {
    let mut rows = csv_rows(text, delimiter).into_iter();
    let headers = match headers {
        Some(headers) => headers.to_vec(),
        None => rows.next().unwrap_or_default(),
    };
    let mut sorted: Vec<&String> = headers.iter().collect();
    sorted.sort();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(failed("CSV headers cannot contain duplicates."));
    }
    let item = |row: Vec<String>| {
        let mut cells = row.into_iter();
        let members = headers.iter().map(|header| (header.clone(), json!(cells.next().unwrap_or_default())));
        Value::Object(members.collect::<Map<String, Value>>())
    };
    Ok(rows.map(item).collect())
}

/// The rows with their cells. A quoted cell may hold delimiters and line ends; `""` and `\"` are quotes in it.
fn csv_rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            '\\' => cell.extend(characters.next()),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other if other == delimiter && !quoted => row.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    // An empty line is no row.
    rows.retain(|row| row.len() > 1 || row.first().is_some_and(|cell| !cell.is_empty()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_their_headers() {
        let text = "a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n2\n3,4,5\n";
        let items = csv_items(text, ',', None).unwrap();
        let expected = json!([{"a": "1", "b": "x, \"y\"\nz"}, {"a": "2", "b": ""}, {"a": "3", "b": "4"}]);
        assert_eq!(Value::Array(items), expected);
        let given = ["c".to_owned()];
        assert_eq!(csv_items("1|2", '|', Some(&given)).unwrap(), [json!({"c": "1"})]);
        let error = csv_items("a,a\n1,2", ',', None).unwrap_err();
        assert_eq!(error.cause.as_deref(), Some("CSV headers cannot contain duplicates."));
    }
}
