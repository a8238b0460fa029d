"""The outside part of a recorded execution: what it needs before it starts, and what others do meanwhile.

Resources are made by the calls that a user would make. Where the recording used machines of its own as helpers (they take
a message from a queue and answer its token), the replay does that itself: the helpers are no part of what is compared.
"""

from __future__ import annotations

import json
import re
import threading
import time

import botocore.exceptions

from recorded.replay import Differs, plain, without_transport

REFERENCE = re.compile(r"\{\{(s\d+|stub)\.?([^}|]*)(?:\|json\.([^}]*))?\}\}")
SUBSCRIPT = re.compile(r"[^.\[\]]+")
LONGEST_SECONDS = 30
PAUSE_SECONDS = 0.1
# Codes with which a server says that it does not know a service or an operation.
UNKNOWN = ("UnknownOperationException", "UnknownOperation", "InvalidAction", "404", "501", "NotImplemented")
# What is done before the execution starts; all else is done while it runs, or after it.
BEFORE = ("stepfunctions.create_activity", "s3.put_object", "sqs.get_queue_attributes", "sns.subscribe")
AFTER = ("s3.get_object",)


class NotBuilt(Exception):
    """The server does not have what the case needs."""


class Outside:
    """What surrounds one execution. `seen` holds what arrived elsewhere, under the names of the recording."""

    def __init__(self, recording: dict, clients) -> None:
        self._recording = recording
        self._clients = clients
        self._answers: dict[str, object] = {}
        self._failure: Exception | None = None
        self.seen: dict[str, object] = {}

    # Before the execution.

    def prepare(self) -> None:
        """Makes resources and does what the recording did before the execution."""
        resources = self._recording.get("resources", [])
        for resource in resources:
            maker = getattr(self, f"_make_{resource['kind']}", None)
            if maker:
                maker(resource)
        for step in self._steps():
            if step["op"] in BEFORE:
                self._call(step)
            elif step["op"] == "sfn_activity_consumer":
                self._activity_consumer(step["args"])
            elif step["op"] == "events_to_sqs_queue":
                self._rule_to_queue(step["args"])

    def _steps(self) -> list[dict]:
        return self._recording.get("setup_and_side_calls") or []

    def _resources(self, kind: str) -> list[dict]:
        return [resource for resource in self._recording.get("resources", []) if resource["kind"] == kind]

    def _make_sqs(self, resource: dict) -> None:
        self._ask("sqs", "create_queue", **({"QueueName": resource["name"]} | resource["args"]))

    def _make_sns(self, resource: dict) -> None:
        self._ask("sns", "create_topic", **({"Name": resource["name"]} | resource["args"]))

    def _make_s3(self, resource: dict) -> None:
        self._ask("s3", "create_bucket", **({"Bucket": resource["name"]} | resource["args"]))

    def _make_dynamodb(self, resource: dict) -> None:
        key = resource["args"]["partition_key"]
        self._ask(
            "dynamodb",
            "create_table",
            TableName=resource["name"],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def _activity_consumer(self, args: dict) -> None:
        """Starts the machine that works on the activity."""
        sfn = self._clients("stepfunctions")
        created = sfn.create_state_machine(
            name="activity-consumer", definition=json.dumps(args["template"]), roleArn=self._recording["role_arn"]
        )
        worker_input = json.dumps({"ActivityArn": args["activity_arn"]})
        sfn.start_execution(stateMachineArn=created["stateMachineArn"], name="consumer", input=worker_input)

    def _rule_to_queue(self, args: dict) -> None:
        url = self._queue_url()
        attributes = self._ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
        pattern = json.dumps(args["event_pattern"])
        self._ask("events", "put_rule", Name="to-queue", EventPattern=pattern, State="ENABLED")
        target = {"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}
        self._ask("events", "put_targets", Rule="to-queue", Targets=[target])

    def _queue_url(self) -> str:
        return self._ask("sqs", "get_queue_url", QueueName=self._resources("sqs")[0]["name"])["QueueUrl"]

    # While it runs.

    def during(self, execution_arn: str) -> None:
        """Plays what the recording did while the execution ran, in a thread of its own."""
        self._execution_arn = execution_arn
        steps = [step for step in self._steps() if step["op"] not in (*BEFORE, *AFTER)]
        threading.Thread(target=self._play, args=(steps,), daemon=True).start()

    def _play(self, steps: list[dict]) -> None:
        try:
            for resource in self._resources("sqs_receive_num_messages"):
                self._receive_all(resource)
            for step in steps:
                if step["op"].startswith("sqs_send_task_"):
                    self._answer_token(step)
                elif "." in step["op"]:
                    self._call(step)
        except Exception as error:  # noqa: BLE001: the thread that waits for the end raises it
            self._failure = error
        self._done.set()

    @property
    def _done(self) -> threading.Event:
        return self.__dict__.setdefault("_done_event", threading.Event())

    def failed(self) -> None:
        """Raises what went wrong outside."""
        if self._failure:
            raise self._failure

    def _receive_all(self, resource: dict) -> None:
        """Takes notifications out of a queue; one that holds a token is answered with success."""
        messages = []
        while len(messages) < resource["kwargs"]["expected_messages"]:
            body = json.loads(self._receive(QueueUrl=resource["args"][0])["Messages"][0]["Body"])
            messages.append(body)
            content = _json(body.get("Message"))
            if isinstance(content, dict) and "TaskToken" in content:
                self._ask("stepfunctions", "send_task_success", taskToken=content["TaskToken"], output="{}")
        self.seen["messages"] = messages

    def _answer_token(self, step: dict) -> None:
        """Takes a message and answers its token: with its text, or with the failure that was recorded."""
        body = json.loads(self._receive(QueueUrl=step["args"]["args"][0])["Messages"][0]["Body"])
        token = body["TaskToken"]
        if "failure" in step["op"]:
            expected = self._recording["expected"]
            failure = {name: expected[name] for name in ("error", "cause") if name in expected}
            self._ask("stepfunctions", "send_task_failure", taskToken=token, **failure)
        else:
            self._ask("stepfunctions", "send_task_success", taskToken=token, output=json.dumps(body["Message"]))

    def _receive(self, **args) -> dict:
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            answer = self._ask("sqs", "receive_message", **({"MaxNumberOfMessages": 1} | args))
            if answer.get("Messages"):
                message = answer["Messages"][0]
                self._ask("sqs", "delete_message", QueueUrl=args["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])
                return answer
            time.sleep(PAUSE_SECONDS)
        raise Differs(f"no message came to {args['QueueUrl']} within {LONGEST_SECONDS} s")

    # After it.

    def after(self, ended: dict) -> None:
        """Looks at what has arrived elsewhere."""
        self._answers["stub"] = ended.get("output")
        if not self._done.wait(LONGEST_SECONDS):
            raise Differs("what is played outside has not come to its end")
        self.failed()
        for step in self._steps():
            if step["op"] in AFTER:
                self._call(step)
        expected = self._recording["expected"].get("other", {})
        if "stepfunctions_events" in expected:
            self.seen["stepfunctions_events"] = self._events(len(expected["stepfunctions_events"]))

    def _events(self, count: int) -> list:
        url = self._queue_url()
        events = [json.loads(self._receive(QueueUrl=url)["Messages"][0]["Body"]) for _ in range(count)]
        return sorted(events, key=lambda event: json.dumps(event["detail"], sort_keys=True))

    # Calls.

    def _call(self, step: dict) -> None:
        service, method = step["op"].split(".")
        args = self._resolved(step.get("args", {}))
        if method == "receive_message":
            self._answers[step["id"]] = self._receive(**args)
            return
        answer = self._ask(service, method, **args)
        self._answers[step["id"]] = answer
        if method == "create_activity":
            self.seen["create_activity_output"] = without_transport(plain(answer))

    def _ask(self, service: str, method: str, **args) -> dict:
        try:
            return getattr(self._clients(service), method)(**args)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"].get("Code") in UNKNOWN and service != "stepfunctions":
                raise NotBuilt(f"{service}.{method}: {error}") from error
            raise
        except botocore.parsers.ResponseParserError as error:
            # The answer is not of this service's protocol.
            raise NotBuilt(f"{service}.{method}: {error}") from error

    def _resolved(self, value):
        if isinstance(value, dict):
            if "$bytes" in value:
                return value["$bytes"].encode()
            # An object of the recording's own code, which holds no value: any bytes stand for it.
            if "$py" in value:
                return b""
            return {name: self._resolved(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._resolved(inner) for inner in value]
        return REFERENCE.sub(self._member, value) if isinstance(value, str) else value

    def _member(self, found: re.Match) -> str:
        value = self._answers.get(found[1])
        for part in SUBSCRIPT.findall(found[2]):
            value = value[int(part)] if isinstance(value, list) else value.get(part)
        if found[3]:
            value = _json(value).get(found[3])
            # A map run's folder has the last part of its ARN as its name.
            value = value.rsplit(":", 1)[-1] if found[1] == "stub" else value
        return str(value)


def _json(text):
    """Returns what a text holds, if it holds JSON; the text itself otherwise."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text
