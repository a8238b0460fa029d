"""Recorded cases that do not agree, each with the reason.

A case that is not named here must agree; one that is named must not agree. Areas that are `PENDING` may do either:
an entry is removed when what it names is there.
"""

from __future__ import annotations

# Areas whose operations are not all there yet.
PENDING: dict[str, str] = {}

# End of a case's name: why the server answers something else.
DEVIATIONS: dict[str, str] = {
    "::test_update_logging_configuration": "the recording replaced the log group's name by the word `log_group_name`",
    "[MAP_STATE_REFERENCE_IN_ITEM_SELECTOR]": "it needs Distributed Map, which a later release brings",
}


def reason(name: str) -> str | None:
    """Returns why the case may differ, if it may."""
    return next((why for end, why in DEVIATIONS.items() if name.endswith(end)), None)


# Areas of executions that other work is bringing: an entry is removed when what it names is there.
PENDING_EXECUTIONS: dict[str, str] = {}

# End of an execution's name: why the server does something else. What the Rust replay names as well is worded as there.
EXECUTIONS: dict[str, str] = {
    "::test_lambda_invoke_with_retry_extended_input": "recorded before the context object had Execution.RedriveCount",
    "::test_start_execution_sync2": "recorded before descriptions had RedriveCount, RedriveStatus and RedriveStatusReason",
    "::test_start_execution_input_json": "Content-Length of a reply that was never sent: AWS's depends on the digits of its time",
}


def execution_reason(name: str) -> str | None:
    """Returns why the execution may differ, if it may."""
    return next((why for end, why in EXECUTIONS.items() if name.endswith(end)), None)


# End of the name of an execution of the area `mocking` that was recorded with the services themselves: a mocked task answers
# with what the mock file says and nothing else, so that outputs differ. Of these status, error and course must agree.
MOCKED_ANSWERS: tuple[str, ...] = (
    "::test_sfn_start_execution_sync[SFN_SYNC2]",
    "::test_sqs_wait_for_task_token",
    "::test_sqs_wait_for_task_token_task_failure",
    "::test_lambda_invoke",
    "::test_lambda_service_invoke",
    "::test_numbered_mock_responses_multiple_success_invocations",
)


def answers_are_mocked(area: str, name: str) -> bool:
    """Returns whether only the course of the execution can agree, not its outputs."""
    return area == "mocking" and name.endswith(MOCKED_ANSWERS)
