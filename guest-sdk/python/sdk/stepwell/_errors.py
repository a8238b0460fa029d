"""A failure by name: record `task-error` of wit/task.wit, the ASL's Error and Cause."""

# How many exceptions of a chain are told: a chain may be a circle.
MAX_CAUSES = 10


class TaskError(Exception):
    """Why a task failed: the name that `ErrorEquals` in a Retrier or Catcher matches, and a text for people.

    Any other exception becomes a `TaskFailed` with its text as the cause.
    """

    def __init__(self, error: str, cause: str = "") -> None:
        if not isinstance(error, str):
            raise TypeError(f"a TaskError needs a name, not {error!r}")
        super().__init__(error, cause)
        self.error = error
        self.cause = str(cause)

    def __str__(self) -> str:
        return f"{self.error}: {self.cause}" if self.cause else self.error


class InvalidInput(TaskError):
    """Input that the task cannot use."""

    def __init__(self, cause: str) -> None:
        super().__init__("InvalidInput", cause)


def to_task_error(raised: BaseException) -> TaskError:
    """Turns whatever was raised into a TaskError: anything that is not one becomes `TaskFailed`."""
    return raised if isinstance(raised, TaskError) else TaskError("TaskFailed", describe(raised))


def describe(raised: BaseException) -> str:
    """Returns the text of an exception and of those that it was raised `from`, joined with `: `, outermost first."""
    texts = []
    exception: BaseException | None = raised
    while exception is not None and len(texts) < MAX_CAUSES:
        text = str(exception)
        name = type(exception).__name__
        texts.append(f"{name}: {text}" if text else name)
        exception = exception.__cause__
    return ": ".join(texts)


def valid_unicode(message: object) -> str:
    """Writes anything as text that is valid Unicode: a lone surrogate becomes a question mark."""
    return str(message).encode("utf-8", "replace").decode("utf-8")
