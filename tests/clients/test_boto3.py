"""boto3, unmodified: the order workflow from its creation to its history, and everything else a program does."""

from __future__ import annotations

import datetime
import json
import time

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from conftest import END_SECONDS, PAUSE_SECONDS, client, order, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN, ROOT

WAIT = {"Type": "Wait", "Seconds": 3_600, "End": True}
PASS = {"Type": "Pass", "End": True}


def state_names(events):
    """Names of the states that were entered, in order."""
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def whole_history(sfn, execution_arn, **arguments):
    """All events, through the paginator with small pages."""
    pages = sfn.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, PaginationConfig={"PageSize": 3}, **arguments
    )
    return [event for page in pages for event in page["events"]]


@pytest.mark.parametrize(
    ("which", "summary", "tasks"),
    [
        ("small", {"outcome": "SHIPPED", "orderId": "1001", "totalCents": 5_695, "paymentAttempts": 1}, 3),
        ("busy-gateway", {"outcome": "SHIPPED", "orderId": "1002", "totalCents": 1_598, "paymentAttempts": 3}, 5),
        ("large", {"outcome": "SHIPPED", "orderId": "1003", "totalCents": 74_488, "paymentAttempts": 1}, 3),
        ("refunded", {"outcome": "REFUNDED", "orderId": "1004"}, 4),
    ],
)
def test_an_order_runs_to_its_end(sfn, order_machine, name, which, summary, tasks):
    started = sfn.start_execution(stateMachineArn=order_machine, name=name, input=order(which))
    assert started["executionArn"] == f"arn:aws:states:{REGION}:{ACCOUNT}:execution:order:{name}"
    execution = wait_for_end(sfn, started["executionArn"])
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert output | summary == output
    assert execution["startDate"] == started["startDate"]
    assert execution["stopDate"] >= execution["startDate"]
    assert (execution["name"], execution["input"]) == (name, order(which))

    events = whole_history(sfn, started["executionArn"])
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("ExecutionStarted", "ExecutionSucceeded")
    assert sum(event["type"] == "LambdaFunctionScheduled" for event in events) == tasks
    assert ("HoldLargeOrder" in state_names(events)) == (which == "large")
    assert all(isinstance(event["timestamp"], datetime.datetime) for event in events)


def test_a_history_reads_the_same_in_every_direction_and_page_size(sfn, order_machine, name):
    arn = sfn.start_execution(stateMachineArn=order_machine, name=name, input=order("small"))["executionArn"]
    wait_for_end(sfn, arn)
    at_once = sfn.get_execution_history(executionArn=arn, maxResults=1_000)
    assert "nextToken" not in at_once
    paged = whole_history(sfn, arn)
    assert paged == at_once["events"]
    assert whole_history(sfn, arn, reverseOrder=True) == paged[::-1]
    first = sfn.get_execution_history(executionArn=arn, maxResults=2, reverseOrder=True)
    assert [event["id"] for event in first["events"]] == [len(paged), len(paged) - 1]
    bare = whole_history(sfn, arn, includeExecutionData=False)
    assert [event["id"] for event in bare] == [event["id"] for event in paged]
    assert "input" not in bare[0]["executionStartedEventDetails"]


def test_a_rejected_order_fails_with_its_error_and_cause(sfn, order_machine, name):
    rejected = json.loads(order("small")) | {"items": [{"sku": "UNICORN", "quantity": 1}]}
    arn = sfn.start_execution(stateMachineArn=order_machine, name=name, input=json.dumps(rejected))["executionArn"]
    execution = wait_for_end(sfn, arn)
    assert (execution["status"], execution["error"]) == ("FAILED", "OrderRejected")
    assert "Nothing was charged" in execution["cause"]
    assert "output" not in execution
    last = sfn.get_execution_history(executionArn=arn, maxResults=1, reverseOrder=True)["events"][0]
    assert last["executionFailedEventDetails"] == {"error": execution["error"], "cause": execution["cause"]}


def test_lists_are_paged_filtered_and_newest_first(sfn, machine):
    arn = machine(Wait=WAIT)
    names = [f"e-{number}" for number in range(25)]
    for execution in names:
        sfn.start_execution(stateMachineArn=arn, name=execution)
    for execution in names[:4]:
        sfn.stop_execution(executionArn=f"{arn.replace(':stateMachine:', ':execution:')}:{execution}")

    def listed(**arguments):
        pages = sfn.get_paginator("list_executions").paginate(
            stateMachineArn=arn, PaginationConfig={"PageSize": 10}, **arguments
        )
        return [execution["name"] for page in pages for execution in page["executions"]]

    assert listed() == names[::-1]
    assert listed(statusFilter="RUNNING") == names[:3:-1]
    assert listed(statusFilter="ABORTED") == names[3::-1]
    assert listed(statusFilter="SUCCEEDED") == []
    machines = sfn.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 1})
    found = [item for page in machines for item in page["stateMachines"] if item["stateMachineArn"] == arn]
    assert [(item["type"], type(item["creationDate"])) for item in found] == [("STANDARD", datetime.datetime)]


