//! A failure by name: record `task-error` of `wit/task.wit`, the ASL's Error and Cause.

use std::error::Error;

/// Why a task failed: the name that `ErrorEquals` in a Retrier or Catcher matches, and a text for people.
///
/// It does not implement [`std::error::Error`]: only so can every type that does convert into it with `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError {
    /// The error name, for instance `CardDeclined`.
    pub error: String,
    /// What happened, for people.
    pub cause: String,
}

impl TaskError {
    /// The name that an error gets when `?` converts it.
    pub const TASK_FAILED: &str = "TaskFailed";
    /// The name that this crate raises when the input does not fit the function's type.
    pub const INVALID_INPUT: &str = "InvalidInput";

    /// Builds a failure from its name and cause.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }
}

/// Any error becomes a `TaskFailed` whose cause is the text of the error and of all its sources.
impl<E: Error> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::new(Self::TASK_FAILED, chain(&error))
    }
}

/// Joins an error's text and its sources' with `: `, outermost first.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct GatewayDown(std::num::ParseIntError);

    impl fmt::Display for GatewayDown {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the gateway answered nonsense")
        }
    }

    impl Error for GatewayDown {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn question_mark_keeps_the_whole_chain() {
        fn ask() -> Result<u32, TaskError> {
            Ok("x".parse().map_err(GatewayDown)?)
        }
        let expected = "the gateway answered nonsense: invalid digit found in string";
        assert_eq!(ask(), Err(TaskError::new("TaskFailed", expected)));
    }
}
