//! What trying a state came to, and which stages of it are shown (API: TestState, `InspectionData`; recorded).
//!
//! It must never evaluate anything.

use crate::execution::Variables;
use crate::history::StateType;
use crate::inspection::{Inspection, Stage};
use crate::states_error::StatesError;
use serde_json::Value;

/// How it ended (API: TestExecutionStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestStatus {
    /// The state was left.
    Succeeded,
    /// The state failed, and nothing handled that.
    Failed,
    /// A retrier would try again.
    Retriable,
    /// A catcher led on.
    CaughtError,
}

impl TestStatus {
    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            TestStatus::Succeeded => "SUCCEEDED",
            TestStatus::Failed => "FAILED",
            TestStatus::Retriable => "RETRIABLE",
            TestStatus::CaughtError => "CAUGHT_ERROR",
        }
    }
}

/// What trying a state came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub status: TestStatus,
    /// The state's output, or what its catcher made.
    pub output: Option<Value>,
    /// The error, handled or not.
    pub error: Option<StatesError>,
    /// The state that follows; none at the end of a branch.
    pub next: Option<String>,
    /// What happened on the way.
    pub inspected: Inspected,
    /// How many items a Map state has, where they are known.
    pub items: Option<usize>,
}

/// What happened on the way to a report.
#[derive(Clone, Debug, Default)]
pub struct Inspected {
    /// The stages that are shown for the state's type and language, by the API's names.
    pub stages: Vec<(&'static str, Value)>,
    /// The variables afterwards.
    pub variables: Variables,
    /// Who handled the error.
    pub error_details: ErrorDetails,
}

/// Who handled an error (API: InspectionErrorDetails).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorDetails {
    /// Index of the catcher that caught it.
    pub catch_index: Option<usize>,
    /// Index of the retrier that it belongs to.
    pub retry_index: Option<usize>,
    /// How long that retrier waits at most, in whole seconds; none where it allows no more retries.
    pub retry_backoff_seconds: Option<u64>,
}

/// The stages that are shown of a state; `has_result` where the Pass state has a Result.
pub(super) fn shown(
    inspection: Inspection,
    state_type: StateType,
    is_jsonata: bool,
    has_result: bool,
) -> Vec<(&'static str, Value)> {
    let stages = inspection.into_stages().into_iter();
    let shown = stages.filter(|(stage, _)| is_shown(*stage, state_type, is_jsonata, has_result));
    shown.map(|(stage, value)| (name(stage, is_jsonata), value)).collect()
}

fn is_shown(stage: Stage, state_type: StateType, is_jsonata: bool, has_result: bool) -> bool {
    let of_result = matches!(stage, Stage::ResultSelector | Stage::ResultPath) && !is_jsonata;
    match state_type {
        StateType::Task => {
            of_result
                || matches!(stage, Stage::Arguments | Stage::Result)
                || stage == Stage::InputPath && !is_jsonata
        }
        // What a Result replaces is not shown.
        StateType::Pass if has_result => of_result || stage == Stage::Result,
        StateType::Pass => of_result || matches!(stage, Stage::InputPath | Stage::Arguments) && !is_jsonata,
        StateType::Choice | StateType::Wait | StateType::Succeed | StateType::Fail => {
            stage == Stage::InputPath && !is_jsonata
        }
        StateType::Parallel => of_result,
        StateType::Map => {
            let of_items = matches!(
                stage,
                Stage::ItemsPointer
                    | Stage::ItemSelector
                    | Stage::ItemBatcher
                    | Stage::ToleratedFailureCount
                    | Stage::ToleratedFailurePercentage
                    | Stage::MaxConcurrency
            );
            of_result || of_items || matches!(stage, Stage::InputPath | Stage::ItemsPath) && !is_jsonata
        }
    }
}

/// The member of `InspectionData`.
fn name(stage: Stage, is_jsonata: bool) -> &'static str {
    match stage {
        Stage::InputPath => "afterInputPath",
        Stage::Arguments if is_jsonata => "afterArguments",
        Stage::Arguments => "afterParameters",
        Stage::ItemsPath => "afterItemsPath",
        Stage::ItemsPointer => "afterItemsPointer",
        Stage::ItemSelector => "afterItemSelector",
        Stage::ItemBatcher => "afterItemBatcher",
        Stage::ToleratedFailureCount => "toleratedFailureCount",
        Stage::ToleratedFailurePercentage => "toleratedFailurePercentage",
        Stage::MaxConcurrency => "maxConcurrency",
        Stage::Result => "result",
        Stage::ResultSelector => "afterResultSelector",
        Stage::ResultPath => "afterResultPath",
    }
}
