"""Lambda's clients, unmodified: functions from their creation to their deletion, with boto3 and the AWS CLI."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

import stepwell_server
from conftest import AwsFailed, client, wait_for_end
from lambda_model import Model
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
BASIC = {"Role": ROLE_ARN, "Runtime": "provided.al2023", "Handler": "bootstrap"}


def sha256(data):
    """The digest of a file as Lambda shows it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def archive(**entries):
    """A zip archive; dots in names are written as two underscores."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in entries.items():
            written.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def returning(value):
    """A module that returns a value."""
    return stepwell_server.stub({"behaviour": "return_const", "value": value})


@pytest.fixture(scope="module")
def lam(endpoint):
    """A boto3 client that tries everything once: a retry would hide what the server answered."""
    return client(endpoint, "lambda", retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def model(lam):
    """Checks every answer to `lam` against the model."""
    return Model(lam)


@pytest.fixture
def function(lam, model, name):
    """Creates functions and returns their configurations; deleted afterwards."""
    created = []

    def create(code, **members):
        created.append(f"{name}-{len(created)}")
        return lam.create_function(FunctionName=created[-1], Code={"ZipFile": code}, **BASIC | members)

    yield create
    for made in created:
        try:
            lam.delete_function(FunctionName=made)
        except lam.exceptions.ResourceNotFoundException:
            pass


def payload(reply):
    """What a function answered."""
    return json.loads(reply["Payload"].read())


def test_a_function_from_its_creation_to_its_deletion(lam, model, name):
    wasm = returning({"n": 1})
    created = lam.create_function(
        FunctionName=name, Code={"ZipFile": wasm}, **BASIC, Timeout=9, MemorySize=256, Description="a function",
        Environment={"Variables": {"MODE": "test"}}, Tags={"team": "a"}, Architectures=["arm64"],
        TracingConfig={"Mode": "Active"}, EphemeralStorage={"Size": 1024},
    )  # fmt: skip
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (created["FunctionArn"], created["CodeSha256"]) == (ARN + name, sha256(wasm))
    for waiter in ("function_active_v2", "function_updated_v2", "function_exists", "function_active"):
        lam.get_waiter(waiter).wait(FunctionName=name)
    read = lam.get_function(FunctionName=name)
    del created["ResponseMetadata"]
    assert (read["Configuration"], read["Tags"]) == (created, {"team": "a"})
    assert (created["Architectures"], created["TracingConfig"]["Mode"]) == (["arm64"], "Active")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(read["Code"]["Location"]).read() == wasm
    assert payload(lam.invoke(FunctionName=name, Payload=b"{}")) == {"n": 1}

    second = returning({"n": 2})
    updated = lam.update_function_code(FunctionName=name, ZipFile=second, RevisionId=created["RevisionId"])
    assert (updated["CodeSha256"], updated["Timeout"]) == (sha256(second), 9)
    assert payload(lam.invoke(FunctionName=created["FunctionArn"])) == {"n": 2}
    with pytest.raises(lam.exceptions.PreconditionFailedException):
        lam.update_function_configuration(FunctionName=name, Timeout=3, RevisionId=created["RevisionId"])
    changed = lam.update_function_configuration(FunctionName=name, Timeout=3, Environment={"Variables": {}})
    assert (changed["Timeout"], changed.get("Environment"), changed["MemorySize"]) == (3, None, 256)
    assert lam.get_function_configuration(FunctionName=name)["RevisionId"] == changed["RevisionId"]

    lam.delete_function(FunctionName=name)
    for call in (lam.get_function, lam.delete_function, lam.invoke, lam.get_policy):
        with pytest.raises(lam.exceptions.ResourceNotFoundException, match=f"Function not found: {ARN}{name}"):
            call(FunctionName=name)


def test_an_archive_with_a_manifest(lam, function):
    manifest = json.dumps({"environment": {"MODE": "1"}, "limits": {"timeoutMilliseconds": 4_000}})
    file = archive(task__wasm=returning("zipped"), stepwell__json=manifest, README="read me")
    made = function(file)
    assert (made["CodeSha256"], made["CodeSize"]) == (sha256(file), len(file))
    assert (made["Environment"]["Variables"], made["Timeout"]) == ({"MODE": "1"}, 4)
    assert payload(lam.invoke(FunctionName=made["FunctionName"])) == "zipped"


def test_calls_and_their_errors(lam, function):
    raising = stepwell_server.stub({"behaviour": "raise", "error": "CardDeclined", "cause": "no money"})
    reply = lam.invoke(FunctionName=function(raising)["FunctionName"])
    assert (reply["StatusCode"], reply["FunctionError"], reply["ExecutedVersion"]) == (200, "Handled", "$LATEST")
    assert payload(reply) == {"errorType": "CardDeclined", "errorMessage": "no money"}

    slow = stepwell_server.stub({"behaviour": "sleep_then_return_event", "seconds": 30})
    reply = lam.invoke(FunctionName=function(slow, Timeout=1)["FunctionName"])
    assert (reply["FunctionError"], payload(reply)["errorType"]) == ("Unhandled", "Sandbox.Timeout")

    echo = function(stepwell_server.guest("stub"))["FunctionName"]
    assert payload(lam.invoke(FunctionName=echo)) == {}
    with pytest.raises(lam.exceptions.InvalidRequestContentException):
        lam.invoke(FunctionName=echo, Payload=b"{")
    assert lam.invoke(FunctionName=echo, InvocationType="DryRun")["StatusCode"] == 204
    assert lam.invoke(FunctionName=echo, InvocationType="Event", Payload=b"{}")["StatusCode"] == 202

    logging = function(stepwell_server.stub({"behaviour": "log_and_heartbeat"}))["FunctionName"]
    reply = lam.invoke(FunctionName=logging, Payload=b'"x"', LogType="Tail")
    tail = base64.b64decode(reply["LogResult"]).decode()
    assert 'WARN warn "x"' in tail and tail.startswith(f"START RequestId: {reply['ResponseMetadata']['RequestId']}")


def test_a_direct_call_has_no_execution(lam, function):
    made = function(stepwell_server.stub({"behaviour": "return_context"}))
    reply = lam.invoke(FunctionName=made["FunctionName"])
    context = payload(reply)
    assert (context["executionArn"], context["stateName"], context["attempt"]) == ("", "", 0)
    assert context["idempotencyKey"] == reply["ResponseMetadata"]["RequestId"]


def test_versions_and_aliases(lam, function):
    made = function(returning(1), Publish=True)
    name = made["FunctionName"]
    assert (made["Version"], made["FunctionArn"]) == ("1", f"{ARN}{name}:1")
    assert lam.publish_version(FunctionName=name)["Version"] == "1"
    lam.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1")
    lam.update_function_code(FunctionName=name, ZipFile=returning(2))
    assert lam.publish_version(FunctionName=name, Description="two")["Version"] == "2"

    alias = lam.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert alias["AliasArn"] == f"{ARN}{name}:live"
    assert payload(lam.invoke(FunctionName=name, Qualifier="live")) == 1
    weights = {"AdditionalVersionWeights": {"2": 1.0}}
    moved = lam.update_alias(FunctionName=name, Name="live", RoutingConfig=weights)
    assert moved["RoutingConfig"] == weights
    reply = lam.invoke(FunctionName=alias["AliasArn"])
    assert (payload(reply), reply["ExecutedVersion"]) == (2, "2")
    read = lam.get_alias(FunctionName=name, Name="live")
    assert (read["RevisionId"], read["FunctionVersion"]) == (moved["RevisionId"], "1")
    with pytest.raises(lam.exceptions.ResourceConflictException):
        lam.delete_function(FunctionName=name, Qualifier="2")

    pages = lam.get_paginator("list_versions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    assert [version["Version"] for page in pages for version in page["Versions"]] == ["$LATEST", "1", "2"]
    assert [item["Name"] for item in lam.list_aliases(FunctionName=name)["Aliases"]] == ["live"]
    listed = lam.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2})
    arns = [item["FunctionArn"] for page in listed for item in page["Functions"]]
    assert [arn for arn in arns if name in arn] == [f"{ARN}{name}:{version}" for version in ("$LATEST", "1", "2")]
    lam.delete_alias(FunctionName=name, Name="live")
    lam.delete_function(FunctionName=name, Qualifier="2")
    with pytest.raises(lam.exceptions.ResourceNotFoundException):
        lam.invoke(FunctionName=name, Qualifier="2")


def test_permissions_tags_and_concurrency(lam, function):
    made = function(stepwell_server.guest("stub"))
    name, arn = made["FunctionName"], made["FunctionArn"]
    added = lam.add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
    )  # fmt: skip
    policy = json.loads(lam.get_policy(FunctionName=name)["Policy"])
    assert policy["Statement"] == [json.loads(added["Statement"])]
    lam.remove_permission(FunctionName=name, StatementId="s3")
    with pytest.raises(lam.exceptions.ResourceNotFoundException):
        lam.get_policy(FunctionName=name)

    lam.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    lam.untag_resource(Resource=arn, TagKeys=["a"])
    assert lam.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    assert lam.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 5
    lam.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in lam.get_function_concurrency(FunctionName=name)
    assert lam.get_account_settings()["AccountUsage"]["FunctionCount"] > 0
    lam.get_function_code_signing_config(FunctionName=name)
    assert lam.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "Auto"
    assert lam.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    assert lam.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"] == []
    with pytest.raises(lam.exceptions.ResourceNotFoundException):
        lam.get_function_url_config(FunctionName=name)


def test_refusals_are_named(lam, function):
    name = function(stepwell_server.guest("stub"))["FunctionName"]
    code = {"ZipFile": stepwell_server.guest("stub")}
    with pytest.raises(lam.exceptions.ResourceConflictException, match=f"Function already exist: {name}"):
        lam.create_function(FunctionName=name, Code=code, **BASIC)
    with pytest.raises(lam.exceptions.InvalidParameterValueException, match="not WebAssembly"):
        lam.create_function(FunctionName=f"{name}-x", Code={"ZipFile": b"def handler"}, **BASIC)
    with pytest.raises(lam.exceptions.InvalidParameterValueException, match="S3Bucket"):
        lam.create_function(FunctionName=f"{name}-x", Code={"S3Bucket": "bucket", "S3Key": "k"}, **BASIC)
    with pytest.raises(ClientError, match="ValidationException.*at 'timeout'"):
        lam.update_function_configuration(FunctionName=name, Timeout=100_000)
    with pytest.raises(ClientError, match="UnknownOperationException.*'ListLayers' is not offered"):
        lam.list_layers()


def test_a_workflow_calls_an_alias(lam, sfn, machine, function):
    name = function(returning({"from": 1}), Publish=True)["FunctionName"]
    lam.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    lam.update_function_code(FunctionName=name, ZipFile=returning({"from": 2}))
    arn = machine(A={"Type": "Task", "Resource": f"{ARN}{name}:live", "End": True})
    ended = wait_for_end(sfn, sfn.start_execution(stateMachineArn=arn)["executionArn"])
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"from": 1})


def test_every_answer_was_compared_with_the_model(model):
    # Last in this file: the operations that were answered above.
    if len(model.seen) < 5:
        pytest.skip("the tests above did not run")
    assert {
        "CreateFunction", "GetFunction", "GetFunctionConfiguration", "UpdateFunctionCode",
        "UpdateFunctionConfiguration", "DeleteFunction", "ListFunctions", "Invoke", "PublishVersion",
        "ListVersionsByFunction", "CreateAlias", "GetAlias", "UpdateAlias", "DeleteAlias", "ListAliases",
        "AddPermission", "GetPolicy", "RemovePermission", "TagResource", "UntagResource", "ListTags",
        "GetAccountSettings", "GetFunctionConcurrency", "PutFunctionConcurrency", "DeleteFunctionConcurrency",
        "GetFunctionCodeSigningConfig", "GetRuntimeManagementConfig", "GetFunctionRecursionConfig",
    } <= model.seen  # fmt: skip


@pytest.fixture
def aws_lambda(aws):
    """Runs `aws lambda ...`."""
    return lambda *arguments, **options: aws(*arguments, service="lambda", **options)


def test_the_cli_from_an_archive_to_its_deletion(aws_lambda, name, tmp_path):
    # This client looks into what it sends: `--zip-file` must name an archive.
    file, result = tmp_path / "task.zip", tmp_path / "result.json"
    file.write_bytes(archive(task__wasm=returning({"n": 1})))
    basic = {"role": ROLE_ARN, "runtime": "provided.al2023", "handler": "bootstrap"}
    created = aws_lambda("create-function", function_name=name, zip_file=f"fileb://{file}", timeout="5", **basic)
    assert (created["FunctionName"], created["State"], created["Timeout"]) == (name, "Active", 5)
    aws_lambda("wait", "function-active-v2", function_name=name)
    told = aws_lambda("invoke", str(result), function_name=name, payload='{"a": 1}')
    assert (told["StatusCode"], told["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(result.read_text()) == {"n": 1}

    file.write_bytes(archive(task__wasm=returning({"n": 2})))
    aws_lambda("update-function-code", function_name=name, zip_file=f"fileb://{file}")
    aws_lambda("wait", "function-updated-v2", function_name=name)
    assert aws_lambda("publish-version", function_name=name)["Version"] == "1"
    aws_lambda("create-alias", function_name=name, name="live", function_version="1")
    aws_lambda("invoke", str(result), function_name=f"{name}:live")
    assert json.loads(result.read_text()) == {"n": 2}
    listed = aws_lambda("list-functions", max_items="1000")["Functions"]
    assert name in [item["FunctionName"] for item in listed]
    aws_lambda("delete-function", function_name=name)
    with pytest.raises(AwsFailed, match="ResourceNotFoundException"):
        aws_lambda("get-function", function_name=name)