def test_starting_again_is_idempotent_while_it_runs(sfn, machine):
    arn = machine(Wait=WAIT)
    request = {"stateMachineArn": arn, "name": "once", "input": '{"a": 1}'}
    first, again = sfn.start_execution(**request), sfn.start_execution(**request)
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists) as raised:
        sfn.start_execution(**request | {"input": '{"a": 2}'})
    assert first["executionArn"] in str(raised.value)
    sfn.stop_execution(executionArn=first["executionArn"])
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(**request)


def test_executions_without_a_name_get_one_each(sfn, machine):
    arn = machine(Pass=PASS)
    started = {sfn.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(3)}
    assert len(started) == 3
    for execution in started:
        ended = wait_for_end(sfn, execution)
        assert (ended["status"], ended["input"], ended["output"]) == ("SUCCEEDED", "{}", "{}")


def test_an_execution_can_be_stopped(sfn, machine):
    arn = sfn.start_execution(stateMachineArn=machine(Wait=WAIT), name="e")["executionArn"]
    stopped = sfn.stop_execution(executionArn=arn, error="Cancelled", cause="sold out")
    execution = sfn.describe_execution(executionArn=arn)
    assert (execution["status"], execution["error"], execution["cause"]) == ("ABORTED", "Cancelled", "sold out")
    assert execution["stopDate"] == stopped["stopDate"]
    last = sfn.get_execution_history(executionArn=arn, reverseOrder=True)["events"][0]
    assert last["executionAbortedEventDetails"] == {"error": "Cancelled", "cause": "sold out"}
    assert last["previousEventId"] == 0
    assert sfn.stop_execution(executionArn=arn)["stopDate"] == stopped["stopDate"]


def test_creating_again_is_idempotent_and_anything_else_a_conflict(sfn, machine, name):
    arn = machine(Pass=PASS)
    described = sfn.describe_state_machine(stateMachineArn=arn)
    assert (described["status"], described["type"], described["roleArn"]) == ("ACTIVE", "STANDARD", ROLE_ARN)
    same = {"name": described["name"], "definition": described["definition"], "roleArn": ROLE_ARN}
    again = sfn.create_state_machine(**same)
    assert (again["stateMachineArn"], again["creationDate"]) == (arn, described["creationDate"])
    # The text is compared, not what it means.
    with pytest.raises(sfn.exceptions.StateMachineAlreadyExists):
        sfn.create_state_machine(**same | {"definition": described["definition"] + "\n"})


def test_an_update_is_for_new_executions(sfn, machine):
    arn = machine(Wait={"Type": "Wait", "Seconds": 2, "Next": "Old"}, Old={"Type": "Pass", "Result": "old", "End": True})
    running = sfn.start_execution(stateMachineArn=arn, name="running")["executionArn"]
    definition = {"StartAt": "New", "States": {"New": {"Type": "Pass", "Result": "new", "End": True}}}
    updated = sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    described = sfn.describe_state_machine(stateMachineArn=arn)
    assert json.loads(described["definition"]) == definition
    assert described["revisionId"] == updated["revisionId"]
    fresh = sfn.start_execution(stateMachineArn=arn, name="fresh")["executionArn"]
    assert wait_for_end(sfn, fresh)["output"] == '"new"'
    assert wait_for_end(sfn, running)["output"] == '"old"'
    with pytest.raises(sfn.exceptions.MissingRequiredParameter):
        sfn.update_state_machine(stateMachineArn=arn)
    with pytest.raises(sfn.exceptions.InvalidDefinition):
        sfn.update_state_machine(stateMachineArn=arn, definition="{}")
    assert sfn.describe_state_machine(stateMachineArn=arn)["definition"] == described["definition"]


def test_a_deleted_machine_is_gone_when_its_executions_have_ended(sfn, machine):
    arn = machine(Wait=WAIT)
    execution = sfn.start_execution(stateMachineArn=arn, name="e")["executionArn"]
    sfn.delete_state_machine(stateMachineArn=arn)
    assert sfn.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    assert sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
    with pytest.raises(sfn.exceptions.StateMachineDeleting):
        sfn.start_execution(stateMachineArn=arn)
    sfn.stop_execution(executionArn=execution)
    wait_until_gone(sfn, arn)
    with pytest.raises(sfn.exceptions.StateMachineDoesNotExist):
        sfn.start_execution(stateMachineArn=arn)
    sfn.delete_state_machine(stateMachineArn=arn)


