//! Definitions: a machine is accepted exactly when no error is reported, and an accepted one can be run.

use super::run::Run;
use super::samples;
use stepwell_asl::{Quotas, Severity, StateMachine};

/// Events that an accepted machine is run for. A loop needs a few to show what grows in it.
const STEPS: usize = 40;

/// Checks any text as a definition.
pub fn check(text: &str) {
    let problems = StateMachine::validate(text);
    let has_error = problems.iter().any(|problem| problem.severity == Severity::Error);
    for problem in &problems {
        assert!(!problem.message.is_empty(), "a problem says what it is: {problem:?}");
    }
    match StateMachine::parse(text) {
        Ok(machine) => {
            assert!(!has_error, "accepted in spite of {problems:?}");
            assert!(machine.state_names().next().is_some(), "a machine has a state");
            for input in [samples::document(), samples::empty()] {
                Run::new(&machine, input, Quotas::default()).go_on(STEPS);
            }
        }
        Err(found) => {
            assert!(has_error, "refused without an error: {found:?}");
            assert_eq!(found, problems, "both ways to ask give the same problems");
        }
    }
}
