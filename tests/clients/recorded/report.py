"""Counts outcomes by area and shows them as a table."""

from __future__ import annotations

from collections import Counter, defaultdict

COLUMNS = ("agree", "disagree", "skipped")


class Report:
    """Outcomes of one run."""

    def __init__(self) -> None:
        self._all: dict[str, Counter] = defaultdict(Counter)
        self._exact: dict[str, Counter] = defaultdict(Counter)

    def add(self, area: str, exact: bool, outcome: str) -> None:
        """Counts an outcome: one of COLUMNS. `exact` says that the recording comes from AWS."""
        self._all[area][outcome] += 1
        if exact:
            self._exact[area][outcome] += 1

    def lines(self) -> list[str]:
        """Returns the table, one line an area; empty if nothing ran."""
        if not self._all:
            return []
        rows = [(area, self._all[area], self._exact[area]) for area in sorted(self._all)]
        rows.append(("all", sum(self._all.values(), Counter()), sum(self._exact.values(), Counter())))
        head = f"{'area':<18}{'agree':>8}{'disagree':>10}{'skipped':>9}{'%':>8}{'% of AWS':>10}"
        return [head] + [
            f"{area:<18}{counts['agree']:>8}{counts['disagree']:>10}{counts['skipped']:>9}"
            f"{percent(counts):>8}{percent(exact):>10}"
            for area, counts, exact in rows
        ]


def percent(counts: Counter) -> str:
    """Share of cases that agree, of those that were compared."""
    compared = counts["agree"] + counts["disagree"]
    return f"{100 * counts['agree'] / compared:.1f}" if compared else "-"
