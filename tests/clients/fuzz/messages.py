"""Messages to send: each a function of a random generator that gives the bytes of one connection.

A seed gives the same message every time. Nothing here may open a connection.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import botocore.session

SESSION = botocore.session.Session()
MODEL = SESSION.get_service_model("stepfunctions")
LOGS = SESSION.get_service_model("logs")
# Operations of CloudWatch Logs that the server has.
LOGS_OPERATIONS = (
    "CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups", "DescribeLogStreams", "FilterLogEvents", "GetLogEvents",
    "ListTagsForResource", "PutRetentionPolicy",
)  # fmt: skip
ARN = "arn:aws:states:us-east-1:123456789012"
MEBIBYTE = 1 << 20
# Longest of the long things, so that a run of half a minute sends many messages.
LARGE_BYTES = 3 * MEBIBYTE
DEEP = 300_000
PATHS = (
    "/", "/modules", "/modules/m", "/modules/m/manifest", "/modules/m/versions", "/modules/m/aliases/a", "/secrets",
    "/secrets/s", "/jsonata", "/healthz", "/openapi.json", "/api/clock", "/api/clock/advance", "/api/keys",
    "/executions/x/log", "/api/executions/x/wait?timeout=0", "/2015-03-31/functions", "/2015-03-31/functions/f",
    "/2015-03-31/functions/f/invocations", "/2017-03-31/tags/x",
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW")
TRICKS = ("%2e%2e", "..", "%00", "%ff%fe", "%", "%zz", "//", "\\", ";", "?", "#", "*", "a" * 5_000, "%2F", "é", "\x7f")
# Requests of this kind make access keys: from then on everything would have to be signed.
LOCKS_OUT = ("POST", "/api/keys")


def request(body: bytes, *headers: str, method: str = "POST", path: str = "/", length: object = None) -> bytes:
    """Returns a request; its length is right unless another one is given."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", *headers]
    lines.append(f"content-length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def call(operation: str, body: bytes, *headers: str, length: object = None) -> bytes:
    """Returns a call of an operation of Step Functions, or of CloudWatch Logs."""
    service = MODEL if operation in MODEL.operation_names else LOGS
    target = f"x-amz-target: {service.metadata['targetPrefix']}.{operation}"
    return request(body, "content-type: application/x-amz-json-1.0", target, *headers, length=length)


def operation(rng: random.Random) -> str:
    return rng.choice(MODEL.operation_names)


def noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randint(1, 4_096))


def http2_noise(rng: random.Random) -> bytes:
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + rng.randbytes(rng.randint(0, 2_048))


def tls_hello(rng: random.Random) -> bytes:
    hello = rng.randbytes(rng.randint(40, 400))
    return b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello


def any_value(rng: random.Random, depth: int = 0):
    """Returns a JSON value of any kind, with members that the model knows among others."""
    simple = [None, True, 0, -1, 2**63, -(2**63), 2**64, 1e308, 0.1, "", "x" * 300, "\u0000", "\ud800", "{}", "[]", "$.a"]
    names = ["name", "definition", "input", "StartAt", "States", "Type", "Next", "key", "value", "level", "weight"]
    texts = [
        f"{ARN}:stateMachine:m", f"{ARN}:stateMachine:m:1", f"{ARN}:stateMachine:m:live", f"{ARN}:stateMachine:x",
        f"{ARN}:execution:m:e", f"{ARN}:express:x:e:u", f"{ARN}:activity:a", f"{ARN}:mapRun:m/l:u", "m", "e", "live",
        "arn:aws:states:::stateMachine:", '{"Type": "Pass", "End": true}', "arn:aws:logs:us-east-1:123456789012:log-group:g:*",
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
    ]  # fmt: skip
    kind = rng.randint(0, 5 if depth < 4 else 3)
    if kind <= 1:
        return rng.choice(simple)
    if kind <= 3:
        return rng.choice(texts)
    if kind == 4:
        return [any_value(rng, depth + 1) for _ in range(rng.randint(0, 4))]
    return {rng.choice(names): any_value(rng, depth + 1) for _ in range(rng.randint(0, 4))}


