"""Replays one recorded case against a server, with boto3, step by step.

A step names an operation, its arguments and what came back. `{{sN.field}}` in arguments is what step N gave back. The
first difference ends the case.
"""

from __future__ import annotations

import datetime
import json
import re

import botocore.exceptions

import stepwell_server
from recorded.cases import Case
from recorded.compare import Comparison
from recorded.waits import NotReached, Waits

REFERENCE = re.compile(r"\{\{(s\d+)\.([^}]+)\}\}")
SUBSCRIPT = re.compile(r"[^.\[\]]+")
# Members of a function's description that the stub module is configured with.
STUB_MEMBERS = ("behaviour", "value", "seconds", "char", "count")
# Members of answers that AWS has had only since a day.
MEMBERS_SINCE = {"encryptionConfiguration": "2024-07-25", "redriveCount": "2023-11-15"}
REQUEST_ID = "11111111-2222-3333-4444-555555555555"


class Differs(Exception):
    """The server answers something else than AWS did."""


class Skipped(Exception):
    """The case needs something that is no part of Stepwell."""


def install_functions(endpoint: str, case: Case) -> None:
    """Uploads the stub module under the name of each function of the case."""
    for function in case.functions:
        stepwell_server.upload(endpoint, function["name"], stepwell_server.stub(stub_configuration(function)))


def stub_configuration(function: dict) -> dict:
    """Returns the stub's configuration; an error's name is the payload's `errorType`, its cause the whole text."""
    configuration = {name: function[name] for name in STUB_MEMBERS if name in function}
    if function["behaviour"] == "raise":
        cause = function["error_payload"].replace("<uuid>", REQUEST_ID)
        configuration |= {"error": json.loads(cause)["errorType"], "cause": cause}
    return configuration


