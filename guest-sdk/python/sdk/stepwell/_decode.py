"""Turns JSON values into what a function's annotation asks for: dataclasses, and containers of them.

It knows the annotations that have one meaning in JSON, and refuses any other when the module is built, not when it runs.
It must never convert: the number 1 is not the text "1", and `true` is not a number.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, Literal, Union

from ._errors import InvalidInput

Decoder = Callable[[Any, str], Any]
"""Takes a JSON value and its path, and returns it decoded. Raises InvalidInput, which names the path."""

_NAMES = {type(None): "null", bool: "a boolean", int: "an integer", float: "a number", str: "a string"}
_NAMES |= {list: "an array", dict: "an object"}


def decoder(annotation: Any) -> Decoder:
    """Builds the decoder of an annotation. Raises TypeError for one that has no meaning in JSON.

    Decoders of dataclasses are built when they are first used, so that a dataclass may contain itself.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, object):
        return lambda value, path: value
    if annotation is None or annotation in (type(None), bool, int, float, str):
        return _exactly(type(None) if annotation is None else annotation)
    if annotation in (list, dict):
        return _exactly(annotation)
    if origin is list:
        return _list(decoder(arguments[0]))
    if origin is dict and arguments[0] is str:
        return _dict(decoder(arguments[1]))
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType):
        return _union([decoder(argument) for argument in arguments])
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return _dataclass(annotation)
    raise TypeError(
        f"{annotation!r} has no meaning in JSON: a task's input is a dataclass, list[...], dict[str, ...], str, int, "
        "float, bool, None, a Literal, a union of those, or Any"
    )


def _exactly(kind: type) -> Decoder:
    def decode(value: Any, path: str) -> Any:
        # In Python a bool is an int; in JSON it is not. In JSON a 1 may stand where a number is asked for.
        if type(value) is kind or (kind is float and type(value) is int):
            return value
        raise InvalidInput(f"{path}: expected {_NAMES[kind]}, got {_NAMES[type(value)]}")

    return decode


def _list(item: Decoder) -> Decoder:
    def decode(value: Any, path: str) -> Any:
        _exactly(list)(value, path)
        return [item(element, f"{path}[{index}]") for index, element in enumerate(value)]

    return decode


def _dict(item: Decoder) -> Decoder:
    def decode(value: Any, path: str) -> Any:
        _exactly(dict)(value, path)
        return {key: item(element, f"{path}.{key}") for key, element in value.items()}

    return decode


def _literal(allowed: tuple[Any, ...]) -> Decoder:
    def decode(value: Any, path: str) -> Any:
        if any(type(value) is type(literal) and value == literal for literal in allowed):
            return value
        raise InvalidInput(f"{path}: expected one of {', '.join(map(repr, allowed))}, got {value!r}")

    return decode


def _union(choices: list[Decoder]) -> Decoder:
    def decode(value: Any, path: str) -> Any:
        reasons = []
        for choice in choices:
            try:
                return choice(value, path)
            except InvalidInput as reason:
                reasons.append(reason.cause)
        raise InvalidInput("; or ".join(reasons))

    return decode


def _dataclass(kind: type) -> Decoder:
    fields = [field for field in dataclasses.fields(kind) if field.init]
    decoders: dict[str, Decoder] = {}

    def decode(value: Any, path: str) -> Any:
        _exactly(dict)(value, path)
        if not decoders:
            hints = typing.get_type_hints(kind)
            decoders.update((field.name, decoder(hints[field.name])) for field in fields)
        arguments = {}
        for field in fields:
            if field.name in value:
                arguments[field.name] = decoders[field.name](value[field.name], f"{path}.{field.name}")
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise InvalidInput(f"{path}: {field.name} is missing")
        return kind(**arguments)

    return decode
