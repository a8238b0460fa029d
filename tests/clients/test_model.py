"""botocore's model of Step Functions drives the server: inputs are generated, answers checked, errors provoked.

Every operation is called with what it needs and with everything it takes; every rule that the model states about a
member is broken once; every error that the model declares is provoked or listed with the reason why it cannot occur.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import contextmanager

import botocore.exceptions
import botocore.session
import pytest

import stepwell_server
from conftest import client
from model import errors, inputs
from model.shapes import Answers, check_answer, generate, violations
from model.world import World

MODEL = botocore.session.Session().get_service_model("stepfunctions")
OPERATIONS = MODEL.operation_names
DECLARED = [(operation, shape.name) for operation in OPERATIONS for shape in MODEL.operation_model(operation).error_shapes]
IMPOSSIBLE = {pair for pair in DECLARED if pair[1] in errors.CANNOT_OCCUR or pair in errors.CANNOT_OCCUR_HERE}

# Operations of later releases. A call that is refused as unknown must be of these.
PENDING: set[str] = set()
# Errors of operations that are there, which a later release gives.
PENDING_ERRORS: set[tuple[str, str]] = set()
# What resources need and later releases bring: answered with these codes.
NOT_YET = {"UnknownOperationException", "StateMachineTypeNotSupported"}
# Lengths of payloads: bounds that the operator sets (`--payload-limit-kib`), refused by errors of their own.
PAYLOADS = {"input", "output", "definition", "variables", "context", "mock"}
# What a broken rule is answered with, beside the operation's own errors.
REFUSALS = {"ValidationException", "SerializationException"}
REQUEST_SECONDS = 60


class Caller:
    """Sends bodies as they are: botocore would refuse most of what is sent here."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, operation: str, arguments: dict) -> tuple[int, dict]:
        """Returns status and body, after both were checked against the model."""
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{MODEL.metadata['targetPrefix']}.{operation}",
        }
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(self._endpoint, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=REQUEST_SECONDS) as reply:
                status, headers, text = reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            status, headers, text = error.code, error.headers, error.read()
        check_answer(MODEL.operation_model(operation), status, headers, text)
        return status, json.loads(text)

    def code(self, operation: str, arguments: dict) -> str | None:
        """Returns the code of the error that the call gives; None if it succeeds."""
        status, body = self.call(operation, arguments)
        return None if status == 200 else body["__type"].rpartition("#")[2]


@pytest.fixture(scope="module")
def caller(tmp_path_factory):
    server = stepwell_server.Server(tmp_path_factory.mktemp("model"), store="memory:")
    yield Caller(server.endpoint)
    assert server.stop() == 0
    assert "panicked" not in server.output()


@pytest.fixture(scope="module")
def world(caller):
    sfn, logs = (client(caller._endpoint, service) for service in ("stepfunctions", "logs"))
    Answers(sfn)
    return World(sfn, logs)


@pytest.fixture(scope="module")
def offered(caller):
    """Operations that the server knows."""
    known = {name for name in OPERATIONS if caller.code(name, {}) != "UnknownOperationException"}
    assert set(OPERATIONS) - known <= PENDING
    return known


@pytest.fixture
def needs(offered, caller):
    """Skips a test whose operation is not there yet."""

    def check(operation):
        if operation not in offered:
            pytest.skip(f"{operation} is not offered yet")

    return check


@contextmanager
def making():
    """Skips the test if a resource that it needs cannot be made yet."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in NOT_YET:
            pytest.skip(f"needs {error.operation_name}: {error}")
        raise


def arguments(world, operation: str, full: bool) -> dict:
    """Returns a valid input: what the operation needs, or all that it takes."""
    own, shape = inputs.OWN.get(operation, {}), MODEL.operation_model(operation).input_shape
    table = inputs.ANYWHERE | own
    wanted = set(shape.members) if full else {*shape.required_members, inputs.ONE_OF.get(operation)}
    # Resources are made only for members that are sent.
    known = {
        path: value and value(world) for path, value in table.items() if path.partition(".")[0] in wanted
    }
    made = generate(shape, full, known)
    one_of = inputs.ONE_OF.get(operation)
    if one_of and one_of not in made:
        made[one_of] = known.get(one_of) or generate(shape.members[one_of], full, {})
    return made


@pytest.mark.parametrize("extent", ["minimal", "full"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_generated_inputs_are_answered_as_the_model_says(operation, extent, caller, world, needs):
    needs(operation)
    with making():
        sent = arguments(world, operation, extent == "full")
    assert caller.code(operation, sent) == inputs.NOTHING_THERE.get(operation)


@pytest.mark.parametrize("pair", sorted(set(DECLARED) - IMPOSSIBLE), ids="-".join)
def test_every_declared_error_can_be_provoked(pair, caller, world, needs):
    operation, error = pair
    needs(operation)
    with making():
        changed = arguments(world, operation, full=False) | errors.PROVOKED[pair](world)
    sent = {name: value for name, value in changed.items() if value is not None}
    code = caller.code(operation, sent)
    if code != error and pair in PENDING_ERRORS:
        pytest.xfail("a later release gives this error")
    assert code == error


def test_the_tables_name_only_what_the_model_has():
    known = set(DECLARED)
    assert set(errors.PROVOKED) == known - IMPOSSIBLE
    assert set(errors.CANNOT_OCCUR_HERE) <= known
    assert set(errors.CANNOT_OCCUR) <= {error for _, error in DECLARED}
    assert set(inputs.OWN) <= set(OPERATIONS)
    assert PENDING_ERRORS <= known


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_rule_about_a_member_is_kept(operation, caller, world, needs):
    needs(operation)
    described = MODEL.operation_model(operation)
    with making():
        full, minimal = (arguments(world, operation, extent) for extent in (True, False))
    allowed = REFUSALS | {shape.name for shape in described.error_shapes}
    broken = []
    for violation in violations(described.input_shape, full):
        if violation.rule == "longer" and violation.path[-1] in PAYLOADS:
            continue
        # All else is as it has to be: what is wrong is this one member. Its own top member comes from the full input.
        top = violation.path[0]
        body = violation.applied(minimal | {top: full[top]})
        code = caller.code(operation, body)
        if code not in allowed:
            broken.append(f"{violation.name}: {code or 'accepted'}")
    assert not broken
