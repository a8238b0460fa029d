"""The AWS CLI, unmodified: `aws stepfunctions ...` as a person types it."""

from __future__ import annotations

import json
import time

import pytest

from conftest import END_SECONDS, PAUSE_SECONDS, AwsFailed
from stepwell_server import ACCOUNT, REGION, ROLE_ARN, ROOT

MISSING_MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:nobody"
MISSING_EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:nobody:e"
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
WAIT = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}})


@pytest.fixture
def machine(aws, name):
    """Creates a machine from a definition and returns its ARN; deleted afterwards."""
    created = []

    def create(definition):
        made = aws("create-state-machine", name=f"{name}-{len(created)}", definition=definition, role_arn=ROLE_ARN)
        created.append(made["stateMachineArn"])
        return created[-1]

    yield create
    for arn in created:
        aws("delete-state-machine", state_machine_arn=arn)


def wait_for_end(aws, execution_arn):
    """Polls describe-execution until the execution has ended."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        execution = aws("describe-execution", execution_arn=execution_arn)
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"{execution_arn} still runs after {END_SECONDS} s")


def test_an_order_from_its_files_to_its_history(aws, name):
    definition = f"file://{ROOT}/modules/order.asl.json"
    arn = aws("create-state-machine", name=name, definition=definition, role_arn=ROLE_ARN)["stateMachineArn"]
    started = aws(
        "start-execution", state_machine_arn=arn, name="refunded", input=f"file://{ROOT}/modules/orders/refunded.json"
    )
    execution = wait_for_end(aws, started["executionArn"])
    assert (execution["status"], json.loads(execution["output"])["outcome"]) == ("SUCCEEDED", "REFUNDED")

    # The CLI follows the page tokens by itself.
    events = aws("get-execution-history", execution_arn=started["executionArn"], page_size="4")["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    assert entered == [
        "ReserveStock", "ChargeCard", "IsLargeOrder", "ShipOrder", "RefundCard", "OrderRefunded", "Done",
    ]  # fmt: skip
    newest = aws(
        "get-execution-history", "--reverse-order", execution_arn=started["executionArn"], max_items="3"
    )
    assert newest["events"] == events[:-4:-1]
    assert newest["NextToken"]

    listed = aws("list-executions", state_machine_arn=arn, status_filter="SUCCEEDED")["executions"]
    assert [item["name"] for item in listed] == ["refunded"]
    assert aws("list-executions", state_machine_arn=arn, status_filter="FAILED")["executions"] == []
    aws("delete-state-machine", state_machine_arn=arn)
    with pytest.raises(AwsFailed, match="StateMachineDoesNotExist"):
        aws("describe-state-machine", state_machine_arn=arn)


def test_stop_update_and_list(aws, machine):
    arn = machine(WAIT)
    execution = aws("start-execution", state_machine_arn=arn, name="e")["executionArn"]
    aws("stop-execution", execution_arn=execution, error="Cancelled", cause="sold out")
    described = aws("describe-execution", execution_arn=execution)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Cancelled", "sold out")
    # The CLI v1 prints timestamps as they come: seconds with a fraction.
    assert isinstance(described["startDate"], float) and described["stopDate"] >= described["startDate"]

    updated = aws("update-state-machine", state_machine_arn=arn, definition=PASS)
    machine_now = aws("describe-state-machine", state_machine_arn=arn)
    assert (machine_now["definition"], machine_now["revisionId"]) == (PASS, updated["revisionId"])
    after = aws("start-execution", state_machine_arn=arn, name="after", input='{"a": 1}')["executionArn"]
    assert json.loads(wait_for_end(aws, after)["output"]) == {"a": 1}
    listed = aws("list-executions", state_machine_arn=arn, page_size="1")["executions"]
    assert [item["name"] for item in listed] == ["after", "e"]
    machines = aws("list-state-machines", page_size="1")["stateMachines"]
    assert arn in [item["stateMachineArn"] for item in machines]


def test_a_definition_is_validated(aws):
    good = aws("validate-state-machine-definition", definition=PASS)
    assert (good["result"], good["diagnostics"]) == ("OK", [])
    bad = aws("validate-state-machine-definition", definition='{"StartAt": "X", "States": {}}')
    assert bad["result"] == "FAIL" and bad["diagnostics"]


def test_refusals_are_named(aws, machine):
    arn = machine(WAIT)
    aws("start-execution", state_machine_arn=arn, name="once", input="{}")
    for arguments, options, code in [
        (["start-execution"], {"state_machine_arn": arn, "name": "once", "input": "[]"}, "ExecutionAlreadyExists"),
        (["start-execution"], {"state_machine_arn": arn, "input": "{"}, "InvalidExecutionInput"),
        (["start-execution"], {"state_machine_arn": MISSING_MACHINE}, "StateMachineDoesNotExist"),
        (["describe-execution"], {"execution_arn": MISSING_EXECUTION}, "ExecutionDoesNotExist"),
        (["describe-execution"], {"execution_arn": "nonsense"}, "InvalidArn"),
        (["create-state-machine"], {"name": "x", "definition": "{}", "role_arn": ROLE_ARN}, "InvalidDefinition"),
        (["create-state-machine"], {"name": "x?", "definition": PASS, "role_arn": ROLE_ARN}, "InvalidName"),
        (["list-executions"], {"state_machine_arn": arn, "max_results": "5", "next_token": "x"}, "InvalidToken"),
    ]:
        with pytest.raises(AwsFailed) as raised:
            aws(*arguments, **options)
        assert code in str(raised.value), f"{arguments} {options}: {raised.value}"


def test_unsigned_requests_work(aws, machine):
    arn = machine(PASS)
    started = aws("start-execution", "--no-sign-request", state_machine_arn=arn, input='{"unsigned": true}')
    assert json.loads(wait_for_end(aws, started["executionArn"])["output"]) == {"unsigned": True}
