"""What a task may know about the execution that called it: interfaces `context` and `heartbeat` of wit/task.wit."""

from dataclasses import dataclass

from . import _host


@dataclass(frozen=True)
class TaskContext:
    """Which execution, state and attempt a call belongs to."""

    execution_arn: str
    """ARN of the execution."""
    state_name: str
    """Name of the Task state in the definition."""
    attempt: int
    """0 for the first attempt, 1 for the first retry, and so on."""
    idempotency_key: str
    """The same when this attempt is run again after a crash of the host, different for every other attempt. Hand it to
    outside systems, so that they do the work once."""
    task_token: str | None
    """Set when the state waits for a callback (`.waitForTaskToken`)."""


def context() -> TaskContext:
    """Returns the context of this call. Natively: a fixed one, first attempt, no token."""
    record = _host.current_context()
    return TaskContext(
        execution_arn=record.execution_arn,
        state_name=record.state_name,
        attempt=record.attempt,
        idempotency_key=record.idempotency_key,
        task_token=record.task_token,
    )


def remaining_seconds() -> float:
    """Returns how long this call may still run before the host stops it, in seconds. Natively: a minute."""
    return _host.remaining_milliseconds() / 1000


def heartbeat() -> None:
    """Tells the host that the task is alive, for states with `HeartbeatSeconds`. Natively: does nothing."""
    _host.beat()
