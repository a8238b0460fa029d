"""Mocks of Step Functions Local: executions started for a test case, with an unmodified boto3."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

import stepwell_server
from conftest import client, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

MACHINE = "mocked"
STATES = "arn:aws:states:::"
CASES = {
    "job": {"Job": "done"},
    "approval": {"Approve": "done"},
    "worker": {"Work": "refused"},
    "loop": {"Look": "second"},
    "retry": {"Call": "third"},
    "nothing": {},
}
RESPONSES = {
    "done": {"0": {"Return": {"JobRunState": "SUCCEEDED"}}},
    "refused": {"0": {"Throw": {"Error": "Refused", "Cause": "no time"}}},
    "second": {"0": {"Return": {"status": "running"}}, "1": {"Return": {"status": "done"}}},
    "third": {"0-1": {"Throw": {"Error": "Again"}}, "2": {"Return": "at last"}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with mocks."""
    directory = tmp_path_factory.mktemp("mocks")
    config = directory / "MockConfigFile.json"
    machines = {MACHINE: {"TestCases": CASES}}
    config.write_text(json.dumps({"StateMachines": machines, "MockedResponses": RESPONSES}))
    server = stepwell_server.Server(directory, "--mock-config", str(config))
    yield server
    assert server.stop() == 0, server.output()


@pytest.fixture
def run(server):
    """Makes the machine of one state (and those behind it), runs it for a test case; its end and its event types."""
    sfn = client(server.endpoint)
    made = []

    def start(case, name=MACHINE, **states):
        definition = json.dumps({"StartAt": next(iter(states)), "States": states})
        if made:
            sfn.update_state_machine(stateMachineArn=made[0], definition=definition)
        else:
            created = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN)
            made.append(created["stateMachineArn"])
        arn = made[0] + (f"#{case}" if case else "")
        started = sfn.start_execution(stateMachineArn=arn, input="{}")
        ended = wait_for_end(sfn, started["executionArn"])
        history = sfn.get_execution_history(executionArn=started["executionArn"])["events"]
        return ended, [event["type"] for event in history]

    yield start
    for arn in made:
        sfn.delete_state_machine(stateMachineArn=arn)
        wait_until_gone(sfn, arn)


def wait_until_gone(sfn, arn):
    """Machines disappear when their executions have."""
    for _ in range(200):
        try:
            sfn.describe_state_machine(stateMachineArn=arn)
        except sfn.exceptions.StateMachineDoesNotExist:
            return
    raise TimeoutError(arn)


def task(action, **more):
    return {"Type": "Task", "Resource": STATES + action, "End": True} | more


def test_a_job_that_this_server_cannot_run(run):
    job = task("glue:startJobRun.sync", Parameters={"JobName": "j"})
    ended, types = run("job", Job=job)
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"JobRunState": "SUCCEEDED"})
    assert types[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_a_callback_that_nobody_sends(run):
    parameters = {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}}
    approve = task("sqs:sendMessage.waitForTaskToken", Parameters=parameters)
    ended, types = run("approval", Approve=approve)
    assert ended["status"] == "SUCCEEDED" and "TaskSubmitted" in types


def test_a_worker_that_there_is_not(run):
    work = {"Type": "Task", "Resource": f"arn:aws:states:{REGION}:{ACCOUNT}:activity:none", "End": True}
    ended, types = run("worker", Work=work)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Refused", "no time")
    assert types[2:5] == ["ActivityScheduled", "ActivityStarted", "ActivityFailed"]


def test_each_invocation_has_its_answer(run):
    look = task("aws-sdk:glue:getJobRun", Parameters={}, End=False, Next="Done")
    del look["End"]
    done = {"Type": "Choice", "Choices": [{"Variable": "$.status", "StringEquals": "done", "Next": "End"}], "Default": "Look"}
    ended, types = run("loop", Look=look, Done=done, End={"Type": "Succeed"})
    assert json.loads(ended["output"]) == {"status": "done"} and types.count("TaskScheduled") == 2


def test_retries_are_invocations(run):
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "BackoffRate": 1}]
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:none"
    call = {"Type": "Task", "Resource": function, "Retry": retry, "End": True}
    ended, types = run("retry", Call=call)
    assert ended["output"] == '"at last"' and types.count("LambdaFunctionFailed") == 2


def test_without_a_test_case_nothing_is_mocked(run):
    ended, _ = run(None, Job=task("glue:startJobRun", Parameters={}))
    assert ended["error"] == "States.Runtime" and "glue:startJobRun' is not supported" in ended["cause"]
    ended, _ = run("nothing", Job=task("glue:startJobRun", Parameters={}))
    assert ended["error"] == "States.Runtime"


def test_a_test_case_that_there_is_not(server, run):
    with pytest.raises(ClientError) as refused:
        run("unknown", Job=task("glue:startJobRun", Parameters={}))
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert "has no test case 'unknown'" in error["Message"] and "approval, job" in error["Message"]


def test_mocks_that_cannot_be_used(tmp_path):
    config = tmp_path / "mocks.json"
    config.write_text('{"StateMachines": {"m": {"TestCases": {"c": {"S": "r"}}}}}')
    with pytest.raises(RuntimeError, match="StateMachines.m.TestCases.c.S names 'r'"):
        stepwell_server.Server(tmp_path, "--mock-config", str(config))
