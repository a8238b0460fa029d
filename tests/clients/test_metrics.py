"""GET /metrics: what Prometheus reads is what has happened."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request

import pytest

import stepwell_server
from conftest import client, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN
from test_auth import Guarded, ask

LINE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+|NaN|\+Inf)$")
LABEL = re.compile(r'([a-z]+)="([^"]*)"')
END_SECONDS = 30
PAUSE_SECONDS = 0.05


def scrape(address):
    """Every sample, by name and labels; a text that Prometheus could not read fails."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=30) as reply:
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = reply.read().decode().splitlines()
    samples, types = {}, {}
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        if line.startswith("#"):
            continue
        name, labels, value = LINE.match(line).groups()
        key = (name, tuple(sorted(LABEL.findall(labels or ""))))
        assert key not in samples, line
        samples[key] = float(value)
    for name, _ in samples:
        assert re.sub("_(bucket|sum|count)$", "", name) in types or name in types, name
    return Samples(samples)


class Samples:
    """Looks samples up by name and labels."""

    def __init__(self, samples):
        self.all = samples

    def __call__(self, name, **labels):
        return self.all.get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A server of its own, with an address for metrics."""
    server = stepwell_server.Server(tmp_path_factory.mktemp("metrics"), "--metrics-listen", "127.0.0.1:0")
    yield server
    assert server.stop() == 0


def create(sfn, name, **states):
    """A machine of these states."""
    text = json.dumps({"StartAt": next(iter(states)), "States": states})
    return sfn.create_state_machine(name=name, definition=text, roleArn=ROLE_ARN)["stateMachineArn"]


def test_executions_calls_and_requests_are_counted(measured, name):
    sfn = client(measured.endpoint)
    stepwell_server.upload(measured.endpoint, "one", stepwell_server.stub({"behaviour": "return_const", "value": 1}))
    call = {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:one", "End": True}
    machine = create(sfn, name, Call=call)
    failing = create(sfn, f"{name}-f", No={"Type": "Fail"})
    waiting = create(sfn, f"{name}-w", Rest={"Type": "Wait", "Seconds": 3_600, "End": True})
    before = scrape(measured.endpoint)
    for _ in range(3):
        wait_for_end(sfn, sfn.start_execution(stateMachineArn=machine)["executionArn"])
    wait_for_end(sfn, sfn.start_execution(stateMachineArn=failing)["executionArn"])
    arn = sfn.start_execution(stateMachineArn=waiting)["executionArn"]
    with pytest.raises(sfn.exceptions.ExecutionDoesNotExist):
        sfn.describe_execution(executionArn=f"{arn}-not")
    after = scrape(measured.endpoint)

    def grown(metric, **labels):
        return after(metric, **labels) - before(metric, **labels)

    assert grown("stepwell_executions_started_total", type="STANDARD") == 5
    assert grown("stepwell_executions_ended_total", type="STANDARD", status="SUCCEEDED") == 3
    assert grown("stepwell_executions_ended_total", type="STANDARD", status="FAILED") == 1
    assert grown("stepwell_executions_open") == 1
    # A start and the end of the call; the others are one transition each.
    assert grown("stepwell_transitions_total", type="STANDARD") == 3 * 2 + 2
    assert grown("stepwell_module_call_duration_seconds_count", outcome="succeeded") == 3
    assert grown("stepwell_turn_transitions_sum") == 8
    assert grown("stepwell_commit_duration_seconds_count") >= 1
    requests = {"service": "states", "operation": "StartExecution"}
    assert grown("stepwell_api_requests_total", **requests, code="OK") == 5
    assert grown("stepwell_api_request_duration_seconds_count", **requests) == 5
    missing = {"service": "states", "operation": "DescribeExecution", "code": "ExecutionDoesNotExist"}
    assert grown("stepwell_api_requests_total", **missing) == 1
    assert after("stepwell_store_size_bytes") > 0 and after("process_resident_memory_bytes") > 1 << 20
    assert grown("stepwell_store_commits_total") >= 5
    sfn.stop_execution(executionArn=arn)
    assert scrape(measured.endpoint)("stepwell_executions_ended_total", type="STANDARD", status="ABORTED") >= 1


def test_express_workflows_are_counted_apart(measured, name):
    sfn = client(measured.endpoint)
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    made = sfn.create_state_machine(name=name, definition=text, roleArn=ROLE_ARN, type="EXPRESS")
    before = scrape(measured.endpoint)
    for _ in range(4):
        sfn.start_sync_execution(stateMachineArn=made["stateMachineArn"])
    after = scrape(measured.endpoint)
    ended = {"type": "EXPRESS", "status": "SUCCEEDED"}
    metric = "stepwell_executions_ended_total"
    assert after(metric, **ended) - before(metric, **ended) == 4
    started = "stepwell_executions_started_total"
    assert after(started, type="EXPRESS") - before(started, type="EXPRESS") == 4
    assert after(started, type="STANDARD") == before(started, type="STANDARD")


def test_no_label_is_what_a_client_says(measured):
    names = [f"Made{number}Up" for number in range(20)]
    for target in names:
        request = urllib.request.Request(
            measured.endpoint, data=b"{}", headers={"X-Amz-Target": f"AWSStepFunctions.{target}"}
        )
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=30)
        for path in (f"/{target}", f"/2015-03-31/{target}", f"/modules/{target}"):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(measured.endpoint + path, timeout=30)
    samples = scrape(measured.endpoint)
    assert not any("Made" in str(key) for key in samples.all)
    unknown = {"service": "states", "operation": "Unknown", "code": "UnknownOperationException"}
    assert samples("stepwell_api_requests_total", **unknown) >= 20


def test_open_executions_are_known_after_a_restart(tmp_path):
    server = stepwell_server.Server(tmp_path)
    sfn = client(server.endpoint)
    machine = create(sfn, "m", Rest={"Type": "Wait", "Seconds": 3_600, "End": True})
    for _ in range(3):
        sfn.start_execution(stateMachineArn=machine)
    server.kill()
    server = stepwell_server.Server(tmp_path)
    try:
        deadline = time.monotonic() + END_SECONDS
        while scrape(server.endpoint)("stepwell_executions_open") != 3 and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
        assert scrape(server.endpoint)("stepwell_executions_open") == 3
    finally:
        assert server.stop() == 0


def test_metrics_are_read_by_keys_of_the_servers_account_or_at_their_own_address(tmp_path):
    guarded = Guarded(tmp_path, "--metrics-listen", "127.0.0.1:0", "--log-format", "json")
    try:
        def status(key):
            return ask(guarded.endpoint, guarded.keys[key], "GET", "/metrics", service="stepwell").status

        assert (status("read"), status("admin"), status("other")) == (200, 200, 403)
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{guarded.endpoint}/metrics", timeout=30)
        found = re.search(r"/metrics is served on (127\.0\.0\.1:\d+)", guarded.server.output())
        own = f"http://{found.group(1)}"
        assert scrape(own)("stepwell_build_info", version="0.1.0") == 1
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{own}/modules", timeout=30)
    finally:
        assert guarded.server.stop() == 0
