"""TestState through boto3: states with real modules, with mocks, at every inspection level, and what is refused."""

from __future__ import annotations

import json
import subprocess

import pytest
from botocore.exceptions import ClientError

from stepwell_server import ACCOUNT, REGION, ROLE_ARN, ROOT, binary

ECHO = {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo", "End": True}
SECOND = {"Type": "Succeed"}


def run(sfn, state, data=None, **arguments):
    """Tests a state and returns the answer, texts of JSON parsed."""
    if isinstance(arguments.get("mock"), dict) and "result" in arguments["mock"]:
        arguments["mock"] = arguments["mock"] | {"result": json.dumps(arguments["mock"]["result"])}
    answer = sfn.test_state(definition=json.dumps(state), input=json.dumps({} if data is None else data), **arguments)
    answer.pop("ResponseMetadata")
    texts = ("output", "input", "variables", "result")
    for level in (answer, answer.get("inspectionData", {})):
        for name, value in level.items():
            if isinstance(value, str) and (name in texts or name.startswith("after")):
                level[name] = json.loads(value)
    return answer


def refused(sfn, state, code="ValidationException", **arguments):
    """Returns the message with which a test is refused."""
    with pytest.raises(ClientError) as caught:
        run(sfn, state, **arguments)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


def test_a_real_module_runs_with_the_states_data_flow_around_it(sfn):
    state = ECHO | {
        "InputPath": "$.order",
        "Parameters": {"id.$": "$.id", "name.$": "$$.State.Name"},
        "ResultSelector": {"seen.$": "$.id"},
        "ResultPath": "$.echo",
    }
    answer = run(sfn, state, {"order": {"id": 7}}, roleArn=ROLE_ARN, inspectionLevel="DEBUG")
    output = {"order": {"id": 7}, "echo": {"seen": 7}}
    assert answer == {
        "status": "SUCCEEDED",
        "output": output,
        "inspectionData": {
            "input": {"order": {"id": 7}},
            "afterInputPath": {"id": 7},
            "afterParameters": {"id": 7, "name": "StateName"},
            "result": {"id": 7, "name": "StateName"},
            "afterResultSelector": {"seen": 7},
            "afterResultPath": output,
        },
    }
    assert run(sfn, ECHO, {"a": 1}, roleArn=ROLE_ARN) == {"status": "SUCCEEDED", "output": {"a": 1}}
    executions = [machine["name"] for machine in sfn.list_state_machines()["stateMachines"]]
    assert "StateName" not in executions


def test_an_optimised_integration_runs_with_its_metadata(sfn):
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "echo", "Payload": "{% $states.input.n + $more %}"},
        "Output": "{% $states.result.Payload %}",
        "Assign": {"last": "{% $states.result.StatusCode %}"},
        "Next": "After",
    }
    answer = run(sfn, state, {"n": 2}, roleArn=ROLE_ARN, inspectionLevel="TRACE", variables='{"more": 3}')
    assert (answer["status"], answer["output"], answer["nextState"]) == ("SUCCEEDED", 5, "After")
    inspected = answer["inspectionData"]
    assert inspected["afterArguments"] == {"FunctionName": "echo", "Payload": 5}
    assert inspected["result"]["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert inspected["variables"] == {"more": 3, "last": 200}


def test_an_error_of_a_real_module_is_retried_and_caught(sfn):
    state = ECHO | {
        "Resource": ECHO["Resource"].replace("echo", "nobody"),
        "Retry": [{"ErrorEquals": ["Lambda.ResourceNotFoundException"], "MaxAttempts": 1, "IntervalSeconds": 4}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Help", "ResultPath": "$.error"}],
    }
    retried = run(sfn, state, {"a": 1}, roleArn=ROLE_ARN, inspectionLevel="DEBUG")
    assert retried["status"] == "RETRIABLE" and "output" not in retried
    assert retried["error"] == "Lambda.ResourceNotFoundException"
    assert retried["inspectionData"]["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 4}
    caught = run(
        sfn, state, {"a": 1}, roleArn=ROLE_ARN, inspectionLevel="DEBUG", stateConfiguration={"retrierRetryCount": 1}
    )
    assert (caught["status"], caught["nextState"]) == ("CAUGHT_ERROR", "Help")
    assert caught["output"] == {"a": 1, "error": {"Error": caught["error"], "Cause": caught["cause"]}}
    assert caught["inspectionData"]["errorDetails"] == {"retryIndex": 0, "catchIndex": 0}
    assert "inspectionData" not in run(sfn, state, roleArn=ROLE_ARN)


@pytest.mark.parametrize(
    ("state", "data", "status", "more"),
    [
        ({"Type": "Pass", "Result": [1], "End": True}, {}, "SUCCEEDED", {"output": [1]}),
        ({"Type": "Wait", "Seconds": 86_400, "Next": "Later"}, {"a": 1}, "SUCCEEDED", {"output": {"a": 1}}),
        ({"Type": "Succeed", "OutputPath": "$.a"}, {"a": 1}, "SUCCEEDED", {"output": 1}),
        ({"Type": "Fail", "Error": "E", "CausePath": "$.why"}, {"why": "w"}, "FAILED", {"error": "E", "cause": "w"}),
        (
            {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 3, "Next": "Low"}], "Default": "High"},
            {"n": 5},
            "SUCCEEDED",
            {"nextState": "High", "output": {"n": 5}},
        ),
        ({"Type": "Pass", "InputPath": "$.no", "End": True}, {}, "FAILED", {"error": "States.Runtime"}),
        (
            {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.no %}", "End": True},
            {},
            "FAILED",
            {"error": "States.QueryEvaluationError"},
        ),
    ],
)
def test_every_type_without_work_needs_neither_role_nor_mock(sfn, state, data, status, more):
    answer = run(sfn, state, data)
    assert answer["status"] == status
    assert answer | more == answer


def test_mocks_stand_in_for_what_only_others_can_do(sfn):
    waiting = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Next": "N"}
    waiting["Parameters"] = {"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"}
    context = json.dumps({"Task": {"Token": "t-1"}, "Execution": {"Input": {"deep": [1]}}})
    answer = run(sfn, waiting, mock={"result": {"any": "thing"}}, context=context, inspectionLevel="DEBUG")
    assert answer["inspectionData"]["afterParameters"] == {"QueueUrl": "q", "MessageBody": "t-1"}
    activity = {"Type": "Task", "Resource": f"arn:aws:states:{REGION}:{ACCOUNT}:activity:a", "End": True}
    assert run(sfn, activity, mock={"result": 1}) == {"status": "SUCCEEDED", "output": 1}
    job = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "End": True}
    ended = {"ExecutionArn": "e", "StateMachineArn": "m", "Status": "SUCCEEDED", "StartDate": "d", "Output": {"a": 1}}
    assert run(sfn, job, mock={"result": ended})["output"] == ended
    parallel = {"Type": "Parallel", "Branches": [{"StartAt": "S", "States": {"S": SECOND}}], "End": True}
    assert run(sfn, parallel, mock={"result": [5]})["output"] == [5]
    error = {"errorOutput": {"error": "E", "cause": "c"}}
    failed = run(sfn, parallel, mock=error, stateConfiguration={"errorCausedByState": "S"})
    assert failed == {"status": "FAILED", "error": "E", "cause": "c"}


