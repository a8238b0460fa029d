"""Traces: a receiver of OTLP over HTTP, and what it is sent of executions whose machines ask to be traced."""

from __future__ import annotations

import http.server
import json
import threading
import time

import pytest

import stepwell_server
from conftest import client, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

END_SECONDS = 30
PAUSE_SECONDS = 0.05
TRACE, PARENT = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
X_RAY = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1"
INTERNAL, SERVER, CLIENT = 1, 2, 3


class Receiver:
    """Takes what is posted to /v1/traces and /v1/logs; refuses the first requests if told to."""

    def __init__(self, refusals=0):
        receiver = self
        self.spans, self.records, self.headers, self.refusals = [], [], [], refusals

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.headers["content-type"] == "application/json"
                receiver.headers.append(dict(self.headers))
                receiver.refusals -= 1
                status = 503 if receiver.refusals >= 0 else 200
                if status == 200:
                    receiver.take(self.path, body)
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, body):
        resources = {"/v1/traces": "resourceSpans", "/v1/logs": "resourceLogs"}[path]
        for resource in body[resources]:
            assert attributes(resource["resource"])["service.name"] == "stepwell"
            for scope in resource.get("scopeSpans", []):
                self.spans += scope["spans"]
            for scope in resource.get("scopeLogs", []):
                self.records += scope["logRecords"]

    def wait(self, count):
        """The spans, once there are so many, by name."""
        deadline = time.monotonic() + END_SECONDS
        while len(self.spans) < count and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
        assert len(self.spans) >= count, [span["name"] for span in self.spans]
        return list(self.spans)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(thing):
    """Attributes as a dictionary."""
    return {one["key"]: one["value"]["stringValue"] for one in thing["attributes"]}


