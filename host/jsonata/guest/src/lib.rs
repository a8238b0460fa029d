//! JSONata inside a WebAssembly sandbox: the `evaluator` world of `wit/evaluator.wit`.
//!
//! Must never read a clock, the environment or a source of randomness: what a call may know, its request says. Bounds
//! of time and memory are not kept here, but by the host that runs this component.

mod answer;
mod arguments;
mod evaluation;
mod functions;
mod parsed;

#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic, reason = "generated code")]
mod bindings {
    use super::Component;

    wit_bindgen::generate!({ world: "evaluator", path: "wit" });
    export!(Component with_types_in self);
}

use bindings::{Answer, Error, Guest, Request};

struct Component;

impl Guest for Component {
    fn evaluate(request: Request) -> Result<Answer, Error> {
        evaluation::evaluate(request)
    }
}
