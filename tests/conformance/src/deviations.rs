//! Recorded cases that do not agree, each with the reason. A case that is not in this list must agree; one that
//! agrees must not be in it.

/// A recorded case and why Stepwell differs.
pub struct Deviation {
    /// The runner it concerns; none for all of them.
    pub runner: Option<&'static str>,
    /// End of the case's name.
    pub case: &'static str,
    /// Why it differs.
    pub reason: &'static str,
}

/// All of them.
pub const DEVIATIONS: &[Deviation] = &[
    Deviation {
        runner: None,
        case: "::test_lambda_invoke_with_retry_extended_input",
        reason: "recorded before the context object had Execution.RedriveCount; newer recordings have it",
    },
    Deviation {
        runner: None,
        case: "[BASE_REFERENCE_IN_WAIT]",
        reason: "the recording replaced a date inside an assigned variable by the word `date`",
    },
    Deviation {
        runner: None,
        case: "::test_map_catch_error[MAP_CATCH_ERROR_OUTPUT]",
        reason: "the case gives the keys of its definition in another order than they had; its output shows theirs",
    },
    Deviation {
        runner: Some("server"),
        case: "test_context_object.py::TestSnfBase::test_result_selector",
        reason: "it holds the length of JSON that Python wrote with spaces; the module behind the server writes none",
    },
];

/// The reason for which `runner` may disagree with a case.
pub fn reason(runner: &str, case: &str) -> Option<&'static str> {
    let concerns = |deviation: &&Deviation| {
        deviation.runner.is_none_or(|only| only == runner) && case.ends_with(deviation.case)
    };
    DEVIATIONS.iter().find(concerns).map(|deviation| deviation.reason)
}
