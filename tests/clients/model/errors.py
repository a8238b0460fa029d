"""How to provoke each error that the model declares: what to change in a minimal input.

Errors that cannot occur are listed with the reason. An error that is in neither table fails a test.
"""

from __future__ import annotations

from model.world import ARN, FAIL, NO_MAP_RUN, PASS, World

NO_ARN = "arn-of-nothing"
NO_ACTIVITY = f"{ARN}:activity:missing"
NO_EXECUTION = f"{ARN}:execution:missing:missing"
NO_MACHINE = f"{ARN}:stateMachine:missing"
NO_ALIAS = f"{NO_MACHINE}:alias"
NO_VERSION = f"{NO_MACHINE}:1"
FORGED_PAGE = {"nextToken": "forged"}
TAGS_TOO_MANY = [{"key": f"key-{index}", "value": "v"} for index in range(51)]
LONG_DESCRIPTION = "x" * 257

# Reasons, by the error's name, for which it cannot occur in any operation.
CANNOT_OCCUR = {
    "KmsAccessDeniedException": "keys of customers are not offered: data is sealed by the server's own key",
    "KmsInvalidStateException": "keys of customers are not offered",
    "KmsThrottlingException": "keys of customers are not offered",
    "ActivityLimitExceeded": "the number of activities is a quota: only the strict profile has it",
    "ActivityWorkerLimitExceeded": "the number of pollers is a quota: only the strict profile has it",
    "ExecutionLimitExceeded": "the number of open executions is a quota: only the strict profile has it",
    "ServiceQuotaExceededException": "the number of versions and aliases is a quota: only the strict profile has it",
    "StateMachineLimitExceeded": "the number of machines is a quota: only the strict profile has it",
    "TaskDoesNotExist": "tokens are sealed: one that the server made is of a task that existed, others are invalid",
    "InvalidTracingConfiguration": "its only member is a boolean, of which every value is valid",
}

# The same for single operations.
CANNOT_OCCUR_HERE = {
    ("CreateStateMachine", "ConflictException"): "two calls with one name are answered one after the other",
    ("UpdateStateMachine", "ConflictException"): "changes of a machine are made one after the other",
    ("UpdateStateMachineAlias", "ConflictException"): "changes of an alias are made one after the other",
    ("DeleteStateMachineAlias", "ConflictException"): "changes of an alias are made one after the other",
    ("CreateStateMachineAlias", "InvalidName"): "the model has a pattern for the name: ValidationException comes first",
    ("CreateStateMachine", "StateMachineTypeNotSupported"): "both types are supported",
    ("StartSyncExecution", "StateMachineDeleting"): "no execution holds an Express machine: it is gone at once",
    ("UpdateStateMachineAlias", "StateMachineDeleting"): "aliases are gone as soon as their machine is being deleted",
    ("CreateActivity", "ActivityAlreadyExists"): "a second call differs from the first by its key only",
}


def _version_of(machine_path: str):
    return lambda _: {"routingConfiguration": [{"stateMachineVersionArn": machine_path, "weight": 100}]}


def _member(name: str, value):
    return lambda world: {name: value(world) if callable(value) else value}


def _pages(operation: str) -> dict:
    return {(operation, "InvalidToken"): lambda _: FORGED_PAGE}


def _bad_arn(operation: str, member: str) -> dict:
    return {(operation, "InvalidArn"): _member(member, NO_ARN)}


