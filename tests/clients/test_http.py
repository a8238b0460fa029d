"""HTTP tasks and connections through boto3, against servers of the test on this machine."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError

import stepwell_server
from conftest import client, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

TEST_SECONDS = 60


class Api:
    """A server that answers by path and keeps what it has seen."""

    def __init__(self):
        self.seen = []
        self.tokens = 0
        self.released = threading.Event()
        self.dropped = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                """Says nothing."""

            def answer(self, status, body, content_type="application/json", **headers):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                api.seen.append({"line": f"{self.command} {self.path}", "headers": dict(self.headers), "body": body})
                path = self.path.split("?")[0]
                if path == "/token":
                    api.tokens += 1
                    self.answer(200, json.dumps({"access_token": f"t{api.tokens}", "expires_in": 3600}).encode())
                elif path == "/guarded" and self.headers.get("Authorization") != "Bearer t2":
                    self.answer(401, b"")
                elif path == "/missing":
                    self.answer(404, b'{"why": "gone"}')
                elif path == "/moved":
                    self.answer(302, b"", Location="/echo")
                elif path == "/image":
                    self.answer(200, b"\x89PNG", "image/png")
                elif path == "/hangs":
                    self.connection.settimeout(TEST_SECONDS)
                    if self.connection.recv(1) == b"":
                        api.dropped.set()
                    self.close_connection = True
                else:
                    self.answer(200, json.dumps({"path": self.path, "body": body}).encode())

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def last(self):
        return self.seen[-1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def api():
    api = Api()
    yield api
    api.close()


@pytest.fixture(scope="module")
def http_server(tmp_path_factory):
    """A server whose HTTP tasks reach this machine."""
    server = stepwell_server.Server(tmp_path_factory.mktemp("http"), "--allow-network", "127.0.0.0/8")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def states(http_server):
    return client(http_server.endpoint)


@pytest.fixture(scope="module")
def events(http_server):
    return client(http_server.endpoint, "events")


def http_task(**parameters):
    return {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": parameters, "End": True}


def run(states, task, name, kind="STANDARD"):
    """Runs a machine of one state and returns its execution."""
    definition = json.dumps({"StartAt": "Call", "States": {"Call": task}})
    arn = states.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN, type=kind)["stateMachineArn"]
    if kind == "EXPRESS":
        return states.start_sync_execution(stateMachineArn=arn, input="{}")
    return wait_for_end(states, states.start_execution(stateMachineArn=arn, input="{}")["executionArn"])


def api_key(value="s3cret"):
    return {
        "ApiKeyAuthParameters": {"ApiKeyName": "X-Api-Key", "ApiKeyValue": value},
        "InvocationHttpParameters": {
            "QueryStringParameters": [{"Key": "q", "Value": "connection"}],
            "BodyParameters": [{"Key": "hidden", "Value": "s3cret-too", "IsValueSecret": True}],
        },
    }


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_task_calls_through_its_connection(states, events, api, name, kind):
    made = events.create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=api_key())
    assert made["ConnectionState"] == "AUTHORIZED"
    assert made["ConnectionArn"].startswith(f"arn:aws:events:{REGION}:{ACCOUNT}:connection/{name}/")
    task = http_task(
        ApiEndpoint=api.url("/echo"),
        Method="POST",
        InvocationConfig={"ConnectionArn": made["ConnectionArn"]},
        QueryParameters={"q": "task", "r": "1"},
        RequestBody={"own": 1},
    )
    ended = run(states, task, name, kind)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert output["StatusCode"] == 200 and output["StatusText"] == "OK"
    assert output["Headers"]["content-type"] == ["application/json"]
    assert output["ResponseBody"] == {"path": "/echo?r=1&q=connection", "body": '{"own":1,"hidden":"s3cret-too"}'}
    headers = {name.lower(): value for name, value in api.last()["headers"].items()}
    assert headers["x-api-key"] == "s3cret"
    assert headers["user-agent"] == f"Amazon|StepFunctions|HttpInvoke|{REGION}"
    assert headers["range"].startswith("bytes=0-")
    if kind == "STANDARD":
        history = states.get_execution_history(executionArn=ended["executionArn"])["events"]
        scheduled = [event for event in history if event["type"] == "TaskScheduled"]
        assert scheduled[0]["taskScheduledEventDetails"]["resourceType"] == "http"
        parameters = scheduled[0]["taskScheduledEventDetails"]["parameters"]
        assert "s3cret" not in parameters


def test_errors_can_be_caught_by_their_status(states, api, name):
    for path, error in (("/missing", "404"), ("/moved", "302")):
        ended = run(states, http_task(ApiEndpoint=api.url(path), Method="GET"), f"{name}-{error}")
        assert (ended["status"], ended["error"]) == ("FAILED", f"States.Http.StatusCode.{error}")
    task = http_task(ApiEndpoint=api.url("/missing"), Method="GET", InvocationConfig={"KeepErrorBody": True})
    caught = task | {"Catch": [{"ErrorEquals": ["States.Http.StatusCode.404"], "Next": "Caught"}]}
    del caught["End"]
    definition = json.dumps({"StartAt": "Call", "States": {"Call": caught | {"Next": "Caught"}, "Caught": {"Type": "Succeed"}}})
    arn = states.create_state_machine(name=f"{name}-c", definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
    ended = wait_for_end(states, states.start_execution(stateMachineArn=arn)["executionArn"])
    assert json.loads(json.loads(ended["output"])["Cause"])["ResponseBody"] == {"why": "gone"}
    ended = run(states, http_task(ApiEndpoint=api.url("/image"), Method="GET"), f"{name}-i")
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")


def test_a_token_is_fetched_and_fetched_again_when_it_is_refused(states, events, api, name):
    parameters = {
        "OAuthParameters": {
            "ClientParameters": {"ClientID": "me", "ClientSecret": "s3cret"},
            "AuthorizationEndpoint": api.url("/token"),
            "HttpMethod": "POST",
        }
    }
    made = events.create_connection(
        Name=name, AuthorizationType="OAUTH_CLIENT_CREDENTIALS", AuthParameters=parameters
    )
    task = http_task(
        ApiEndpoint=api.url("/guarded"), Method="GET", Authentication={"ConnectionArn": made["ConnectionArn"]}
    )
    ended = run(states, task, name)
    assert ended["status"] == "SUCCEEDED", ended
    assert api.tokens == 2
    asked = next(seen for seen in api.seen if seen["line"] == "POST /token")
    lower = {name.lower(): value for name, value in asked["headers"].items()}
    assert lower["authorization"] == "Basic " + base64.b64encode(b"me:s3cret").decode()
    assert asked["body"] == "grant_type=client_credentials"
    assert events.describe_connection(Name=name)["ConnectionState"] == "AUTHORIZED"


def test_stopping_an_execution_closes_the_connection(states, api, name):
    definition = json.dumps({"StartAt": "Call", "States": {"Call": http_task(ApiEndpoint=api.url("/hangs"), Method="GET")}})
    arn = states.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    for _ in range(TEST_SECONDS * 20):
        if api.seen:
            break
        threading.Event().wait(0.05)
    states.stop_execution(executionArn=execution)
    assert api.dropped.wait(TEST_SECONDS)


def test_a_tested_state_shows_what_was_sent(states, events, api, name):
    arn = events.create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=api_key())["ConnectionArn"]
    task = http_task(
        ApiEndpoint=api.url("/echo"), Method="POST", InvocationConfig={"ConnectionArn": arn}, RequestBody={"own": 1}
    )

    def test(**arguments):
        reply = states.test_state(definition=json.dumps(task), roleArn=ROLE_ARN, input="{}", **arguments)
        assert reply["status"] == "SUCCEEDED", reply
        return reply.get("inspectionData", {})

    fixed = f"User-Agent: Amazon|StepFunctions|HttpInvoke|{REGION}, Range: bytes=0-"
    traced = test(inspectionLevel="TRACE", revealSecrets=True)
    request = traced["request"]
    assert request["headers"].startswith(f"[X-Api-Key: s3cret, {fixed}")
    assert request["body"] == '{"own":1,"hidden":"s3cret-too"}'
    assert (request["protocol"], request["method"], request["url"]) == ("http", "POST", api.url("/echo?q=connection"))
    assert (traced["response"]["statusCode"], traced["response"]["statusMessage"]) == ("200", "OK")
    request = test(inspectionLevel="TRACE")["request"]
    assert "s3cret" not in json.dumps(request) and request["headers"].startswith(f"[{fixed}")
    assert "request" not in test(inspectionLevel="DEBUG")


def test_connections_are_managed_and_survive_a_restart(tmp_path, name):
    server = stepwell_server.Server(tmp_path)
    try:
        events = client(server.endpoint, "events")
        events.create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=api_key(), Description="d")
        with pytest.raises(ClientError) as refused:
            events.create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=api_key())
        assert refused.value.response["Error"]["Code"] == "ResourceAlreadyExistsException"
        assert [one["Name"] for one in events.list_connections()["Connections"]] == [name]
        before = events.describe_connection(Name=name)
    finally:
        assert server.stop() == 0
    server = stepwell_server.Server(tmp_path)
    try:
        events = client(server.endpoint, "events")
        found = events.describe_connection(Name=name)
        for reply in (before, found):
            reply.pop("ResponseMetadata")
        assert found == before and "s3cret" not in str(found)
        assert found["AuthParameters"]["ApiKeyAuthParameters"] == {"ApiKeyName": "X-Api-Key"}
        updated = events.update_connection(Name=name, AuthParameters={"ApiKeyAuthParameters": {"ApiKeyValue": "new"}})
        assert updated["ConnectionArn"] == found["ConnectionArn"]
        assert events.delete_connection(Name=name)["ConnectionState"] == "DELETING"
        with pytest.raises(ClientError) as missing:
            events.describe_connection(Name=name)
        assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"
        with pytest.raises(ClientError) as unknown:
            events.list_partner_event_sources(NamePrefix="x")
        assert unknown.value.response["Error"]["Code"] == "UnknownOperationException"
    finally:
        assert server.stop() == 0
    # Nothing secret lies in the files as it was sent.
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"s3cret" not in path.read_bytes(), path


def test_this_machine_is_out_of_reach_unless_the_operator_says_so(sfn, api, name):
    ended = run(sfn, http_task(ApiEndpoint=api.url("/echo"), Method="GET"), name)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Http.Socket")
    assert "--allow-network" in ended["cause"] and api.seen == []
