"""Lines for the execution's log: interface `log` of wit/task.wit.

The host keeps a bounded amount per call and drops the rest. A native run writes to standard error. Keep secrets out:
whoever may read the execution's log reads these lines.
"""

from . import _host
from ._errors import valid_unicode


def trace(message: object) -> None:
    """Writes one message about every step."""
    _host.write("trace", valid_unicode(message))


def debug(message: object) -> None:
    """Writes one message for whoever debugs the module."""
    _host.write("debug", valid_unicode(message))


def info(message: object) -> None:
    """Writes one message about what happened."""
    _host.write("info", valid_unicode(message))


def warn(message: object) -> None:
    """Writes one message about something to look at."""
    _host.write("warn", valid_unicode(message))


def error(message: object) -> None:
    """Writes one message about something that failed."""
    _host.write("error", valid_unicode(message))
