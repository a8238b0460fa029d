"""Logs of executions: state machines that log, and boto3's own `logs` client that creates the groups and reads them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import stepwell_server
from conftest import client, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN
from test_auth import OTHER_ACCOUNT, Guarded
from test_auth import client as signed_client

END_SECONDS = 30
PAUSE_SECONDS = 0.05
MEMBERS = {"id", "type", "details", "previous_event_id", "event_timestamp", "execution_arn", "redrive_count"}
FAILS = {
    "StartAt": "First",
    "States": {
        "First": {"Type": "Pass", "Result": {"card": "4111"}, "Next": "Last"},
        "Last": {"Type": "Fail", "Error": "NoGood", "Cause": "as asked"},
    },
}
TYPES = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "FailStateEntered", "ExecutionFailed"]


@pytest.fixture(scope="module")
def logs(endpoint):
    """boto3's client of CloudWatch Logs."""
    return client(endpoint, "logs")


@pytest.fixture
def group(logs, name):
    """A log group of its own."""
    group = f"/aws/vendedlogs/states/{name}"
    logs.create_log_group(logGroupName=group)
    yield group
    try:
        logs.delete_log_group(logGroupName=group)
    except logs.exceptions.ResourceNotFoundException:
        pass


def arn_of(group, account=ACCOUNT, region=REGION):
    """The form that DescribeLogGroups gives and state machines take."""
    return f"arn:aws:logs:{region}:{account}:log-group:{group}:*"


def logging(group, level="ALL", data=False):
    """A logging configuration."""
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": arn_of(group)}}
    return {"level": level, "includeExecutionData": data, "destinations": [destination]}


def create(sfn, name, configuration, definition=None, **more):
    """A machine that logs."""
    text = json.dumps(definition or FAILS)
    created = sfn.create_state_machine(
        name=name, definition=text, roleArn=ROLE_ARN, loggingConfiguration=configuration, **more
    )
    return created["stateMachineArn"]


def records(logs, group, count=1, **arguments):
    """The records in a group, once there are so many."""
    deadline = time.monotonic() + END_SECONDS
    found = []
    while time.monotonic() < deadline:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **arguments)
        found = [json.loads(event["message"]) for page in pages for event in page["events"]]
        if len(found) >= count:
            return found
        time.sleep(PAUSE_SECONDS)
    raise AssertionError(f"{group} has {len(found)} records and not {count}: {found}")


def run(sfn, machine, text="{}"):
    """Starts an execution and waits for its end."""
    arn = sfn.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    wait_for_end(sfn, arn)
    return arn


@pytest.mark.parametrize(
    ("level", "types"), [("ALL", TYPES), ("ERROR", ["FailStateEntered", "ExecutionFailed"]), ("FATAL", TYPES[-1:])]
)
def test_each_level_has_its_events(sfn, logs, name, group, level, types):
    machine = create(sfn, name, logging(group, level))
    arn = run(sfn, machine)
    found = records(logs, group, len(types))
    assert [record["type"] for record in found] == types
    assert all(set(record) == MEMBERS and record["execution_arn"] == arn for record in found)
    history = sfn.get_execution_history(executionArn=arn)["events"]
    times = {str(event["id"]): int(round(event["timestamp"].timestamp() * 1_000)) for event in history}
    assert all(int(record["event_timestamp"]) == times[record["id"]] for record in found)
    assert found[-1]["details"] == {"error": "NoGood", "cause": "as asked"}


def test_data_is_logged_only_where_it_is_asked_for(sfn, logs, name, group):
    machine = create(sfn, name, logging(group, data=False))
    run(sfn, machine, '{"secret": 1}')
    records(logs, group, len(TYPES))
    sfn.update_state_machine(stateMachineArn=machine, loggingConfiguration=logging(group, data=True))
    run(sfn, machine, '{"shown": 2}')
    found = records(logs, group, 2 * len(TYPES))
    without, with_data = found[: len(TYPES)], found[len(TYPES) :]
    assert "secret" not in json.dumps(without) and "4111" not in json.dumps(without)
    assert without[0]["details"] == {"roleArn": ROLE_ARN}
    assert json.loads(with_data[0]["details"]["input"]) == {"shown": 2}
    assert with_data[0]["details"]["inputDetails"] == {"truncated": False}
    assert json.loads(with_data[2]["details"]["output"]) == {"card": "4111"}


