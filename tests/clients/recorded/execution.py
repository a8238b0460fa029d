"""Replays one recorded execution against a server that may have services: queues, topics, tables, buckets, a bus.

What the case names is made first, the outside part is played (see `outside`), and what came of the execution is compared:
status, output, error, history, and what arrived elsewhere. A service that the server does not have skips the case.
"""

from __future__ import annotations

import json
import time

import botocore.exceptions

from recorded.cases import Case
from recorded.compare import Comparison
from recorded.deviations import answers_are_mocked
from recorded.outside import NotBuilt, Outside
from recorded.replay import Differs, Skipped, install_functions

END_SECONDS = 75
PAUSE_SECONDS = 0.05
# How a server says that it cannot run a resource: at the creation of a machine, or when the state is entered.
NOT_RUN = ("is not supported by this server", "is not supported by this release of Stepwell")


class ExecutionReplay:
    """One execution while it runs. `clients` gives the boto3 client of a service by its name; `suffix` tells its machine
    from those of other cases on the same server."""

    def __init__(self, case: Case, clients, endpoint: str, suffix: str = "") -> None:
        self._case = case
        self._recording = case.recording
        self._clients = clients
        self._endpoint = endpoint
        self._suffix = suffix
        self._outside = Outside(case.recording, clients)

    def run(self) -> None:
        """Raises Differs or Skipped if the case does not agree."""
        try:
            install_functions(self._endpoint, self._case)
            self._outside.prepare()
            machine_arn = self._machines()
            arn = self._start(machine_arn)
            self._outside.during(arn)
            ended = self._end(arn)
            events = self._history(arn)
            self._not_run(ended, events)
            self._outside.after(ended)
        except NotBuilt as error:
            raise Skipped(f"not built: {error}") from error
        except botocore.exceptions.ClientError as error:
            if any(text in str(error) for text in NOT_RUN):
                raise Skipped(f"not built: {error}") from error
            raise Differs(str(error)) from error
        self._compare(ended, events)

    def _machines(self) -> str:
        """Creates the machines that the execution starts, then its own; returns the ARN of that."""
        for other in self._recording.get("other_state_machines", []):
            self._create(other["name"], other["definition"], other["type"])
        own = self._recording
        return self._create(own["state_machine_name"] + self._suffix, own["definition"], own["type"])

    def _create(self, name: str, definition, kind: str) -> str:
        text = definition if isinstance(definition, str) else json.dumps(definition)
        role = self._recording["role_arn"]
        created = self._clients("stepfunctions").create_state_machine(
            name=name, definition=text, roleArn=role, type=kind
        )
        return created["stateMachineArn"]

    def _start(self, machine_arn: str) -> str:
        test_case = self._recording.get("mock_test_case")
        arn = f"{machine_arn}#{test_case}" if test_case else machine_arn
        started = self._clients("stepfunctions").start_execution(stateMachineArn=arn, input=self._recording["input"])
        return started["executionArn"]

    def _end(self, arn: str) -> dict:
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            execution = self._clients("stepfunctions").describe_execution(executionArn=arn)
            if execution["status"] != "RUNNING":
                return execution
            self._outside.failed()
            time.sleep(PAUSE_SECONDS)
        raise Differs(f"the execution still runs after {END_SECONDS} s: {self._last_event(arn)}")

    def _last_event(self, arn: str) -> str:
        return str([event["type"] for event in self._history(arn)][-3:])

    def _history(self, arn: str) -> list[dict]:
        pages = self._clients("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    @staticmethod
    def _not_run(ended: dict, events: list[dict]) -> None:
        # The cause may have been caught by the machine itself: then the history holds it.
        for text in NOT_RUN:
            if text in (ended.get("cause") or "") or any(text in json.dumps(event, default=str) for event in events):
                cause = ended.get("cause") or f"a state failed: {text}"
                raise Skipped(f"not built: {cause[:200]}")

    def _compare(self, ended: dict, events: list[dict]) -> None:
        expected = self._recording["expected"]
        if answers_are_mocked(self._case.area, self._case.name):
            self._compare_course(expected, ended, events)
            return
        comparison = Comparison()
        parts = [("status", ended["status"]), ("error", ended.get("error"))]
        if self._case.exact:
            parts.append(("cause", ended.get("cause")))
            parts.append(("output", ended.get("output")))
            if "output_text" in expected:
                parts[-1] = ("output_text", ended.get("output"))
            parts.append(("events", events))
            parts += [("other", self._outside.seen)]
        # The history is compared first: it tells best what is wrong.
        for name, actual in sorted(parts, key=lambda part: part[0] != "events"):
            if name == "events" and name not in expected:
                continue
            if name == "other":
                self._compare_others(comparison, expected.get("other", {}), actual)
                continue
            found = _difference(comparison, expected.get(name), actual, name)
            if found:
                # What AWS says about an error shows that its service is not there.
                raise Differs(f"{found} (cause: {str(ended.get('cause'))[:300]})" if ended.get("cause") else found)

    @staticmethod
    def _compare_course(expected: dict, ended: dict, events: list[dict]) -> None:
        """Compares what happened, in order, without the data."""
        parts = [
            ("events", _course(expected["events"]), _course(events)),
            ("status", expected["status"], ended["status"]),
            ("error", expected.get("error"), ended.get("error")),
        ]
        for name, want, got in parts:
            if want != got:
                raise Differs(f"{name}: want {want!r}, got {got!r}")

    @staticmethod
    def _compare_others(comparison: Comparison, expected: dict, seen: dict) -> None:
        for name in expected.keys() & seen.keys():
            found = comparison.difference(expected[name], seen[name], name)
            if found:
                raise Differs(found)


def _course(events: list[dict]) -> list[tuple]:
    """Of each event its place, its type and the state that it enters or leaves."""
    return [(event["id"], event["previousEventId"], event["type"], _state_name(event)) for event in events]


def _state_name(event: dict) -> str | None:
    details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}
    return details.get("name")


def _difference(comparison: Comparison, expected, actual, name: str) -> str | None:
    """Compares one member of the outcome; neither side may have what the other has not."""
    if expected is None or actual is None:
        return None if expected is actual else f"{name}: want {expected!r}, got {actual!r}"
    if isinstance(expected, str) or isinstance(expected, (dict, list)):
        return comparison.difference(expected, actual, name)
    # A number or a truth value as output: the API has its text.
    return comparison.difference(expected, json.loads(actual), name)
