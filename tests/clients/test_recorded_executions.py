"""Replays recorded executions that call services, with unmodified clients. Those that need something have a server each.

All selected cases run at once, in threads; the tests only say what has come of them. `-k AREA` selects. Executions that
call nothing, or only functions, are replayed in Rust (tests/conformance), those of the areas named in `cases` here as well.
"""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import boto3
import pytest
from botocore.config import Config

import stepwell_server
from recorded import cases, deviations
from recorded.execution import ExecutionReplay
from recorded.replay import Differs, Skipped
from recorded.report import Report
from stepwell_server import REGION

ACCOUNT = "111111111111"
WORKERS = 4
# The first step of a machine that uses JSONata waits until the evaluator is compiled.
READ_SECONDS = 300
CASES = cases.load(kinds=("execution",), areas=cases.EXECUTION_AREAS)
MISSING = "no recorded cases beside this checkout (set STEPWELL_CONFORMANCE to their folder)"
MOCK_FLAG = "--mock-config"


@cache
def takes_mocks() -> bool:
    """Whether the server can be told to mock."""
    help_text = subprocess.run([stepwell_server.binary(), "serve", "--help"], capture_output=True, text=True, timeout=60)
    return MOCK_FLAG in help_text.stdout


class Runner:
    """Servers, clients and threads for the selected cases."""

    def __init__(self, directory, selected) -> None:
        self._directory = directory
        self._session = boto3.Session("test", "test", region_name=REGION)
        self._shared = self._server("shared")
        self._threads = ThreadPoolExecutor(WORKERS)
        self._outcomes = {
            case.id: self._threads.submit(self._run, index, case) for index, case in enumerate(selected)
        }
        # Before the first test goes on: pytest changes the environment between tests, which botocore reads.
        wait(self._outcomes.values())

    def _run(self, index, case) -> None:
        recording = case.recording
        if not any(recording.get(name) for name in ("resources", "functions", "other_state_machines")):
            clients = self._clients(self._shared.endpoint)
            ExecutionReplay(case, clients, self._shared.endpoint, suffix=f"-{index}").run()
            return
        server = self._server(f"case-{index}", *self._mocks(f"mocks-{index}.json", recording))
        try:
            ExecutionReplay(case, self._clients(server.endpoint), server.endpoint).run()
        finally:
            server.stop()

    def _server(self, name, *flags):
        directory = self._directory / name
        directory.mkdir()
        flags = ["--account", ACCOUNT, "--profile", "strict", *flags]
        return stepwell_server.Server(directory, *flags, store="memory:")

    def _mocks(self, name, recording) -> list[str]:
        mocks = [one["config"] for one in recording.get("resources", []) if one["kind"] == "mock_config"]
        if not mocks:
            return []
        if not takes_mocks():
            raise Skipped(f"not built: the server does not know {MOCK_FLAG}")
        file = self._directory / name
        file.write_text(json.dumps(mocks[0]))
        return [MOCK_FLAG, str(file)]

    def _clients(self, endpoint):
        made = {}
        config = Config(
            inject_host_prefix=False,
            s3={"addressing_style": "path"},
            retries={"max_attempts": 0},
            read_timeout=READ_SECONDS,
        )

        def client(service):
            if service not in made:
                made[service] = self._session.client(service, endpoint_url=endpoint, config=config)
            return made[service]

        return client

    def result(self, case) -> Exception | None:
        """Returns why the case does not agree, if it does not."""
        found = self._outcomes[case.id].exception()
        if found and not isinstance(found, (Differs, Skipped)):
            raise found
        return found

    def stop(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._shared.stop()


@pytest.fixture(scope="module")
def report(request):
    """Counts what the tests find; the table is shown at the end, whatever pytest captures."""
    counts = Report()
    yield counts
    plugins = request.config.pluginmanager
    with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
        for line in ["", *counts.lines()]:
            plugins.get_plugin("terminalreporter").write_line(line)


@pytest.fixture(scope="module")
def executions(request, tmp_path_factory):
    """Everything that pytest selected, running."""
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    selected = [item.callspec.params["case"] for item in request.session.items if "executions" in item.fixturenames]
    running = Runner(tmp_path_factory.mktemp("executions"), selected)
    yield running
    running.stop()


@pytest.mark.skipif(bool(CASES), reason="the recorded cases are there")
def test_there_are_recorded_executions():
    pytest.skip(MISSING)


def test_deviations_name_recorded_executions():
    if not CASES:
        pytest.skip(MISSING)
    for end in deviations.EXECUTIONS:
        assert sum(case.name.endswith(end) for case in CASES) == 1, f"{end} names not exactly one case"
    for end in deviations.MOCKED_ANSWERS:
        found = [case for case in CASES if case.area == "mocking" and case.name.endswith(end)]
        assert len(found) == 1, f"{end} names not exactly one mocked case"
    assert set(deviations.PENDING_EXECUTIONS) <= {case.area for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_recorded_execution(case, executions, report):
    why, found = deviations.execution_reason(case.name), executions.result(case)
    if isinstance(found, Skipped):
        report.add(case.area, case.exact, "skipped")
        pytest.skip(str(found))
    report.add(case.area, case.exact, "disagree" if found else "agree")
    if found and (why or case.area in deviations.PENDING_EXECUTIONS):
        pytest.xfail(f"{why or deviations.PENDING_EXECUTIONS[case.area]}: {found}")
    if found:
        pytest.fail(str(found), pytrace=False)
    assert not why, f"the case agrees and is a deviation all the same: {why}"
