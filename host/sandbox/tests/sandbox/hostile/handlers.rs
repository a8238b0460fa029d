//! Web servers: the Rust guest `http-handler`, told to misbehave.

use super::{Case, Expected, SHORT};
use crate::guests::guest;
use stepwell_sandbox::Limits;

pub(super) fn cases() -> Vec<Case> {
    let handler = |misdeed: &str, expected| {
        Case::new(format!("handler: {misdeed}"), guest("http_handler"), expected)
            .input(format!(r#"{{"misdeed":"{misdeed}"}}"#))
    };
    let endless =
        |misdeed: &str| Case { timeout: SHORT, ..handler(misdeed, Expected::Ends(&["Sandbox.Timeout"])) };
    let trap = Expected::Ends(&["Sandbox.Trap"]);
    let small = Limits { result_kib: Some(64), ..Limits::default() };
    vec![
        endless("never-answer"),
        handler("panic", trap),
        handler("keep-answer", trap),
        handler("keep-body", trap),
        handler("no-answer", trap),
        handler("error", trap),
        handler("half-answer", trap),
        handler("short-body", Expected::Ends(&["Sandbox.Trap"])),
        handler("endless-answer", Expected::Ends(&["Sandbox.ResultTooLarge"])).limits(small),
        handler("answer-and-panic", trap),
        endless("answer-and-loop"),
        handler("large-headers", Expected::Bounded),
        handler("many-fields", Expected::Ends(&["Sandbox.TooManyHandles"])),
        handler("not-text", Expected::Ends(&["Sandbox.InvalidResult"])),
        handler("informational", Expected::Ends(&["Sandbox.HttpStatus.103"])),
    ]
}