PROVOKED: dict[tuple[str, str], object] = {
    ("CreateActivity", "InvalidName"): _member("name", "a b"),
    ("CreateActivity", "TooManyTags"): _member("tags", TAGS_TOO_MANY),
    ("CreateActivity", "InvalidEncryptionConfiguration"): _member(
        "encryptionConfiguration", {"type": "CUSTOMER_MANAGED_KMS_KEY"}
    ),
    ("CreateStateMachine", "InvalidArn"): _member("roleArn", NO_ARN),
    ("CreateStateMachine", "InvalidDefinition"): _member("definition", "{}"),
    ("CreateStateMachine", "InvalidName"): _member("name", "a b"),
    ("CreateStateMachine", "InvalidLoggingConfiguration"): _member("loggingConfiguration", {"level": "ALL"}),
    ("CreateStateMachine", "StateMachineAlreadyExists"): lambda world: {
        "name": world.machine().rpartition(":")[2],
        "definition": FAIL,
    },
    ("CreateStateMachine", "StateMachineDeleting"): lambda world: {"name": world.deleting().rpartition(":")[2]},
    ("CreateStateMachine", "TooManyTags"): _member("tags", TAGS_TOO_MANY),
    ("CreateStateMachine", "ValidationException"): _member("versionDescription", "without publish"),
    ("CreateStateMachine", "InvalidEncryptionConfiguration"): _member(
        "encryptionConfiguration", {"type": "CUSTOMER_MANAGED_KMS_KEY"}
    ),
    ("CreateStateMachineAlias", "InvalidArn"): _version_of(NO_ARN),
    ("CreateStateMachineAlias", "ValidationException"): _member("description", LONG_DESCRIPTION),
    ("CreateStateMachineAlias", "StateMachineDeleting"): lambda world: _version_of(f"{world.deleting()}:1")(world),
    ("CreateStateMachineAlias", "ResourceNotFound"): _version_of(NO_VERSION),
    ("CreateStateMachineAlias", "ConflictException"): lambda world: _alias_again(world),
    **_bad_arn("DeleteActivity", "activityArn"),
    **_bad_arn("DeleteStateMachine", "stateMachineArn"),
    ("DeleteStateMachine", "ValidationException"): _member("stateMachineArn", f"{NO_MACHINE}/label"),
    **_bad_arn("DeleteStateMachineAlias", "stateMachineAliasArn"),
    ("DeleteStateMachineAlias", "ValidationException"): _member("stateMachineAliasArn", "x" * 257),
    ("DeleteStateMachineAlias", "ResourceNotFound"): lambda world: {"stateMachineAliasArn": f"{world.machine()}:no"},
    **_bad_arn("DeleteStateMachineVersion", "stateMachineVersionArn"),
    ("DeleteStateMachineVersion", "ValidationException"): _member("stateMachineVersionArn", "x" * 2001),
    ("DeleteStateMachineVersion", "ConflictException"): _member("stateMachineVersionArn", World.aliased_version),
    **_bad_arn("DescribeActivity", "activityArn"),
    ("DescribeActivity", "ActivityDoesNotExist"): _member("activityArn", NO_ACTIVITY),
    **_bad_arn("DescribeExecution", "executionArn"),
    ("DescribeExecution", "ExecutionDoesNotExist"): _member("executionArn", NO_EXECUTION),
    **_bad_arn("DescribeMapRun", "mapRunArn"),
    ("DescribeMapRun", "ResourceNotFound"): _member("mapRunArn", NO_MAP_RUN),
    **_bad_arn("DescribeStateMachine", "stateMachineArn"),
    ("DescribeStateMachine", "StateMachineDoesNotExist"): _member("stateMachineArn", NO_MACHINE),
    **_bad_arn("DescribeStateMachineAlias", "stateMachineAliasArn"),
    ("DescribeStateMachineAlias", "ValidationException"): _member("stateMachineAliasArn", "x" * 257),
    ("DescribeStateMachineAlias", "ResourceNotFound"): lambda world: {"stateMachineAliasArn": f"{world.machine()}:no"},
    **_bad_arn("DescribeStateMachineForExecution", "executionArn"),
    ("DescribeStateMachineForExecution", "ExecutionDoesNotExist"): _member("executionArn", NO_EXECUTION),
    **_bad_arn("GetActivityTask", "activityArn"),
    ("GetActivityTask", "ActivityDoesNotExist"): _member("activityArn", NO_ACTIVITY),
    **_bad_arn("GetExecutionHistory", "executionArn"),
    **_pages("GetExecutionHistory"),
    ("GetExecutionHistory", "ExecutionDoesNotExist"): _member("executionArn", NO_EXECUTION),
    **_pages("ListActivities"),
    **_bad_arn("ListExecutions", "stateMachineArn"),
    **_pages("ListExecutions"),
    ("ListExecutions", "StateMachineDoesNotExist"): _member("stateMachineArn", NO_MACHINE),
    ("ListExecutions", "StateMachineTypeNotSupported"): _member("stateMachineArn", World.express),
    ("ListExecutions", "ValidationException"): _member("statusFilter", "NONE"),
    ("ListExecutions", "ResourceNotFound"): lambda _: {"stateMachineArn": None, "mapRunArn": NO_MAP_RUN},
    **_bad_arn("ListMapRuns", "executionArn"),
    **_pages("ListMapRuns"),
    ("ListMapRuns", "ExecutionDoesNotExist"): _member("executionArn", NO_EXECUTION),
    **_bad_arn("ListStateMachineAliases", "stateMachineArn"),
    **_pages("ListStateMachineAliases"),
    ("ListStateMachineAliases", "ResourceNotFound"): lambda world: {"stateMachineArn": f"{world.machine()}:7"},
    ("ListStateMachineAliases", "StateMachineDoesNotExist"): _member("stateMachineArn", NO_MACHINE),
    ("ListStateMachineAliases", "StateMachineDeleting"): _member("stateMachineArn", World.deleting),
    **_bad_arn("ListStateMachineVersions", "stateMachineArn"),
    **_pages("ListStateMachineVersions"),
    ("ListStateMachineVersions", "ValidationException"): _member("maxResults", 1001),
    **_pages("ListStateMachines"),
    **_bad_arn("ListTagsForResource", "resourceArn"),
    ("ListTagsForResource", "ResourceNotFound"): _member("resourceArn", NO_MACHINE),
    **_bad_arn("PublishStateMachineVersion", "stateMachineArn"),
    ("PublishStateMachineVersion", "ValidationException"): _member("description", LONG_DESCRIPTION),
    ("PublishStateMachineVersion", "StateMachineDeleting"): _member("stateMachineArn", World.deleting),
    ("PublishStateMachineVersion", "StateMachineDoesNotExist"): _member("stateMachineArn", NO_MACHINE),
    ("PublishStateMachineVersion", "ConflictException"): _member("revisionId", "another-revision"),
    **_bad_arn("RedriveExecution", "executionArn"),
    ("RedriveExecution", "ExecutionDoesNotExist"): _member("executionArn", NO_EXECUTION),
    ("RedriveExecution", "ExecutionNotRedrivable"): _member("executionArn", World.ended),
    ("RedriveExecution", "ValidationException"): _member("clientToken", "x" * 65),
    ("SendTaskFailure", "InvalidToken"): _member("taskToken", "forged"),
    ("SendTaskFailure", "TaskTimedOut"): _member("taskToken", World.used_token),
    ("SendTaskHeartbeat", "InvalidToken"): _member("taskToken", "forged"),
    ("SendTaskHeartbeat", "TaskTimedOut"): _member("taskToken", World.used_token),
    ("SendTaskSuccess", "InvalidToken"): _member("taskToken", "forged"),
    ("SendTaskSuccess", "TaskTimedOut"): _member("taskToken", World.used_token),
    ("SendTaskSuccess", "InvalidOutput"): _member("output", "{"),
    **_bad_arn("StartExecution", "stateMachineArn"),
    ("StartExecution", "ExecutionAlreadyExists"): lambda world: _execution_again(world),
    ("StartExecution", "InvalidExecutionInput"): _member("input", "{"),
    ("StartExecution", "InvalidName"): _member("name", "a b"),
    ("StartExecution", "StateMachineDoesNotExist"): _member("stateMachineArn", NO_MACHINE),
    ("StartExecution", "StateMachineDeleting"): _member("stateMachineArn", World.deleting),
    ("StartExecution", "ValidationException"): _member("traceHeader", "x" * 257),
    **_bad_arn("StartSyncExecution", "stateMachineArn"),
    ("StartSyncExecution", "InvalidExecutionInput"): _member("input", "{"),
    ("StartSyncExecution", "InvalidName"): _member("name", "a b"),
    ("StartSyncExecution", "StateMachineDoesNotExist"): _member("stateMachineArn", NO_MACHINE),
    ("StartSyncExecution", "StateMachineTypeNotSupported"): _member("stateMachineArn", World.machine),
    **_bad_arn("StopExecution", "executionArn"),
    ("StopExecution", "ExecutionDoesNotExist"): _member("executionArn", NO_EXECUTION),
    ("StopExecution", "ValidationException"): _member("error", "x" * 257),
    **_bad_arn("TagResource", "resourceArn"),
    ("TagResource", "ResourceNotFound"): _member("resourceArn", NO_MACHINE),
    ("TagResource", "TooManyTags"): _member("tags", TAGS_TOO_MANY),
    ("TestState", "InvalidArn"): _member("roleArn", NO_ARN),
    ("TestState", "InvalidDefinition"): _member("definition", "{}"),
    ("TestState", "InvalidExecutionInput"): _member("input", "{"),
    ("TestState", "ValidationException"): _member("inspectionLevel", "NONE"),
    **_bad_arn("UntagResource", "resourceArn"),
    ("UntagResource", "ResourceNotFound"): _member("resourceArn", NO_MACHINE),
    **_bad_arn("UpdateMapRun", "mapRunArn"),
    ("UpdateMapRun", "ResourceNotFound"): _member("mapRunArn", NO_MAP_RUN),
    ("UpdateMapRun", "ValidationException"): _member("toleratedFailurePercentage", 101),
    **_bad_arn("UpdateStateMachine", "stateMachineArn"),
    ("UpdateStateMachine", "InvalidDefinition"): _member("definition", "{}"),
    ("UpdateStateMachine", "InvalidLoggingConfiguration"): _member("loggingConfiguration", {"level": "ALL"}),
    ("UpdateStateMachine", "MissingRequiredParameter"): _member("definition", None),
    ("UpdateStateMachine", "StateMachineDeleting"): _member("stateMachineArn", World.deleting),
    ("UpdateStateMachine", "StateMachineDoesNotExist"): _member("stateMachineArn", NO_MACHINE),
    ("UpdateStateMachine", "ValidationException"): _member("versionDescription", "without publish"),
    ("UpdateStateMachine", "InvalidEncryptionConfiguration"): _member(
        "encryptionConfiguration", {"type": "CUSTOMER_MANAGED_KMS_KEY"}
    ),
    **_bad_arn("UpdateStateMachineAlias", "stateMachineAliasArn"),
    ("UpdateStateMachineAlias", "ValidationException"): _member("description", LONG_DESCRIPTION),
    ("UpdateStateMachineAlias", "ResourceNotFound"): lambda world: {"stateMachineAliasArn": f"{world.machine()}:no"},
    ("ValidateStateMachineDefinition", "ValidationException"): _member("maxResults", 101),
}


def _alias_again(world: World) -> dict:
    """Returns the name of an alias, with another version of its machine."""
    alias = world.alias()
    machine, _, name = alias.rpartition(":")
    world.update(machine)
    return {"name": name, "routingConfiguration": [{"stateMachineVersionArn": world.version(machine), "weight": 100}]}


def _execution_again(world: World) -> dict:
    """Returns machine and name of an execution, with another input."""
    arn = world.ended(PASS)
    machine, name = arn.split(":")[-2:]
    return {"stateMachineArn": f"{ARN}:stateMachine:{machine}", "name": name, "input": '{"other": 1}'}
