//! How a call ended that gave no answer, in words for whoever wrote the expression.

use crate::limits;
use crate::state::{CallState, MemoryExceeded};
use stepwell_asl::jsonata::EvaluationError;
use wasmtime::Trap;

/// What ended a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Work,
    Memory,
    Depth,
    /// A fault of the evaluator or of the host, with what is known about it.
    Fault(String),
}

impl Failure {
    /// Finds out what ended a call.
    pub(crate) fn of(error: &wasmtime::Error, state: &CallState) -> Self {
        if error.is::<MemoryExceeded>() {
            return Failure::Memory;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => return Failure::Work,
            // The compiler's part of the stack lies at the lowest addresses of the memory: below it is nothing.
            Some(Trap::StackOverflow | Trap::MemoryOutOfBounds) => return Failure::Depth,
            _ => (),
        }
        let written = state.fault.contents();
        let written = String::from_utf8_lossy(&written);
        // What Rust says when a size is beyond what 32 bits can address.
        let sizes = ["capacity overflow", "memory allocation of", "len > usize::MAX"];
        if sizes.iter().any(|size| written.contains(size)) {
            return Failure::Memory;
        }
        tracing::warn!(error = format!("{error:#}"), written = &*written, "the JSONata evaluator failed");
        Failure::Fault(panic_message(&written).unwrap_or("it stopped").to_owned())
    }
}

/// What Rust writes about a panic: a line that ends with the place, then the message.
fn panic_message(written: &str) -> Option<&str> {
    let (_, after_place) = written.split_once(" panicked at ")?;
    after_place.lines().nth(1).map(str::trim)
}

impl From<Failure> for EvaluationError {
    fn from(failure: Failure) -> Self {
        let work = limits::FUEL / 1_000_000_000;
        let memory = limits::MAX_MEMORY_BYTES >> 20;
        match failure {
            Failure::Work => EvaluationError::Exceeded(format!(
                "The evaluation took too long: more than {work} billion steps of work, about a second."
            )),
            Failure::Memory => {
                EvaluationError::Exceeded(format!("The evaluation needed more than {memory} MiB of memory."))
            }
            Failure::Depth => {
                EvaluationError::Exceeded("The expression or its evaluation is nested too deeply.".to_owned())
            }
            Failure::Fault(reason) => {
                let message = format!("The JSONata evaluator failed: {reason}");
                EvaluationError::Thrown { code: None, message }
            }
        }
    }
}
