"""RedriveExecution with boto3: what failed is mended and goes on, once, whatever happens to the server meanwhile."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import time
import uuid

import botocore.exceptions
import pytest
import stepwell_server
from conftest import client
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

END_SECONDS = 60
PAUSE_SECONDS = 0.05
BROKEN = {"behaviour": "raise", "error": "Broken", "cause": "not mended yet"}
MENDED = {"behaviour": "return_const", "value": "mended"}


@contextlib.contextmanager
def serving(directory):
    """Runs a server of its own in a directory that may hold the store of an earlier one."""
    server = stepwell_server.Server(directory)
    try:
        yield server
    finally:
        server.stop()
        print(server.output())


def task(module, **fields):
    """A Task state that ends its branch."""
    resource = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{module}"
    return {"Type": "Task", "Resource": resource, "End": True, **fields}


def start(sfn, **states):
    """Starts an execution of a machine of these states, the first one first."""
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    name = f"m-{uuid.uuid4()}"
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
    return sfn.start_execution(stateMachineArn=machine)["executionArn"]


def ended(sfn, arn):
    """Waits for the end of an execution, and describes it."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        execution = sfn.describe_execution(executionArn=arn)
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"{arn} has not ended")


def types(sfn, arn):
    """The types of all events."""
    return [event["type"] for event in sfn.get_execution_history(executionArn=arn, maxResults=1000)["events"]]


