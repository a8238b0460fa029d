"""The quotas of Step Functions are a profile: what goes beyond them works by default, and the answer says so."""

from __future__ import annotations

import json
import time

import botocore.exceptions
import pytest

import stepwell_server
from conftest import client
from stepwell_server import ROLE_ARN

BEYOND = "x-stepwell-beyond-quotas"
LARGE = json.dumps("x" * 300_000)
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": True}}})


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts servers with flags, each once; all are stopped at the end."""
    servers = {}

    def started(*flags):
        if flags not in servers:
            servers[flags] = stepwell_server.Server(tmp_path_factory.mktemp("server"), *flags)
        return client(servers[flags].endpoint, retries={"total_max_attempts": 1})

    yield started
    for server in servers.values():
        assert server.stop() == 0


def machine(sfn, name):
    return sfn.create_state_machine(name=name, definition=PASS, roleArn=ROLE_ARN)["stateMachineArn"]


def ended(sfn, arn):
    for _ in range(400):
        execution = sfn.describe_execution(executionArn=arn)
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(0.02)
    raise AssertionError(f"{arn} does not end")


def header(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"].get(BEYOND)


def test_by_default_a_larger_payload_works_and_the_answers_say_so(start):
    sfn = start()
    started = sfn.start_execution(stateMachineArn=machine(sfn, "large"), input=LARGE)
    assert header(started) == "input"
    execution = ended(sfn, started["executionArn"])
    assert (execution["status"], execution["output"]) == ("SUCCEEDED", LARGE)
    assert header(execution) == "input, output"
    history = sfn.get_execution_history(executionArn=started["executionArn"])
    assert header(history) == "event"
    assert history["events"][-1]["executionSucceededEventDetails"]["output"] == LARGE
    small = sfn.start_execution(stateMachineArn=machine(sfn, "large"), input="{}")
    assert header(small) is None


def test_strict_refuses_what_step_functions_refuses(start):
    sfn = start("--profile", "strict")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        sfn.start_execution(stateMachineArn=machine(sfn, "large"), input=LARGE)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "less than or equal to 262144" in refused.value.response["Error"]["Message"]


def test_a_number_on_the_command_line_wins_over_the_profile(start):
    sfn = start("--profile", "strict", "--payload-limit-kib", "512")
    started = sfn.start_execution(stateMachineArn=machine(sfn, "large"), input=LARGE)
    assert ended(sfn, started["executionArn"])["status"] == "SUCCEEDED"


def test_request_rates_of_aws_throttle_and_say_when_to_come_back(start):
    sfn = start("--aws-request-rates")
    answers = []
    for _ in range(300):
        try:
            sfn.list_state_machines()
            answers.append(None)
        except botocore.exceptions.ClientError as refusal:
            answers.append(refusal.response)
            break
    assert 100 <= len(answers) < 300, "a bucket of one hundred, and a few that were refilled"
    assert answers[-1]["Error"]["Code"] == "ThrottlingException"
    assert int(answers[-1]["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"]) > 0
