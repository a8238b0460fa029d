//! What the stages of input and output processing gave, for TestState (API: `InspectionData`).
//!
//! A data-flow function notes its value in the inspection that its context may carry; without one nothing is kept or
//! copied. It must never change what is evaluated: running executions have none.

use serde_json::Value;
use std::collections::BTreeMap;

/// A stage of processing whose value can be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// What InputPath selected.
    InputPath,
    /// What Parameters or Arguments made.
    Arguments,
    /// What ItemsPath selected.
    ItemsPath,
    /// What ItemsPointer of an ItemReader selected.
    ItemsPointer,
    /// The inputs of all iterations that ItemSelector made.
    ItemSelector,
    /// The inputs of all child executions that ItemBatcher made.
    ItemBatcher,
    /// The value of ToleratedFailureCount.
    ToleratedFailureCount,
    /// The value of ToleratedFailurePercentage.
    ToleratedFailurePercentage,
    /// The value of MaxConcurrency.
    MaxConcurrency,
    /// The result of the state's work.
    Result,
    /// What ResultSelector made of it.
    ResultSelector,
    /// The input with the result in it.
    ResultPath,
}

/// The values of the stages that were gone through. Of one that was gone through twice, the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inspection(BTreeMap<Stage, Value>);

impl Inspection {
    /// Keeps the value of a stage.
    pub(crate) fn note(&mut self, stage: Stage, value: Value) {
        self.0.insert(stage, value);
    }

    /// The stages in their order, with their values.
    pub(crate) fn into_stages(self) -> BTreeMap<Stage, Value> {
        self.0
    }
}