def members(rng: random.Random) -> bytes:
    """A call whose members are of the model, and whose values are anything."""
    logs = rng.random() < 0.15
    name = rng.choice(LOGS_OPERATIONS) if logs else operation(rng)
    shape = (LOGS if logs else MODEL).operation_model(name).input_shape
    chosen = [member for member in shape.members if member in shape.required_members or rng.random() < 0.3]
    body = {member: any_value(rng) for member in chosen}
    if name == "GetActivityTask":
        # It would wait for a minute.
        body["activityArn"] = "none"
    return call(name, json.dumps(body).encode())


def spoilt(rng: random.Random) -> bytes:
    """A good request with some bytes changed, left out or put in."""
    good = bytearray(members(rng))
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(good))
        kind = rng.randint(0, 2)
        if kind == 0:
            good[at] = rng.randrange(256)
        elif kind == 1:
            del good[at]
        else:
            good[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(good)


def cut_off(rng: random.Random) -> bytes:
    good = members(rng)
    return good[: rng.randrange(len(good))]


def bad_text(rng: random.Random) -> bytes:
    """A body that is no UTF-8, or no JSON."""
    body = rng.choice(
        [b'{"name": "\xff\xfe"}', b"\xef\xbb\xbf{}", b"{", b"[]", b"null", b'"x"', b"{}{}", b"nan", b'{"a":1,"a":2}', b""]
        + [rng.randbytes(64), b'{"input": "\\ud800"}', b'{"name": "\\u0000"}', b"\x00" * 64]
    )
    return call(operation(rng), body)


def deep(rng: random.Random) -> bytes:
    """JSON that is nested deeply: as a body, or in a text that the server reads as JSON."""
    depth = rng.choice([100, 127, 128, 129, 1_000, 20_000, DEEP])
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}")])
    nested = opening * depth + "1" + closing * (depth if rng.random() < 0.5 else 0)
    if rng.random() < 0.3:
        return call(operation(rng), nested.encode())
    name, member = rng.choice(
        [("CreateStateMachine", "definition"), ("ValidateStateMachineDefinition", "definition"), ("StartExecution", "input")]
        + [("TestState", "input"), ("SendTaskSuccess", "output"), ("StartSyncExecution", "input")]
    )
    body = {"name": "n", "roleArn": "arn:aws:iam::123456789012:role/r", "taskToken": "t", member: nested}
    body["stateMachineArn"] = "arn:aws:states:us-east-1:123456789012:stateMachine:missing"
    return call(name, json.dumps(body).encode())


def headers(rng: random.Random) -> bytes:
    """Headers that are many, long, repeated or no headers."""
    kind = rng.randint(0, 5)
    if kind == 0:
        return call("ListStateMachines", b"{}", f"x-long: {'h' * rng.choice([60_000, 70_000, 1_000_000])}")
    if kind == 1:
        return call("ListStateMachines", b"{}", *(f"x-{index}: v" for index in range(rng.choice([99, 101, 5_000]))))
    if kind == 2:
        return call("ListStateMachines", b"{}", "x-amz-target: AWSStepFunctions.DeleteStateMachine", "host: other")
    if kind == 3:
        return call("ListStateMachines", b"{}", "authorization: " + "AWS4-HMAC-SHA256 " * rng.randint(1, 500))
    if kind == 4:
        broken = ["no colon", ": empty", "x y: z", "x\x00y: z", "x: \x00", " folded", "x:\ty", "expect: 100-continue"]
        return call("ListStateMachines", b"{}", rng.choice(broken))
    return call("ListStateMachines", b"{}", f"content-encoding: {rng.choice(['gzip', 'aws-chunked', 'br'])}")


