"""Writes Stepwell task modules in Python: one function, JSON values or dataclasses in and out.

    from dataclasses import dataclass
    from stepwell import TaskError, log, task

    @dataclass
    class Order:
        amount: int

    @task
    def charge(order: Order) -> dict:
        if order.amount == 0:
            raise TaskError("NothingToCharge", "the amount is zero")
        log.info(f"charging {order.amount} cents")
        return {"charged": order.amount}

The function stays an ordinary one: tests call it natively, where the context, the log and the heartbeat have harmless
stand-ins. This package must never need anything but Python's standard library.
"""

from . import log
from ._context import TaskContext, context, heartbeat, remaining_seconds
from ._errors import InvalidInput, TaskError
from ._task import task

__all__ = [
    "InvalidInput",
    "TaskContext",
    "TaskError",
    "context",
    "heartbeat",
    "log",
    "remaining_seconds",
    "task",
]