@pytest.fixture
def receiver():
    """A collector."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def traced(tmp_path, receiver):
    """A server that sends to the collector."""
    server = stepwell_server.Server(tmp_path, "--otlp-endpoint", receiver.endpoint)
    yield server
    assert server.stop() == 0


def create(sfn, name, definition, **more):
    """A machine that is traced."""
    created = sfn.create_state_machine(
        name=name,
        definition=json.dumps(definition),
        roleArn=ROLE_ARN,
        tracingConfiguration={"enabled": True},
        **more,
    )
    return created["stateMachineArn"]


def one(spans, name):
    """The only span of that name."""
    found = [span for span in spans if span["name"] == name]
    assert len(found) == 1, [span["name"] for span in spans]
    return found[0]


def test_states_and_calls_are_spans_of_the_callers_trace(traced, receiver):
    sfn = client(traced.endpoint)
    stepwell_server.upload(traced.endpoint, "bad", stepwell_server.stub({"behaviour": "raise", "error": "Bad"}))
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1}]
    definition = {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:bad",
                "Retry": retry,
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Each"}],
                "Next": "Each",
            },
            "Each": {
                "Type": "Map",
                "ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": True}}},
                "ItemsPath": "$$.Execution.Input.items",
                "End": True,
            },
        },
    }
    machine = create(sfn, "traced", definition)
    secret = json.dumps({"items": [1, 2], "secret": "4111"})
    arn = sfn.start_execution(stateMachineArn=machine, input=secret, traceHeader=X_RAY)["executionArn"]
    execution = wait_for_end(sfn, arn)
    assert execution["status"] == "SUCCEEDED", execution
    spans = receiver.wait(9)
    assert len(spans) == 9 and {span["traceId"] for span in spans} == {TRACE}
    assert len({span["spanId"] for span in spans}) == 9
    root = one(spans, "traced")
    assert (root["parentSpanId"], root["kind"]) == (PARENT, SERVER) and "status" not in root
    assert attributes(root)["stepwell.execution.arn"] == arn
    call, each = one(spans, "Call"), one(spans, "Each")
    assert call["parentSpanId"] == each["parentSpanId"] == root["spanId"]
    tries = [span for span in spans if span["kind"] == CLIENT]
    assert len(tries) == 2 and {span["parentSpanId"] for span in tries} == {call["spanId"]}
    assert all(span["status"]["code"] == 2 and attributes(span)["error.type"] == "Bad" for span in tries)
    assert [event["name"] for event in call["events"]] == ["task_failed", "retry", "task_failed"]
    for index in range(2):
        iteration = one(spans, f"Each[{index}]")
        assert iteration["parentSpanId"] == each["spanId"]
    items = [span for span in spans if span["name"] == "Item"]
    assert {span["parentSpanId"] for span in items} == {one(spans, f"Each[{i}]")["spanId"] for i in range(2)}
    for span in spans:
        assert int(root["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert int(span["endTimeUnixNano"]) <= int(root["endTimeUnixNano"])
    assert "4111" not in json.dumps(spans)


def test_traceparent_is_continued_and_what_is_not_sampled_is_not_sent(traced, receiver):
    sfn = client(traced.endpoint)
    machine = create(sfn, "m", {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})

    def start(header, value, name):
        def add(request, **_):
            request.headers[header] = value

        own = client(traced.endpoint)
        own.meta.events.register("before-send.sfn.StartExecution", add)
        own.meta.events.register("before-send.stepfunctions.StartExecution", add)
        wait_for_end(sfn, own.start_execution(stateMachineArn=machine, name=name)["executionArn"])

    start("X-Amzn-Trace-Id", X_RAY.replace("Sampled=1", "Sampled=0"), "unsampled")
    start("traceparent", f"00-{TRACE}-{PARENT}-01", "w3c")
    spans = receiver.wait(2)
    assert {span["name"] for span in spans} == {"A", "m"} and len(spans) == 2
    assert {span["traceId"] for span in spans} == {TRACE} and one(spans, "m")["parentSpanId"] == PARENT


def test_spans_find_their_parents_over_a_crash(tmp_path, receiver):
    definition = {
        "StartAt": "Both",
        "States": {
            "Both": {
                "Type": "Parallel",
                "End": True,
                "Branches": [
                    {"StartAt": "Quick", "States": {"Quick": {"Type": "Pass", "End": True}}},
                    {"StartAt": "Slow", "States": {"Slow": {"Type": "Wait", "Seconds": 6, "End": True}}},
                ],
            }
        },
    }
    flags = ("--otlp-endpoint", receiver.endpoint)
    server = stepwell_server.Server(tmp_path, *flags)
    sfn = client(server.endpoint)
    arn = sfn.start_execution(stateMachineArn=create(sfn, "m", definition))["executionArn"]
    quick = one(receiver.wait(1), "Quick")
    server.kill()
    server = stepwell_server.Server(tmp_path, *flags)
    try:
        assert wait_for_end(client(server.endpoint), arn)["status"] == "SUCCEEDED"
        spans = receiver.wait(4)
        assert len(spans) == 4 and len({span["traceId"] for span in spans}) == 1
        both, slow = one(spans, "Both"), one(spans, "Slow")
        assert quick["parentSpanId"] == slow["parentSpanId"] == both["spanId"]
        assert both["parentSpanId"] == one(spans, "m")["spanId"]
        seconds = (int(slow["endTimeUnixNano"]) - int(slow["startTimeUnixNano"])) / 1e9
        assert seconds >= 6
    finally:
        assert server.stop() == 0


def test_logs_are_sent_with_their_trace_and_a_collector_may_be_late(tmp_path):
    receiver = Receiver(refusals=2)
    server = stepwell_server.Server(tmp_path, "--otlp-endpoint", receiver.endpoint, "--execution-logs", "none")
    try:
        sfn, logs = client(server.endpoint), client(server.endpoint, "logs")
        logs.create_log_group(logGroupName="g")
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g:*"
        configuration = {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]}
        definition = {"StartAt": "A", "States": {"A": {"Type": "Fail"}}}
        machine = create(sfn, "m", definition, loggingConfiguration=configuration)
        wait_for_end(sfn, sfn.start_execution(stateMachineArn=machine, traceHeader=X_RAY)["executionArn"])
    finally:
        # A stop in good order sends what is on its way.
        assert server.stop() == 0
        receiver.close()
    assert [attributes(record)["event.name"] for record in receiver.records] == [
        "ExecutionStarted",
        "FailStateEntered",
        "ExecutionFailed",
    ]
    assert [record["severityText"] for record in receiver.records] == ["INFO", "INFO", "ERROR"]
    assert {record["traceId"] for record in receiver.records} == {TRACE}
    assert {record["spanId"] for record in receiver.records} == {one(receiver.spans, "m")["spanId"]}
    assert json.loads(receiver.records[0]["body"]["stringValue"])["type"] == "ExecutionStarted"
    assert one(receiver.spans, "A")["status"]["code"] == 2


def test_a_collector_that_is_not_there_harms_nothing(tmp_path):
    server = stepwell_server.Server(tmp_path, "--otlp-endpoint", "http://127.0.0.1:9")
    try:
        sfn = client(server.endpoint)
        machine = create(sfn, "m", {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
        for _ in range(5):
            execution = sfn.start_execution(stateMachineArn=machine)
            assert wait_for_end(sfn, execution["executionArn"])["status"] == "SUCCEEDED"
    finally:
        assert server.stop() == 0