def lengths(rng: random.Random) -> bytes:
    """A length that is not the body's."""
    wrong = rng.choice([0, 1, 3, 100, -1, "", "x", "+2", "2, 2", "2,3", "0x2", 2**63, 2**64, 10**30, 10 << 30, " 2 "])
    sent = call("ListStateMachines", b"{}", length=wrong)
    return sent if rng.random() < 0.7 else sent.replace(b"content-length", b"content-length: 2\r\ncontent-length")


def chunks(rng: random.Random) -> bytes:
    """Chunked bodies, most of them wrong."""
    head = b"POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AWSStepFunctions.ListStateMachines\r\ntransfer-encoding: "
    coding = rng.choice([b"chunked", b"chunked, chunked", b"gzip, chunked", b"xchunked", b"identity", b"chunked\r\nte: x"])
    body = rng.choice(
        [b"2\r\n{}\r\n0\r\n\r\n", b"2;" + b"e" * 20_000 + b"\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n", b"ffffffffffffffffff\r\n{}"]
        + [b"2\n{}\n0\n\n", b"zz\r\n{}\r\n", b"2\r\n{}XX0\r\n\r\n", b"0\r\n" + b"t: v\r\n" * 5_000 + b"\r\n", b"2\r\n{}"]
        + [b"1\r\n{\r\n" * rng.randint(1, 20_000) + b"0\r\n\r\n"]
    )
    return head + coding + b"\r\n\r\n" + body


def enormous(rng: random.Random) -> bytes:
    """More than any operation takes."""
    size = rng.randint(MEBIBYTE, LARGE_BYTES)
    filler = rng.choice([b" ", b"x", b"[", b'{"a":'])
    body = (b'{"definition": "' if rng.random() < 0.5 else b"") + filler * (size // len(filler))
    return call(operation(rng), body)


def addresses(rng: random.Random) -> bytes:
    """Addresses that are nearly those of endpoints, with any method and body."""
    method, path = rng.choice(METHODS), rng.choice(PATHS)
    for _ in range(rng.randint(0, 3)):
        parts = path.split("/")
        parts[rng.randrange(len(parts))] = rng.choice(TRICKS)
        path = "/".join(parts)
    if (method, path.partition("?")[0]) == LOCKS_OUT:
        method = "PUT"
    body = rng.choice([b"", b"{}", json.dumps(any_value(rng)).encode(), rng.randbytes(200), b"PK\x03\x04", b"\x00asm"])
    return request(body, method=method, path=path)


MESSAGES: tuple[Callable[[random.Random], bytes], ...] = (
    noise, http2_noise, tls_hello, members, members, members, spoilt, spoilt, cut_off, bad_text, deep, headers, lengths,
    chunks, enormous, addresses, addresses,
)  # fmt: skip


def beginnings() -> list[bytes]:
    """Returns calls that make what the messages name: machines, a version, an alias, an execution, an activity."""
    machine = {"definition": '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'}
    machine["roleArn"] = "arn:aws:iam::123456789012:role/r"
    routing = [{"stateMachineVersionArn": f"{ARN}:stateMachine:m:1", "weight": 100}]
    calls = {
        "CreateStateMachine": machine | {"name": "m", "publish": True},
        "CreateStateMachineAlias": {"name": "live", "routingConfiguration": routing},
        "StartExecution": {"stateMachineArn": f"{ARN}:stateMachine:m", "name": "e"},
        "CreateActivity": {"name": "a"},
        "CreateLogGroup": {"logGroupName": "g"},
    }
    express = call("CreateStateMachine", json.dumps(machine | {"name": "x", "type": "EXPRESS"}).encode())
    return [express] + [call(name, json.dumps(body).encode()) for name, body in calls.items()]


def message(seed: str) -> tuple[str, bytes]:
    """Returns the name and the bytes of the message that a seed stands for."""
    rng = random.Random(seed)
    kind = rng.choice(MESSAGES)
    return kind.__name__, kind(rng)