def test_a_change_does_not_reach_executions_that_run(sfn, logs, name, group):
    waits = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3_600, "End": True}}}
    machine = create(sfn, name, logging(group), waits)
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    records(logs, group, 2)
    off = {"level": "OFF", "includeExecutionData": False}
    sfn.update_state_machine(stateMachineArn=machine, loggingConfiguration=off)
    sfn.stop_execution(executionArn=arn)
    assert records(logs, group, 3)[-1]["type"] == "ExecutionAborted"
    sfn.stop_execution(executionArn=sfn.start_execution(stateMachineArn=machine)["executionArn"])
    assert len(records(logs, group, 3)) == 3


def test_express_workflows_log_too(sfn, logs, name, group):
    machine = create(sfn, name, logging(group), type="EXPRESS")
    sfn.start_sync_execution(stateMachineArn=machine)
    assert [record["type"] for record in records(logs, group, len(TYPES))] == TYPES


def test_a_destination_must_be_there(sfn, logs, name, group):
    refused = sfn.exceptions.InvalidLoggingConfiguration
    for wrong in [
        arn_of(group + "-not-there"),
        arn_of(group, account="999999999999"),
        arn_of(group, region="eu-west-1"),
        "arn:aws:s3:::bucket",
    ]:
        destination = {"cloudWatchLogsLogGroup": {"logGroupArn": wrong}}
        with pytest.raises(refused, match="Log Destination not found."):
            create(sfn, name, {"level": "ALL", "destinations": [destination]})
    twice = logging(group) | {"destinations": logging(group)["destinations"] * 2}
    for wrong in [twice, {"level": "ERROR"}, {"level": "ALL", "destinations": []}]:
        with pytest.raises(refused, match="Must specify exactly one Log Destination."):
            create(sfn, name, wrong)
    machine = create(sfn, name, logging(group))
    shown = sfn.describe_state_machine(stateMachineArn=machine)["loggingConfiguration"]
    assert shown == logging(group)
    logs.delete_log_group(logGroupName=group)
    with pytest.raises(refused, match="Log Destination not found."):
        create(sfn, f"{name}-2", logging(group))
    # What logs to a group that has gone runs all the same, and a new group begins empty.
    run(sfn, machine)
    logs.create_log_group(logGroupName=group)
    assert logs.filter_log_events(logGroupName=group)["events"] == []
    run(sfn, machine)
    assert len(records(logs, group, len(TYPES))) == len(TYPES)


def test_groups_are_described_tagged_and_kept(logs, name, group):
    described = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert [one["logGroupName"] for one in described] == [group]
    assert described[0]["arn"] == arn_of(group)
    assert "retentionInDays" not in described[0] and described[0]["storedBytes"] == 0
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.put_retention_policy(logGroupName=group, retentionInDays=8)
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    resource = arn_of(group).removesuffix(":*")
    logs.tag_resource(resourceArn=resource, tags={"a": "1", "b": "2"})
    logs.untag_resource(resourceArn=resource, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=resource)["tags"] == {"b": "2"}
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=group + "-not-there")


def test_groups_come_in_pages(logs, name):
    names = [f"{name}/{number}" for number in range(7)]
    for one in names:
        logs.create_log_group(logGroupName=one)
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=name, PaginationConfig={"PageSize": 3}
    )
    assert [one["logGroupName"] for page in pages for one in page["logGroups"]] == names
    for one in names:
        logs.delete_log_group(logGroupName=one)


