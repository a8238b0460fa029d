//! Expressions of executions are evaluated in a sandbox: the adapter between the executor's `Expressions` and the
//! evaluator of JSONata, and where that evaluator keeps its machine code.
//!
//! It must never let anybody wait for the compiler who did not ask for an evaluation.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use serde_json::Value;
use stepwell_asl::jsonata::{Evaluation, EvaluationError};
use stepwell_executor::Expressions;
use stepwell_jsonata::{Call, Jsonata};

/// Directory of the compiled evaluator, beside that of the modules.
const DIRECTORY: &str = "jsonata";

/// Evaluates the expressions of executions.
pub struct SandboxExpressions(Arc<Jsonata>);

impl SandboxExpressions {
    /// An adapter of an evaluator that others may use too.
    pub fn new(jsonata: Arc<Jsonata>) -> SandboxExpressions {
        SandboxExpressions(jsonata)
    }
}

impl Expressions for SandboxExpressions {
    fn evaluate(
        &self,
        evaluation: &Evaluation<'_>,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Option<Value>, EvaluationError> {
        self.0.evaluate_watched(&Call::new(evaluation), on_slow)
    }
}

/// Makes the evaluator that keeps its machine code under `data`. Cheap: it is compiled when it is needed, by a process of
/// `program`.
pub(crate) fn open(data: &Path, program: PathBuf) -> Arc<Jsonata> {
    Arc::new(Jsonata::new(Some(data.join(DIRECTORY))).compiled_by(program))
}

/// Compiles the evaluator in the background: for seconds the first time, for milliseconds later. Whoever evaluates
/// before that is done waits for it.
pub(crate) fn compile_soon(jsonata: &Arc<Jsonata>) {
    let compiled = Arc::clone(jsonata);
    // A thread of its own, that nobody waits for: the end of the process is its end.
    let thread = thread::Builder::new().name("jsonata-compiler".to_owned());
    let started = thread.spawn(move || {
        if let Err(error) = compiled.warm() {
            tracing::error!(%error, "states of the query language JSONata will fail");
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "the first evaluation of JSONata will be slow");
    }
}
