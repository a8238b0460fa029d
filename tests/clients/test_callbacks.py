"""Tasks that wait for their token (`lambda:invoke.waitForTaskToken`), with an unmodified boto3: answered early and late, by
others and by nobody, forged, over a killed server."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

import stepwell_server
import test_auth
from conftest import END_SECONDS, client, wait_for_end
from stepwell_server import ROLE_ARN

CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"
CLOSED = ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
INVALID = ("InvalidToken", "Invalid Token: 'Invalid token'")


def refused(call, **arguments):
    """Code and message of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def callback(function="echo", **fields):
    """A state whose function is given the token."""
    parameters = {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token", "input.$": "$"}}
    return {"Type": "Task", "Resource": CALLBACK, "Parameters": parameters, "End": True} | fields


def events(sfn, execution):
    """The history of an execution."""
    return sfn.get_execution_history(executionArn=execution, maxResults=1000)["events"]


def types(sfn, execution):
    """The types of all its events."""
    return [event["type"] for event in events(sfn, execution)]


def token_of(sfn, execution, after="TaskSubmitted", attempt=1):
    """The token that the function of an execution was given, once so many attempts have recorded that type of event."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        told = events(sfn, execution)
        if sum(event["type"] == after for event in told) >= attempt:
            scheduled = [event for event in told if event["type"] == "TaskScheduled"]
            return json.loads(scheduled[-1]["taskScheduledEventDetails"]["parameters"])["Payload"]["token"]
        time.sleep(0.05)
    raise TimeoutError(f"{execution} has not recorded {after}: {types(sfn, execution)}")


def test_whoever_has_the_token_ends_the_task_once(sfn, machine):
    arn = machine(T=callback(TimeoutSeconds=60, HeartbeatSeconds=30))
    execution = sfn.start_execution(stateMachineArn=arn, input='{"a": 1}')["executionArn"]
    token = token_of(sfn, execution)
    assert len(token) <= 1024
    sfn.send_task_heartbeat(taskToken=token)
    assert refused(sfn.send_task_success, taskToken=token, output="no JSON")[0] == "InvalidOutput"
    with ThreadPoolExecutor(8) as pool:

        def answer(number):
            try:
                sfn.send_task_success(taskToken=token, output=str(number))
                return number
            except ClientError as error:
                assert (error.response["Error"]["Code"], error.response["Error"]["Message"]) == CLOSED
                return None

        winners = [number for number in pool.map(answer, range(8)) if number is not None]
    assert len(winners) == 1
    ended = wait_for_end(sfn, execution)
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", str(winners[0]))
    told = events(sfn, execution)
    assert [event["type"] for event in told] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    scheduled = told[2]["taskScheduledEventDetails"]
    assert (scheduled["resourceType"], scheduled["resource"]) == ("lambda", "invoke.waitForTaskToken")
    submitted = json.loads(told[4]["taskSubmittedEventDetails"]["output"])
    assert (submitted["StatusCode"], submitted["Payload"]["token"]) == (200, token)
    assert refused(sfn.send_task_heartbeat, taskToken=token) == CLOSED


def test_a_failure_may_say_as_little_as_it_likes(sfn, machine):
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    arn = machine(T=callback(Catch=caught), Caught={"Type": "Pass", "End": True})
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    sfn.send_task_failure(taskToken=token_of(sfn, execution))
    assert json.loads(wait_for_end(sfn, execution)["output"]) == {"Error": None, "Cause": None}
    failed = sfn.start_execution(stateMachineArn=machine(T=callback()))["executionArn"]
    sfn.send_task_failure(taskToken=token_of(sfn, failed), error="E", cause="c")
    ended = wait_for_end(sfn, failed)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "E", "c")


def test_an_answer_may_come_before_the_function_has_returned(endpoint, sfn, machine, name):
    slow = {"behaviour": "sleep_then_return_event", "seconds": 5}
    stepwell_server.upload(endpoint, name, stepwell_server.stub(slow))
    execution = sfn.start_execution(stateMachineArn=machine(T=callback(name)))["executionArn"]
    began = time.monotonic()
    sfn.send_task_success(taskToken=token_of(sfn, execution, after="TaskStarted"), output='"early"')
    ended = wait_for_end(sfn, execution)
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"early"')
    assert "TaskSubmitted" not in types(sfn, execution) or time.monotonic() - began > 5


def test_a_function_knows_its_token_and_may_fail_its_task(endpoint, sfn, machine, name):
    stepwell_server.upload(endpoint, f"{name}-c", stepwell_server.stub({"behaviour": "return_context"}))
    execution = sfn.start_execution(stateMachineArn=machine(T=callback(f"{name}-c")))["executionArn"]
    token = token_of(sfn, execution)
    submitted = [event for event in events(sfn, execution) if event["type"] == "TaskSubmitted"][0]
    assert json.loads(submitted["taskSubmittedEventDetails"]["output"])["Payload"]["taskToken"] == token
    sfn.send_task_success(taskToken=token, output="{}")
    raising = {"behaviour": "raise", "error": "Broken", "cause": "why"}
    stepwell_server.upload(endpoint, f"{name}-r", stepwell_server.stub(raising))
    failed = sfn.start_execution(stateMachineArn=machine(T=callback(f"{name}-r")))["executionArn"]
    ended = wait_for_end(sfn, failed)
    assert (ended["status"], ended["error"]) == ("FAILED", "Broken")
    assert refused(sfn.send_task_success, taskToken=token_of(sfn, failed, after="TaskFailed"), output="1") == CLOSED


def test_a_missed_heartbeat_is_retried_with_another_token(sfn, machine):
    retry = [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    arn = machine(T=callback(HeartbeatSecondsPath="$.h", Retry=retry))
    execution = sfn.start_execution(stateMachineArn=arn, input='{"h": 6}')["executionArn"]
    first = token_of(sfn, execution)
    second = token_of(sfn, execution, attempt=2)
    assert first != second and refused(sfn.send_task_success, taskToken=first, output="1") == CLOSED
    for _ in range(8):
        sfn.send_task_heartbeat(taskToken=second)
        time.sleep(1)
    sfn.send_task_success(taskToken=second, output="2")
    assert wait_for_end(sfn, execution)["output"] == "2"
    told = [event for event in events(sfn, execution) if event["type"] == "TaskTimedOut"]
    assert [event["taskTimedOutEventDetails"]["error"] for event in told] == ["States.Timeout"]


def test_expressions_read_the_token_too(sfn, machine):
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": CALLBACK,
        "Arguments": {"FunctionName": "echo", "Payload": {"token": "{% $states.context.Task.Token %}"}},
        "HeartbeatSeconds": 20,
        "End": True,
    }
    execution = sfn.start_execution(stateMachineArn=machine(T=state))["executionArn"]
    token = token_of(sfn, execution)
    sfn.send_task_heartbeat(taskToken=token)
    sfn.send_task_success(taskToken=token, output='{"x": 1}')
    assert wait_for_end(sfn, execution)["output"] == '{"x":1}'


def test_forged_tokens_are_refused(sfn, machine):
    arn = machine(T=callback())
    one, other = (sfn.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(2))
    token, another = token_of(sfn, one), token_of(sfn, other)
    mixed = another[: -len(another) // 4] + token[-len(another) // 4 :]
    changed = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for forged in ("x", "AAAA", changed, token[:-4], token + "AAAA", mixed if mixed != another else changed):
        assert refused(sfn.send_task_success, taskToken=forged, output="1") == INVALID, forged
        assert refused(sfn.send_task_failure, taskToken=forged) == INVALID, forged
        assert refused(sfn.send_task_heartbeat, taskToken=forged) == INVALID, forged
    assert refused(sfn.send_task_success, taskToken="x" * 2049, output="1")[0] == "ValidationException"
    for execution, mine in ((one, token), (other, another)):
        assert types(sfn, execution)[-1] == "TaskSubmitted"
        sfn.send_task_success(taskToken=mine, output="1")


def test_a_token_is_for_its_account_and_for_who_may_run(tmp_path):
    guarded = test_auth.Guarded(tmp_path)
    try:
        ours = {policy: test_auth.client(guarded.endpoint, guarded.keys[policy]) for policy in ("admin", "read", "run")}
        theirs = test_auth.client(guarded.endpoint, guarded.keys["other"])
        functions = test_auth.client(guarded.endpoint, guarded.keys["admin"], "lambda")
        code = {"ZipFile": stepwell_server.guest("stub")}
        functions.create_function(FunctionName="echo", Role=ROLE_ARN, Runtime="provided.al2023", Handler="h", Code=code)
        definition = json.dumps({"StartAt": "T", "States": {"T": callback()}})
        admin = ours["admin"]
        arn = admin.create_state_machine(name="m", definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
        execution = admin.start_execution(stateMachineArn=arn)["executionArn"]
        token = token_of(admin, execution)
        assert refused(theirs.send_task_success, taskToken=token, output="1") == INVALID
        assert refused(ours["read"].send_task_success, taskToken=token, output="1")[0] == "AccessDeniedException"
        activity = admin.create_activity(name="a")["activityArn"]
        assert refused(theirs.describe_activity, activityArn=activity)[0] == "AccessDeniedException"
        assert refused(theirs.get_activity_task, activityArn=activity)[0] == "AccessDeniedException"
        assert theirs.list_activities()["activities"] == []
        ours["run"].send_task_success(taskToken=token, output="1")
        assert wait_for_end(admin, execution)["status"] == "SUCCEEDED"
    finally:
        guarded.server.stop()


def test_tasks_that_wait_outlive_a_crash(tmp_path):
    server = stepwell_server.Server(tmp_path)
    try:
        stepwell_server.upload(server.endpoint, "echo", stepwell_server.guest("stub"))
        sfn = client(server.endpoint)
        states = {"T": callback(HeartbeatSeconds=6)}
        definition = json.dumps({"StartAt": "T", "States": states})
        machine = sfn.create_state_machine(name="m", definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
        executions = [sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(30)]
        tokens = [token_of(sfn, execution) for execution in executions]
        sfn.send_task_success(taskToken=tokens[0], output='"before"')
        server.kill()
        server = stepwell_server.Server(tmp_path)
        sfn = client(server.endpoint)
        assert refused(sfn.send_task_success, taskToken=tokens[0], output="1") == CLOSED
        # Heartbeats go on, for longer than any task may be silent, over another crash.
        for round_ in range(8):
            for token in tokens[1:]:
                sfn.send_task_heartbeat(taskToken=token)
            time.sleep(1)
            if round_ == 4:
                server.kill()
                server = stepwell_server.Server(tmp_path)
                sfn = client(server.endpoint)
        for token in tokens[1:-1]:
            sfn.send_task_success(taskToken=token, output='"after"')
        outputs = [wait_for_end(sfn, execution)["output"] for execution in executions[:-1]]
        assert outputs == ['"before"'] + ['"after"'] * 28
        # The one that falls silent runs out of time.
        ended = wait_for_end(sfn, executions[-1])
        assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    finally:
        server.stop()
