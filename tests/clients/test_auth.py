"""Who is let in, and what they may do: signatures, access keys, policies, accounts, TLS.

Requests are signed by boto3, or by botocore's own signer and then changed on their way. What each policy may do is written
down here once more, from botocore's models, so that the server's table cannot be wrong unnoticed.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
from urllib.parse import quote, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

import stepwell_server
from conftest import wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

OTHER_ACCOUNT = "222222222222"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
WAIT_SECONDS = 30


def task(account):
    """A definition that calls the module `who`."""
    resource = f"arn:aws:lambda:{REGION}:{account}:function:who"
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": resource, "End": True}}})


def cli(*arguments, key=None, **environment):
    """Runs `stepwell`; what it printed as JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STEPWELL_"))}
    if key:
        kept |= {"AWS_ACCESS_KEY_ID": key["accessKeyId"], "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"]}
    command = [str(stepwell_server.binary()), *arguments, "--json"]
    ran = subprocess.run(command, env=kept | environment, capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        raise AssertionError(f"exit code {ran.returncode}: {ran.stderr}")
    return json.loads(ran.stdout) if ran.stdout.strip() else None


def client(endpoint, key, service="stepfunctions", region=REGION, **options):
    """An unmodified boto3 client with an access key."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key["accessKeyId"],
        aws_secret_access_key=key["secretAccessKey"],
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}),
        **options,
    )


class Reply:
    """An answer: its status, its error code and its body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        try:
            members = json.loads(body) if body else {}
        except ValueError:
            members = {}
        self.json = members
        named = members.get("__type", "") if isinstance(members, dict) else ""
        self.code = (headers.get("x-amzn-errortype") or named).rsplit("#")[-1]
        self.message = (members.get("message") or members.get("Message", "")) if isinstance(members, dict) else ""


def signed(endpoint, key, method, path, body=b"", service="stepwell", region=REGION, **headers):
    """A request as botocore signs it: its headers by name."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method=method, url=endpoint + path, data=body, headers=headers)
    credentials = Credentials(key["accessKeyId"], key["secretAccessKey"])
    botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    return dict(request.headers.items())


def send(endpoint, method, path, headers, body=b""):
    """Sends a request as it is."""
    parts = urlsplit(endpoint)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def ask(endpoint, key, method, path, body=b"", **options):
    """Signs a request and sends it."""
    return send(endpoint, method, path, signed(endpoint, key, method, path, body, **options), body)


def states(endpoint, key, operation, body=b"{}", **options):
    """Calls an operation of Step Functions with a body as it is."""
    target = f"AWSStepFunctions.{operation}"
    return ask(endpoint, key, "POST", "/", body, service="states", X_Amz_Target=target, **options)


class Guarded:
    """A server with access keys."""

    def __init__(self, directory, *flags):
        store = f"sled:{directory / 'data'}"
        self.keys = {"admin": cli("key", "create", "--policy", "admin", "--store", store)}
        for policy in ("read", "run", "deploy"):
            self.keys[policy] = cli("key", "create", "--policy", policy, "--store", store)
        self.keys["other"] = cli("key", "create", "--policy", "admin", "--account", OTHER_ACCOUNT, "--store", store)
        self.server = stepwell_server.Server(directory, "--log-filter", "trace", *flags)
        self.endpoint = self.server.endpoint


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with a key for each policy and one for another account."""
    guarded = Guarded(tmp_path_factory.mktemp("guarded"))
    yield guarded
    assert guarded.server.stop() == 0
    print(guarded.server.output())


def returning(value):
    """A module that returns a value."""
    return stepwell_server.stub({"behaviour": "return_const", "value": value})


def test_boto3_and_the_command_line_work_with_a_key(guarded, name):
    admin = guarded.keys["admin"]
    sfn, functions = client(guarded.endpoint, admin), client(guarded.endpoint, admin, "lambda")
    created = functions.create_function(
        FunctionName=name, Role=ROLE_ARN, Runtime="provided.al2023", Handler="h", Code={"ZipFile": returning(7)}
    )
    # The ARN in the path is encoded twice where it is signed.
    functions.tag_resource(Resource=created["FunctionArn"], Tags={"a b": "c/d"})
    assert functions.list_tags(Resource=created["FunctionArn"])["Tags"] == {"a b": "c/d"}
    assert functions.get_function(FunctionName=name, Qualifier="$LATEST")["Tags"] == {"a b": "c/d"}
    assert json.load(functions.invoke(FunctionName=name)["Payload"]) == 7
    machine = sfn.create_state_machine(name=name, definition=PASS, roleArn=ROLE_ARN)["stateMachineArn"]
    started = sfn.start_execution(stateMachineArn=machine, input='{"text": "\u00e4 \u4e16"}')
    assert wait_for_end(sfn, started["executionArn"])["status"] == "SUCCEEDED"
    listed = cli("--endpoint", guarded.endpoint, "machine", "list", key=admin)
    assert name in json.dumps(listed)
    assert name in json.dumps(cli("--endpoint", guarded.endpoint, "module", "list", key=admin))
    with pytest.raises(AssertionError, match="exit code 3: .*MissingAuthenticationToken"):
        cli("--endpoint", guarded.endpoint, "machine", "list")


def test_the_address_of_code_is_signed(guarded, name):
    functions = client(guarded.endpoint, guarded.keys["deploy"], "lambda")
    code = returning(1)
    functions.create_function(
        FunctionName=name, Role=ROLE_ARN, Runtime="provided.al2023", Handler="h", Code={"ZipFile": code}
    )
    location = functions.get_function(FunctionName=name)["Code"]["Location"].removeprefix(guarded.endpoint)
    assert send(guarded.endpoint, "GET", location, {}).body == code
    for changed in (location.replace(name, "who"), location.replace("Expires=600", "Expires=900")):
        assert send(guarded.endpoint, "GET", changed, {}).code == "InvalidSignatureException"
    # It opens nothing else, and nothing is opened by a GET that was signed for another method.
    assert send(guarded.endpoint, "DELETE", location, {}).code == "IncompleteSignatureException"


def test_who_is_not_known_is_refused(guarded):
    endpoint, key = guarded.endpoint, guarded.keys["admin"]
    target = {"X-Amz-Target": "AWSStepFunctions.ListStateMachines"}
    unsigned = send(endpoint, "POST", "/", target, b"{}")
    assert (unsigned.status, unsigned.code) == (400, "MissingAuthenticationTokenException")
    assert unsigned.message == "Missing Authentication Token"
    unknown = states(endpoint, {"accessKeyId": "AKIAAAAAAAAAAAAAAAAA", "secretAccessKey": "x"}, "ListStateMachines")
    assert (unknown.status, unknown.code) == (400, "UnrecognizedClientException")
    assert unknown.message == "The security token included in the request is invalid."
    wrong = states(endpoint, key | {"secretAccessKey": "x"}, "ListStateMachines")
    assert (wrong.status, wrong.code) == (400, "InvalidSignatureException")
    for path in ("/modules", "/2015-03-31/functions", "/api/keys", "/nothing/here"):
        assert send(endpoint, "GET", path, {}).status == 403
        assert send(endpoint, "GET", path, {}).code == "MissingAuthenticationTokenException"
    assert send(endpoint, "GET", "/healthz", {}).json == {"status": "ok"}
    for token in ({"X_Amz_Security_Token": "t"},):
        assert states(endpoint, key, "ListStateMachines", **token).code == "UnrecognizedClientException"
    boto = client(endpoint, key | {"secretAccessKey": "wrong"})
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        boto.list_state_machines()
    anonymous = client(endpoint, key)
    anonymous.meta.events.register("choose-signer.*.*", lambda **_: botocore.UNSIGNED)
    with pytest.raises(ClientError, match="MissingAuthenticationTokenException"):
        anonymous.list_state_machines()


def test_what_was_signed_for_something_else_is_refused(guarded):
    endpoint, key = guarded.endpoint, guarded.keys["admin"]
    name = "AWSStepFunctions.ListStateMachines"
    headers = signed(endpoint, key, "POST", "/", b"{}", service="states", X_Amz_Target=name)
    assert send(endpoint, "POST", "/", headers, b"{}").status == 200

    def refused(headers, body=b"{}", method="POST", path="/"):
        reply = send(endpoint, method, path, headers, body)
        assert reply.code == "InvalidSignatureException", reply.body
        return reply.message

    refused(headers, b'{"maxResults": 1}')
    refused(headers | {"X-Amz-Target": "AWSStepFunctions.StartExecution"})
    refused(headers, path="/?a=b")
    refused(headers, path="/modules", method="GET")
    refused(headers | {"Host": "example.org"})
    date = headers["X-Amz-Date"]
    refused(headers | {"X-Amz-Date": f"{date[:-2]}{(int(date[-2]) + 1) % 10}Z"})
    # A header that decides something and is not signed.
    message = refused(headers | {"X-Amz-Invocation-Type": "Event"})
    assert "x-amz-invocation-type" in message
    # Other scopes.
    assert "valid region" in states(endpoint, key, "ListStateMachines", region="eu-west-1").message
    other_service = ask(endpoint, key, "POST", "/", b"{}", service="lambda", X_Amz_Target=name)
    assert "correct service" in other_service.message
    # A payload that is said not to be signed, and one that is not what it is said to be.
    unsigned = states(endpoint, key, "ListStateMachines", X_Amz_Content_SHA256="UNSIGNED-PAYLOAD")
    assert unsigned.code == "InvalidSignatureException"
    told = states(endpoint, key, "ListStateMachines", X_Amz_Content_SHA256="0" * 64)
    assert told.code == "InvalidSignatureException"


def test_large_bodies_are_verified_as_a_whole(guarded):
    """Over two MiB, once with the digest in a header and once without; botocore sends none."""
    key = guarded.keys["deploy"]
    body = bytes(3 << 20)
    for told in ({}, {"X_Amz_Content_SHA256": hashlib.sha256(body).hexdigest()}):
        headers = signed(guarded.endpoint, key, "PUT", "/modules/large", body, **told)
        accepted = send(guarded.endpoint, "PUT", "/modules/large", headers, body)
        assert (accepted.status, accepted.code) == (400, "InvalidModule"), accepted.body
        refused = send(guarded.endpoint, "PUT", "/modules/large", headers, body[:-1] + b"x")
        assert (refused.status, refused.code) == (403, "InvalidSignatureException"), refused.body
    # Who is not let in gets an answer, too, and no broken connection.
    unsigned = send(guarded.endpoint, "PUT", "/modules/large", {}, bytes(1 << 20))
    assert unsigned.code == "MissingAuthenticationTokenException"


def test_a_signature_is_too_old_after_five_minutes(guarded, monkeypatch):
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    for seconds, code in ((-240, ""), (240, ""), (-360, "InvalidSignatureException"), (360, "InvalidSignatureException")):
        moment = now + datetime.timedelta(seconds=seconds)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, moment=moment: moment)
        reply = states(guarded.endpoint, guarded.keys["read"], "ListStateMachines")
        assert reply.code == code, (seconds, reply.body)
        if seconds == -360:
            assert reply.message.startswith("Signature expired: ")


