"""Activities with an unmodified boto3: created and deleted, polled by workers, answered, timed out, over a killed server."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

import stepwell_server
from conftest import END_SECONDS, client, wait_for_end
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

PREFIX = f"arn:aws:states:{REGION}:{ACCOUNT}:activity"
CLOSED = ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
# The stress test of the issue, whole: `STEPWELL_ACTIVITY_STRESS=10000,1000`.
STRESS = os.environ.get("STEPWELL_ACTIVITY_STRESS", "400,40")


@pytest.fixture(scope="session")
def worker(endpoint):
    """A client that waits as long as a poll may take, as workers must."""
    return client(endpoint, read_timeout=70, max_pool_connections=64, retries={"max_attempts": 1})


@pytest.fixture
def activity(sfn, name):
    """ARN of a new activity, deleted afterwards."""
    arn = sfn.create_activity(name=name)["activityArn"]
    yield arn
    sfn.delete_activity(activityArn=arn)


def refused(call, **arguments):
    """Code and message of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def events(sfn, execution):
    """The history of an execution."""
    return sfn.get_execution_history(executionArn=execution, maxResults=1000)["events"]


def types(sfn, execution):
    """The types of all its events."""
    return [event["type"] for event in events(sfn, execution)]


def wait_for_event(sfn, execution, kind):
    """Waits until an execution has recorded an event of this type."""
    deadline = time.monotonic() + END_SECONDS
    while kind not in types(sfn, execution):
        assert time.monotonic() < deadline, f"{execution} has recorded no {kind}: {types(sfn, execution)}"
        time.sleep(0.05)


def task(activity, **fields):
    """A state that waits for a worker."""
    return {"Type": "Task", "Resource": activity, "End": True} | fields


