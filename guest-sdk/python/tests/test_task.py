"""The SDK natively: what `run` answers, and what it raises."""

import contextlib
import io
import json
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "sdk"))

import stepwell  # noqa: E402
from stepwell import InvalidInput, TaskError, _task, task  # noqa: E402


@dataclass
class Point:
    x: int
    y: int


def returning(result):
    return lambda: result


class Task(unittest.TestCase):
    def setUp(self):
        _task._runs.clear()

    def declare(self, function):
        self.assertIs(task(function), function)
        return _task.only_run()

    def failure(self, function, input="null"):
        run = self.declare(function)
        with self.assertRaises(TaskError) as failure, contextlib.redirect_stderr(io.StringIO()) as self.log:
            run(input)
        _task._runs.clear()
        return failure.exception.error, failure.exception.cause

    def failing(self, exception):
        def function():
            raise exception

        return self.failure(function)

    def test_json_passes_through_the_function(self):
        self.assertEqual(self.declare(lambda number: number * 2)("21"), "42")

    def test_json_is_kept_as_it_is(self):
        text = '{"a":[1,2.5,null,true,"é"],"b":{}}'
        self.assertEqual(self.declare(lambda value: value)(text), text)

    def test_a_function_without_parameters_ignores_its_input(self):
        self.assertEqual(self.declare(lambda: None)('{"a":1}'), "null")

    def test_a_parameter_with_a_default_gets_the_input(self):
        self.assertEqual(self.declare(lambda value=3: value)("4"), "4")

    def test_dataclasses_in_and_out(self):
        def mirror(point: Point) -> list[Point]:
            return [Point(point.y, point.x)]

        self.assertEqual(json.loads(self.declare(mirror)('{"x":1,"y":2}')), [{"x": 2, "y": 1}])

    def test_a_failure_keeps_its_name_and_cause(self):
        self.assertEqual(self.failing(TaskError("CardDeclined", "too much")), ("CardDeclined", "too much"))
        self.assertEqual(self.log.getvalue(), "")

    def test_a_failure_needs_a_name(self):
        with self.assertRaises(TypeError):
            TaskError(None, "x")

    def test_any_other_exception_is_a_task_failed(self):
        self.assertEqual(self.failing(ValueError("boom")), ("TaskFailed", "ValueError: boom"))
        self.assertIn("Traceback", self.log.getvalue())
        self.assertEqual(self.failing(KeyError("x")), ("TaskFailed", "KeyError: 'x'"))
        self.assertEqual(self.failing(RuntimeError()), ("TaskFailed", "RuntimeError"))
        self.assertEqual(self.failing(SystemExit(3)), ("TaskFailed", "SystemExit: 3"))

    def test_the_cause_tells_the_chain(self):
        outer = RuntimeError("outer")
        outer.__cause__ = ValueError("inner")
        self.assertEqual(self.failing(outer), ("TaskFailed", "RuntimeError: outer: ValueError: inner"))

    def test_input_that_does_not_fit(self):
        def measure(point: Point):
            return point.x

        cause = "$.y: expected an integer, got a string"
        self.assertEqual(self.failure(measure, '{"x":1,"y":"2"}'), ("InvalidInput", cause))
        self.assertEqual(self.failure(measure, "{")[0], "InvalidInput")
        self.assertEqual(self.failure(measure, "[" * 100_000)[0], "InvalidInput")
        self.assertEqual(self.failing(InvalidInput("not today")), ("InvalidInput", "not today"))

    def test_results_that_are_not_json(self):
        circle = []
        circle.append(circle)
        for result in (float("nan"), {1}, object(), "\ud800", {(1, 2): 3}, circle, Point):
            with self.subTest(repr(result)):
                self.assertEqual(self.failure(returning(result))[0], "TaskFailed")

    def test_texts_become_valid_unicode(self):
        self.assertEqual(self.failing(TaskError("E\ud800", "c\ud800")), ("E?", "c?"))

    def test_functions_that_cannot_be_tasks(self):
        async def sleeps():
            pass

        for function in (sleeps, lambda a, b: None, lambda *a: None, lambda *, a: None, lambda **a: None):
            with self.subTest(function), self.assertRaises(TypeError):
                task(function)

    def test_a_module_has_one_task(self):
        with self.assertRaises(TypeError):
            _task.only_run()
        task(lambda: 1)
        task(lambda: 2)
        with self.assertRaises(TypeError):
            _task.only_run()

    def test_native_calls_are_first_attempts_with_time_left(self):
        self.assertEqual((stepwell.context().attempt, stepwell.context().task_token), (0, None))
        self.assertEqual(stepwell.remaining_seconds(), 60)
        stepwell.heartbeat()
        with contextlib.redirect_stderr(io.StringIO()) as log:
            stepwell.log.info({"a": 1})
        self.assertEqual(log.getvalue(), "info: {'a': 1}\n")


if __name__ == "__main__":
    unittest.main()
