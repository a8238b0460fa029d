"""Compares answers of the Lambda API with the published model: names, types, enumerations, patterns, lengths."""

from __future__ import annotations

import json
import re


class Model:
    """Checks every answer that a client gets, before the client parses it."""

    def __init__(self, client) -> None:
        # Operations whose answers were checked.
        self.seen: set[str] = set()
        client.meta.events.register("before-parse.lambda.*", self._check)

    def _check(self, operation_model, response_dict, **_) -> None:
        status, shape = response_dict["status_code"], operation_model.output_shape
        if status >= 300:
            self._check_error(operation_model, response_dict)
            return
        allowed = {operation_model.http.get("responseCode", 200)}
        if operation_model.name == "Invoke":
            allowed |= {202, 204}
        if operation_model.name == "DeleteFunction":
            allowed.add(204)
        assert status in allowed, f"{operation_model.name}: {status}"
        self.seen.add(operation_model.name)
        if shape is None:
            return
        for name, member in shape.members.items():
            header = member.serialization.get("name", name)
            if member.serialization.get("location") == "header" and header in response_dict["headers"]:
                check(member, response_dict["headers"][header], name)
        if "payload" in shape.serialization:
            return
        in_body = {name for name, member in shape.members.items() if "location" not in member.serialization}
        body = json.loads(response_dict["body"] or b"{}")
        assert set(body) <= in_body, f"{operation_model.name}: {set(body) - in_body} are not in the model"
        for name in shape.required_members:
            assert name in body or name not in in_body, f"{operation_model.name}: {name} is missing"
        for name, value in body.items():
            check(shape.members[name], value, f"{operation_model.name}.{name}")

    @staticmethod
    def _check_error(operation_model, response_dict) -> None:
        code, body = response_dict["headers"]["x-amzn-errortype"], json.loads(response_dict["body"])
        assert body.get("Type") in ("User", "Service"), body
        modelled = {shape.name: shape for shape in operation_model.error_shapes}
        if code in modelled:
            shape = modelled[code]
            assert response_dict["status_code"] == shape.metadata["error"]["httpStatusCode"], (code, response_dict)
            assert set(body) <= set(shape.members), f"{code}: {body}"


def check(shape, value, path: str, required: bool = False) -> None:
    """Raises AssertionError where `value` breaks the model. Answers are nested at most as deep as the model is.

    `required` asks for all members that the model requires: services differ in whether their models tell the truth.
    """
    kind, metadata = shape.type_name, shape.metadata
    if kind == "structure":
        assert isinstance(value, dict), f"{path}: {value!r}"
        # An ARN that is required may still be empty where nothing is set.
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{path}: {unknown} are not in the model"
        missing = set(shape.required_members) - set(value) if required else None
        assert not missing, f"{path}: {missing} are missing"
        for name, inner in value.items():
            check(shape.members[name], inner, f"{path}.{name}", required)
    elif kind == "list":
        assert isinstance(value, list), f"{path}: {value!r}"
        for item in value:
            check(shape.member, item, f"{path}[]", required)
    elif kind == "map":
        assert isinstance(value, dict), f"{path}: {value!r}"
        for key, inner in value.items():
            check(shape.key, key, f"{path}.key")
            check(shape.value, inner, f"{path}.{key}", required)
    elif kind == "string":
        assert isinstance(value, str), f"{path}: {value!r}"
        assert not metadata.get("enum") or value in metadata["enum"], f"{path}: {value!r} is no value of {shape.name}"
        assert metadata.get("min", 0) <= len(value) <= metadata.get("max", len(value)), f"{path}: {value!r}"
        pattern = metadata.get("pattern", "")
        # Classes of characters by their Unicode property are not known here.
        if value and pattern and "\\p{" not in pattern:
            assert re.fullmatch(pattern, value), f"{path}: {value!r} is not {pattern}"
    elif kind in ("integer", "long"):
        assert isinstance(value, int) and not isinstance(value, bool), f"{path}: {value!r}"
        assert metadata.get("min", value) <= value <= metadata.get("max", value), f"{path}: {value!r}"
    elif kind in ("double", "float", "timestamp"):
        # Times are seconds since 1970, on the wire a number: some clients fail on texts.
        assert isinstance(value, (int, float)) and not isinstance(value, bool), f"{path}: {value!r}"
    elif kind == "boolean":
        assert isinstance(value, bool), f"{path}: {value!r}"
