"""The description of Stepwell's own endpoints against the endpoints: every operation is called, every answer checked.

That every route is described is tested beside the code; here, that what is described is so.
"""

from __future__ import annotations

import http.client
import json
from urllib.parse import quote, urlsplit

import jsonschema
import openapi_spec_validator
import pytest
import referencing
import referencing.jsonschema
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import stepwell_server
from conftest import client
from stepwell_server import REGION, ROLE_ARN

DOCUMENT = "urn:openapi"
# Members that no answer below has: a store that has failed, an operation of Step Functions that is refused.
NOT_SEEN = {("Health", "reason"), ("Error", "reason")}
REQUEST_SECONDS = 120


class Api:
    """Calls operations by their names, and checks the answers against the description."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint, self._address = endpoint, urlsplit(endpoint)
        # Signs requests once it is set.
        self.key: Credentials | None = None
        status, _, text = self.send("GET", "/openapi.json")
        assert status == 200
        self.document = json.loads(text)
        resource = referencing.Resource(self.document, referencing.jsonschema.DRAFT202012)
        self._registry = referencing.Registry().with_resource(DOCUMENT, resource)
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }
        self.called: set[str] = set()
        self.statuses: set[tuple[str, int]] = set()
        self.members: set[tuple[str, str]] = set()

    def send(self, method: str, path: str, body: bytes | None = None, kind: str | None = None):
        """Returns status, headers and body."""
        connection = http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=REQUEST_SECONDS)
        try:
            request = AWSRequest(method=method, url=self._endpoint + path, data=body or b"")
            if kind:
                request.headers["content-type"] = kind
            if self.key:
                SigV4Auth(self.key, "stepwell", REGION).add_auth(request)
            connection.request(method, path, body=body, headers=dict(request.headers.items()))
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def call(self, name: str, status: int, /, body=None, query: str = "", **path):
        """Calls an operation, checks its answer, and returns it: a JSON value, or bytes."""
        method, template, operation = self.operations[name]
        kind = None
        if body is not None:
            kind = next(iter(operation["requestBody"]["content"]))
            # What is sent to be refused may break the description.
            if kind == "application/json" and status < 400:
                self.check(operation["requestBody"]["content"][kind]["schema"], body, name)
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = template.format(**{part: quote(value, safe="") for part, value in path.items()}) + query
        got, headers, text = self.send(method, address, body, kind)
        assert got == status, (name, got, text)
        self.called.add(name)
        self.statuses.add((name, got))
        described = operation["responses"].get(str(got))
        assert described, f"{name} is not described to answer {got}"
        described = self.resolved(described)
        if "content" not in described:
            assert text == b"", (name, text)
            return None
        kind = headers["content-type"].partition(";")[0]
        schema = described["content"][kind]["schema"]
        if kind != "application/json":
            return text
        value = json.loads(text)
        self.check(schema, value, name)
        self.note(schema, value)
        return value

    def check(self, schema: dict, value, name: str) -> None:
        absolute = json.loads(json.dumps(schema).replace('"#/', f'"{DOCUMENT}#/'))
        checker = jsonschema.FormatChecker()
        validator = jsonschema.Draft202012Validator(absolute, registry=self._registry, format_checker=checker)
        broken = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not broken, (name, broken)

    def resolved(self, described: dict) -> dict:
        if "$ref" not in described:
            return described
        found = self.document
        for part in described["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found

    def note(self, schema: dict, value) -> None:
        """Notes which members of named schemas an answer has."""
        reference = schema.get("$ref")
        schema = self.resolved(schema)
        if isinstance(value, list) and "items" in schema:
            for item in value:
                self.note(schema["items"], item)
        if isinstance(value, dict):
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    if reference:
                        self.members.add((reference.rpartition("/")[2], name))
                    self.note(inner, value[name])


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    server = stepwell_server.Server(tmp_path_factory.mktemp("openapi"), "--virtual-clock", "manual")
    api = Api(server.endpoint)
    api.sfn, api.lam = (client(server.endpoint, service) for service in ("stepfunctions", "lambda"))
    yield api
    assert server.stop() == 0


def test_the_description_is_valid_openapi(api):
    openapi_spec_validator.validate(api.document)


def test_only_the_methods_that_are_described_are_answered(api):
    for path, methods in api.document["paths"].items():
        # Whoever uses a method that is not there is told which are.
        status, headers, _ = api.send("BREW", path)
        assert status == 405, path
        offered = set(headers["allow"].split(",")) - {"HEAD"}
        assert offered == {method.upper() for method in methods}, path


def test_every_operation_answers_as_described(api):
    modules(api)
    versions_and_aliases(api)
    secrets(api)
    executions(api)
    expressions(api)
    clock(api)
    api.call("GetHealth", 200)
    api.call("GetDescription", 200)
    assert b"# TYPE " in api.call("GetMetrics", 200)
    assert api.call("ExportStore", 200).startswith(b"stepwell")
    # Last: from the first key on, everything has to be signed.
    keys(api)
    assert set(api.operations) == api.called
    described = {
        (name, member)
        for name, schema in api.document["components"]["schemas"].items()
        for member in schema.get("properties", {})
    }
    assert described - api.members == NOT_SEEN


def modules(api):
    wasm = stepwell_server.stub({"behaviour": "return_const", "value": 1})
    api.call("ListModules", 200)
    api.call("PutModule", 400, body=b"no module", name="m")
    api.call("PutModule", 400, body=wasm, name="m", query="?publish=maybe")
    api.call("PutModule", 201, body=wasm, name="m", query="?publish=true")
    api.call("PutModule", 200, body=stepwell_server.guest("stub"), name="m")
    api.call("GetModule", 200, name="m", query="?qualifier=1")
    api.call("GetModule", 404, name="missing")
    api.call("GetModuleCode", 200, name="m")
    api.call("GetModuleCode", 404, name="missing")
    manifest = api.call("GetManifest", 200, name="m")
    # What it asks for is not there: a warning.
    api.call("PutManifest", 200, body=manifest | {"secrets": {"KEY": "missing"}}, name="m")
    api.lam.update_function_configuration(FunctionName="m", Description="described")
    api.call("PutManifest", 200, body=manifest, name="m")
    api.call("PutManifest", 400, body=[], name="m")
    api.call("PutManifest", 404, body=manifest, name="missing")
    assert [module["name"] for module in api.call("ListModules", 200)["modules"]] == ["m"]


def versions_and_aliases(api):
    api.call("PublishModuleVersion", 201, body={"description": "the second"}, name="m")
    api.call("PublishModuleVersion", 200, name="m")
    api.call("PublishModuleVersion", 409, body={"sha256": "0" * 64}, name="m")
    api.call("PublishModuleVersion", 404, name="missing")
    api.call("ListModuleVersions", 200, name="m")
    api.call("PutModuleAlias", 201, body={"version": "1", "weights": {"2": 0.5}}, name="m", alias="live")
    api.call("PutModuleAlias", 200, body={"version": 2}, name="m", alias="live")
    api.call("PutModuleAlias", 400, body={"version": True}, name="m", alias="live")
    api.call("GetModuleAlias", 200, name="m", alias="live")
    api.call("GetModuleAlias", 404, name="m", alias="missing")
    api.call("ListModuleAliases", 200, name="m")
    api.call("DeleteModuleVersion", 409, name="m", number="2")
    api.call("DeleteModuleAlias", 204, name="m", alias="live")
    api.call("DeleteModuleVersion", 204, name="m", number="1")
    api.call("DeleteModule", 204, name="m")
    api.call("DeleteModule", 404, name="m")


def secrets(api):
    api.call("PutSecret", 201, body=b"value", name="s")
    api.call("PutSecret", 200, body=b"another", name="s")
    api.call("PutSecret", 400, body=b"", name="s")
    api.call("ListSecrets", 200)
    api.call("DeleteSecret", 204, name="s")
    api.call("DeleteSecret", 404, name="s")


def executions(api):
    resource = "arn:aws:lambda:us-east-1:123456789012:function:logging"
    failing = {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "Custom", "Cause": "because"}}}
    api.call("PutModule", 201, body=stepwell_server.stub({"behaviour": "log_and_heartbeat"}), name="logging")
    task = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": resource, "End": True}}}
    for name, definition, status in (("bad", failing, "FAILED"), ("good", task, "SUCCEEDED")):
        definition = json.dumps(definition)
        machine = api.sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN)
        arn = api.sfn.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
        assert api.call("WaitForExecution", 200, arn=arn, query="?timeout=60")["status"] == status
        lines = api.call("GetExecutionLog", 200, arn=arn)["lines"]
    assert lines
    missing = f"{arn}-missing"
    api.call("WaitForExecution", 400, arn=arn, query="?timeout=soon")
    api.call("WaitForExecution", 404, arn=missing)
    api.call("GetExecutionLog", 404, arn=missing)
    api.call("GetExecutionLog", 400, arn="no-arn")


def expressions(api):
    reading = {"expression": "$states.input.a + $x", "states": {"input": {"a": 1}}, "variables": {"x": 2}}
    assert api.call("EvaluateExpression", 200, body=reading | {"evaluate": True})["value"] == 3
    api.call("EvaluateExpression", 200, body={"expression": "$states.input.b", "states": {"input": {}}, "evaluate": True})
    api.call("EvaluateExpression", 200, body={"expression": "1 + ("})
    api.call("EvaluateExpression", 200, body={"expression": "a", "evaluate": True})
    api.call("EvaluateExpression", 400, body={"expression": 1})


def clock(api):
    api.call("GetClock", 200)
    api.call("AdvanceClock", 200, body={"seconds": 1.5})
    api.call("AdvanceClock", 409, body={"next": True})
    api.call("AdvanceClock", 400, body={"seconds": "1"})


def keys(api):
    api.call("ListAccessKeys", 200)
    api.call("CreateAccessKey", 400, body={"policies": []})
    made = api.call("CreateAccessKey", 201, body={"policies": ["admin"]})
    api.key = Credentials(made["accessKeyId"], made["secretAccessKey"])
    wish = {"policies": ["read", "run"], "description": "second", "expiresInSeconds": 60, "account": "222222222222"}
    second = api.call("CreateAccessKey", 201, body=wish)
    assert len(api.call("ListAccessKeys", 200)["accessKeys"]) == 2
    api.call("RevokeAccessKey", 200, id=second["accessKeyId"])
    api.call("RevokeAccessKey", 404, id="missing")
    assert set(api.call("GetHealth", 200)) == {"status"}
    api.key = None
    status, _, _ = api.send("GET", "/openapi.json")
    assert status == 403
