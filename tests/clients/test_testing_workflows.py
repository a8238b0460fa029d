"""What docs/testing-workflows.md says, with boto3: virtual time, waiting for the end, and a burst that is throttled."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import json
import urllib.request

import stepwell_server
from conftest import client
from stepwell_server import ROLE_ARN

YEAR = datetime.timedelta(days=365)
BURST = 96
WAIT_SECONDS = 60


@contextlib.contextmanager
def serving(directory, *flags):
    """Runs a server of its own, and returns its address."""
    server = stepwell_server.Server(directory, *flags)
    try:
        yield server.endpoint
    finally:
        code = server.stop()
        print(server.output())
    assert code == 0, f"the server ended with {code} after SIGTERM"


def create(sfn, **states):
    """Creates a machine from its states, the first one first."""
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    return sfn.create_state_machine(name="m", definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]


def ask(endpoint, path, body=None):
    """Asks one of the server's own addresses."""
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{endpoint}{path}", data=data), timeout=2 * WAIT_SECONDS) as reply:
        return json.load(reply)


def ended(endpoint, sfn, arn):
    """Waits for the end of an execution on the server, and describes it with boto3."""
    assert ask(endpoint, f"/api/executions/{arn}/wait?timeout={WAIT_SECONDS}")["status"] != "RUNNING"
    return sfn.describe_execution(executionArn=arn)


def test_a_reminder_that_comes_after_a_year(tmp_path):
    with serving(tmp_path, "--virtual-clock") as endpoint:
        sfn = client(endpoint)
        machine = create(sfn, Wait={"Type": "Wait", "Seconds": 31_536_000, "End": True})
        execution = ended(endpoint, sfn, sfn.start_execution(stateMachineArn=machine)["executionArn"])
        assert execution["status"] == "SUCCEEDED"
        assert execution["stopDate"] - execution["startDate"] >= YEAR


def test_time_is_moved_by_hand(tmp_path):
    with serving(tmp_path, "--virtual-clock", "manual") as endpoint:
        sfn = client(endpoint)
        machine = create(sfn, Wait={"Type": "Wait", "Seconds": 86_400, "End": True})
        arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
        assert ask(endpoint, "/api/clock/advance", {"seconds": 3_600})["mode"] == "manual"
        assert sfn.describe_execution(executionArn=arn)["status"] == "RUNNING"
        ask(endpoint, "/api/clock/advance", {"next": True})
        assert ended(endpoint, sfn, arn)["status"] == "SUCCEEDED"


def test_a_burst_succeeds_with_the_retries_that_boto3_makes_by_itself(tmp_path):
    with serving(tmp_path, "--max-waiting-requests", "1") as endpoint:
        refused = []
        sfn = client(endpoint, max_pool_connections=BURST)
        sfn.meta.events.register("needs-retry.sfn.StartExecution", lambda **event: note(event, refused))
        machine = create(sfn, Pass={"Type": "Pass", "End": True})
        start = lambda number: sfn.start_execution(stateMachineArn=machine, name=f"e-{number}")
        with concurrent.futures.ThreadPoolExecutor(BURST) as threads:
            started = list(threads.map(start, range(BURST)))
        assert len({reply["executionArn"] for reply in started}) == BURST
        print(f"{len(refused)} requests were throttled")
        for response in refused:
            assert response.status_code == 400
            assert int(response.headers["x-amz-retry-after"]) > 0


def note(event, refused):
    """Keeps the answers that throttle; boto3 decides what to do about them."""
    if event["response"] is not None:
        response, parsed = event["response"]
        if parsed.get("Error", {}).get("Code") == "ThrottlingException":
            refused.append(response)