def test_a_distributed_map_shows_what_its_executions_would_get(sfn):
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "S",
        "States": {"S": SECOND},
    }
    state = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "b", "Key": "k"},
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
        },
        "ItemSelector": {"n.$": "$$.Map.Item.Value.n", "at.$": "$$.Map.Item.Index"},
        "ItemBatcher": {"MaxItemsPerBatch": 2},
        "ToleratedFailureCount": 1,
        "Retry": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"]}],
        "ItemProcessor": processor,
        "End": True,
    }
    configuration = {"mapItemReaderData": "n,m\n1,x\n2,y\n3,z\n", "mapIterationFailureCount": 1}

    def mapped(**more):
        return run(sfn, state, mock={"result": [1]}, inspectionLevel="DEBUG", stateConfiguration=configuration | more)

    answer = mapped()
    items = [{"n": str(index + 1), "at": index} for index in range(3)]
    inspected = answer["inspectionData"]
    assert inspected["afterItemSelector"] == items
    assert inspected["afterItemBatcher"] == [{"Items": items[:2]}, {"Items": items[2:]}]
    assert (inspected["toleratedFailureCount"], inspected["maxConcurrency"]) == (1, 0)
    exceeded = mapped(mapIterationFailureCount=2)
    assert (exceeded["status"], exceeded["error"]) == ("RETRIABLE", "States.ExceedToleratedFailureThreshold")
    with pytest.raises(ClientError, match="MapIterationFailureCount"):
        mapped(mapIterationFailureCount=4)


