//! The file of test cases: what it says, read strictly, so that a member with a typing error is named and not ignored.
//!
//! Paths in it are relative to it. It must never ask a server anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::exit::Failure;
use super::super::source;

/// A file of test cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TestFile {
    /// The definition under test.
    machine: PathBuf,
    /// The machine's name; the beginning of the definition's file name if missing.
    name: Option<String>,
    /// `STANDARD` (the default) or `EXPRESS`.
    #[serde(default, rename = "type")]
    pub(super) kind: Kind,
    /// Other machines that this one starts: name -> definition.
    #[serde(default)]
    pub(super) machines: BTreeMap<String, PathBuf>,
    /// Modules that really run: name -> WebAssembly file or zip archive.
    #[serde(default)]
    pub(super) modules: BTreeMap<String, PathBuf>,
    /// Secrets that manifests name: name -> value, for tests only.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// Directories that manifests name: name -> path.
    #[serde(default)]
    pub(super) data_directories: BTreeMap<String, PathBuf>,
    /// A `MockConfigFile.json` of Step Functions Local, whose test cases `mockCase` names.
    pub(super) mock_config: Option<PathBuf>,
    /// The test cases, in the order in which they run.
    pub(super) cases: Vec<Case>,
    /// Where the file is.
    #[serde(skip)]
    folder: PathBuf,
}

/// The type of the machine.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Kind {
    #[default]
    Standard,
    Express,
}

/// One execution and what is expected of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Case {
    /// Shown in the report; no two cases of a file have the same.
    pub(super) name: String,
    /// The execution's input, `{}` if missing.
    #[serde(default, deserialize_with = "present")]
    pub(super) input: Option<Value>,
    /// A file with the input instead.
    pub(super) input_file: Option<PathBuf>,
    /// State -> what its task answers: one answer for every attempt, or a list with one for each.
    #[serde(default)]
    pub(super) mocks: Map<String, Value>,
    /// The test case of the file with mocks that is used, too; `mocks` win.
    #[serde(rename = "mockCase")]
    pub(super) mocked_as: Option<String>,
    #[serde(default)]
    pub(super) expect: Expectation,
}

/// What must be true at the end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Expectation {
    /// `SUCCEEDED` if missing, and `FAILED` if an error or a cause is expected.
    status: Option<Status>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    /// The whole output.
    #[serde(default, deserialize_with = "present")]
    pub(super) output: Option<Value>,
    /// Members that the output has, among others.
    #[serde(default, deserialize_with = "present")]
    pub(super) output_includes: Option<Value>,
    /// The names of the states in the order in which they are entered; those of a list within it in any order.
    pub(super) path: Option<Vec<Step>>,
    /// Events, or parts of them, that the history has in this order, among others.
    pub(super) history: Option<Vec<Value>>,
    /// Least and most seconds that it takes, in virtual time.
    pub(super) min_seconds: Option<f64>,
    pub(super) max_seconds: Option<f64>,
}

/// One or several states entered.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Step {
    One(String),
    Any(Vec<String>),
}

/// How an execution ends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    pub(super) fn text(self) -> &'static str {
        match self {
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

impl Expectation {
    pub(super) fn status(&self) -> &'static str {
        let fails = self.error.is_some() || self.cause.is_some();
        self.status.unwrap_or(if fails { Status::Failed } else { Status::Succeeded }).text()
    }

    fn asks_for_history(&self) -> bool {
        self.path.is_some() || self.history.is_some()
    }
}

impl TestFile {
    /// Reads a file. Errors: `Usage`, with the place in the file.
    pub(super) fn read(path: &Path) -> Result<TestFile, Failure> {
        let text = source::json_file(path)?;
        let wrong = |reason: String| Failure::Usage(format!("{}: {reason}", source::label(path)));
        let mut file: TestFile = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        file.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        file.check().map_err(wrong)?;
        Ok(file)
    }

    /// A path of the file, as this process finds it.
    pub(super) fn at(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The definition under test.
    pub(super) fn definition(&self) -> PathBuf {
        self.at(&self.machine)
    }

    /// The machine's name.
    pub(super) fn machine_name(&self) -> String {
        let of_file = || self.machine.file_name().unwrap_or_default().to_string_lossy();
        self.name.clone().unwrap_or_else(|| of_file().split('.').next().unwrap_or_default().to_owned())
    }

    fn check(&self) -> Result<(), String> {
        let mut names = std::collections::BTreeSet::new();
        for case in &self.cases {
            let name = &case.name;
            if !names.insert(name) {
                return Err(format!("two cases are named '{name}'"));
            }
            if case.input.is_some() && case.input_file.is_some() {
                return Err(format!("case '{name}': give input or inputFile, not both"));
            }
            if case.mocked_as.is_some() && self.mock_config.is_none() {
                return Err(format!("case '{name}': mockCase needs mockConfig, the file that has it"));
            }
            if self.kind == Kind::Express && case.expect.asks_for_history() {
                return Err(format!(
                    "case '{name}': path and history need a STANDARD machine: EXPRESS keeps none"
                ));
            }
        }
        if self.cases.is_empty() { Err("cases is empty".to_owned()) } else { Ok(()) }
    }
}

/// `null` is a value, too.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}
