"""Executions that are started by tasks, with an unmodified boto3: all four forms, failures, stops, and a killed server."""

from __future__ import annotations

import json
import time

import pytest

import stepwell_server
from conftest import END_SECONDS, PAUSE_SECONDS, client, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

START = "arn:aws:states:::states:startExecution"
DESCRIBED = [
    "ExecutionArn", "Input", "InputDetails", "Name", "Output", "OutputDetails", "RedriveCount", "RedriveStatus",
    "RedriveStatusReason", "StartDate", "StateMachineArn", "Status", "StopDate",
]


def task(resource, parameters, **more):
    """A task that is its machine's last state."""
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **more}


def run(sfn, arn, value=None):
    """Starts an execution and returns its description at its end."""
    started = sfn.start_execution(stateMachineArn=arn, input=json.dumps(value if value is not None else {}))
    return wait_for_end(sfn, started["executionArn"])


def events(sfn, execution):
    """The history of an execution."""
    return sfn.get_execution_history(executionArn=execution, maxResults=1000)["events"]


def until(look):
    """Waits until a look finds something."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"nothing after {END_SECONDS} s")


def only(sfn, machine):
    """The one execution of a machine, once there is one."""
    executions = until(lambda: sfn.list_executions(stateMachineArn=machine)["executions"])
    assert len(executions) == 1
    return executions[0]


def test_a_child_that_nobody_waits_for(sfn, machine):
    child = machine(P={"Type": "Pass", "End": True})
    parent = machine(T=task(START, {"StateMachineArn": child, "Input": {"a": 1, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id"}, "Name": "n"}))
    ended = run(sfn, parent)
    output = json.loads(ended["output"])
    assert list(output) == ["ExecutionArn", "SdkHttpMetadata", "SdkResponseMetadata", "StartDate"]
    assert output["ExecutionArn"] == child.replace(":stateMachine:", ":execution:") + ":n"
    described = wait_for_end(sfn, output["ExecutionArn"])
    started_by = json.loads(described["input"])["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"]
    assert (described["status"], started_by) == ("SUCCEEDED", ended["executionArn"])


def test_a_child_that_is_waited_for(sfn, machine):
    child = machine(W={"Type": "Wait", "Seconds": 1, "Next": "P"}, P={"Type": "Pass", "Result": {"b": 2}, "End": True})
    for suffix, shaped in [(".sync", json.dumps), (".sync:2", lambda value: value)]:
        parent = machine(T=task(START + suffix, {"StateMachineArn": child, "Input": {"a": 1}}))
        ended = run(sfn, parent)
        output = json.loads(ended["output"])
        assert list(output) == DESCRIBED
        assert (output["Status"], output["InputDetails"]) == ("SUCCEEDED", {"Included": True})
        parsed = [value if suffix == ".sync:2" else json.loads(value) for value in (output["Input"], output["Output"])]
        assert parsed == [{"a": 1}, {"b": 2}] and isinstance(output["StartDate"], str)
        types = [event["type"] for event in events(sfn, ended["executionArn"])]
        assert types[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_what_becomes_of_a_child_that_fails(sfn, machine):
    child = machine(F={"Type": "Fail", "Error": "Boom", "Cause": "it had to"})
    parent = machine(T=task(f"{START}.sync:2", {"StateMachineArn": child}))
    ended = run(sfn, parent)
    cause = json.loads(ended["cause"])
    assert (ended["error"], cause["Status"], cause["Error"], cause["Cause"]) == ("States.TaskFailed", "FAILED", "Boom", "it had to")
    assert list(cause) == sorted(cause)
    missing = run(sfn, machine(T=task(START, {"StateMachineArn": f"{child}-missing"})))
    assert missing["error"] == "StepFunctions.StateMachineDoesNotExistException"
    assert "Error Code: StateMachineDoesNotExist; Request ID: " in missing["cause"]


def test_a_child_answers_the_token_of_its_parent(sfn, machine):
    answer = "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess"
    send = {"Type": "Task", "Resource": answer, "Parameters": {"Output": '{"by":"child"}', "TaskToken.$": "$.Token"}, "Next": "W"}
    # The parent does not wait for the end of a child that has sent its token, and does not end it either.
    child = machine(L={"Type": "Wait", "Seconds": 1, "Next": "S"}, S=send, W={"Type": "Wait", "Seconds": 3600, "End": True})
    for suffix in [".waitForTaskToken", ".sync"]:
        parent = machine(T=task(START + suffix, {"StateMachineArn": child, "Input": {"Token.$": "$$.Task.Token"}}))
        ended = run(sfn, parent)
        assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"by": "child"})
        assert "TaskSubmitted" in [event["type"] for event in events(sfn, ended["executionArn"])]
    children = sfn.list_executions(stateMachineArn=child)["executions"]
    assert [one["status"] for one in children] == ["RUNNING"] * 2
    for one in children:
        sfn.stop_execution(executionArn=one["executionArn"])


@pytest.mark.parametrize("how", ["stopped", "timed out", "sibling"])
def test_a_parent_that_is_aborted_stops_its_child(sfn, machine, how):
    child = machine(W={"Type": "Wait", "Seconds": 3600, "End": True})
    job = task(f"{START}.sync", {"StateMachineArn": child})
    if how == "timed out":
        parent = machine(T={**job, "TimeoutSeconds": 2})
    elif how == "sibling":
        fails = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 2, "Next": "F"}, "F": {"Type": "Fail", "Error": "E"}}}
        parent = machine(P={"Type": "Parallel", "End": True, "Branches": [{"StartAt": "T", "States": {"T": job}}, fails]})
    else:
        parent = machine(T=job)
    started = sfn.start_execution(stateMachineArn=parent)["executionArn"]
    execution = only(sfn, child)["executionArn"]
    if how == "stopped":
        sfn.stop_execution(executionArn=started)
    assert wait_for_end(sfn, execution)["status"] == "ABORTED"
    assert wait_for_end(sfn, started)["status"] == ("ABORTED" if how == "stopped" else "FAILED")


def test_a_machine_that_waits_for_itself_without_end_fails(sfn, name):
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    definition = {"StartAt": "T", "States": {"T": task(f"{START}.sync", {"StateMachineArn": arn})}}
    sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE_ARN)
    ended = run(sfn, arn)
    assert ended["error"] == "States.TaskFailed"
    executions = sfn.list_executions(stateMachineArn=arn, maxResults=1000)["executions"]
    assert {execution["status"] for execution in executions} == {"FAILED"} and len(executions) == 101
    deepest = min(executions, key=lambda execution: execution["stopDate"])
    error = sfn.describe_execution(executionArn=deepest["executionArn"])["error"]
    assert error == "StepFunctions.ExecutionLimitExceededException"
    sfn.delete_state_machine(stateMachineArn=arn)


def test_express_children(sfn, machine, name):
    definition = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"x": 1}, "End": True}}})
    child = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN, type="EXPRESS")["stateMachineArn"]
    started = json.loads(run(sfn, machine(T=task(START, {"StateMachineArn": child})))["output"])
    assert ":express:" in started["ExecutionArn"]
    waited = run(sfn, machine(T=task(f"{START}.sync", {"StateMachineArn": child})))
    assert waited["error"] == "StepFunctions.StateMachineTypeNotSupportedException"
    sync = "arn:aws:states:::aws-sdk:sfn:startSyncExecution"
    output = json.loads(run(sfn, machine(T=task(sync, {"StateMachineArn": child, "Input": "{}"})))["output"])
    assert (output["Status"], output["Output"]) == ("SUCCEEDED", '{"x":1}')
    sfn.delete_state_machine(stateMachineArn=child)


def test_operations_of_step_functions_by_its_sdk(sfn, machine):
    described = run(sfn, machine(T=task("arn:aws:states:::aws-sdk:sfn:describeStateMachine", {"StateMachineArn.$": "$$.StateMachine.Id"})))
    output = json.loads(described["output"])
    assert output["Type"] == "STANDARD" and output["CreationDate"].endswith("Z")
    refused = run(sfn, machine(T=task("arn:aws:states:::aws-sdk:sfn:sendTaskSuccess", {"Output": "x", "TaskToken": "NoSuchToken"})))
    assert refused["error"] == "Sfn.InvalidTokenException"
    assert refused["cause"].startswith("Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: ")


def test_functions_in_all_ways(sfn, machine):
    def invoke(more, resource="arn:aws:states:::lambda:invoke"):
        payload = {"FunctionName": "echo", "Payload": {"a": 1}, **more}
        return run(sfn, machine(T=task(resource, payload)))

    event = json.loads(invoke({"InvocationType": "Event"})["output"])
    assert (event["StatusCode"], event["SdkHttpMetadata"]["HttpStatusCode"]) == (202, 202)
    assert json.loads(invoke({"InvocationType": "DryRun"})["output"])["StatusCode"] == 204
    assert invoke({"InvocationType": "Event", "FunctionName": "missing"})["error"] == "Lambda.ResourceNotFoundException"
    assert invoke({"InvocationType": "Later"})["error"] == "Lambda.ValidationException"
    assert invoke({"ClientContext": "e30="})["status"] == "SUCCEEDED"
    assert invoke({"ClientContext": "no"})["error"] == "Lambda.InvalidRequestContentException"
    sdk = json.loads(invoke({}, "arn:aws:states:::aws-sdk:lambda:invoke")["output"])
    assert sorted(sdk) == ["ExecutedVersion", "Payload", "StatusCode"] and isinstance(sdk["Payload"], str)
    missing = invoke({"FunctionName": "missing"}, "arn:aws:states:::aws-sdk:lambda:invoke")
    assert missing["error"] == "Lambda.ResourceNotFoundException" and "(SDK Attempt Count: 1)" in missing["cause"]


def test_a_killed_server_starts_no_second_child(tmp_path):
    server = stepwell_server.Server(tmp_path)
    try:
        sfn = client(server.endpoint)
        create = lambda name, states: sfn.create_state_machine(
            name=name, roleArn=ROLE_ARN, definition=json.dumps({"StartAt": next(iter(states)), "States": states})
        )["stateMachineArn"]
        child = create("child", {"W": {"Type": "Wait", "Seconds": 6, "Next": "P"}, "P": {"Type": "Pass", "Result": [1], "End": True}})
        parent = create("parent", {"T": task(f"{START}.sync:2", {"StateMachineArn": child})})
        started = [sfn.start_execution(stateMachineArn=parent)["executionArn"] for _ in range(20)]
        until(lambda: len(sfn.list_executions(stateMachineArn=child)["executions"]) >= 10)
        server.kill()
        server = stepwell_server.Server(tmp_path)
        sfn = client(server.endpoint)
        for execution in started:
            ended = wait_for_end(sfn, execution)
            assert (ended["status"], json.loads(ended["output"])["Output"]) == ("SUCCEEDED", [1])
            types = [event["type"] for event in events(sfn, execution)]
            assert [types.count(kind) for kind in ("TaskSubmitted", "TaskSucceeded", "ExecutionSucceeded")] == [1, 1, 1]
        children = sfn.list_executions(stateMachineArn=child, maxResults=1000)["executions"]
        assert len(children) == len(started) and {one["status"] for one in children} == {"SUCCEEDED"}
    finally:
        server.stop()