def test_events_are_read_in_pages_and_found_by_words_and_time(sfn, logs, name, group):
    machine = create(sfn, name, logging(group))
    for _ in range(3):
        run(sfn, machine)
    found = records(logs, group, 3 * len(TYPES))
    assert len(records(logs, group, PaginationConfig={"PageSize": 4})) == len(found)
    assert len(records(logs, group, 3, filterPattern='"ExecutionFailed"')) == 3
    assert len(records(logs, group, 3, filterPattern="-ExecutionFailed FailStateEntered")) == 3
    last = int(found[-1]["event_timestamp"])
    assert logs.filter_log_events(logGroupName=group, startTime=last + 1)["events"] == []
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    place = {"logGroupName": group, "logStreamName": stream["logStreamName"]}
    newest = logs.get_log_events(**place, limit=4)
    assert [json.loads(event["message"]) for event in newest["events"]] == found[-4:]
    before = logs.get_log_events(**place, limit=4, nextToken=newest["nextBackwardToken"])
    assert [json.loads(event["message"]) for event in before["events"]] == found[-8:-4]
    end = logs.get_log_events(**place, nextToken=newest["nextForwardToken"])
    assert end["events"] == [] and end["nextForwardToken"] == newest["nextForwardToken"]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.filter_log_events(logGroupName=group, nextToken="../../etc")


def test_names_that_would_leave_the_directory_stay_in_it(tmp_path):
    server = stepwell_server.Server(tmp_path, "--log-dir", str(tmp_path / "logs"))
    try:
        sfn, logs = client(server.endpoint), client(server.endpoint, "logs")
        group = "../../../outside/.."
        logs.create_log_group(logGroupName=group)
        run(sfn, create(sfn, "m", logging(group)))
        records(logs, group, len(TYPES))
        files = [path for path in tmp_path.rglob("*.jsonl")]
        assert len(files) == 1 and files[0].is_relative_to(tmp_path / "logs" / ACCOUNT)
        logs.delete_log_group(logGroupName=group)
        assert not files[0].exists() and tmp_path.exists()
    finally:
        assert server.stop() == 0


def test_logs_go_to_the_standard_output_and_survive_a_stop(tmp_path):
    server = stepwell_server.Server(tmp_path, "--execution-logs", "both", "--log-format", "json")
    sfn, logs = client(server.endpoint), client(server.endpoint, "logs")
    logs.create_log_group(logGroupName="g")
    arn = run(sfn, create(sfn, "m", logging("g")))
    # A stop in good order writes what is on its way.
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.output().splitlines() if line.startswith('{"log_group"')]
    assert [line["record"]["type"] for line in lines] == TYPES
    assert all(line["log_group"] == "g" and line["record"]["execution_arn"] == arn for line in lines)
    [path] = Path(tmp_path / "data" / "logs").rglob("*.jsonl")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [line["record"] for line in lines]


def test_accounts_do_not_see_each_others_groups(tmp_path):
    guarded = Guarded(tmp_path)
    try:
        other, reader, deployer = (
            signed_client(guarded.endpoint, guarded.keys[who], "logs") for who in ("other", "read", "deploy")
        )
        other.create_log_group(logGroupName="g")
        assert reader.describe_log_groups()["logGroups"] == []
        with pytest.raises(reader.exceptions.ResourceNotFoundException):
            reader.filter_log_events(logGroupName="g")
        with pytest.raises(ClientError, match="AccessDenied.* logs:FilterLogEvents"):
            reader.filter_log_events(logGroupIdentifier=arn_of("g", account=OTHER_ACCOUNT))
        with pytest.raises(ClientError, match="AccessDenied.* logs:CreateLogGroup"):
            reader.create_log_group(logGroupName="h")
        deployer.create_log_group(logGroupName="h")
        assert [one["logGroupName"] for one in other.describe_log_groups()["logGroups"]] == ["g"]
        sfn = signed_client(guarded.endpoint, guarded.keys["deploy"])
        destination = {"cloudWatchLogsLogGroup": {"logGroupArn": arn_of("g", account=OTHER_ACCOUNT)}}
        with pytest.raises(sfn.exceptions.InvalidLoggingConfiguration, match="Log Destination not found."):
            create(sfn, "m", {"level": "ALL", "destinations": [destination]})
    finally:
        assert guarded.server.stop() == 0