def test_the_same_request_twice_in_a_second_is_no_replay(guarded, name, monkeypatch):
    """Why signatures are not remembered: a retry, and a second start, can be the same request to the last bit."""
    moment = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: moment)
    sfn = client(guarded.endpoint, guarded.keys["admin"])
    seen = []
    sfn.meta.events.register("before-send.*.*", lambda request, **_: seen.append(request.headers["Authorization"]))
    machine = sfn.create_state_machine(name=name, definition=PASS, roleArn=ROLE_ARN)["stateMachineArn"]
    arns = {sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2)}
    assert len(arns) == 2
    assert seen[1] == seen[2] != seen[0]


# What may be done with each policy, told from the names of operations and not from the server's table.
RUNS = {
    "GetActivityTask", "RedriveExecution", "SendTaskFailure", "SendTaskHeartbeat", "SendTaskSuccess",
    "StartExecution", "StartSyncExecution", "StopExecution", "UpdateMapRun", "Invoke",
}
READS = re.compile("Describe|Get|List|Validate")


def allowed(operation):
    """The policies that may call an operation."""
    if operation in RUNS:
        return {"run", "admin"}
    if operation == "TestState":
        return {"admin"}
    return {"read", "run", "deploy", "admin"} if READS.match(operation) else {"deploy", "admin"}