def test_a_state_is_taken_out_of_a_machine(sfn):
    machine = json.loads((ROOT / "modules/order.asl.json").read_text(encoding="utf-8"))
    order = {"orderId": "7", "reservation": {"totalCents": 9}, "card": {"number": "4242424242424242"}}

    def charged(**arguments):
        return run(sfn, machine, order, stateName="ChargeCard", inspectionLevel="DEBUG", **arguments)

    real = charged(roleArn=ROLE_ARN)
    assert (real["status"], real["nextState"]) == ("SUCCEEDED", "IsLargeOrder")
    busy = charged(mock={"errorOutput": {"error": "PaymentGatewayBusy"}}, stateConfiguration={"retrierRetryCount": 2})
    # The longest back-off: the retrier jitters.
    assert busy["inspectionData"]["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 4}
    declined = charged(mock={"errorOutput": {"error": "CardDeclined", "cause": "no money"}})
    assert (declined["status"], declined["nextState"]) == ("CAUGHT_ERROR", "CardDeclined")
    assert declined["output"] == order | {"problem": {"Error": "CardDeclined", "Cause": "no money"}}
    assert refused(sfn, machine, stateName="Nowhere") == "State not found in definition"
    assert "stateName" in refused(sfn, machine, code="InvalidDefinition")


MOCK = {"result": {}}


@pytest.mark.parametrize(
    ("state", "arguments", "message"),
    [
        (ECHO, {}, "RoleArn must be specified when testing a Task state"),
        (ECHO, {"mock": {"result": 1, "errorOutput": {"error": "E"}}}, "[result, errorOutput]"),
        (ECHO, {"mock": {}}, "[result, errorOutput]"),
        (ECHO, {"mock": MOCK, "revealSecrets": True}, "TestState does not support RevealSecrets when a mock is specified."),
        (ECHO, {"mock": MOCK, "context": "[]"}, "Invalid Context object provided: "),
        (ECHO, {"roleArn": ROLE_ARN, "context": "{}"}, "Context may only be specified when a mock is specified"),
        (ECHO, {"mock": MOCK, "variables": "[]"}, "Variables must be a JSON object"),
        (ECHO, {"mock": MOCK, "stateConfiguration": {"errorCausedByState": "S"}}, "ErrorCausedByState"),
        (ECHO, {"mock": MOCK, "stateConfiguration": {"mapIterationFailureCount": 1}}, "MapIterationFailureCount"),
        (ECHO, {"mock": MOCK, "stateConfiguration": {"mapItemReaderData": "1"}}, "MapItemReaderData"),
        (ECHO, {"mock": MOCK, "inspectionLevel": "ALL"}, "at 'inspectionLevel'"),
        (ECHO, {"mock": MOCK | {"fieldValidationMode": "LAX"}}, "at 'mock.fieldValidationMode'"),
        (ECHO, {"mock": {"errorOutput": {"cause": "c"}}}, "at 'mock.errorOutput.error'"),
        (ECHO, {"mock": MOCK, "stateName": "x" * 81}, "at 'stateName'"),
        ({"Type": "Wait", "Seconds": 1, "End": True}, {"mock": MOCK}, "State type 'Wait' is not supported when a mock"),
    ],
)
def test_bad_requests_name_what_is_wrong(sfn, state, arguments, message):
    assert message in refused(sfn, state, **arguments)


def test_bad_definitions_inputs_and_roles_have_codes_of_their_own(sfn):
    message = refused(sfn, {"Type": "Pass"}, code="InvalidDefinition")
    assert message.startswith("Invalid State Machine Definition: '") and "/States/StateName" in message
    job = {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "End": True}
    assert "'.sync'" in refused(sfn, job, code="InvalidDefinition", roleArn=ROLE_ARN)
    queue = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    assert "can be tested with a mock" in refused(sfn, queue, code="InvalidDefinition", roleArn=ROLE_ARN)
    with pytest.raises(ClientError) as caught:
        sfn.test_state(definition=json.dumps(SECOND), input="{")
    assert caught.value.response["Error"]["Code"] == "InvalidExecutionInput"
    assert "nobody" in refused(sfn, ECHO, code="InvalidArn", roleArn="nobody")
    with pytest.raises(ClientError, match="Mocked result must be valid JSON"):
        sfn.test_state(definition=json.dumps(ECHO), mock={"result": "{"})


def test_the_command_line_shows_what_happened(endpoint, tmp_path):
    file = tmp_path / "state.json"
    file.write_text(json.dumps(ECHO | {"ResultPath": "$.echo"}), encoding="utf-8")

    def test_state(*arguments):
        line = [binary(), "test-state", file, "--input", '{"a": 1}', *arguments]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    done = test_state()
    assert done.returncode == 0, done.stderr
    assert "SUCCEEDED" in done.stdout and "after ResultPath" in done.stdout
    failed = test_state("--error", "Declined", "--json")
    assert (failed.returncode, json.loads(failed.stdout)["error"]) == (1, "Declined")
    assert "Declined" in failed.stderr
