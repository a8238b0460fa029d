"""The way from JSON text to the author's function and back: `handler.run` of wit/task.wit without its glue.

It is ordinary Python, so native tests cover it. `run` must never raise anything but a TaskError: anything else would stop
the sandbox as a trap and lose its name.
"""

import dataclasses
import inspect
import json
import traceback
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from . import log
from ._decode import decoder
from ._errors import InvalidInput, TaskError, describe, to_task_error, valid_unicode

Function = TypeVar("Function", bound=Callable[..., Any])

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_runs: list[Callable[[str], str]] = []


def task(function: Function) -> Function:
    """Declares the module's task: a decorator for one function that takes nothing or one value, and returns one.

    The parameter's annotation says what the input is decoded to; without one the function gets the JSON value as it is.
    The function itself is returned unchanged, for tests to call. Raises TypeError for a function that cannot be a task.
    """
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__name__} is async, but a task runs synchronously: drop its `async`")
    parameters = list(inspect.signature(function).parameters.values())
    required = [parameter for parameter in parameters if parameter.default is parameter.empty]
    if len(required) > 1 or any(parameter.kind not in _POSITIONAL for parameter in parameters):
        raise TypeError(f"{function.__name__} cannot be a task: a task takes nothing, or one value")
    hints = typing.get_type_hints(function)
    decode = decoder(hints.get(parameters[0].name, Any)) if parameters else None

    def run(input: str) -> str:
        try:
            value = _read(input)
            return _write(function() if decode is None else function(decode(value, "$")))
        except BaseException as raised:  # SystemExit too: whatever leaves a task is its failure
            raise _failure(raised) from raised

    _runs.append(run)
    return function


def only_run() -> Callable[[str], str]:
    """Returns the `run` of the one task that was declared. Raises TypeError if there is none, or more than one."""
    if len(_runs) != 1:
        raise TypeError(f"a module declares one function as its task with @stepwell.task; this one has {len(_runs)}")
    return _runs[0]


def _read(input: str) -> Any:
    try:
        return json.loads(input)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(describe(error)) from error


def _write(result: Any) -> str:
    text = json.dumps(result, allow_nan=False, default=_plain, ensure_ascii=False, separators=(",", ":"))
    text.encode("utf-8")  # a lone surrogate has no place in the host's texts: it fails here, where it gets a name
    return text


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"a {type(value).__name__} is not JSON")


def _failure(raised: BaseException) -> TaskError:
    error = to_task_error(raised)
    if error is not raised:
        # Where an error came from that nobody named is for the log; the definition's Catch gets the text alone.
        log.error("".join(traceback.format_exception(raised)).rstrip())
    return TaskError(valid_unicode(error.error), valid_unicode(error.cause))