@pytest.mark.parametrize("policy", ["read", "run", "deploy", "admin"])
def test_each_policy_allows_its_operations_of_step_functions(guarded, policy):
    operations = boto3.client("stepfunctions", region_name=REGION, endpoint_url="http://127.0.0.1").meta
    operations = operations.service_model.operation_names
    assert len(operations) == 37
    for operation in operations:
        reply = states(guarded.endpoint, guarded.keys[policy], operation)
        denied = reply.code == "AccessDeniedException"
        assert denied == (policy not in allowed(operation)), (policy, operation, reply.body)
        if denied:
            action = f"states:{operation}"
            assert reply.status == 400
            assert f"is not authorized to perform: {action} on resource" in reply.message
            assert reply.message.endswith(f"because no identity-based policy allows the {action} action")


@pytest.mark.parametrize("policy", ["read", "run", "deploy", "admin"])
def test_each_policy_allows_its_operations_of_lambda(guarded, policy):
    model = boto3.client("lambda", region_name=REGION, endpoint_url="http://127.0.0.1").meta.service_model
    offered = set()
    for operation in model.operation_names:
        told = model.operation_model(operation).http
        path = re.sub(r"\{[^}]+\}", "nothing", told["requestUri"].split("?")[0]).rstrip("/")
        method = told["method"]
        reply = ask(guarded.endpoint, guarded.keys[policy], method, path, b"", service="lambda")
        denied = reply.code == "AccessDeniedException"
        not_offered = reply.code == "UnknownOperationException"
        if not (denied or not_offered):
            offered.add(operation)
        if not_offered or (denied and policy == "admin"):
            assert policy == "admin", (operation, reply.body)
            continue
        if denied and policy in allowed(operation):
            # Nobody but an admin is told that it is not offered.
            reply = ask(guarded.endpoint, guarded.keys["admin"], method, path, b"", service="lambda")
            assert reply.code == "UnknownOperationException", (policy, operation, reply.body)
        elif not denied:
            assert policy in allowed(operation), (policy, operation, reply.body)
        else:
            assert reply.status == 403
    # Those that are offered, and ListProvisionedConcurrencyConfigs, which has the address of another one.
    assert len(offered) == {"admin": 33, "read": 18, "run": 19, "deploy": 32}[policy], offered


