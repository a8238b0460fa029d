//! Problems of a definition (API: ValidateStateMachineDefinitionDiagnostic).

use std::fmt;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The definition cannot be created.
    Error,
    /// It can, but is probably not what was meant.
    Warning,
}

impl Severity {
    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        }
    }
}

/// What kind of problem (API reference, section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiagnosticCode {
    /// The text is not JSON, or an object of it has a field twice.
    InvalidJsonDescription,
    /// A field is missing, unknown, or has a wrong value.
    SchemaValidationFailed,
    /// Legal in ASL, but this release cannot run it.
    NotSupported,
    /// A transition leads nowhere, or a state cannot be reached.
    MissingTransitionTarget,
    /// A level of states has no state that ends it.
    MissingEndState,
    /// Two states have one name.
    DuplicateStateName,
    /// The name of a state is empty or too long.
    InvalidStateName,
    /// Two Map states have one label.
    DuplicateLabelName,
    /// The label of a Map state is empty, too long, or has a character that may not be in it.
    InvalidLabelName,
    /// The definition is nested more deeply than it may be.
    TooDeeplyNested,
    /// A value that looks like a path or a call stands under a key without `.$` (warning).
    NoDollar,
    /// A value that looks like a path stands in a field whose name does not end in `Path` (warning).
    NoPath,
    /// A path stands in Pass.Result, which is never evaluated (warning).
    PassResultIsStatic,
    /// A JSONata expression reads the top level, where there is nothing (warning, our own).
    JsonataTopLevel,
}

impl DiagnosticCode {
    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            DiagnosticCode::InvalidJsonDescription => "INVALID_JSON_DESCRIPTION",
            DiagnosticCode::SchemaValidationFailed | DiagnosticCode::NotSupported => {
                "SCHEMA_VALIDATION_FAILED"
            }
            DiagnosticCode::MissingTransitionTarget => "MISSING_TRANSITION_TARGET",
            DiagnosticCode::MissingEndState => "MISSING_END_STATE",
            DiagnosticCode::DuplicateStateName => "DUPLICATE_STATE_NAME",
            DiagnosticCode::InvalidStateName => "INVALID_STATE_NAME",
            DiagnosticCode::DuplicateLabelName => "DUPLICATE_LABEL_NAME",
            DiagnosticCode::InvalidLabelName => "INVALID_LABEL_NAME",
            DiagnosticCode::TooDeeplyNested => "TOO_DEEPLY_NESTED",
            DiagnosticCode::NoDollar => "NO_DOLLAR",
            DiagnosticCode::JsonataTopLevel => "JSONATA_TOP_LEVEL",
            DiagnosticCode::NoPath => "NO_PATH",
            DiagnosticCode::PassResultIsStatic => "PASS_RESULT_IS_STATIC",
        }
    }
}

/// One problem of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub code: DiagnosticCode,
    /// What is wrong, for a person.
    pub message: String,
    /// The place, in the form of the API: a JSON pointer with list indexes in brackets, such as
    /// `/States/A/Choices[0]/Next`; for a text that is not JSON its line and column. None for the whole definition.
    pub location: Option<String>,
}

impl Diagnostic {
    pub(crate) fn error(
        code: DiagnosticCode,
        message: impl Into<String>,
        location: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            location: Some(location.into()),
        }
    }
}

impl fmt::Display for Diagnostic {
    /// `CODE: message at /location`, the grammar of InvalidDefinition messages.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code.as_str(), self.message)?;
        match &self.location {
            Some(location) => write!(formatter, " at {location}"),
            None => Ok(()),
        }
    }
}
