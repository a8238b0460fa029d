"""Tokens that the server gives away: nobody can make one, change one, or use another's.

Page tokens of every operation that has pages, and task tokens. Who is let in at all is in test_auth.py.
"""

from __future__ import annotations

import base64
import random

import botocore.exceptions
import botocore.session
import pytest

from model.world import World, definition
from stepwell_server import ACCOUNT
from test_auth import OTHER_ACCOUNT, Guarded, client

MODEL = botocore.session.Session().get_service_model("stepfunctions")
SEED = 20_261_123
CHANGES = 40
# Operations with pages, and how a second page comes about: two things to list.
PAGED = {
    "GetExecutionHistory": lambda world: {"executionArn": world.ended()},
    "ListActivities": lambda world: made_twice(world.activity),
    "ListExecutions": lambda world: {"stateMachineArn": executed_twice(world)},
    "ListStateMachineAliases": lambda world: {"stateMachineArn": aliased_twice(world)},
    "ListStateMachineVersions": lambda world: {"stateMachineArn": published_twice(world)},
    "ListStateMachines": lambda world: made_twice(world.machine),
}
# Map runs have pages, but no execution has one before Distributed Map.
WITHOUT_PAGES = {"ListMapRuns"}


def made_twice(make) -> dict:
    make()
    make()
    return {}


def executed_twice(world) -> str:
    machine = world.machine()
    for _ in range(2):
        world.start(machine)
    return machine


def published_twice(world) -> str:
    machine = world.machine()
    world.version(machine)
    world.update(machine)
    world.version(machine)
    return machine


def aliased_twice(world) -> str:
    machine = published_twice(world)
    for _ in range(2):
        world.alias(f"{machine}:1")
    return machine


class Account:
    """A key's client, and its world."""

    def __init__(self, guarded, key: str, account: str) -> None:
        self.sfn = client(guarded.endpoint, guarded.keys[key])
        self.world = World(self.sfn, None, account)

    def call(self, operation: str, **arguments):
        """Returns the answer, or the code of the error."""
        method = next(name for name, wire in self.sfn.meta.method_to_api_mapping.items() if wire == operation)
        try:
            return getattr(self.sfn, method)(**arguments)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    def first_page(self, operation: str) -> tuple[dict, str]:
        """Returns arguments, and the token of the second page."""
        try:
            arguments = PAGED[operation](self.world)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "UnknownOperationException":
                pytest.skip(str(error))
            raise
        page = self.call(operation, maxResults=1, **arguments)
        if page == "UnknownOperationException":
            pytest.skip(f"{operation} is not offered yet")
        return arguments | {"maxResults": 1}, page["nextToken"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    guarded = Guarded(tmp_path_factory.mktemp("tokens"))
    yield guarded
    assert guarded.server.stop() == 0


@pytest.fixture(scope="module")
def ours(guarded):
    return Account(guarded, "admin", ACCOUNT)


@pytest.fixture(scope="module")
def theirs(guarded):
    return Account(guarded, "other", OTHER_ACCOUNT)


def changed(token: str) -> list[str]:
    """Returns tokens that are nearly this one: characters changed, cut off, put in, and bytes under the encoding."""
    rng = random.Random(SEED)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    made = {token[:-1], token[:1], token + "A", token * 2, token[::-1], "A" * len(token), "=", "a.b.c"}
    for _ in range(CHANGES):
        at = rng.randrange(len(token))
        made.add(token[:at] + rng.choice(alphabet) + token[at + 1 :])
    try:
        raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        raw = bytearray()
    for _ in range(CHANGES if raw else 0):
        copy = bytearray(raw)
        copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
        made.add(base64.urlsafe_b64encode(copy).decode().rstrip("="))
    return sorted(made - {token})


def test_every_operation_with_pages_is_tested():
    paged = {
        name for name in MODEL.operation_names if "nextToken" in MODEL.operation_model(name).input_shape.members
    }
    assert paged == set(PAGED) | WITHOUT_PAGES


@pytest.mark.parametrize("operation", PAGED)
def test_page_tokens_cannot_be_made_or_changed(operation, ours):
    arguments, token = ours.first_page(operation)
    for forged in changed(token):
        answer = ours.call(operation, **arguments, nextToken=forged)
        assert answer == "InvalidToken", (forged, token, answer)
    assert isinstance(ours.call(operation, **arguments, nextToken=token), dict)


@pytest.mark.parametrize("operation", PAGED)
def test_page_tokens_are_of_no_use_elsewhere(operation, ours, theirs):
    """Not in another account, not for another operation, not with other arguments."""
    arguments, token = ours.first_page(operation)
    others, _ = theirs.first_page(operation)
    assert theirs.call(operation, **others, nextToken=token) == "InvalidToken"
    for other in PAGED:
        if other != operation:
            elsewhere, _ = ours.first_page(other)
            assert ours.call(other, **elsewhere, nextToken=token) == "InvalidToken", other
    if len(arguments) > 1:
        elsewhere, _ = ours.first_page(operation)
        assert ours.call(operation, **elsewhere, nextToken=token) == "InvalidToken"


def answers(account, token: str) -> dict[str, object]:
    """Returns what the three operations that take a task's token say to one."""
    return {
        "SendTaskHeartbeat": account.call("SendTaskHeartbeat", taskToken=token),
        "SendTaskFailure": account.call("SendTaskFailure", taskToken=token, error="Forged"),
        "SendTaskSuccess": account.call("SendTaskSuccess", taskToken=token, output='"forged"'),
    }


@pytest.fixture
def task(ours):
    """A task that waits for an answer: its execution and its token."""
    if ours.call("ListActivities") == "UnknownOperationException":
        pytest.skip("activities are not offered yet")
    activity = ours.world.activity()
    machine = ours.world.machine(definition(Type="Task", Resource=activity))
    execution = ours.world.start(machine)
    return execution, ours.sfn.get_activity_task(activityArn=activity)["taskToken"]


def test_task_tokens_cannot_be_made_or_changed(ours, task):
    execution, token = task
    for forged in changed(token):
        said = set(answers(ours, forged).values())
        assert said <= {"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"}, (forged, token, said)
    assert ours.sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
    assert isinstance(ours.call("SendTaskSuccess", taskToken=token, output='"real"'), dict)
    assert answers(ours, token) == dict.fromkeys(answers(ours, token), "TaskTimedOut")


def test_task_tokens_are_of_no_use_in_another_account(ours, theirs, task):
    execution, token = task
    said = set(answers(theirs, token).values())
    # It says nothing about whose token it is.
    assert said <= {"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"}, said
    assert ours.sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"


def test_task_tokens_of_another_server_mean_nothing(tmp_path, ours, task):
    _, token = task
    second = Guarded(tmp_path)
    try:
        account = Account(second, "admin", ACCOUNT)
        assert set(answers(account, token).values()) <= {"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"}
        machine = account.world.machine()
        arguments = {"stateMachineArn": machine, "maxResults": 1}
        for _ in range(2):
            account.world.start(machine)
        page = account.sfn.list_executions(**arguments)["nextToken"]
        answer = ours.call("ListExecutions", stateMachineArn=executed_twice(ours.world), nextToken=page)
        assert answer == "InvalidToken"
    finally:
        assert second.server.stop() == 0


def test_a_token_lets_nobody_do_what_a_policy_forbids(guarded, task):
    _, token = task
    for policy in ("read", "deploy"):
        account = Account(guarded, policy, ACCOUNT)
        assert set(answers(account, token).values()) == {"AccessDeniedException"}, policy