OWN = [
    ("GET", "/modules", "read"),
    ("GET", "/modules/nothing", "read"),
    ("PUT", "/modules/nothing", "deploy"),
    ("DELETE", "/modules/nothing", "deploy"),
    ("GET", "/modules/nothing/code", "read"),
    ("GET", "/modules/nothing/manifest", "read"),
    ("PUT", "/modules/nothing/manifest", "deploy"),
    ("GET", "/modules/nothing/versions", "read"),
    ("POST", "/modules/nothing/versions", "deploy"),
    ("DELETE", "/modules/nothing/versions/1", "deploy"),
    ("GET", "/modules/nothing/aliases", "read"),
    ("GET", "/modules/nothing/aliases/live", "read"),
    ("PUT", "/modules/nothing/aliases/live", "deploy"),
    ("DELETE", "/modules/nothing/aliases/live", "deploy"),
    ("GET", "/secrets", "read"),
    ("PUT", "/secrets/nothing", "deploy"),
    ("DELETE", "/secrets/nothing", "deploy"),
    ("GET", f"/executions/arn:aws:states:{REGION}:{ACCOUNT}:execution:m:nothing/log", "read"),
    ("GET", f"/api/executions/arn:aws:states:{REGION}:{ACCOUNT}:execution:m:nothing/wait", "read"),
    ("POST", "/jsonata", "read"),
    ("GET", "/api/clock", "read"),
    ("GET", "/openapi.json", "read"),
    ("POST", "/api/clock/advance", "admin"),
    ("GET", "/api/store/export", "admin"),
    ("GET", "/api/keys", "admin"),
    ("POST", "/api/keys", "admin"),
    ("DELETE", "/api/keys/nothing", "admin"),
    ("PATCH", "/modules", "admin"),
    ("GET", "/nothing/here", "admin"),
]


