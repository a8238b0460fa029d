"""What componentize-py builds a module from: world `task` of wit/task.wit, answered by the author's `app.py`.

It runs once, when the module is built; the module is a snapshot taken after it. At run time there is no standard library
on disk: only what has been imported by now is there.
"""

import sys

import app  # noqa: F401 (declares the task)
from componentize_py_types import Err
from stepwell import TaskError, _host
from stepwell._task import only_run
from wit_world.exports.handler import TaskError as TaskErrorRecord

if "datetime" in sys.modules:
    import _strptime  # noqa: F401 (datetime.strptime imports it when it is first called)

_run = only_run()


class Handler:
    """The exported interface `handler`."""

    def run(self, input: str) -> str:
        """Runs the task once."""
        _host.start()
        try:
            return _run(input)
        except TaskError as error:
            raise Err(TaskErrorRecord(error.error, error.cause)) from None
        finally:
            # What `print` left in its buffers would be lost with the instance.
            sys.stdout.flush()
            sys.stderr.flush()