def test_an_activity_is_created_once_shown_listed_and_deleted(sfn, name):
    tags = [{"key": "team", "value": "a"}]
    created = sfn.create_activity(name=name, tags=tags)
    assert created["activityArn"] == f"{PREFIX}:{name}"
    again = sfn.create_activity(name=name, tags=[{"key": "team", "value": "b"}])
    assert again["creationDate"] == created["creationDate"]
    arn = created["activityArn"]
    shown = sfn.describe_activity(activityArn=arn)
    assert (shown["name"], shown["creationDate"]) == (name, created["creationDate"])
    assert shown["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "x", "value": "y"}])
    assert len(sfn.list_tags_for_resource(resourceArn=arn)["tags"]) == 2
    listed = [item for page in sfn.get_paginator("list_activities").paginate() for item in page["activities"]]
    assert arn in [item["activityArn"] for item in listed]
    for _ in range(2):
        sfn.delete_activity(activityArn=arn)
    missing = ("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
    assert refused(sfn.describe_activity, activityArn=arn) == missing
    assert refused(sfn.get_activity_task, activityArn=arn) == missing
    assert refused(sfn.list_tags_for_resource, resourceArn=arn)[0] == "ResourceNotFound"


def test_pages_hold_what_was_asked_for(sfn, name):
    arns = [sfn.create_activity(name=f"{name}-{number}")["activityArn"] for number in range(5)]
    try:
        found, arguments = [], {"maxResults": 2}
        while True:
            page = sfn.list_activities(**arguments)
            assert len(page["activities"]) <= 2
            found += [item["activityArn"] for item in page["activities"]]
            if "nextToken" not in page:
                break
            arguments["nextToken"] = page["nextToken"]
        assert [arn for arn in found if name in arn] == arns
        assert len(found) == len(set(found))
        forged = arguments.get("nextToken", "x")[:-2] + "zz"
        assert refused(sfn.list_activities, nextToken=forged)[0] == "InvalidToken"
    finally:
        for arn in arns:
            sfn.delete_activity(activityArn=arn)


def test_names_and_arns_are_checked(sfn):
    assert refused(sfn.create_activity, name="a b") == ("InvalidName", "Invalid Name: 'a b'")
    wrong = "Invalid Arn: 'Invalid ARN prefix: x'"
    for call in (sfn.describe_activity, sfn.delete_activity, sfn.get_activity_task):
        assert refused(call, activityArn="x") == ("InvalidArn", wrong)
        machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m"
        kind = "Invalid Arn: 'Resource type not valid in this context: stateMachine'"
        assert refused(call, activityArn=machine) == ("InvalidArn", kind)
    managed = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"}
    assert refused(sfn.create_activity, name="a", encryptionConfiguration=managed)[0] == "InvalidEncryptionConfiguration"


def test_a_worker_gets_a_task_and_ends_it(sfn, worker, machine, activity):
    state = task(activity, TimeoutSeconds=60, HeartbeatSeconds=10, Parameters={"n.$": "$.n"})
    execution = sfn.start_execution(stateMachineArn=machine(T=state), input='{"n": 7}')["executionArn"]
    got = worker.get_activity_task(activityArn=activity, workerName="w1")
    assert json.loads(got["input"]) == {"n": 7} and len(got["taskToken"]) <= 1024
    worker.send_task_heartbeat(taskToken=got["taskToken"])
    assert refused(worker.send_task_success, taskToken=got["taskToken"], output="{")[0] == "InvalidOutput"
    worker.send_task_success(taskToken=got["taskToken"], output='{"done": true}')
    ended = wait_for_end(sfn, execution)
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '{"done":true}')
    told = events(sfn, execution)
    assert [event["type"] for event in told] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "ActivityScheduled",
        "ActivityStarted",
        "ActivitySucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    scheduled = told[2]["activityScheduledEventDetails"]
    assert (scheduled["resource"], scheduled["timeoutInSeconds"], scheduled["heartbeatInSeconds"]) == (activity, 60, 10)
    assert told[3]["activityStartedEventDetails"] == {"workerName": "w1"}
    for call in (worker.send_task_heartbeat, worker.send_task_failure):
        assert refused(call, taskToken=got["taskToken"]) == CLOSED
    assert refused(worker.send_task_success, taskToken=got["taskToken"], output="1") == CLOSED


def test_a_worker_that_waits_gets_what_is_scheduled_later(sfn, worker, machine, activity):
    arn = machine(T=task(activity))
    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(worker.get_activity_task, activityArn=activity)
        time.sleep(0.5)
        execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        got = polled.result(END_SECONDS)
    worker.send_task_failure(taskToken=got["taskToken"], error="Broken", cause="why")
    ended = wait_for_end(sfn, execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Broken", "why")
    assert types(sfn, execution)[-2:] == ["ActivityFailed", "ExecutionFailed"]


def test_time_runs_out_from_when_a_worker_has_the_task(sfn, worker, machine, activity):
    caught = {"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Missed"}
    arn = machine(
        T=task(activity, TimeoutSeconds=600, HeartbeatSeconds=6, Catch=[caught]), Missed={"Type": "Pass", "End": True}
    )
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    time.sleep(7)
    assert sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
    token = worker.get_activity_task(activityArn=activity)["taskToken"]
    for _ in range(8):
        time.sleep(1)
        worker.send_task_heartbeat(taskToken=token)
    assert wait_for_end(sfn, execution)["status"] == "SUCCEEDED"
    assert "ActivityTimedOut" in types(sfn, execution)
    assert refused(worker.send_task_success, taskToken=token, output="1") == CLOSED
    slow = sfn.start_execution(stateMachineArn=machine(T=task(activity, TimeoutSeconds=1)))["executionArn"]
    worker.get_activity_task(activityArn=activity)
    ended = wait_for_end(sfn, slow)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")


def test_without_its_activity_a_state_fails(sfn, machine, name):
    arn = sfn.create_activity(name=name)["activityArn"]
    created = machine(T=task(arn))
    sfn.delete_activity(activityArn=arn)
    execution = sfn.start_execution(stateMachineArn=created)["executionArn"]
    ended = wait_for_end(sfn, execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert ended["cause"].endswith("(entered at the event id #2). The activity ARN does not exist.")
    assert types(sfn, execution) == ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]


def test_no_task_is_given_to_who_is_gone(endpoint, sfn, worker, machine, activity):
    """Workers that hang up while they wait take nothing along."""
    address = urllib.parse.urlsplit(endpoint)
    body = json.dumps({"activityArn": activity}).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\nX-Amz-Target: AWSStepFunctions.GetActivityTask\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    gone = [socket.create_connection((address.hostname, address.port)) for _ in range(20)]
    for connection in gone:
        connection.sendall(head + body)
    time.sleep(0.5)
    for connection in gone:
        connection.close()
    time.sleep(0.5)
    arn = machine(T=task(activity))
    executions = [sfn.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(5)]
    for _ in executions:
        token = worker.get_activity_task(activityArn=activity)["taskToken"]
        worker.send_task_success(taskToken=token, output="1")
    for execution in executions:
        assert wait_for_end(sfn, execution)["status"] == "SUCCEEDED"
        assert types(sfn, execution).count("ActivityStarted") == 1


def test_tasks_that_wait_and_tasks_that_run_outlive_a_crash(tmp_path):
    server = stepwell_server.Server(tmp_path)
    try:
        sfn = client(server.endpoint, read_timeout=70)
        activity = sfn.create_activity(name="a")["activityArn"]
        definition = json.dumps({"StartAt": "T", "States": {"T": task(activity, TimeoutSeconds=600)}})
        machine = sfn.create_state_machine(name="m", definition=definition, roleArn=ROLE_ARN)["stateMachineArn"]
        executions = [sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(6)]
        for execution in executions:
            wait_for_event(sfn, execution, "ActivityScheduled")
        running = [sfn.get_activity_task(activityArn=activity)["taskToken"] for _ in range(3)]
        # What a worker has had for a while is not given to another one.
        time.sleep(2)
        server.kill()
        server = stepwell_server.Server(tmp_path)
        sfn = client(server.endpoint, read_timeout=70)
        waiting = [sfn.get_activity_task(activityArn=activity)["taskToken"] for _ in range(3)]
        assert len(set(running + waiting)) == 6
        for token in running + waiting:
            sfn.send_task_heartbeat(taskToken=token)
            sfn.send_task_success(taskToken=token, output="1")
        for execution in executions:
            assert wait_for_end(sfn, execution)["status"] == "SUCCEEDED"
            assert types(sfn, execution).count("ActivityStarted") == 1
        # Workers that wait do not keep the server from stopping, and are told that there is nothing.
        with ThreadPoolExecutor(4) as pool:
            polls = [pool.submit(sfn.get_activity_task, activityArn=activity) for _ in range(4)]
            time.sleep(1)
            assert server.stop() == 0
            assert all("taskToken" not in poll.result() for poll in polls)
    finally:
        server.stop()


def test_workers_that_die_at_random_lose_no_task(endpoint, sfn, machine, activity):
    """Each task is handed out until it is finished, and finished once; a worker may die with the task in its hands."""
    tasks, workers = (int(number) for number in STRESS.split(","))
    retry = {"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 100, "BackoffRate": 1}
    arn = machine(T=task(activity, TimeoutSeconds=60, HeartbeatSeconds=2, Retry=[retry]))
    finished, lock, random_of = [], threading.Lock(), random.Random(7)
    done = threading.Event()

    def work(number):
        mine = random.Random(number)
        while not done.is_set():
            sfn = client(endpoint, read_timeout=mine.choice([1, 5]), retries={"max_attempts": 0})
            try:
                got = sfn.get_activity_task(activityArn=activity, workerName=f"w{number}")
                if "taskToken" not in got or mine.random() < 0.1:
                    continue
                sfn.send_task_success(taskToken=got["taskToken"], output=got["input"])
            except Exception as error:  # noqa: BLE001 - a worker that dies is what this is about
                assert "Timeout" in type(error).__name__ or "TaskTimedOut" in str(error), error
                continue
            with lock:
                finished.append(json.loads(got["input"])["n"])

    def start(number):
        return sfn.start_execution(stateMachineArn=arn, input=json.dumps({"n": number}))["executionArn"]

    with ThreadPoolExecutor(workers + 8) as pool:
        working = [pool.submit(work, number) for number in range(workers)]
        try:
            executions = list(pool.map(start, random_of.sample(range(tasks), tasks)))
            deadline = time.monotonic() + 60 + tasks / 10
            while len(finished) < tasks and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            done.set()
        for one in working:
            one.result(END_SECONDS)
    assert sorted(finished) == list(range(tasks))
    for execution in executions[:: max(1, tasks // 50)]:
        assert wait_for_end(sfn, execution)["status"] == "SUCCEEDED"
        assert types(sfn, execution).count("ActivitySucceeded") == 1
