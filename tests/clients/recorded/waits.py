"""What recordings wait for between two calls: polled with the calls that a user would make, for a bounded time."""

from __future__ import annotations

import time

import botocore.exceptions

LONGEST_SECONDS = 30
PAUSE_SECONDS = 0.05
ENDS_OF_LOGS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")


class NotReached(Exception):
    """What a recording waits for did not come."""


class Waits:
    """Waits, each named like the recordings name it behind `await:`."""

    def __init__(self, sfn, logs) -> None:
        self._sfn = sfn
        self._logs = logs

    def run(self, kind: str, args: dict) -> None:
        """Waits until `kind` is so; arguments are given by name or, as `args`, by position."""
        condition = getattr(self, f"_{kind}", None)
        if condition is None:
            raise NotReached(f"the replay does not know how to wait for {kind}")
        positional = args.get("args", [])
        named = {name: value for name, value in args.items() if name != "args"}
        deadline = time.monotonic() + LONGEST_SECONDS
        while not condition(*positional, **named):
            if time.monotonic() > deadline:
                raise NotReached(f"{kind} {args} did not come within {LONGEST_SECONDS} s")
            time.sleep(PAUSE_SECONDS)

    def _status(self, execution_arn: str) -> str:
        return self._sfn.describe_execution(executionArn=execution_arn)["status"]

    def _execution_terminated(self, execution_arn: str) -> bool:
        return self._status(execution_arn) != "RUNNING"

    def _execution_success(self, execution_arn: str) -> bool:
        return self._ended_as("SUCCEEDED", self._status(execution_arn))

    def _execution_aborted(self, execution_arn: str) -> bool:
        return self._ended_as("ABORTED", self._status(execution_arn))

    @staticmethod
    def _ended_as(wanted: str, status: str) -> bool:
        if status not in (wanted, "RUNNING"):
            raise NotReached(f"the execution ended as {status}")
        return status == wanted

    def _on_execution_events(self, execution_arn: str) -> bool:
        return bool(self._sfn.get_execution_history(executionArn=execution_arn)["events"])

    def _state_machine_listed(self, state_machine_arn: str) -> bool:
        listed = self._sfn.list_state_machines()["stateMachines"]
        return any(machine["stateMachineArn"] == state_machine_arn for machine in listed)

    def _state_machine_not_listed(self, state_machine_arn: str) -> bool:
        return not self._state_machine_listed(state_machine_arn)

    def _state_machine_version_listed(self, state_machine_arn: str, state_machine_version_arn: str) -> bool:
        listed = self._sfn.list_state_machine_versions(stateMachineArn=state_machine_arn)["stateMachineVersions"]
        return any(version["stateMachineVersionArn"] == state_machine_version_arn for version in listed)

    def _state_machine_alias_is_created(self, state_machine_arn: str, state_machine_alias_arn: str) -> bool:
        listed = self._sfn.list_state_machine_aliases(stateMachineArn=state_machine_arn)["stateMachineAliases"]
        return any(alias["stateMachineAliasArn"] == state_machine_alias_arn for alias in listed)

    def _state_machine_alias_is_deleted(self, state_machine_arn: str, state_machine_alias_arn: str) -> bool:
        return not self._state_machine_alias_is_created(state_machine_arn, state_machine_alias_arn)

    def _listed_status(self, state_machine_arn: str, execution_arn: str) -> str | None:
        listed = self._sfn.list_executions(stateMachineArn=state_machine_arn)["executions"]
        return next((one["status"] for one in listed if one["executionArn"] == execution_arn), None)

    def _list_execution_status(self, state_machine_arn: str, execution_arn: str, status: str) -> bool:
        return self._listed_status(state_machine_arn, execution_arn) == status

    def _execution_lists_terminated(self, state_machine_arn: str, execution_arn: str) -> bool:
        return self._listed_status(state_machine_arn, execution_arn) not in (None, "RUNNING")

    def _on_execution_logs(self, log_group_name: str) -> bool:
        try:
            events = self._logs.filter_log_events(logGroupName=log_group_name)["events"]
        except botocore.exceptions.ClientError as error:
            raise NotReached(f"the log group cannot be read: {error}") from error
        return any(end in event["message"] for event in events for end in ENDS_OF_LOGS)
