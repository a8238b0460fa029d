"""Fails with the name and the cause that its input asks for."""

from dataclasses import dataclass

from stepwell import TaskError, task


@dataclass
class Failure:
    error: str
    cause: str


@task
def fail(failure: Failure):
    raise TaskError(failure.error, failure.cause)