def refusal(call, **arguments):
    """Code and message of the error that a call must answer with."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_mended_module_lets_an_execution_go_on(endpoint, sfn, name):
    stepwell_server.upload(endpoint, name, stepwell_server.stub(BROKEN))
    arn = start(sfn, Before={"Type": "Pass", "Next": "Try"}, Try=task(name))
    failed = ended(sfn, arn)
    assert (failed["status"], failed["error"], failed["redriveStatus"]) == ("FAILED", "Broken", "REDRIVABLE")
    assert (failed["redriveCount"], "redriveDate" in failed) == (0, False)
    stepwell_server.upload(endpoint, name, stepwell_server.stub(MENDED))
    redriven_at = sfn.redrive_execution(executionArn=arn)["redriveDate"]
    execution = ended(sfn, arn)
    assert (execution["status"], execution["output"]) == ("SUCCEEDED", '"mended"')
    assert (execution["redriveCount"], execution["redriveDate"]) == (1, redriven_at)
    assert execution["startDate"] == failed["startDate"]
    assert "error" not in execution
    events = sfn.get_execution_history(executionArn=arn)["events"]
    assert [event["type"] for event in events][-7:] == [
        "ExecutionFailed", "ExecutionRedriven", "LambdaFunctionScheduled", "LambdaFunctionStarted",
        "LambdaFunctionSucceeded", "TaskStateExited", "ExecutionSucceeded",
    ]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    redriven = next(event for event in events if event["type"] == "ExecutionRedriven")
    assert redriven["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert redriven["previousEventId"] == redriven["id"] - 1
    listed = sfn.list_executions(stateMachineArn=execution["stateMachineArn"], statusFilter="SUCCEEDED")["executions"]
    assert [(item["redriveCount"], item["redriveDate"]) for item in listed] == [(1, redriven_at)]
    assert not sfn.list_executions(stateMachineArn=execution["stateMachineArn"], statusFilter="FAILED")["executions"]
    code, message = refusal(sfn.redrive_execution, executionArn=arn)
    assert (code, message) == ("ExecutionNotRedrivable", "Execution is SUCCEEDED and cannot be redriven")


def test_only_the_failed_branch_of_a_parallel_state_runs_again(endpoint, sfn, name):
    stepwell_server.upload(endpoint, name, stepwell_server.stub(BROKEN))
    branches = [
        {"StartAt": "Good", "States": {"Good": {"Type": "Pass", "Result": "good", "End": True}}},
        {"StartAt": "Bad", "States": {"Bad": task(name)}},
    ]
    arn = start(sfn, Both={"Type": "Parallel", "Branches": branches, "End": True})
    assert ended(sfn, arn)["status"] == "FAILED"
    assert sfn.redrive_execution(executionArn=arn)["redriveDate"]
    assert ended(sfn, arn)["redriveCount"] == 1, "it is not mended yet"
    stepwell_server.upload(endpoint, name, stepwell_server.stub(MENDED))
    sfn.redrive_execution(executionArn=arn)
    execution = ended(sfn, arn)
    assert (execution["status"], json.loads(execution["output"])) == ("SUCCEEDED", ["good", "mended"])
    assert execution["redriveCount"] == 2
    seen = types(sfn, arn)
    assert (seen.count("PassStateEntered"), seen.count("TaskStateEntered")) == (1, 1)
    assert (seen.count("LambdaFunctionScheduled"), seen.count("ParallelStateStarted")) == (3, 1)


def test_a_stopped_execution_goes_on(sfn):
    arn = start(sfn, Wait={"Type": "Wait", "Timestamp": "2030-01-01T00:00:00Z", "End": True})
    sfn.stop_execution(executionArn=arn)
    sfn.redrive_execution(executionArn=arn)
    execution = sfn.describe_execution(executionArn=arn)
    assert (execution["status"], execution["redriveStatus"]) == ("RUNNING", "NOT_REDRIVABLE")
    assert execution["redriveStatusReason"] == "Execution is RUNNING and cannot be redriven"
    assert types(sfn, arn)[-2:] == ["ExecutionAborted", "ExecutionRedriven"]
    sfn.stop_execution(executionArn=arn, error="Again")
    assert sfn.describe_execution(executionArn=arn)["error"] == "Again"


def test_of_two_redrives_at_once_one_wins(sfn):
    arn = start(sfn, Wait={"Type": "Wait", "Seconds": 600, "End": True})
    for number in range(1, 11):
        sfn.stop_execution(executionArn=arn)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(sfn.redrive_execution, executionArn=arn) for _ in range(4)]
        failures = [call.exception() for call in calls if call.exception()]
        assert len(failures) == 3
        assert {failure.response["Error"]["Code"] for failure in failures} == {"ExecutionNotRedrivable"}
        assert sfn.describe_execution(executionArn=arn)["redriveCount"] == number
    sfn.stop_execution(executionArn=arn)


def test_a_client_token_stands_for_one_redrive(sfn):
    arn = start(sfn, Fail={"Type": "Fail", "Error": "Always"})
    ended(sfn, arn)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        same = [pool.submit(sfn.redrive_execution, executionArn=arn, clientToken="one") for _ in range(4)]
    first = {call.result()["redriveDate"] for call in same}
    assert len(first) == 1
    assert ended(sfn, arn)["redriveCount"] == 1
    assert {sfn.redrive_execution(executionArn=arn, clientToken="one")["redriveDate"]} == first
    assert sfn.describe_execution(executionArn=arn)["redriveCount"] == 1
    sfn.redrive_execution(executionArn=arn, clientToken="two")
    assert ended(sfn, arn)["redriveCount"] == 2
    # Only the last ten are remembered.
    for number in range(9):
        sfn.redrive_execution(executionArn=arn, clientToken=f"more-{number}")
        ended(sfn, arn)
    assert {sfn.redrive_execution(executionArn=arn, clientToken="one")["redriveDate"]} != first
    assert ended(sfn, arn)["redriveCount"] == 12


def test_a_redrive_survives_a_killed_server(tmp_path):
    with serving(tmp_path) as server:
        sfn = client(server.endpoint)
        stepwell_server.upload(server.endpoint, "flaky", stepwell_server.stub(BROKEN))
        each = {"StartAt": "One", "States": {"One": task("flaky")}}
        definition = {"StartAt": "Note", "States": {
            "Note": {"Type": "Pass", "Assign": {"note": "kept"}, "Next": "All"},
            "All": {"Type": "Map", "ItemProcessor": each, "MaxConcurrency": 2, "Next": "Rest"},
            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Last"},
            "Last": {"Type": "Pass", "Parameters": {"note.$": "$note", "all.$": "$"}, "End": True},
        }}
        machine = sfn.create_state_machine(name="m", definition=json.dumps(definition), roleArn=ROLE_ARN)
        started = sfn.start_execution(stateMachineArn=machine["stateMachineArn"], input="[1, 2, 3]")
        arn = started["executionArn"]
        assert ended(sfn, arn)["status"] == "FAILED"
        server.kill()
    with serving(tmp_path) as server:
        sfn = client(server.endpoint)
        stepwell_server.upload(server.endpoint, "flaky", stepwell_server.stub(MENDED))
        token = "before-the-crash"
        redriven_at = sfn.redrive_execution(executionArn=arn, clientToken=token)["redriveDate"]
        server.kill()
    with serving(tmp_path) as server:
        sfn = client(server.endpoint)
        assert sfn.redrive_execution(executionArn=arn, clientToken=token)["redriveDate"] == redriven_at
        execution = ended(sfn, arn)
        assert (execution["status"], execution["redriveCount"]) == ("SUCCEEDED", 1)
        assert json.loads(execution["output"]) == {"note": "kept", "all": ["mended"] * 3}
        seen = types(sfn, arn)
        assert (seen.count("ExecutionRedriven"), seen.count("MapStateStarted")) == (1, 1)
        assert seen.count("MapIterationSucceeded") == 3


def test_jsonata_goes_on_as_well(endpoint, sfn, name):
    stepwell_server.upload(endpoint, name, stepwell_server.stub(BROKEN))
    state = task(name, Arguments="{% $states.context.Execution.RedriveCount %}", Output="{% [$kept, $states.result] %}")
    definition = {"QueryLanguage": "JSONata", "StartAt": "Keep", "States": {
        "Keep": {"Type": "Pass", "Assign": {"kept": "{% $random() %}"}, "Next": "Try"}, "Try": state,
    }}
    machine = sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE_ARN)
    arn = sfn.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    assert ended(sfn, arn)["status"] == "FAILED"
    stepwell_server.upload(endpoint, name, stepwell_server.stub({"behaviour": "return_event"}))
    sfn.redrive_execution(executionArn=arn)
    execution = ended(sfn, arn)
    events = sfn.get_execution_history(executionArn=arn)["events"]
    kept = json.loads(events[2]["stateExitedEventDetails"]["assignedVariables"]["kept"])
    assert json.loads(execution["output"]) == [kept, 1]


def test_what_cannot_be_redriven_is_told(sfn, name):
    wrong = f"arn:aws:states:{REGION}:{ACCOUNT}"
    missing = f"{wrong}:execution:m:nothing"
    assert refusal(sfn.redrive_execution, executionArn=missing) == (
        "ExecutionDoesNotExist", f"Execution Does Not Exist: '{missing}'",
    )
    code, message = refusal(sfn.redrive_execution, executionArn=f"{wrong}:express:m:e:{uuid.uuid4()}")
    assert (code, message) == ("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")
    code, message = refusal(sfn.redrive_execution, executionArn=missing, clientToken="not a token" + "x" * 60)
    assert code == "ValidationException"
    assert "'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [!-~]+" in message
    assert "Member must have length less than or equal to 64" in message
    definition = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail"}}})
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    assert ended(sfn, arn)["redriveStatus"] == "REDRIVABLE"
    sfn.delete_state_machine(stateMachineArn=machine)
    reason = "State machine is in DELETING status"
    assert refusal(sfn.redrive_execution, executionArn=arn) == ("ExecutionNotRedrivable", reason)
    execution = sfn.describe_execution(executionArn=arn)
    assert (execution["redriveStatus"], execution["redriveStatusReason"]) == ("NOT_REDRIVABLE", reason)


def test_no_execution_has_a_map_run(sfn):
    arn = start(sfn, Fail={"Type": "Fail"})
    assert sfn.list_map_runs(executionArn=arn)["mapRuns"] == []
    assert refusal(sfn.list_map_runs, executionArn=arn, nextToken="x") == ("InvalidToken", "Invalid Token: 'Invalid token'")
    missing = arn.rsplit(":", 1)[0] + ":nothing"
    assert refusal(sfn.list_map_runs, executionArn=missing)[0] == "ExecutionDoesNotExist"
    run = f"arn:aws:states:{REGION}:{ACCOUNT}:mapRun:m/l:{uuid.uuid4()}"
    for call in (sfn.describe_map_run, sfn.update_map_run):
        assert refusal(call, mapRunArn=run) == ("ResourceNotFound", f"Resource not found: '{run}'")
        assert refusal(call, mapRunArn=arn)[0] == "InvalidArn"
    code, message = refusal(sfn.update_map_run, mapRunArn=run, toleratedFailurePercentage=100.5)
    assert (code, "'toleratedFailurePercentage'" in message) == ("ValidationException", True)
    assert "Member must have value less than or equal to 100" in message
