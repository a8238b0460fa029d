"""Express workflows with an unmodified boto3: what answers, what is refused, what a crash does to them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

import stepwell_server
from conftest import END_SECONDS, PAUSE_SECONDS, client
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

PREFIX = f"arn:aws:states:{REGION}:{ACCOUNT}"
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PASS = {"Type": "Pass", "End": True}
SECOND = {"Type": "Wait", "Seconds": 1, "End": True}
SLOW = {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:slow", "End": True}


def create(sfn, name, machine_type="EXPRESS", top=None, **states):
    """Creates a machine whose first state is the first one given."""
    definition = json.dumps({"StartAt": next(iter(states)), "States": states} | (top or {}))
    created = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN, type=machine_type)
    return created["stateMachineArn"]


@pytest.fixture
def express(sfn, name):
    """Creates Express machines and returns their ARNs; deleted afterwards."""
    created = []

    def make(**options):
        created.append(create(sfn, f"{name}-x{len(created)}", **options))
        return created[-1]

    yield make
    for arn in created:
        sfn.delete_state_machine(stateMachineArn=arn)


def refused(call, **arguments):
    """Code and message of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_synchronous_execution_answers_with_everything(sfn, express, name):
    machine = express(P=PASS)
    assert sfn.describe_state_machine(stateMachineArn=machine)["type"] == "EXPRESS"
    text, header = '{"a": [1, "ä"]}', "Root=1-5759e988-bd862e3fe1be46a994272793"
    answer = sfn.start_sync_execution(stateMachineArn=machine, name=name, input=text, traceHeader=header)
    assert re.fullmatch(f"{PREFIX}:express:{machine.rsplit(':')[-1]}:{name}:{UUID}", answer["executionArn"])
    assert (answer["stateMachineArn"], answer["name"], answer["status"]) == (machine, name, "SUCCEEDED")
    assert (answer["input"], json.loads(answer["output"])) == (text, json.loads(text))
    assert answer["inputDetails"] == answer["outputDetails"] == {"included": True}
    assert answer["traceHeader"] == header
    assert answer["billingDetails"] == {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100}
    assert answer["startDate"] <= answer["stopDate"]
    assert "error" not in answer and "cause" not in answer
    again = sfn.start_sync_execution(stateMachineArn=machine, name=name, input=text)
    assert again["executionArn"] != answer["executionArn"] and "traceHeader" not in again


def test_the_context_object_knows_no_redrives(sfn, express):
    machine = express(P=PASS | {"Parameters": {"execution.$": "$$.Execution"}})
    answer = sfn.start_sync_execution(stateMachineArn=machine, input="[1]")
    execution = json.loads(answer["output"])["execution"]
    assert sorted(execution) == ["Id", "Input", "Name", "RoleArn", "StartTime"]
    assert (execution["Id"], execution["Input"]) == (answer["executionArn"], [1])


def test_without_data_only_metadata_come_back(sfn, express):
    machine = express(P=PASS)
    answer = sfn.start_sync_execution(stateMachineArn=machine, input='{"secret": 1}', includedData="METADATA_ONLY")
    assert answer["inputDetails"] == answer["outputDetails"] == {"included": False}
    assert "input" not in answer and "output" not in answer and answer["status"] == "SUCCEEDED"


def test_a_failure_is_an_answer(sfn, express):
    machine = express(F={"Type": "Fail", "Error": "Broken", "Cause": "as asked"})
    answer = sfn.start_sync_execution(stateMachineArn=machine)
    assert (answer["status"], answer["error"], answer["cause"]) == ("FAILED", "Broken", "as asked")
    assert "output" not in answer and answer["outputDetails"] == {"included": True} and answer["input"] == "{}"


def test_a_time_out_is_an_answer_and_time_is_billed(sfn, express):
    machine = express(top={"TimeoutSeconds": 1}, W={"Type": "Wait", "Seconds": 60, "End": True})
    answer = sfn.start_sync_execution(stateMachineArn=machine)
    assert answer["status"] == "TIMED_OUT" and "error" not in answer
    billed = answer["billingDetails"]["billedDurationInMilliseconds"]
    assert billed >= 1_000 and billed % 100 == 0


