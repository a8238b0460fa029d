"""Recorded cases: where they are, which are sequences of API calls, and which are executions that call services.

The folder is found as the Rust replay finds it: STEPWELL_CONFORMANCE, or `shared/conformance` beside the checkout.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from stepwell_server import ROOT

# Kinds of cases that are calls with their answers. The other kinds are replayed in Rust.
KINDS = ("api", "test_state", "validate_definition", "invalid_definition")
# Areas whose executions call services, or play with what is outside: all others are replayed in Rust.
EXECUTION_AREAS = (
    "callback_activity",
    "map_distributed",
    "mocking",
    "scenario_other",
    "service_aws_sdk",
    "service_dynamodb",
    "service_events",
    "service_lambda",
    "service_sfn",
    "service_sns",
    "service_sqs",
)


@dataclass(frozen=True)
class Case:
    """One recorded sequence of calls, or one recorded execution."""

    # Name for pytest: the area first, so that `-k AREA` selects it.
    id: str
    area: str
    name: str
    kind: str
    recording: dict

    @property
    def exact(self) -> bool:
        """Whether the recording comes from AWS; of others, only code and status count."""
        return self.recording.get("trust") == "aws"

    @property
    def steps(self) -> list[dict]:
        return self.recording["steps"]

    @property
    def functions(self) -> list[dict]:
        return self.recording.get("functions", [])


def folder() -> Path | None:
    """Returns the folder of recordings, if it is there."""
    named = os.environ.get("STEPWELL_CONFORMANCE")
    found = Path(named) if named else ROOT.parent / "shared/conformance"
    return found if (found / "cases").is_dir() else None


def load(kinds: tuple[str, ...] = KINDS, areas: tuple[str, ...] = ()) -> list[Case]:
    """Returns all cases of these kinds, by area, of these areas if there are any; none if the folder is not there."""
    found = folder()
    files = sorted((found / "cases").glob("*.json")) if found else []
    cases: dict[str, Case] = {}
    for path in files:
        content = json.loads(path.read_text())
        if areas and content.get("area") not in areas:
            continue
        for recording in content.get("cases", []):
            if recording.get("kind") in kinds:
                _add(cases, content["area"], recording)
    return list(cases.values())


def _add(cases: dict[str, Case], area: str, recording: dict) -> None:
    name = recording["name"]
    short = f"{area}-{name.rsplit('::', 1)[-1]}"
    same = sum(case.id.partition("#")[0] == short for case in cases.values())
    case_id = f"{short}#{same + 1}" if same else short
    cases[case_id] = Case(id=case_id, area=area, name=name, kind=recording["kind"], recording=recording)
