"""Compares a recording with what happened: exact, after placeholders are bound.

`<*:x>` stands for anything. `<name:1>`, alone or inside a text, stands for anything too, but for the same text each
time within a case. The rule is that of the Rust replay (tests/conformance/src/compare.rs).
"""

from __future__ import annotations

import json
import re

PLACEHOLDER = re.compile(r"(<[^<>]{1,60}>)")
# When a recording was made is not compared.
IGNORED = frozenset({"timestamp"})


class Comparison:
    """Compares the values of one case; remembers what its placeholders stand for.

    `later` are members that AWS did not have when the case was recorded: they may be more than was recorded.
    """

    def __init__(self, later: frozenset[str] = frozenset()) -> None:
        self._bound: dict[str, str] = {}
        self._later = later

    def difference(self, expected, actual, path: str) -> str | None:
        """Returns where and how the values differ first; None if they agree."""
        if isinstance(expected, str) and expected.startswith("<*:"):
            return None
        if isinstance(expected, dict):
            return self._objects(expected, parsed(actual), path)
        if isinstance(expected, list):
            return self._arrays(expected, parsed(actual), path)
        if isinstance(expected, str) and isinstance(actual, str):
            return None if self._texts(expected, actual) else f"{path}: want {expected!r}, got {actual!r}"
        # Python's True is 1 and its 1 is 1.0; of the recordings only the latter holds.
        same = expected == actual and isinstance(expected, bool) == isinstance(actual, bool)
        return None if same else f"{path}: want {expected!r}, got {actual!r}"

    def _objects(self, expected: dict, actual, path: str) -> str | None:
        if not isinstance(actual, dict):
            return f"{path}: want an object, got {actual!r}"
        for name in sorted((expected.keys() | actual.keys()) - IGNORED):
            if name not in actual:
                return f"{path}.{name}: missing, want {expected[name]!r}"
            if name not in expected and name in self._later:
                continue
            if name not in expected:
                return f"{path}.{name}: extra, {actual[name]!r}"
            found = self.difference(expected[name], actual[name], f"{path}.{name}")
            if found:
                return found
        return None

    def _arrays(self, expected: list, actual, path: str) -> str | None:
        if not isinstance(actual, list):
            return f"{path}: want an array, got {actual!r}"
        if len(expected) != len(actual):
            return f"{path}: want {len(expected)} items, got {len(actual)}"
        pairs = enumerate(zip(expected, actual))
        return next(filter(None, (self.difference(want, got, f"{path}[{at}]") for at, (want, got) in pairs)), None)

    def _texts(self, expected: str, actual: str) -> bool:
        if expected == actual or self._bind(expected, actual):
            return True
        try:
            return json.loads(expected) == json.loads(actual)
        except ValueError:
            return False

    def _bind(self, expected: str, actual: str) -> bool:
        parts = [part for part in PLACEHOLDER.split(expected) if part]
        names = [part for part in parts if PLACEHOLDER.fullmatch(part)]
        if not names:
            return False
        known = {name: f"({re.escape(self._bound[name])})" for name in names if name in self._bound}
        pattern = "".join(known.get(part, "(.+?)") if part in names else re.escape(part) for part in parts)
        found = re.fullmatch(pattern, actual, re.DOTALL)
        if not found:
            return False
        for name, text in zip(names, found.groups()):
            self._bound.setdefault(name, text)
        return True


def parsed(actual):
    """Returns what a text holds: recordings hold parsed values where the API has JSON text."""
    if isinstance(actual, str) and actual[:1] in ("{", "["):
        try:
            return json.loads(actual)
        except ValueError:
            return actual
    return actual
