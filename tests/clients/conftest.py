"""Fixtures: one server for the whole run, the order machine on it, and the clients that talk to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

import stepwell_server
from stepwell_server import REGION, ROLE_ARN, ROOT

END_SECONDS = 60
PAUSE_SECONDS = 0.05


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """Address of a server with the example modules; sets STEPWELL_ENDPOINT for everything that asks for it."""
    server = stepwell_server.Server(tmp_path_factory.mktemp("server"))
    os.environ["STEPWELL_ENDPOINT"] = server.endpoint
    try:
        for name in stepwell_server.ORDER_MODULES:
            stepwell_server.upload(server.endpoint, name, stepwell_server.guest(name))
        stepwell_server.upload(server.endpoint, "echo", stepwell_server.guest("stub"))
        yield server.endpoint
    finally:
        del os.environ["STEPWELL_ENDPOINT"]
        code = server.stop()
        # Shown by pytest beside the tests that failed, if any did.
        print(server.output())
    assert code == 0, f"the server ended with {code} after SIGTERM"


def client(endpoint, service="stepfunctions", **config):
    """An unmodified boto3 client, set up as the documentation says."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(inject_host_prefix=False, **config),
    )


@pytest.fixture(scope="session")
def sfn(endpoint):
    """A boto3 client with signed requests."""
    return client(endpoint)


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"t-{uuid.uuid4()}"


@pytest.fixture
def machine(sfn, name):
    """Creates a machine from its states, the first one first, and returns its ARN; deleted afterwards."""
    created = []

    def create(**states):
        definition = json.dumps({"StartAt": next(iter(states)), "States": states})
        reply = sfn.create_state_machine(name=f"{name}-{len(created)}", definition=definition, roleArn=ROLE_ARN)
        created.append(reply["stateMachineArn"])
        return created[-1]

    yield create
    for arn in created:
        sfn.delete_state_machine(stateMachineArn=arn)


@pytest.fixture(scope="session")
def order_definition():
    """Text of the example definition."""
    return (ROOT / "modules/order.asl.json").read_text()


@pytest.fixture(scope="session")
def order_machine(sfn, order_definition):
    """ARN of the example machine."""
    created = sfn.create_state_machine(name="order", definition=order_definition, roleArn=ROLE_ARN)
    return created["stateMachineArn"]


def order(name):
    """Text of an example order."""
    return (ROOT / f"modules/orders/{name}.json").read_text()


def wait_for_end(sfn, execution_arn):
    """Polls DescribeExecution until the execution has ended."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        execution = sfn.describe_execution(executionArn=execution_arn)
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"{execution_arn} still runs after {END_SECONDS} s")


class AwsFailed(Exception):
    """The AWS CLI ended with an error."""


@pytest.fixture(scope="session")
def aws(endpoint, tmp_path_factory):
    """Runs `aws SERVICE ...` and returns its JSON; raises AwsFailed with what it said otherwise."""
    program = Path(sys.executable).parent / "aws"
    home = tmp_path_factory.mktemp("aws-home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STEPWELL_"))}
    environment = kept | {
        "HOME": str(home),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1",
    }

    def run(*arguments, service="stepfunctions", **options):
        flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
        command = [str(program), service, *arguments, *flags, "--output", "json"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=END_SECONDS)
        if ran.returncode != 0:
            raise AwsFailed(f"exit code {ran.returncode}: {ran.stderr.strip()}")
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    return run
