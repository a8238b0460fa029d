"""Inputs generated from the model's shapes, inputs that break one rule of a shape, and the check of answers.

Names that lead to something real come from a table of the caller; nothing here may know an operation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from lambda_model import check

# Members that are left out of generated inputs unless the caller gives them: a token comes from an earlier answer,
# keys of customers are not offered.
NEVER_GENERATED = frozenset({"nextToken", "kmsKeyId", "kmsDataKeyReusePeriodSeconds"})
ERROR_STATUSES = {"ConflictException": {400, 409}, "ServiceQuotaExceededException": {400, 402}}
MILLISECOND_DIGITS = 3


def generate(shape, full: bool, known: dict, path: str = ""):
    """Returns a value of the shape: with all members or only those required. `known` gives values by path."""
    if path in known:
        return known[path]
    kind, metadata = shape.type_name, shape.metadata
    if kind == "structure":
        wanted = shape.members if full else shape.required_members
        prefix = f"{path}." if path else ""
        chosen = [name for name in shape.members if name in wanted or f"{prefix}{name}" in known and full]
        named = {name: f"{prefix}{name}" for name in chosen}
        return {
            name: generate(shape.members[name], full, known, inner)
            for name, inner in named.items()
            if name not in NEVER_GENERATED and known.get(inner, ...) is not None
        }
    if kind == "list":
        return [generate(shape.member, full, known, f"{path}.member")]
    if kind == "string":
        return metadata["enum"][0] if "enum" in metadata else "text"
    if kind == "boolean":
        return True
    if kind in ("integer", "long", "float", "double"):
        return max(metadata.get("min", 1), 1)
    raise ValueError(f"{path}: no value is known for a {kind}")


@dataclass(frozen=True)
class Violation:
    """One rule of the model, broken: where, how, and the value to send there (None: nothing at all)."""

    path: tuple
    rule: str
    value: object

    @property
    def name(self) -> str:
        return f"{'.'.join(map(str, self.path))}-{self.rule}"

    def applied(self, arguments: dict) -> dict:
        """Returns a copy of the arguments with the value put in."""
        changed = json.loads(json.dumps(arguments))
        target = changed
        for step in self.path[:-1]:
            target = target[step]
        if self.value is None:
            del target[self.path[-1]]
        else:
            target[self.path[-1]] = self.value
        return changed


def violations(shape, example, path: tuple = (), required: bool = False) -> Iterator[Violation]:
    """Gives every rule that the shape has, broken, for the members that `example` (a full input) has."""
    kind, metadata = shape.type_name, shape.metadata
    if path and required:
        yield Violation(path, "missing", None)
    if path:
        yield Violation(path, "type", {"unexpected": "object"} if kind != "structure" else "text")
    if kind == "structure":
        for name, member in shape.members.items():
            if name in example:
                yield from violations(member, example[name], (*path, name), name in shape.required_members)
    elif kind == "list":
        if "max" in metadata:
            yield Violation(path, "longer", example * (metadata["max"] + 1))
        if metadata.get("min"):
            yield Violation(path, "shorter", [])
        yield from violations(shape.member, example[0], (*path, 0))
    elif kind == "string":
        yield from _of_text(metadata, path)
    elif kind in ("integer", "long", "float", "double"):
        if "max" in metadata:
            yield Violation(path, "greater", metadata["max"] + 1)
        if "min" in metadata:
            yield Violation(path, "smaller", metadata["min"] - 1)


def _of_text(metadata: dict, path: tuple) -> Iterator[Violation]:
    if "enum" in metadata:
        yield Violation(path, "enum", "NO_SUCH_VALUE")
        return
    if "max" in metadata:
        yield Violation(path, "longer", "x" * (metadata["max"] + 1))
    if metadata.get("min"):
        yield Violation(path, "shorter", "")
    if "pattern" in metadata:
        yield Violation(path, "pattern", "\u00e9 \u00e9")


class Answers:
    """Checks every answer that a client gets against the model, as it is on the wire."""

    def __init__(self, client) -> None:
        client.meta.events.register("before-parse.stepfunctions.*", self._check)

    @staticmethod
    def _check(operation_model, response_dict, **_) -> None:
        check_answer(operation_model, response_dict["status_code"], response_dict["headers"], response_dict["body"])


def check_answer(operation, status: int, headers, text: bytes) -> None:
    """Raises AssertionError where an answer breaks the model or the protocol (AWS JSON 1.0)."""
    assert headers["content-type"] == "application/x-amz-json-1.0", headers
    assert headers["x-amzn-requestid"], headers
    body = json.loads(text)
    if status == 200:
        # Operations that give nothing back have no shape, or one without members.
        if operation.output_shape is None:
            assert body == {}, body
        else:
            check(operation.output_shape, body, operation.name, required=True)
        return
    assert isinstance(body.get("message"), str) and body["message"], body
    code = body["__type"].rpartition("#")[2]
    assert ":" not in body["__type"] and headers["x-amzn-errortype"] == code, (body, headers)
    shape = {shape.name: shape for shape in operation.error_shapes}.get(code)
    assert status in ERROR_STATUSES.get(code, {400, 500, 503}), (code, status)
    if shape:
        unknown = set(body) - set(shape.members) - {"__type"}
        assert not unknown, f"{operation.name}: {code} has no members {unknown}"
