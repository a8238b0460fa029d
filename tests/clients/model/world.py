"""Real resources for generated inputs: machines, versions, executions, activities, tokens. Made when they are asked for."""

from __future__ import annotations

import json
import time
import uuid

from stepwell_server import ACCOUNT, REGION, ROLE_ARN

ARN = f"arn:aws:states:{REGION}:{ACCOUNT}"
# There is none before Distributed Map.
NO_MAP_RUN = f"{ARN}:mapRun:missing/label:00000000-0000-4000-8000-000000000000"
LIMIT_SECONDS = 30
PAUSE_SECONDS = 0.02


def definition(**state) -> str:
    """Returns a machine of one state."""
    return json.dumps({"StartAt": "Only", "States": {"Only": {"End": True} | state}})


PASS = definition(Type="Pass")
WAIT = definition(Type="Wait", Seconds=3600)
FAIL = json.dumps({"StartAt": "Only", "States": {"Only": {"Type": "Fail", "Error": "Custom", "Cause": "because"}}})


class World:
    """Makes resources through the client that is tested."""

    def __init__(self, sfn, logs, account: str = ACCOUNT) -> None:
        self._sfn = sfn
        self._logs = logs
        # The version that was made last: for inputs with two members that have to go together.
        self.latest_version: str | None = None
        self._role_arn = ROLE_ARN.replace(ACCOUNT, account)

    @staticmethod
    def name() -> str:
        return f"m-{uuid.uuid4()}"

    def machine(self, text: str = PASS, **options) -> str:
        made = self._sfn.create_state_machine(name=self.name(), definition=text, roleArn=self._role_arn, **options)
        return made["stateMachineArn"]

    def express(self, text: str = PASS) -> str:
        return self.machine(text, type="EXPRESS")

    def version(self, machine: str | None = None) -> str:
        made = self._sfn.publish_state_machine_version(stateMachineArn=machine or self.machine())
        self.latest_version = made["stateMachineVersionArn"]
        return self.latest_version

    def alias(self, version: str | None = None) -> str:
        routing = [{"stateMachineVersionArn": version or self.version(), "weight": 100}]
        return self._sfn.create_state_machine_alias(name=self.name(), routingConfiguration=routing)[
            "stateMachineAliasArn"
        ]

    def aliased_version(self) -> str:
        version = self.version()
        self.alias(version)
        return version

    def update(self, machine: str, text: str = FAIL) -> None:
        self._sfn.update_state_machine(stateMachineArn=machine, definition=text)

    def deleting(self) -> str:
        """Returns a machine that is being deleted: it stays while one of its executions runs."""
        arn = self.machine(WAIT)
        self.start(arn)
        self._sfn.delete_state_machine(stateMachineArn=arn)
        return arn

    def start(self, machine: str) -> str:
        return self._sfn.start_execution(stateMachineArn=machine)["executionArn"]

    def execution(self, text: str = WAIT) -> str:
        return self.start(self.machine(text))

    def ended(self, text: str = PASS) -> str:
        arn = self.execution(text)
        deadline = time.monotonic() + LIMIT_SECONDS
        while self._sfn.describe_execution(executionArn=arn)["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} does not end"
            time.sleep(PAUSE_SECONDS)
        return arn

    def failed(self) -> str:
        return self.ended(FAIL)

    def express_execution(self) -> str:
        return self.start(self.express())

    def activity(self) -> str:
        return self._sfn.create_activity(name=self.name())["activityArn"]

    def activity_with_task(self) -> str:
        """Returns an activity for which a task waits."""
        activity = self.activity()
        self.execution(definition(Type="Task", Resource=activity, HeartbeatSeconds=600))
        return activity

    def token(self) -> str:
        """Returns the token of a task that a worker has taken."""
        return self._sfn.get_activity_task(activityArn=self.activity_with_task())["taskToken"]

    def used_token(self) -> str:
        token = self.token()
        self._sfn.send_task_success(taskToken=token, output="{}")
        return token

    def log_group(self) -> dict:
        """Returns a destination for logs."""
        name = f"/aws/vendedlogs/states/{self.name()}"
        self._logs.create_log_group(logGroupName=name)
        group = self._logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
        return {"cloudWatchLogsLogGroup": {"logGroupArn": group["arn"]}}