@pytest.mark.parametrize("policy", ["read", "run", "deploy", "admin"])
def test_each_policy_allows_its_own_endpoints(guarded, policy):
    may = {"read": {"read"}, "run": {"read", "run"}, "deploy": {"read", "deploy"}, "admin": {"read", "deploy", "admin"}}
    for method, path, needed in OWN:
        reply = ask(guarded.endpoint, guarded.keys[policy], method, quote(path, safe="/"))
        denied = (reply.status, reply.code) == (403, "AccessDeniedException")
        assert denied == (needed not in may[policy]), (policy, method, path, reply.body)


def test_accounts_do_not_see_each_other(guarded, name):
    ours, theirs = guarded.keys["admin"], guarded.keys["other"]
    mine, yours = client(guarded.endpoint, ours), client(guarded.endpoint, theirs)
    arns = {}
    for key, sfn, account in ((ours, mine, ACCOUNT), (theirs, yours, OTHER_ACCOUNT)):
        functions = client(guarded.endpoint, key, "lambda")
        created = functions.create_function(
            FunctionName="who", Role=ROLE_ARN, Runtime="provided.al2023", Handler="h",
            Code={"ZipFile": returning(account)},
        )
        assert created["FunctionArn"] == f"arn:aws:lambda:{REGION}:{account}:function:who"
        assert json.load(functions.invoke(FunctionName="who")["Payload"]) == account
        machine = sfn.create_state_machine(name=name, definition=task(account), roleArn=ROLE_ARN)["stateMachineArn"]
        assert machine == f"arn:aws:states:{REGION}:{account}:stateMachine:{name}"
        execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
        ended = wait_for_end(sfn, execution)
        assert json.loads(ended["output"]) == account, ended
        listed = [item["stateMachineArn"] for item in sfn.list_state_machines()["stateMachines"]]
        assert machine in listed and all(f":{account}:" in arn for arn in listed)
        paged = sfn.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 1})
        assert [item["stateMachineArn"] for page in paged for item in page["stateMachines"]] == listed
        arns[account] = machine, execution
    assert [one["FunctionName"] for one in client(guarded.endpoint, theirs, "lambda").list_functions()["Functions"]] == [
        "who"
    ]
    machine, execution = arns[ACCOUNT]
    for call, arguments in (
        (yours.describe_state_machine, {"stateMachineArn": machine}),
        (yours.update_state_machine, {"stateMachineArn": machine, "definition": PASS}),
        (yours.delete_state_machine, {"stateMachineArn": machine}),
        (yours.start_execution, {"stateMachineArn": machine}),
        (yours.list_executions, {"stateMachineArn": machine}),
        (yours.describe_execution, {"executionArn": execution}),
        (yours.describe_state_machine_for_execution, {"executionArn": execution}),
        (yours.get_execution_history, {"executionArn": execution}),
        (yours.stop_execution, {"executionArn": execution}),
    ):
        with pytest.raises(ClientError, match="AccessDeniedException.*no resource-based policy allows the states:"):
            call(**arguments)
    for path in (f"/executions/{execution}/log", f"/api/executions/{execution}/wait"):
        assert ask(guarded.endpoint, theirs, "GET", quote(path, safe="/")).code == "AccessDeniedException"
    functions = client(guarded.endpoint, theirs, "lambda")
    for function in (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:who", f"{ACCOUNT}:function:who"):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            functions.get_function(FunctionName=function)
    # Not by the names that are stored either, and nothing of the whole server.
    for path in (f"/modules/{ACCOUNT}:who", f"/modules/{ACCOUNT}%3Awho"):
        assert ask(guarded.endpoint, theirs, "GET", path).status == 404
    assert ask(guarded.endpoint, ours, "GET", f"/modules/{OTHER_ACCOUNT}:who").status == 404
    for method, path in (("GET", "/api/store/export"), ("POST", "/api/clock/advance")):
        assert ask(guarded.endpoint, theirs, method, path).code == "AccessDeniedException"
    # Secrets and keys.
    assert ask(guarded.endpoint, theirs, "PUT", "/secrets/theirs", b"v").status == 201
    assert ask(guarded.endpoint, ours, "PUT", "/secrets/ours", b"v").status == 201
    for key, names in ((theirs, ["theirs"]), (ours, ["ours"])):
        assert [one["name"] for one in ask(guarded.endpoint, key, "GET", "/secrets").json["secrets"]] == names
    assert ask(guarded.endpoint, theirs, "DELETE", "/secrets/ours").status == 404
    keys = ask(guarded.endpoint, theirs, "GET", "/api/keys").json["accessKeys"]
    assert {one["account"] for one in keys} == {OTHER_ACCOUNT}
    wish = json.dumps({"policies": ["admin"], "account": ACCOUNT}).encode()
    assert ask(guarded.endpoint, theirs, "POST", "/api/keys", wish).code == "AccessDeniedException"
    assert ask(guarded.endpoint, theirs, "DELETE", f"/api/keys/{ours['accessKeyId']}").status == 404
    # Deleting theirs leaves ours.
    functions.delete_function(FunctionName="who")
    assert client(guarded.endpoint, ours, "lambda").get_function(FunctionName="who")


def test_forged_page_tokens_lead_nowhere_else(guarded, name):
    """A token holds its position: one that is made up leads to the caller's own things at most."""
    ours, theirs = guarded.keys["admin"], guarded.keys["other"]
    for number in range(2):
        sfn = client(guarded.endpoint, ours)
        sfn.create_state_machine(name=f"{name}-{number}", definition=PASS, roleArn=ROLE_ARN)
    token = json.loads(states(guarded.endpoint, ours, "ListStateMachines", b'{"maxResults": 1}').body)["nextToken"]
    page = states(guarded.endpoint, theirs, "ListStateMachines", json.dumps({"nextToken": token}).encode())
    assert ACCOUNT not in page.body.decode()
    # The checksum is no secret: made for the position before everything.
    when = int(time.time() * 1_000).to_bytes(8, "big")
    for position in (b"arn:aws:states:", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:".encode()):
        scope = b"ListStateMachines"
        digest = hashlib.sha256(len(scope).to_bytes(8, "big") + scope + when + position).digest()[:12]
        forged = base64.urlsafe_b64encode(b"\x01" + digest + when + position).decode().rstrip("=")
        page = states(guarded.endpoint, theirs, "ListStateMachines", json.dumps({"nextToken": forged}).encode())
        assert page.code in ("", "InvalidToken") and ACCOUNT not in page.body.decode(), page.body
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    refused = states(guarded.endpoint, ours, "ListStateMachines", json.dumps({"nextToken": changed}).encode())
    assert refused.code == "InvalidToken"


def test_path_tricks_in_names_of_modules_are_refused(guarded):
    code = returning(1)
    for trick in ("..%2F..%2Fetc", "%2e%2e", "a%2Fb", "a%00b", "a%5Cb", f"{OTHER_ACCOUNT}:x", f"{OTHER_ACCOUNT}%3Ax",
                  "%24LATEST", "a%0Ab", "x" * 65, "\u00fc".encode().hex("%").join(("%", ""))):
        for key in ("admin", "other"):
            put = ask(guarded.endpoint, guarded.keys[key], "PUT", f"/modules/{trick}", code)
            assert put.status in (400, 404) and put.code != "InvalidSignatureException", (trick, put.body)
            for method, path in (("GET", f"/modules/{trick}"), ("GET", f"/modules/{trick}/code"), ("DELETE", f"/modules/{trick}")):
                assert ask(guarded.endpoint, guarded.keys[key], method, path).status == 404, (trick, method)
            put = ask(guarded.endpoint, guarded.keys[key], "PUT", f"/secrets/{trick}", b"v")
            assert put.status in (400, 404), (trick, put.body)


def test_a_key_that_is_revoked_or_expired_lets_nobody_in(guarded):
    admin = guarded.keys["admin"]

    def make(*flags):
        return cli("--endpoint", guarded.endpoint, "key", "create", "--policy", "read", *flags, key=admin)

    key = make("--description", "for a while")
    assert re.fullmatch("AKIA[A-Z2-7]{16}", key["accessKeyId"]) and len(key["secretAccessKey"]) == 40
    assert states(guarded.endpoint, key, "ListStateMachines").status == 200
    listed = cli("--endpoint", guarded.endpoint, "key", "list", key=admin)["accessKeys"]
    shown = next(one for one in listed if one["accessKeyId"] == key["accessKeyId"])
    assert shown["description"] == "for a while" and shown["lastUsedAt"] and "secretAccessKey" not in shown
    cli("--endpoint", guarded.endpoint, "key", "revoke", key["accessKeyId"], key=admin)
    assert states(guarded.endpoint, key, "ListStateMachines").code == "UnrecognizedClientException"
    expiring = make("--expires", "2s")
    deadline = time.monotonic() + WAIT_SECONDS
    while (reply := states(guarded.endpoint, expiring, "ListStateMachines")).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert reply.code == "ExpiredTokenException"


def test_requests_of_a_key_are_counted(tmp_path):
    guarded = Guarded(tmp_path, "--rate-limit", "1/m:3")
    try:
        read, run = guarded.keys["read"], guarded.keys["run"]
        for _ in range(5):
            # What is not signed right takes nothing from anybody.
            states(guarded.endpoint, read | {"secretAccessKey": "x"}, "ListStateMachines")
        assert [states(guarded.endpoint, read, "ListStateMachines").code for _ in range(3)] == [""] * 3
        refused = states(guarded.endpoint, read, "ListStateMachines")
        assert (refused.status, refused.code) == (400, "ThrottlingException")
        assert 0 < int(refused.headers["x-amz-retry-after"]) <= 60_001
        assert states(guarded.endpoint, run, "ListStateMachines").status == 200
        functions = ask(guarded.endpoint, read, "GET", "/2015-03-31/functions", service="lambda")
        assert (functions.status, functions.code) == (429, "TooManyRequestsException")
    finally:
        assert guarded.server.stop() == 0


def test_other_addresses_need_keys_or_the_word(tmp_path):
    store = f"sled:{tmp_path / 'data'}"

    def serve(*flags):
        command = [str(stepwell_server.binary()), "serve", "--listen", "0.0.0.0:0", "--store", store, *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    ran = serve()
    assert ran.returncode == 1 and "there is no access key yet" in ran.stderr, ran
    assert f"stepwell key create --policy admin --store {store}" in ran.stderr
    with pytest.raises(AssertionError, match="the first access key needs the policy admin"):
        cli("key", "create", "--policy", "read", "--store", store)
    cli("key", "create", "--policy", "admin", "--store", store)
    ran = serve("--auth", "off")
    assert ran.returncode == 1 and "--allow-unauthenticated" in ran.stderr, ran


def test_a_server_without_keys_answers_this_machine_until_it_has_one(tmp_path):
    server = stepwell_server.Server(tmp_path)
    try:
        endpoint = server.endpoint
        assert send(endpoint, "GET", "/modules", {}).status == 200
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            reply = send(endpoint, "GET", "/modules", headers)
            assert (reply.status, reply.code) == (403, "AccessDeniedException"), headers
        with pytest.raises(AssertionError, match="the first access key needs the policy admin"):
            cli("--endpoint", endpoint, "key", "create", "--policy", "run")
        admin = cli("--endpoint", endpoint, "key", "create", "--policy", "admin")
        assert send(endpoint, "GET", "/modules", {}).code == "MissingAuthenticationTokenException"
        assert ask(endpoint, admin, "GET", "/modules").status == 200
        # Revoking the last one does not open it again.
        cli("--endpoint", endpoint, "key", "revoke", admin["accessKeyId"], key=admin)
        assert send(endpoint, "GET", "/modules", {}).code == "MissingAuthenticationTokenException"
    finally:
        assert server.stop() == 0
    # With the files at hand there is always a way in, and a word that asks nobody.
    store = f"sled:{tmp_path / 'data'}"
    cli("key", "create", "--policy", "admin", "--store", store)
    assert len(cli("key", "list", "--store", store)["accessKeys"]) == 2
    server = stepwell_server.Server(tmp_path, "--auth", "off")
    try:
        assert send(server.endpoint, "GET", "/modules", {}).status == 200
    finally:
        assert server.stop() == 0


class TlsServer(stepwell_server.Server):
    """A server that speaks TLS; the regular expression of the plain one finds no address."""

    def _wait_for_endpoint(self):
        deadline = time.monotonic() + stepwell_server.START_SECONDS
        while time.monotonic() < deadline:
            found = re.search(r"(https://127\.0\.0\.1:\d+)\D", self.output())
            if found:
                return found.group(1)
            if self._process.poll() is not None:
                raise RuntimeError(self.output())
            time.sleep(0.05)
        raise TimeoutError(self.output())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of our own for 127.0.0.1, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    files = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stepwell test"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
    command += ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return files


def test_tls(tmp_path, certificate, name):
    certificate, private = certificate
    store = f"sled:{tmp_path / 'data'}"
    admin = cli("key", "create", "--policy", "admin", "--store", store)
    server = TlsServer(tmp_path, "--tls-cert", str(certificate), "--tls-key", str(private))
    try:
        sfn = client(server.endpoint, admin, verify=str(certificate))
        machine = sfn.create_state_machine(name=name, definition=PASS, roleArn=ROLE_ARN)["stateMachineArn"]
        started = sfn.start_execution(stateMachineArn=machine)
        assert wait_for_end(sfn, started["executionArn"])["status"] == "SUCCEEDED"
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            client(server.endpoint, admin).list_state_machines()
        flags = ["--endpoint", server.endpoint, "--ca-file", str(certificate)]
        assert name in json.dumps(cli(*flags, "machine", "list", key=admin))
        parts = urlsplit(server.endpoint)
        context = ssl.create_default_context(cafile=str(certificate))
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["x"], None)):
            context.set_alpn_protocols(offered)
            try:
                with socket.create_connection((parts.hostname, parts.port), timeout=30) as plain:
                    with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                        assert secure.selected_alpn_protocol() == chosen
            except ssl.SSLError:
                assert chosen is None
        # HTTP without TLS: the connection is closed, nobody waits.
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while piece := plain.recv(1_000):
                answer += piece
            assert not answer.startswith(b"HTTP")
    finally:
        assert server.stop() == 0


def test_files_that_are_no_certificate_are_named(tmp_path, certificate):
    certificate, private = map(str, certificate)
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for flags, words in (
        (["--tls-cert", certificate], "--tls-key FILE"),
        (["--tls-cert", str(empty), "--tls-key", private], f"--tls-cert {empty}: it holds no CERTIFICATE"),
        (["--tls-cert", certificate, "--tls-key", str(empty)], f"--tls-key {empty}: it holds no PRIVATE KEY"),
        (["--tls-cert", certificate, "--tls-key", certificate], f"--tls-key {certificate}: it holds no PRIVATE KEY"),
        (["--tls-cert", str(tmp_path / "no"), "--tls-key", private], "No such file"),
    ):
        command = [str(stepwell_server.binary()), "serve", "--listen", "127.0.0.1:0", "--store", "memory:", *flags]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 1 and words in ran.stderr, ran


def test_nothing_secret_is_logged(guarded):
    """The log of a server at trace level, after all that the tests above have done."""
    secret = "a-value-of-a-secret-that-nobody-logs"
    key = cli("--endpoint", guarded.endpoint, "key", "create", "--policy", "run", key=guarded.keys["admin"])
    assert ask(guarded.endpoint, guarded.keys["admin"], "PUT", "/secrets/logged", secret.encode()).status == 201
    headers = signed(guarded.endpoint, key, "GET", "/modules")
    assert send(guarded.endpoint, "GET", "/modules", headers).status == 200
    signature = re.search("Signature=([0-9a-f]{64})", headers["Authorization"]).group(1)
    log = guarded.server.output()
    assert "TRACE" in log and key["accessKeyId"] in log
    for hidden in [secret, signature, key["secretAccessKey"], *(one["secretAccessKey"] for one in guarded.keys.values())]:
        assert hidden not in log