def test_tasks_choices_maps_and_jsonata_run(sfn, endpoint, express):
    echo = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"
    item = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": echo, "End": True}}}
    machine = express(
        top={"QueryLanguage": "JSONata"},
        C={"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n > 1 %}", "Next": "M"}], "Default": "F"},
        M={"Type": "Map", "Items": "{% [1..$states.input.n] %}", "ItemProcessor": item, "Next": "P"},
        P={"Type": "Pass", "Output": "{% $sum($states.input) %}", "End": True},
        F={"Type": "Fail", "Error": "TooFew"},
    )
    for number, status, member, value in ((40, "SUCCEEDED", "output", "820"), (1, "FAILED", "error", "TooFew")):
        answer = sfn.start_sync_execution(stateMachineArn=machine, input=json.dumps({"n": number}))
        assert (answer["status"], answer[member]) == (status, value), answer


def test_an_asynchronous_execution_has_an_arn_that_nothing_else_takes(sfn, express, name):
    machine = express(P=PASS)
    started = [sfn.start_execution(stateMachineArn=machine, name=name, input="{}") for _ in range(3)]
    arns = {answer["executionArn"] for answer in started}
    assert len(arns) == 3, "the same name is used again and again"
    arn = arns.pop()
    assert re.fullmatch(f"{PREFIX}:express:{machine.rsplit(':')[-1]}:{name}:{UUID}", arn)
    wrong = ("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")
    for operation in (sfn.describe_execution, sfn.stop_execution, sfn.get_execution_history):
        assert refused(operation, executionArn=arn) == wrong
    other_type = ("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    assert refused(sfn.list_executions, stateMachineArn=machine) == other_type


def test_only_express_machines_run_synchronously(sfn, machine, express, name):
    other_type = ("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    assert refused(sfn.start_sync_execution, stateMachineArn=machine(P=PASS)) == other_type
    known = express(P=PASS)
    missing = f"{PREFIX}:stateMachine:no-such-machine"
    for arguments, code in (
        ({"stateMachineArn": missing}, "StateMachineDoesNotExist"),
        ({"stateMachineArn": f"{PREFIX}:execution:m:e"}, "InvalidArn"),
        ({"stateMachineArn": known, "name": "a b"}, "InvalidName"),
        ({"stateMachineArn": known, "input": "{"}, "InvalidExecutionInput"),
        ({"stateMachineArn": known, "input": ""}, "InvalidExecutionInput"),
        ({"stateMachineArn": known, "includedData": "SOME"}, "ValidationException"),
    ):
        assert refused(sfn.start_sync_execution, **arguments)[0] == code, arguments


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        ("arn:aws:states:::states:startExecution.sync", "'.sync' service integration"),
        ("arn:aws:states:::lambda:invoke.waitForTaskToken", "'.waitForTaskToken' service integration"),
        (f"{PREFIX}:activity:a", "activit"),
    ],
)
def test_patterns_that_need_a_stored_execution_are_refused(sfn, name, resource, says):
    task = {"Type": "Task", "Resource": resource, "Parameters": {}, "End": True}
    code, message = refused(create, sfn=sfn, name=name, T=task)
    assert code == "InvalidDefinition" and says in message.lower() or says in message, message


def test_an_update_is_for_the_next_execution(sfn, express):
    machine = express(P=PASS | {"Result": "old"})
    for result in ("new", "newer"):
        sfn.start_sync_execution(stateMachineArn=machine)
        states = {"P": PASS | {"Result": result}}
        sfn.update_state_machine(stateMachineArn=machine, definition=json.dumps({"StartAt": "P", "States": states}))
        assert json.loads(sfn.start_sync_execution(stateMachineArn=machine)["output"]) == result
    task = {"Type": "Task", "Resource": f"{PREFIX}:activity:a", "End": True}
    definition = json.dumps({"StartAt": "T", "States": {"T": task}})
    assert refused(sfn.update_state_machine, stateMachineArn=machine, definition=definition)[0] == "InvalidDefinition"


def test_payloads_have_the_same_quota(sfn, endpoint, express):
    machine = express(P=PASS)
    text = json.dumps("x" * 200_000)
    assert sfn.start_sync_execution(stateMachineArn=machine, input=text)["output"] == text


def test_many_run_side_by_side(endpoint, express):
    machine, sfn = express(W=SECOND), client(endpoint, max_pool_connections=60)
    began = time.monotonic()
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: sfn.start_sync_execution(stateMachineArn=machine), range(120)))
    assert {answer["status"] for answer in answers} == {"SUCCEEDED"}
    assert len({answer["executionArn"] for answer in answers}) == 120
    assert time.monotonic() - began < 120, "they waited for each other"


