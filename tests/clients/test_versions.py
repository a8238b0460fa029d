"""Versions, aliases and tags of state machines, unnamed starts that come twice, and pins of definitions and modules,
through boto3."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

import stepwell_server
from conftest import client, wait_for_end
from stepwell_server import ACCOUNT, REGION

ROLE = "arn:aws:iam::123456789012:role/r"


def says(text, **more):
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": text, "End": True}}} | more)


def create(sfn, name, text, **more):
    return sfn.create_state_machine(name=name, definition=says(text), roleArn=ROLE, **more)


def run(sfn, arn, **more):
    started = sfn.start_execution(stateMachineArn=arn, **more)
    return wait_for_end(sfn, started["executionArn"])


def code(refused):
    return refused.value.response["Error"]["Code"]


def test_versions_stay_what_they_were(sfn):
    created = create(sfn, "v", "one", publish=True, versionDescription="the first")
    arn, first = created["stateMachineArn"], created["stateMachineVersionArn"]
    assert first == f"{arn}:1"
    assert create(sfn, "v", "one", publish=True, versionDescription="the first")["stateMachineVersionArn"] == first
    for other in ({}, {"publish": True}, {"publish": True, "versionDescription": "another"}):
        with pytest.raises(sfn.exceptions.StateMachineAlreadyExists):
            create(sfn, "v", "one", **other)
    # The revision is a version already.
    assert sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == first
    assert sfn.publish_state_machine_version(stateMachineArn=arn, revisionId="INITIAL")["stateMachineVersionArn"] == first

    updated = sfn.update_state_machine(stateMachineArn=arn, definition=says("two"), roleArn=ROLE + "2")
    assert "stateMachineVersionArn" not in updated
    with pytest.raises(ClientError) as refused:
        sfn.publish_state_machine_version(stateMachineArn=arn, revisionId="INITIAL")
    assert code(refused) == "ConflictException"
    second = sfn.publish_state_machine_version(
        stateMachineArn=arn, revisionId=updated["revisionId"], description="the second"
    )["stateMachineVersionArn"]
    same = sfn.update_state_machine(stateMachineArn=arn, definition=says("two"), publish=True)
    assert (same["stateMachineVersionArn"], same["revisionId"]) == (second, updated["revisionId"])

    old, new = (sfn.describe_state_machine(stateMachineArn=version) for version in (first, second))
    assert (old["stateMachineArn"], old["description"], old["roleArn"]) == (first, "the first", ROLE)
    assert old["definition"] == says("one") and "revisionId" not in old
    assert (new["description"], new["revisionId"], new["roleArn"]) == ("the second", updated["revisionId"], ROLE + "2")
    assert "description" not in sfn.describe_state_machine(stateMachineArn=arn)

    listed = sfn.list_state_machine_versions(stateMachineArn=arn, maxResults=1)
    assert [item["stateMachineVersionArn"] for item in listed["stateMachineVersions"]] == [second]
    rest = sfn.list_state_machine_versions(stateMachineArn=arn, maxResults=1, nextToken=listed["nextToken"])
    assert [item["stateMachineVersionArn"] for item in rest["stateMachineVersions"]] == [first]
    assert "nextToken" not in rest

    ended = run(sfn, first)
    assert (ended["output"], ended["stateMachineArn"], ended["stateMachineVersionArn"]) == ('"one"', arn, first)
    assert "stateMachineAliasArn" not in ended
    started = sfn.get_execution_history(executionArn=ended["executionArn"])["events"][0]["executionStartedEventDetails"]
    assert (started["stateMachineVersionArn"], started["roleArn"]) == (first, ROLE)
    described = sfn.describe_state_machine_for_execution(executionArn=ended["executionArn"])
    assert (described["definition"], described["roleArn"]) == (says("one"), ROLE)
    run(sfn, arn)
    of_first = sfn.list_executions(stateMachineArn=first)["executions"]
    assert [item["executionArn"] for item in of_first] == [ended["executionArn"]]
    assert len(sfn.list_executions(stateMachineArn=arn)["executions"]) == 2

    for _ in range(2):
        sfn.delete_state_machine_version(stateMachineVersionArn=second)
    with pytest.raises(sfn.exceptions.StateMachineDoesNotExist):
        sfn.start_execution(stateMachineArn=second)
    # Its number is not used again.
    assert sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:3"


def test_aliases_share_executions_among_versions(sfn):
    arn = create(sfn, "a", "one", publish=True)["stateMachineArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=says("two"), publish=True)

    def routes(*weights):
        return [
            {"stateMachineVersionArn": f"{arn}:{number}", "weight": weight} for number, weight in enumerate(weights, 1)
        ]

    live = sfn.create_state_machine_alias(name="live", routingConfiguration=routes(100))["stateMachineAliasArn"]
    assert live == f"{arn}:live"
    again = sfn.create_state_machine_alias(name="live", routingConfiguration=routes(100))
    assert again["stateMachineAliasArn"] == live
    with pytest.raises(sfn.exceptions.ConflictException):
        sfn.create_state_machine_alias(name="live", routingConfiguration=routes(50, 50))
    ended = run(sfn, live)
    assert (ended["output"], ended["stateMachineAliasArn"], ended["stateMachineVersionArn"]) == (
        '"one"',
        live,
        f"{arn}:1",
    )
    started = sfn.get_execution_history(executionArn=ended["executionArn"])["events"][0]["executionStartedEventDetails"]
    assert (started["stateMachineAliasArn"], started["stateMachineVersionArn"]) == (live, f"{arn}:1")
    listed = sfn.list_executions(stateMachineArn=live)["executions"]
    assert [item["stateMachineAliasArn"] for item in listed] == [live]

    with pytest.raises(sfn.exceptions.ConflictException) as refused:
        sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    assert "[live]" in str(refused.value)
    sfn.update_state_machine_alias(stateMachineAliasArn=live, routingConfiguration=routes(50, 50), description="half")
    described = sfn.describe_state_machine_alias(stateMachineAliasArn=live)
    assert (described["description"], described["routingConfiguration"]) == ("half", routes(50, 50))
    executions = [sfn.start_execution(stateMachineArn=live)["executionArn"] for _ in range(60)]
    outputs = {wait_for_end(sfn, execution)["output"] for execution in executions}
    assert outputs == {'"one"', '"two"'}, "sixty throws of a coin"
    sfn.update_state_machine_alias(stateMachineAliasArn=live, routingConfiguration=routes(0, 100))
    assert run(sfn, live)["output"] == '"two"'

    for missing in (f"{arn}:7", f"{arn}x:1"):
        with pytest.raises(sfn.exceptions.ResourceNotFound):
            sfn.create_state_machine_alias(
                name="next", routingConfiguration=[{"stateMachineVersionArn": missing, "weight": 100}]
            )
    with pytest.raises(sfn.exceptions.ValidationException) as refused:
        sfn.update_state_machine_alias(stateMachineAliasArn=live)
    assert refused.value.response["reason"] == "MISSING_REQUIRED_PARAMETER"
    sfn.create_state_machine_alias(
        name="next", routingConfiguration=[{"stateMachineVersionArn": f"{arn}:2", "weight": 100}]
    )
    names = lambda of: [item["stateMachineAliasArn"] for item in of["stateMachineAliases"]]
    page = sfn.list_state_machine_aliases(stateMachineArn=arn, maxResults=1)
    assert names(page) == [live]
    rest = sfn.list_state_machine_aliases(stateMachineArn=arn, maxResults=1, nextToken=page["nextToken"])
    assert names(rest) == [f"{arn}:next"] and "nextToken" not in rest
    assert names(sfn.list_state_machine_aliases(stateMachineArn=f"{arn}:1")) == [live]

    sfn.delete_state_machine_alias(stateMachineAliasArn=live)
    with pytest.raises(sfn.exceptions.ResourceNotFound):
        sfn.describe_state_machine_alias(stateMachineAliasArn=live)
    with pytest.raises(sfn.exceptions.StateMachineDoesNotExist):
        sfn.start_execution(stateMachineArn=live)
    assert sfn.describe_execution(executionArn=ended["executionArn"])["stateMachineAliasArn"] == live
    sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")


def test_tags_are_kept_with_their_machine(sfn):
    tags = [{"key": "team", "value": "a"}]
    arn = create(sfn, "t", "one", tags=tags)["stateMachineArn"]
    of = lambda: sfn.list_tags_for_resource(resourceArn=arn)["tags"]
    assert of() == tags
    # Other tags are another wish, but no other machine.
    create(sfn, "t", "one", tags=[{"key": "team", "value": "b"}])
    assert of() == tags
    sfn.tag_resource(resourceArn=arn, tags=[{"key": f"k{number:02}", "value": ""} for number in range(49)])
    with pytest.raises(sfn.exceptions.TooManyTags) as refused:
        sfn.tag_resource(resourceArn=arn, tags=[{"key": "one more", "value": ""}])
    assert refused.value.response["resourceName"] == arn
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "c"}])
    assert len(of()) == 50 and {"key": "team", "value": "c"} in of()
    sfn.untag_resource(resourceArn=arn, tagKeys=[f"k{number:02}" for number in range(49)] + ["nothing"])
    assert of() == [{"key": "team", "value": "c"}]
    for wrong in ("a*b", "aws:team"):
        with pytest.raises(ClientError) as refused:
            sfn.tag_resource(resourceArn=arn, tags=[{"key": wrong, "value": ""}])
        assert code(refused) == "ValidationException"
    for missing in (f"{arn}x", f"{arn}:1"):
        with pytest.raises(sfn.exceptions.ResourceNotFound):
            sfn.list_tags_for_resource(resourceArn=missing)
    with pytest.raises(sfn.exceptions.InvalidArn):
        sfn.list_tags_for_resource(resourceArn=arn.replace("stateMachine", "execution"))
    sfn.delete_state_machine(stateMachineArn=arn)
    create(sfn, "t", "one")
    assert of() == []


def test_a_start_without_a_name_that_is_repeated_starts_one_execution(sfn):
    arn = create(sfn, "once", "one")["stateMachineArn"]
    invocation = {"id": str(uuid.uuid4())}

    def same_call(request, **_):
        request.headers["amz-sdk-invocation-id"] = invocation["id"]

    sfn.meta.events.register("before-send.sfn.StartExecution", same_call)
    try:
        first = sfn.start_execution(stateMachineArn=arn, input='{"a": 1}')
        wait_for_end(sfn, first["executionArn"])
        # Also when it has ended.
        again = sfn.start_execution(stateMachineArn=arn, input='{"a": 1}')
        assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
        other = sfn.start_execution(stateMachineArn=arn, input='{"a": 2}')
        assert other["executionArn"] != first["executionArn"]
        invocation["id"] = str(uuid.uuid4())
        assert sfn.start_execution(stateMachineArn=arn, input='{"a": 1}')["executionArn"] != first["executionArn"]
    finally:
        sfn.meta.events.unregister("before-send.sfn.StartExecution", same_call)
    assert len(sfn.list_executions(stateMachineArn=arn)["executions"]) == 3


def test_a_token_that_the_server_has_not_made_is_refused(sfn):
    arn = create(sfn, "p", "one", publish=True)["stateMachineArn"]
    for text in ("two", "three"):
        sfn.update_state_machine(stateMachineArn=arn, definition=says(text), publish=True)
        create(sfn, f"p-{text}", text)
        run(sfn, arn)
    versions = sfn.list_state_machine_versions(stateMachineArn=arn, maxResults=1)["nextToken"]
    executions = sfn.list_executions(stateMachineArn=arn, maxResults=1)["nextToken"]
    machines = sfn.list_state_machines(maxResults=1)["nextToken"]
    forged = executions[:-2] + ("AA" if executions[-2:] != "AA" else "BB")
    for ask in (
        lambda: sfn.list_executions(stateMachineArn=arn, nextToken=forged),
        lambda: sfn.list_executions(stateMachineArn=arn, nextToken=versions),
        lambda: sfn.list_executions(stateMachineArn=arn, statusFilter="SUCCEEDED", nextToken=executions),
        lambda: sfn.list_executions(stateMachineArn=f"{arn}:1", nextToken=executions),
        lambda: sfn.list_state_machine_versions(stateMachineArn=arn, nextToken=executions),
        lambda: sfn.list_state_machines(nextToken=versions),
    ):
        with pytest.raises(sfn.exceptions.InvalidToken):
            ask()
    assert sfn.list_state_machines(nextToken=machines)["stateMachines"]


def test_an_execution_runs_the_definition_and_the_modules_that_it_began_with(tmp_path):
    server = stepwell_server.Server(tmp_path)
    try:
        sfn = client(server.endpoint)
        function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pinned"
        stepwell_server.upload(server.endpoint, "pinned", stepwell_server.stub({"behaviour": "return_const", "value": "old"}))

        def text(comment):
            wait = {"Type": "Wait", "Seconds": 4, "Next": "Call"}
            call = {"Type": "Task", "Resource": function, "End": True}
            return json.dumps({"Comment": comment, "StartAt": "Wait", "States": {"Wait": wait, "Call": call}})

        arn = sfn.create_state_machine(name="pinned", definition=text("old"), roleArn=ROLE)["stateMachineArn"]
        early = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        stepwell_server.upload(server.endpoint, "pinned", stepwell_server.stub({"behaviour": "return_const", "value": "new"}))
        sfn.update_state_machine(stateMachineArn=arn, definition=text("new"))
        late = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        # What it began with is remembered over a restart.
        server.stop()
        server = stepwell_server.Server(tmp_path)
        sfn = client(server.endpoint)
        for execution, expected in ((early, "old"), (late, "new")):
            assert wait_for_end(sfn, execution)["output"] == json.dumps(expected), expected
            described = sfn.describe_state_machine_for_execution(executionArn=execution)
            assert json.loads(described["definition"])["Comment"] == expected
    finally:
        server.stop()
