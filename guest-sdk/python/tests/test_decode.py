"""Annotations and the JSON that fits them."""

import sys
import unittest
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

sys.path.insert(0, str(Path(__file__).parents[1] / "sdk"))

from stepwell import InvalidInput  # noqa: E402
from stepwell._decode import decoder  # noqa: E402


@dataclass
class Line:
    sku: str
    cents: int = 5


@dataclass
class Order:
    id: str
    lines: list[Line] = field(default_factory=list)
    note: str | None = None


@dataclass
class Tree:
    name: str
    children: "list[Tree]"


class Decode(unittest.TestCase):
    def accepts(self, annotation, value, expected=None):
        self.assertEqual(decoder(annotation)(value, "$"), value if expected is None else expected)

    def refuses(self, annotation, value, cause):
        with self.assertRaises(InvalidInput) as refusal:
            decoder(annotation)(value, "$")
        self.assertEqual(refusal.exception.cause, cause)

    def test_simple_values(self):
        for annotation, value in [(int, 3), (float, 2.5), (float, 3), (str, "x"), (bool, True), (Any, [1]), (object, {})]:
            with self.subTest(annotation):
                self.accepts(annotation, value)
        self.assertIsNone(decoder(None)(None, "$"))

    def test_nothing_is_converted(self):
        self.refuses(int, "3", "$: expected an integer, got a string")
        self.refuses(int, True, "$: expected an integer, got a boolean")
        self.refuses(int, 3.0, "$: expected an integer, got a number")
        self.refuses(float, False, "$: expected a number, got a boolean")
        self.refuses(bool, 1, "$: expected a boolean, got an integer")
        self.refuses(str, None, "$: expected a string, got null")

    def test_containers(self):
        self.accepts(list[int], [1, 2])
        self.accepts(dict[str, list[str]], {"a": ["b"]})
        self.accepts(list, [1, "x"])
        self.accepts(dict, {"a": 1})
        self.refuses(list[int], [1, "2"], "$[1]: expected an integer, got a string")
        self.refuses(dict[str, int], {"a": None}, "$.a: expected an integer, got null")
        self.refuses(list[int], {"a": 1}, "$: expected an array, got an object")

    def test_unions_and_literals(self):
        self.accepts(int | str, "x")
        self.assertIsNone(decoder(Optional[int])(None, "$"))
        self.accepts(Literal["a", 1], 1)
        self.refuses(int | None, "x", "$: expected an integer, got a string; or $: expected null, got a string")
        self.refuses(Literal["a", 1], True, "$: expected one of 'a', 1, got True")

    def test_dataclasses(self):
        self.accepts(Order, {"id": "7"}, Order("7"))
        value = {"id": "7", "lines": [{"sku": "CUP"}], "note": "n", "more": 1}
        self.accepts(Order, value, Order("7", [Line("CUP", 5)], "n"))
        self.refuses(Order, {"lines": []}, "$: id is missing")
        self.refuses(Order, {"id": "7", "lines": [{}]}, "$.lines[0]: sku is missing")
        self.refuses(Order, [], "$: expected an object, got an array")

    def test_a_dataclass_may_contain_itself(self):
        self.accepts(Tree, {"name": "a", "children": [{"name": "b", "children": []}]}, Tree("a", [Tree("b", [])]))

    def test_annotations_without_a_meaning_are_refused_at_once(self):
        for annotation in (set[int], dict[int, str], bytes, Path, tuple[int, int]):
            with self.subTest(annotation), self.assertRaises(TypeError):
                decoder(annotation)


if __name__ == "__main__":
    unittest.main()