def private_server(directory, *flags):
    """A server of one's own, with a module that logs what it gets and one that takes a second."""
    directory.mkdir(exist_ok=True)
    server = stepwell_server.Server(directory, "--log-filter", "info,stepwell_executor=debug", *flags)
    stepwell_server.upload(server.endpoint, "log", stepwell_server.stub({"behaviour": "log_and_heartbeat"}))
    slow = {"behaviour": "sleep_then_return_event", "seconds": 1}
    stepwell_server.upload(server.endpoint, "slow", stepwell_server.stub(slow))
    return server


def logged(server, tokens):
    """Waits until the server's log has what modules logged of these inputs."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        output = server.output()
        if all(f"info {json.dumps(token)}" in output.replace("\\", "") for token in tokens):
            return output
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"not all inputs were logged:\n{server.output()[-4_000:]}")


def test_what_was_started_runs_although_the_server_is_killed(tmp_path):
    directory = tmp_path / "server"
    server = private_server(directory)
    log = {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:log", "End": True}
    tokens = [f"token-{number}" for number in range(20)]
    try:
        sfn = client(server.endpoint)
        machine = create(sfn, "later", W={"Type": "Wait", "Seconds": 5, "Next": "T"}, T=log)
        at_once = create(sfn, "at-once", T=log)
        sfn.start_execution(stateMachineArn=at_once, input=json.dumps("first"))
        logged(server, ["first"])
        for token in tokens:
            sfn.start_execution(stateMachineArn=machine, input=json.dumps(token))
    finally:
        server.kill()
    assert not any(token in server.output() for token in tokens), "it was killed too late"
    server = stepwell_server.Server(directory, "--log-filter", "info,stepwell_executor=debug")
    try:
        output = logged(server, tokens)
        assert re.search(r"had not ended are run again.*executions=2[01]", output), output
    finally:
        assert server.stop() == 0
    # What has run is owed no more: nothing happens at the next start.
    server = stepwell_server.Server(directory, "--log-filter", "info,stepwell_executor=debug")
    assert server.stop() == 0
    assert "run again" not in server.output()
    command = [str(stepwell_server.binary()), "store", "verify", "--store", f"sled:{directory / 'data'}"]
    subprocess.run(command, check=True, capture_output=True, timeout=END_SECONDS)


def test_a_server_that_stops_answers_its_synchronous_executions(tmp_path):
    server = private_server(tmp_path / "server")
    sfn = client(server.endpoint, retries={"max_attempts": 0})
    short = create(sfn, "short", T=SLOW)
    long = create(sfn, "long", W={"Type": "Wait", "Seconds": 100, "End": True})
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(sfn.start_sync_execution, stateMachineArn=machine) for machine in (short, long)]
        time.sleep(0.5)  # Both are on their way; if not, they are refused like the long one.
        assert server.stop() == 0
    assert answers[0].result()["status"] == "SUCCEEDED"
    with pytest.raises(ClientError) as caught:
        answers[1].result()
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"


def test_a_synchronous_execution_runs_on_when_its_client_goes_away(tmp_path):
    server = private_server(tmp_path / "server")
    try:
        sfn = client(server.endpoint)
        log = {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:log", "End": True}
        machine = create(sfn, "left", W={"Type": "Wait", "Seconds": 1, "Next": "T"}, T=log)
        address = urllib.parse.urlsplit(server.endpoint)
        body = json.dumps({"stateMachineArn": machine, "input": json.dumps("left alone")}).encode()
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = (
                f"POST / HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/x-amz-json-1.0\r\n"
                f"x-amz-target: AWSStepFunctions.StartSyncExecution\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode() + body)
            time.sleep(0.3)  # It has begun; if not, nothing is logged and the test fails.
        logged(server, ["left alone"])
    finally:
        server.stop()


def test_virtual_time_skips_the_waits_of_express_executions(tmp_path):
    server = private_server(tmp_path / "server", "--virtual-clock")
    try:
        sfn = client(server.endpoint)
        machine = create(sfn, "waits", W={"Type": "Wait", "Seconds": 299, "End": True})
        answer = sfn.start_sync_execution(stateMachineArn=machine)
        assert (answer["stopDate"] - answer["startDate"]).total_seconds() == pytest.approx(299, abs=0.01)
        machine = create(sfn, "waits-too-long", W={"Type": "Wait", "Seconds": 301, "End": True})
        assert sfn.start_sync_execution(stateMachineArn=machine)["status"] == "TIMED_OUT"
    finally:
        server.stop()