def test_executions_of_a_deleted_machine_end_at_their_next_transition(sfn, machine):
    arn = machine(Wait={"Type": "Wait", "Seconds": 2, "Next": "Never"}, Never=WAIT)
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    sfn.delete_state_machine(stateMachineArn=arn)
    assert wait_for_end(sfn, execution)["status"] == "ABORTED"
    events = sfn.get_execution_history(executionArn=execution)["events"]
    assert events[-2]["type"] == "WaitStateEntered" and events[-1]["type"] == "ExecutionAborted"
    wait_until_gone(sfn, arn)


def wait_until_gone(sfn, arn):
    """Asks until a machine does not exist."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        try:
            sfn.describe_state_machine(stateMachineArn=arn)
        except sfn.exceptions.StateMachineDoesNotExist:
            return
        time.sleep(PAUSE_SECONDS)
    raise AssertionError(f"{arn} is still there")


def test_a_definition_is_validated_without_being_stored(sfn, order_definition):
    assert sfn.validate_state_machine_definition(definition=order_definition)["result"] == "OK"
    report = sfn.validate_state_machine_definition(definition='{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}')
    assert report["result"] == "FAIL"
    assert [(item["severity"], bool(item["code"] and item["message"])) for item in report["diagnostics"]] == [
        ("ERROR", True)
    ]
    assert report["diagnostics"][0]["location"].startswith("/States/A")


MISSING_MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:nobody"
MISSING_EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:nobody:e"
CREATE = {"name": "refused", "definition": json.dumps({"StartAt": "P", "States": {"P": PASS}}), "roleArn": ROLE_ARN}


def test_a_batch_runs_side_by_side(sfn, name):
    """The batch example: a Map of orders, each with a Parallel; variables and intrinsic functions."""
    definition = (ROOT / "modules" / "batch.asl.json").read_text()
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
    references = sfn.describe_state_machine(stateMachineArn=machine)["variableReferences"]
    assert references == {
        "EachOrder": ["batchId"],
        "Charge": ["totalCents"],
        "Shipped": ["courier", "totalCents"],
        "Told": ["batchId"],
    }
    started = sfn.start_execution(stateMachineArn=machine, name=name, input=order("batch"))
    execution = wait_for_end(sfn, started["executionArn"])
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert (output["batchId"], output["orders"], output["shipped"]) == ("night-7", 4, ["night-7/1", "night-7/2"])
    assert [one["why"] for one in output["setAside"]] == ["NoCourier", "UnknownItem"]
    events = whole_history(sfn, started["executionArn"])
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    assert (kinds.count("MapIterationStarted"), kinds.count("MapIterationSucceeded")) == (4, 4)
    lengths = [event["mapStateStartedEventDetails"]["length"] for event in events if event["type"] == "MapStateStarted"]
    assert lengths == [4]
    opened = next(event for event in events if event.get("stateExitedEventDetails", {}).get("name") == "Open")
    assert opened["stateExitedEventDetails"]["assignedVariables"]["batchId"] == '"night-7"'
    machine_then = sfn.describe_state_machine_for_execution(executionArn=started["executionArn"])
    assert (machine_then["definition"], machine_then["variableReferences"]) == (definition, references)


def test_a_quote_in_jsonata(sfn, name):
    """The quote example: a Map with a task, a catcher and variables, all in JSONata."""
    definition = (ROOT / "modules" / "quote.asl.json").read_text()
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
    assert sfn.describe_state_machine(stateMachineArn=machine)["variableReferences"] == {
        "Quote": ["batchId", "discount", "total"],
        "NothingToQuote": ["batchId"],
    }
    started = sfn.start_execution(stateMachineArn=machine, name=name, input=order("batch"))
    execution = wait_for_end(sfn, started["executionArn"])
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert (output["batchId"], list(output["byCountry"])) == ("night-7", ["PT", "FR"])
    assert output["refused"] == ["2004: UnknownItem"]
    assert output["total"].startswith("$")


def test_a_failed_expression_is_an_event(sfn, name):
    """boto3 knows EvaluationFailed, and what is refused at once is an InvalidDefinition."""
    state = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"x": "{% $states.input.n + 'a' %}"}, "End": True}
    create = {"name": name, "definition": json.dumps({"StartAt": "P", "States": {"P": state}}), "roleArn": ROLE_ARN}
    machine = sfn.create_state_machine(**create)["stateMachineArn"]
    started = sfn.start_execution(stateMachineArn=machine, name=name, input='{"n": 1}')
    execution = wait_for_end(sfn, started["executionArn"])
    assert (execution["status"], execution["error"]) == ("FAILED", "States.QueryEvaluationError")
    failed = whole_history(sfn, started["executionArn"])[2]
    assert failed["type"] == "EvaluationFailed"
    details = failed["evaluationFailedEventDetails"]
    assert (details["location"], details["state"]) == ("Output/x", "P")
    assert "threw an error during evaluation. T2002: " in details["cause"]
    state["Output"] = "{% $sum( %}"
    create["definition"] = json.dumps({"StartAt": "P", "States": {"P": state}})
    with pytest.raises(sfn.exceptions.InvalidDefinition, match="S0207|S0211|S0203"):
        sfn.create_state_machine(**create | {"name": name + "-bad"})


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "quoted"),
    [
        ("create_state_machine", CREATE | {"definition": "{}"}, "InvalidDefinition", "States"),
        ("create_state_machine", CREATE | {"definition": "no JSON"}, "InvalidDefinition", "INVALID_JSON_DESCRIPTION"),
        ("create_state_machine", CREATE | {"name": "a b"}, "InvalidName", "'a b'"),
        ("create_state_machine", CREATE | {"name": "a" * 81}, "ValidationException", "80"),
        ("create_state_machine", CREATE | {"type": "QUICK"}, "ValidationException", "STANDARD"),
        ("describe_state_machine", {"stateMachineArn": "nonsense"}, "InvalidArn", "nonsense"),
        ("describe_state_machine", {"stateMachineArn": MISSING_EXECUTION}, "InvalidArn", "execution"),
        ("describe_state_machine", {"stateMachineArn": MISSING_MACHINE}, "StateMachineDoesNotExist", MISSING_MACHINE),
        ("update_state_machine", {"stateMachineArn": MISSING_MACHINE, "roleArn": ROLE_ARN},
         "StateMachineDoesNotExist", MISSING_MACHINE),
        ("start_execution", {"stateMachineArn": MISSING_MACHINE}, "StateMachineDoesNotExist", MISSING_MACHINE),
        ("list_executions", {"stateMachineArn": MISSING_MACHINE}, "StateMachineDoesNotExist", MISSING_MACHINE),
        ("list_executions", {"stateMachineArn": MISSING_MACHINE, "statusFilter": "DONE"}, "ValidationException", "RUNNING"),
        ("list_state_machines", {"nextToken": "nonsense"}, "InvalidToken", "token"),
        ("list_state_machines", {"maxResults": 1_001}, "ValidationException", "1000"),
        ("describe_execution", {"executionArn": MISSING_EXECUTION}, "ExecutionDoesNotExist", MISSING_EXECUTION),
        ("describe_execution", {"executionArn": MISSING_MACHINE}, "InvalidArn", "stateMachine"),
        ("get_execution_history", {"executionArn": MISSING_EXECUTION}, "ExecutionDoesNotExist", MISSING_EXECUTION),
        ("stop_execution", {"executionArn": MISSING_EXECUTION}, "ExecutionDoesNotExist", MISSING_EXECUTION),
    ],
)  # fmt: skip
def test_refusals_are_the_modelled_exceptions(sfn, operation, arguments, code, quoted):
    with pytest.raises(getattr(sfn.exceptions, code)) as raised:
        getattr(sfn, operation)(**arguments)
    reply = raised.value.response
    assert reply["Error"]["Code"] == code
    assert quoted in reply["Error"]["Message"]
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert reply["ResponseMetadata"]["RequestId"]
    assert reply["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [("{", "InvalidExecutionInput"), ("", "InvalidExecutionInput"), ('"%s"' % ("a" * (4 << 20)), "ValidationException")],
)
def test_inputs_must_be_json_and_not_too_long(sfn, machine, text, code):
    with pytest.raises(getattr(sfn.exceptions, code)):
        sfn.start_execution(stateMachineArn=machine(Pass=PASS), input=text)


def test_unsigned_requests_work(endpoint, machine):
    unsigned = client(endpoint, signature_version=UNSIGNED)
    arn = unsigned.start_execution(stateMachineArn=machine(Pass=PASS), input='{"unsigned": true}')["executionArn"]
    assert json.loads(wait_for_end(unsigned, arn)["output"]) == {"unsigned": True}
    with pytest.raises(ClientError) as raised:
        unsigned.describe_execution(executionArn=MISSING_EXECUTION)
    assert raised.value.response["Error"]["Code"] == "ExecutionDoesNotExist"


def test_texts_of_all_alphabets_come_back_unchanged(sfn, machine):
    echo = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"
    arn = machine(Echo={"Type": "Task", "Resource": echo, "End": True})
    text = '{"text": "\\u00e9 日本語 🪣 \\" \\\\ \\n", "number": 12345678901234567890, "float": 1.0, "none": null}'
    execution = wait_for_end(sfn, sfn.start_execution(stateMachineArn=arn, name="日本語-é", input=text)["executionArn"])
    assert (execution["status"], execution["name"], execution["input"]) == ("SUCCEEDED", "日本語-é", text)
    assert json.loads(execution["output"]) == json.loads(text)
