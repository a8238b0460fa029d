"""The sandbox's host, as the rest of this package sees it: the imports of world `task` in wit/task.wit.

componentize-py generates `wit_world` when it builds a module. Where there is none the code runs natively, in a test, and
the stand-ins below answer: they need nothing and refuse nothing. Nothing outside this file and `stepwell_entry.py` names
a generated thing: they follow the contract, this package follows Python.
"""

import sys
from types import SimpleNamespace

try:
    from wit_world.imports import context as _context
    from wit_world.imports import heartbeat as _heartbeat
    from wit_world.imports import log as _log
except ModuleNotFoundError:
    NATIVE = True
else:
    NATIVE = False

_NATIVE_CONTEXT = SimpleNamespace(
    execution_arn="arn:aws:states:us-east-1:123456789012:execution:native:test",
    state_name="Native",
    attempt=0,
    idempotency_key="native",
    task_token=None,
)


_started = False


def start() -> None:
    """Says that a call has begun. Before the first one the author's top-level code runs, at build time, without a host."""
    global _started
    _started = True


def _needs_call() -> None:
    if not NATIVE and not _started:
        raise RuntimeError("there is no call yet: app.py is imported when the module is built, the task runs later")


def current_context():
    """Returns the record `task-context` of this call. Raises RuntimeError at build time."""
    _needs_call()
    return _NATIVE_CONTEXT if NATIVE else _context.current()


def remaining_milliseconds() -> int:
    """Returns how long this call may still run. Raises RuntimeError at build time."""
    _needs_call()
    return 60_000 if NATIVE else _context.remaining_milliseconds()


def beat() -> None:
    """Tells the host that the task is alive. Raises RuntimeError at build time."""
    _needs_call()
    if not NATIVE:
        _heartbeat.beat()


def write(level: str, message: str) -> None:
    """Writes one message to the log. At build time there is none: it goes to standard error, as it does natively."""
    if NATIVE or not _started:
        print(f"{level}: {message}", file=sys.stderr)
    else:
        _log.write(_log.Level[level.upper()], message)
