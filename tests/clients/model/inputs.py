"""What generated inputs need to know: for each operation, the members that lead to something real.

A value is a function of the world, so that each call gets resources of its own. `None` leaves a member out of a full
input, with the reason beside it.
"""

from __future__ import annotations

import json

from model.world import FAIL, NO_MAP_RUN, PASS, World
from stepwell_server import ACCOUNT, REGION, ROLE_ARN

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"

# Every member of these names, in every operation.
ANYWHERE = {
    "name": lambda world: world.name(),
    "definition": lambda _: PASS,
    "roleArn": lambda _: ROLE_ARN,
    "input": lambda _: '{"a": 1}',
    "output": lambda _: '{"a": 1}',
    "traceHeader": lambda _: "Root=1-5759e988-bd862e3fe1be46a994272793",
    "encryptionConfiguration.type": lambda _: "AWS_OWNED_KEY",
    "loggingConfiguration.destinations.member": lambda world: world.log_group(),
    "tags.member": lambda _: {"key": "team", "value": "orders"},
    # The revision that a machine is made with.
    "revisionId": lambda _: "INITIAL",
}


def _routing(version: str) -> list:
    return [{"stateMachineVersionArn": version, "weight": 100}]


# Operations on what no release can make yet: the error that they answer valid inputs with.
NOTHING_THERE = {"DescribeMapRun": "ResourceNotFound", "UpdateMapRun": "ResourceNotFound"}

OWN: dict[str, dict] = {
    "CreateStateMachineAlias": {"routingConfiguration": lambda world: _routing(world.version())},
    "DeleteActivity": {"activityArn": World.activity},
    "DeleteStateMachine": {"stateMachineArn": World.machine},
    "DeleteStateMachineAlias": {"stateMachineAliasArn": World.alias},
    "DeleteStateMachineVersion": {"stateMachineVersionArn": World.version},
    "DescribeActivity": {"activityArn": World.activity},
    "DescribeExecution": {"executionArn": World.ended},
    "DescribeMapRun": {"mapRunArn": lambda _: NO_MAP_RUN},
    "DescribeStateMachine": {"stateMachineArn": World.machine},
    "DescribeStateMachineAlias": {"stateMachineAliasArn": World.alias},
    "DescribeStateMachineForExecution": {"executionArn": World.ended},
    "GetActivityTask": {"activityArn": World.activity_with_task},
    "GetExecutionHistory": {"executionArn": World.ended},
    "ListExecutions": {
        "stateMachineArn": World.machine,
        # Either a machine or a map run; the filter by redrive is for map runs only.
        "mapRunArn": None,
        "redriveFilter": None,
    },
    "ListMapRuns": {"executionArn": World.ended},
    "ListStateMachineAliases": {"stateMachineArn": World.machine},
    "ListStateMachineVersions": {"stateMachineArn": World.machine},
    "ListTagsForResource": {"resourceArn": World.machine},
    "PublishStateMachineVersion": {"stateMachineArn": World.machine},
    "RedriveExecution": {"executionArn": World.failed},
    "SendTaskFailure": {"taskToken": World.token},
    "SendTaskHeartbeat": {"taskToken": World.token},
    "SendTaskSuccess": {"taskToken": World.token},
    "StartExecution": {"stateMachineArn": World.machine},
    "StartSyncExecution": {"stateMachineArn": World.express},
    "StopExecution": {"executionArn": World.execution},
    "TagResource": {"resourceArn": World.machine},
    "TestState": {
        "definition": lambda _: json.dumps({"Type": "Task", "Resource": FUNCTION, "End": True}),
        "mock": lambda _: {"result": '{"b": 2}'},
        "variables": lambda _: '{"x": 1}',
        "context": lambda _: '{"Execution": {"Name": "e"}}',
        # These belong to states of some types only, or to a whole machine; the recorded cases have them.
        "stateConfiguration": None,
        "stateName": None,
        "revealSecrets": None,
    },
    "UntagResource": {"resourceArn": World.machine},
    "UpdateMapRun": {"mapRunArn": lambda _: NO_MAP_RUN},
    "UpdateStateMachine": {"stateMachineArn": World.machine, "definition": lambda _: FAIL},
    "UpdateStateMachineAlias": {
        "stateMachineAliasArn": World.alias,
        # Of the alias's own machine.
        "routingConfiguration": lambda world: _routing(world.latest_version),
    },
}

# Members that no single one is required of, but one of them is.
ONE_OF = {
    "ListExecutions": "stateMachineArn",
    "UpdateStateMachine": "definition",
    "UpdateStateMachineAlias": "description",
    "UpdateMapRun": "maxConcurrency",
    # Or a role.
    "TestState": "mock",
}
