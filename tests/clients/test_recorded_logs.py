"""Recorded logs of executions: each is run again, with its own logging configuration, and must log the same records."""

from __future__ import annotations

import json
import time
import uuid

import pytest

import stepwell_server
from conftest import client, wait_for_end
from recorded import cases
from recorded.compare import Comparison
from stepwell_server import REGION

# Recordings are from this account.
ACCOUNT = "111111111111"
END_SECONDS = 20
PAUSE_SECONDS = 0.05
# How long is waited for records that should not come.
QUIET_SECONDS = 0.5


def recordings():
    """Executions that were recorded with their logs."""
    found = cases.folder()
    path = found / "cases/logs.json" if found else None
    content = json.loads(path.read_text()) if path and path.is_file() else {"cases": []}
    return [one for one in content["cases"] if one["kind"] == "execution"]


RECORDINGS = recordings()


@pytest.fixture(scope="module")
def recording_server(tmp_path_factory):
    """A server of the recordings' account."""
    server = stepwell_server.Server(tmp_path_factory.mktemp("recorded-logs"), "--account", ACCOUNT)
    yield server
    assert server.stop() == 0


def configuration_of(recording):
    """The logging configuration that the machine had when it was started."""
    changes = [call["args"] for call in recording["setup_and_side_calls"] if "loggingConfiguration" in call["args"]]
    return json.loads(json.dumps(recording.get("logging") or changes[-1]["loggingConfiguration"]))


def logged(logs, group, count):
    """The records in a group, once there are so many, or after a while that there are none."""
    deadline = time.monotonic() + (END_SECONDS if count else QUIET_SECONDS)
    while True:
        events = logs.filter_log_events(logGroupName=group)["events"]
        if (count and len(events) >= count) or time.monotonic() > deadline:
            return [json.loads(event["message"]) for event in events]
        time.sleep(PAUSE_SECONDS)


def short(recording):
    """What differs between the names of the recordings."""
    return recording["name"].rsplit("::", 1)[-1]


@pytest.mark.skipif(not RECORDINGS, reason="there are no recordings; set STEPWELL_CONFORMANCE")
@pytest.mark.parametrize("recording", RECORDINGS, ids=short)
def test_the_same_is_logged(recording_server, recording):
    sfn, logs = client(recording_server.endpoint), client(recording_server.endpoint, "logs")
    group = f"/recorded/{uuid.uuid4()}"
    logs.create_log_group(logGroupName=group)
    configuration = configuration_of(recording)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
    configuration["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"] = arn
    machine = sfn.create_state_machine(
        name=str(uuid.uuid4()),
        definition=json.dumps(recording["definition"]),
        roleArn=recording["role_arn"],
        loggingConfiguration=configuration,
    )["stateMachineArn"]
    deleted = any(call["op"] == "logs.delete_log_group" for call in recording["setup_and_side_calls"])
    if deleted:
        logs.delete_log_group(logGroupName=group)
    execution = sfn.start_execution(stateMachineArn=machine, input=recording["input"])["executionArn"]
    assert wait_for_end(sfn, execution)["status"] == recording["expected"]["status"]
    expected = (recording["expected"].get("other") or {}).get("logged_execution_events") or []
    if deleted:
        # Nothing may be left for a group of the same name.
        logs.create_log_group(logGroupName=group)
        expected = []
    difference = Comparison().difference(expected, logged(logs, group, len(expected)), "records")
    assert difference is None, difference