class Replay:
    """One case while it runs. `clients` gives the client of a service by name."""

    def __init__(self, case: Case, clients) -> None:
        self._case = case
        self._clients = clients
        recorded_on = case.recording.get("validated") or ""
        self._comparison = Comparison(frozenset(name for name, since in MEMBERS_SINCE.items() if recorded_on < since))
        self._answers: dict[str, dict] = {}
        # The token of the page that was asked for last: where a recording has lost it, it has a null.
        self._next_token: str | None = None
        # Lists that the case's own code took out of answers: pages that were asked for one after the other.
        self._listed: list = []

    def run(self) -> None:
        """Raises Differs, NotReached or Skipped if the case does not agree."""
        if any(resource["kind"] == "mock_config" for resource in self._case.recording.get("resources", [])):
            raise Skipped("mock configurations belong to the emulator that AWS gives away, not to the service")
        for step in self._case.steps:
            self._step(step)

    def _step(self, step: dict) -> None:
        operation, args = step["op"], self._resolved(step.get("args", {}))
        if args.get("nextToken", "") is None and not step.get("raises"):
            args["nextToken"] = self._next_token
        if operation.startswith("await:"):
            waits = Waits(self._clients("stepfunctions"), self._clients("logs"))
            try:
                waits.run(operation.removeprefix("await:"), args)
            except botocore.exceptions.ClientError as error:
                raise Differs(f"{step['id']} {operation}: {error}") from error
        elif operation == "sleep":
            # AWS needed the time to become consistent; a server that acknowledges what is committed does not.
            pass
        elif operation == "expect":
            self._expect_collected(step)
        else:
            self._call(step, operation, args)

    def _resolved(self, value):
        if isinstance(value, dict):
            return {name: self._resolved(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._resolved(inner) for inner in value]
        if isinstance(value, str):
            return REFERENCE.sub(lambda found: str(self._member(found[1], found[2])), value)
        return value

    def _member(self, step_id: str, path: str):
        value = self._answers[step_id]
        for part in SUBSCRIPT.findall(path):
            value = value[int(part)] if isinstance(value, list) else value.get(part)
            if value is None:
                raise Differs(f"{step_id} gave no {path}")
        return value

    def _call(self, step: dict, operation: str, args: dict) -> None:
        service, _, method = operation.rpartition(".")
        client = self._clients(service or "stepfunctions")
        if client is None:
            raise Skipped(f"{operation}: the service {service} is no part of Stepwell")
        if not service:
            method = next(name for name, wire in client.meta.method_to_api_mapping.items() if wire == operation)
        where = f"{step['id']} {operation}"
        try:
            if step.get("paginated"):
                pages = client.get_paginator(method).paginate(**args)
                self._listed = [item for page in pages for item in self._items(page)]
                return
            answer = getattr(client, method)(**args)
        except botocore.exceptions.ClientError as error:
            self._failed(step, where, without_transport(error.response), str(error), error.response["Error"]["Code"])
            return
        except botocore.exceptions.ParamValidationError as error:
            self._failed(step, where, {}, str(error), "ParamValidationError")
            return
        except botocore.exceptions.BotoCoreError as error:
            raise Differs(f"{where}: {error}") from error
        if step.get("raises"):
            raise Differs(f"{where}: want an error, {json.dumps(step.get('expect_error'))}, got {plain(answer)}")
        answer = without_transport(plain(answer))
        self._answers[step["id"]] = answer
        self._listed, self._next_token = self._items(answer), answer.get("nextToken")
        for expected in step.get("expect", {}).values():
            self._compare(expected, answer, where)
        for name, expected in step.get("expect_part", {}).items():
            self._compare(expected, answer.get(name), f"{where}.{name}")

    @staticmethod
    def _items(answer: dict) -> list:
        return next((plain(value) for value in answer.values() if isinstance(value, list)), [])

    def _failed(self, step: dict, where: str, answer: dict, text: str, code: str) -> None:
        wanted = step.get("expect_error")
        if wanted is None and not step.get("raises"):
            raise Differs(f"{where}: {text}")
        for expected in (wanted or {}).values():
            if not self._case.exact:
                expected, answer = without_texts(expected), without_texts(answer)
            if isinstance(expected, dict) and "exception_value" in expected:
                actual = {"exception_typename": code, "exception_value": text}
                self._compare(expected, {name: actual[name] for name in actual if name in expected}, where)
            elif isinstance(expected, dict) and "exception_typename" in expected:
                self._compare(expected, {"exception_typename": code}, where)
            else:
                self._compare(expected, text if isinstance(expected, str) else answer, where)

    def _compare(self, expected, actual, where: str) -> None:
        if (self._case.recording.get("compare") or {}).get("variable_references_sorted"):
            expected, actual = with_sorted_references(expected), with_sorted_references(actual)
        expected, actual = without_billing(expected), without_billing(actual)
        found = self._comparison.difference(expected, actual, where)
        if found:
            raise Differs(found)

    def _expect_collected(self, step: dict) -> None:
        """Compares with what the recorded test collected itself: items of lists, or of a log group."""
        expected = step["expect"]
        group = next(filter(None, (one.get("args", {}).get("logGroupName") for one in self._case.steps)), None)
        if group:
            self._compare(expected, self._logged(group), f"{step['id']} {step['key']}")
            return
        # Several such steps in a row share the items: each takes as many as it wants, the last one the rest.
        rest = [one for one in self._case.steps if one["op"] == "expect"][-1] is step or not expected
        count = len(self._listed) if rest else len(expected)
        taken, self._listed = self._listed[:count], self._listed[count:]
        self._compare(expected, taken, f"{step['id']} {step['key']}")

    def _logged(self, group: str) -> list:
        """Returns what was logged, execution after execution as they were started, each in the order of its events."""
        try:
            pages = self._clients("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
            messages = [json.loads(event["message"]) for page in pages for event in page["events"]]
        except botocore.exceptions.ClientError as error:
            raise Differs(f"the log group cannot be read: {error}") from error
        started = [answer.get("executionArn") for answer in self._answers.values() if "startDate" in answer]
        return sorted(messages, key=lambda one: (started.index(one["execution_arn"]), int(one["id"])))


def plain(value):
    """Returns the value as JSON would hold it."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def without_transport(answer: dict) -> dict:
    """Returns the answer with the status as all that is left of the transport, as recordings have it."""
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return answer | {"ResponseMetadata": {"HTTPHeaders": {}, "HTTPStatusCode": status}}


def without_texts(error):
    """Returns only code and status of an error."""
    if not isinstance(error, dict) or "Error" not in error:
        return error
    return {"Error": {"Code": error["Error"]["Code"]}, "ResponseMetadata": error["ResponseMetadata"]}


def without_billing(value):
    """Returns the value with measured durations and memory replaced by the names of the members that hold them."""
    if isinstance(value, dict) and isinstance(value.get("billingDetails"), dict):
        return value | {"billingDetails": sorted(value["billingDetails"])}
    return value


def with_sorted_references(value):
    """Returns the value with `variableReferences` sorted: AWS lists them in no order."""
    if not isinstance(value, dict) or "variableReferences" not in value:
        return value
    references = {state: sorted(names) for state, names in value["variableReferences"].items()}
    return value | {"variableReferences": references}


__all__ = ["Differs", "NotReached", "Replay", "Skipped", "install_functions"]
