"""What Terraform's AWS provider asks for, resource by resource, in its order: plan, create, refresh, update, destroy.

The provider itself is not run: its calls are made with botocore, with the members that it sends. A plan after an apply
must show no difference: what was sent is what is read back. IAM and STS are no part of Stepwell; docs/terraform.md says
how to do without them.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import botocore.exceptions
import pytest

import stepwell_server
from conftest import client
from stepwell_server import REGION, ROLE_ARN

LIMIT_SECONDS = 60
PAUSE_SECONDS = 0.1
# Answers of operations that later releases bring.
NOT_YET = {"UnknownOperationException", "StateMachineTypeNotSupported"}
OFF = {"level": "OFF", "includeExecutionData": False}


def definition(comment: str) -> str:
    return json.dumps({"Comment": comment, "StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


@pytest.fixture(scope="module")
def lam(endpoint):
    return client(endpoint, "lambda")


@pytest.fixture(scope="module")
def logs(endpoint):
    return client(endpoint, "logs")


@contextmanager
def as_far_as_offered():
    """Skips the rest of a test at an operation that only a later release offers."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in NOT_YET or "not supported by this release" in str(error):
            pytest.skip(str(error))
        raise


def until(condition, what: str):
    """Polls as the provider does, until there is something."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(what)


def gone(code: str, describe, **arguments) -> bool:
    """Whether the resource is not there any more, which the code says."""
    try:
        describe(**arguments)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == code:
            return True
        raise
    return False


def wait_until_gone(sfn, arn: str) -> None:
    describe = sfn.describe_state_machine
    until(lambda: gone("StateMachineDoesNotExist", describe, stateMachineArn=arn), "the machine to be gone")


def tags_of(sfn, arn: str) -> dict:
    return {tag["key"]: tag["value"] for tag in sfn.list_tags_for_resource(resourceArn=arn)["tags"]}


def plan(sfn, text: str) -> dict:
    """What the provider asks before it shows a plan."""
    return sfn.validate_state_machine_definition(definition=text, type="STANDARD", severity="ERROR")


def refresh(sfn, arn: str) -> dict:
    """All that is read about a machine before every plan."""
    described = sfn.describe_state_machine(stateMachineArn=arn)
    versions = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    return described | {"versions": [one["stateMachineVersionArn"] for one in versions], "tags": tags_of(sfn, arn)}


def test_a_plan_shows_what_is_wrong_with_a_definition(sfn):
    assert plan(sfn, definition("one"))["result"] == "OK"
    refused = plan(sfn, '{"StartAt": "B", "States": {}}')
    assert refused["result"] == "FAIL"
    assert all({"severity", "code", "message"} <= set(one) for one in refused["diagnostics"])


def test_a_machine_without_versions(sfn, name):
    made = sfn.create_state_machine(
        name=name, definition=definition("one"), roleArn=ROLE_ARN, type="STANDARD", loggingConfiguration=OFF,
        tracingConfiguration={"enabled": False},
    )
    arn = made["stateMachineArn"]
    try:
        read = sfn.describe_state_machine(stateMachineArn=arn)
        assert (read["definition"], read["roleArn"], read["status"]) == (definition("one"), ROLE_ARN, "ACTIVE")
        assert read["loggingConfiguration"] == OFF
        assert read["tracingConfiguration"] == {"enabled": False}
        sfn.update_state_machine(stateMachineArn=arn, definition=definition("two"), roleArn=ROLE_ARN)
        # The provider waits until it reads what it has written.
        until(lambda: definition("two") == sfn.describe_state_machine(stateMachineArn=arn)["definition"], "the change")
    finally:
        sfn.delete_state_machine(stateMachineArn=arn)
    wait_until_gone(sfn, arn)


def test_a_machine_from_plan_to_destruction(sfn, logs, name):
    with as_far_as_offered():
        life_of_a_machine(sfn, logs, name)


def life_of_a_machine(sfn, logs, name):
    group = f"/aws/vendedlogs/states/{name}"
    logs.create_log_group(logGroupName=group)
    destination = f"{log_group(logs, group)['arn'].removesuffix(':*')}:*"
    logging = {
        "level": "ALL",
        "includeExecutionData": True,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": destination}}],
    }
    assert plan(sfn, definition("one"))["result"] == "OK"
    made = sfn.create_state_machine(
        name=name, definition=definition("one"), roleArn=ROLE_ARN, type="STANDARD", publish=True,
        loggingConfiguration=logging, tracingConfiguration={"enabled": True},
        encryptionConfiguration={"type": "AWS_OWNED_KEY"}, tags=[{"key": "team", "value": "orders"}],
    )
    arn = made["stateMachineArn"]
    read = refresh(sfn, arn)
    assert read["versions"] == [made["stateMachineVersionArn"]] == [f"{arn}:1"]
    assert read["tags"] == {"team": "orders"}
    assert (read["loggingConfiguration"], read["tracingConfiguration"]) == (logging, {"enabled": True})
    assert read["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}

    alias = an_alias(sfn, arn)
    sfn.untag_resource(resourceArn=arn, tagKeys=["team"])
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}])
    updated = sfn.update_state_machine(
        stateMachineArn=arn, definition=definition("two"), roleArn=ROLE_ARN, publish=True, loggingConfiguration=OFF,
        tracingConfiguration={"enabled": False},
    )
    assert updated["stateMachineVersionArn"] == f"{arn}:2"
    read = refresh(sfn, arn)
    # The newest first: the provider shows that one.
    assert read["versions"] == [f"{arn}:2", f"{arn}:1"]
    assert read["tags"] == {"stage": "test"}
    assert (read["definition"], read["loggingConfiguration"]) == (definition("two"), OFF)

    moved_and_destroyed(sfn, arn, alias)
    sfn.delete_state_machine(stateMachineArn=arn)
    wait_until_gone(sfn, arn)
    logs.delete_log_group(logGroupName=group)


def an_alias(sfn, arn: str) -> str:
    """aws_sfn_alias: created, and read."""
    routing = [{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    made = sfn.create_state_machine_alias(name="live", description="from Terraform", routingConfiguration=routing)
    read = sfn.describe_state_machine_alias(stateMachineAliasArn=made["stateMachineAliasArn"])
    assert (read["name"], read["description"], read["routingConfiguration"]) == ("live", "from Terraform", routing)
    listed = sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]
    assert [one["stateMachineAliasArn"] for one in listed] == [made["stateMachineAliasArn"]]
    return made["stateMachineAliasArn"]


def moved_and_destroyed(sfn, arn: str, alias: str) -> None:
    """The alias is updated to two versions and deleted, before its versions may be."""
    routing = [
        {"stateMachineVersionArn": f"{arn}:2", "weight": 90},
        {"stateMachineVersionArn": f"{arn}:1", "weight": 10},
    ]
    sfn.update_state_machine_alias(stateMachineAliasArn=alias, description="", routingConfiguration=routing)
    assert sfn.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"] == routing
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    assert gone("ResourceNotFound", sfn.describe_state_machine_alias, stateMachineAliasArn=alias)


def test_a_machine_with_a_running_execution_is_destroyed(sfn, name):
    waiting = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "End": True}}})
    arn = sfn.create_state_machine(name=name, definition=waiting, roleArn=ROLE_ARN)["stateMachineArn"]
    sfn.start_execution(stateMachineArn=arn)
    sfn.delete_state_machine(stateMachineArn=arn)
    wait_until_gone(sfn, arn)
    # The next apply may make it again at once.
    again = sfn.create_state_machine(name=name, definition=definition("two"), roleArn=ROLE_ARN)
    sfn.delete_state_machine(stateMachineArn=again["stateMachineArn"])


def test_an_activity(sfn, name):
    with as_far_as_offered():
        life_of_an_activity(sfn, name)


def life_of_an_activity(sfn, name):
    made = sfn.create_activity(
        name=name, tags=[{"key": "team", "value": "orders"}], encryptionConfiguration={"type": "AWS_OWNED_KEY"}
    )
    arn = made["activityArn"]
    read = sfn.describe_activity(activityArn=arn)
    assert (read["name"], read["creationDate"]) == (name, made["creationDate"])
    assert read["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert tags_of(sfn, arn) == {"team": "orders"}
    pages = sfn.get_paginator("list_activities").paginate()
    assert arn in [activity["activityArn"] for page in pages for activity in page["activities"]]
    sfn.delete_activity(activityArn=arn)
    assert gone("ActivityDoesNotExist", sfn.describe_activity, activityArn=arn)


def log_group(logs, name: str) -> dict:
    """The provider looks for the exact name among those with the prefix."""
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return next(group for page in pages for group in page["logGroups"] if group["logGroupName"] == name)


def test_a_log_group(logs, name):
    with as_far_as_offered():
        life_of_a_log_group(logs, name)


def life_of_a_log_group(logs, name):
    logs.create_log_group(logGroupName=name, logGroupClass="STANDARD", tags={"team": "orders"})
    logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    read = log_group(logs, name)
    assert read["retentionInDays"] == 7
    assert read["arn"].startswith(f"arn:aws:logs:{REGION}:")
    arn = read["arn"].removesuffix(":*")
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "orders"}
    logs.delete_retention_policy(logGroupName=name)
    assert "retentionInDays" not in log_group(logs, name)
    logs.delete_log_group(logGroupName=name)
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    assert not [group for page in pages for group in page["logGroups"]]


def test_a_function(lam, name):
    made = lam.create_function(
        FunctionName=name,
        Role=ROLE_ARN,
        Handler="bootstrap",
        Runtime="provided.al2023",
        PackageType="Zip",
        Code={"ZipFile": stepwell_server.stub({"behaviour": "return_const", "value": 1})},
        Architectures=["x86_64"],
        Timeout=3,
        MemorySize=128,
        EphemeralStorage={"Size": 512},
        Publish=False,
        Tags={"team": "orders"},
    )
    settled(lam, name)
    read = lam.get_function(FunctionName=name)
    assert read["Tags"] == {"team": "orders"}
    assert read["Configuration"]["CodeSha256"] == made["CodeSha256"]
    assert (read["Configuration"]["Timeout"], read["Configuration"]["MemorySize"]) == (3, 128)
    pages = lam.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    assert [one["Version"] for page in pages for one in page["Versions"]] == ["$LATEST"]

    lam.update_function_configuration(FunctionName=name, Timeout=5, Description="changed")
    settled(lam, name)
    second = stepwell_server.stub({"behaviour": "return_const", "value": 2})
    lam.update_function_code(FunctionName=name, ZipFile=second, Publish=True)
    settled(lam, name)
    read = lam.get_function(FunctionName=name)["Configuration"]
    assert (read["Timeout"], read["Description"]) == (5, "changed")
    assert read["CodeSha256"] != made["CodeSha256"]
    lam.delete_function(FunctionName=name)
    assert gone("ResourceNotFoundException", lam.get_function, FunctionName=name)


def settled(lam, name: str) -> None:
    """Waits as the provider does after each change."""

    def is_settled() -> bool:
        told = lam.get_function_configuration(FunctionName=name)
        return told["State"] == "Active" and told["LastUpdateStatus"] == "Successful"

    until(is_settled, f"{name} to be active")
