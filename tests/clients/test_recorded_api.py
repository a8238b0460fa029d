"""Replays recorded API calls against the real server: every answer must be the one that AWS gave.

All selected cases run at once, in threads, each on a server of its own if it leaves something behind; the tests only say
what has come of them. `-k AREA` selects.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, wait

import boto3
import pytest
from botocore.config import Config

import stepwell_server
from recorded import cases, deviations
from recorded.replay import Differs, NotReached, Replay, Skipped, install_functions
from recorded.report import Report
from stepwell_server import REGION

ACCOUNT = "111111111111"
SERVICES = ("stepfunctions", "logs")
WORKERS = 6
CASES = cases.load()
MISSING = "no recorded cases beside this checkout (set STEPWELL_CONFORMANCE to their folder)"


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

    def _server(self, name):
        directory = self._directory / name
        directory.mkdir()
        return stepwell_server.Server(directory, "--account", ACCOUNT, store="memory:")

    def _run(self, index, case) -> None:
        # Calls that only check something leave nothing behind.
        if case.kind != "api" and not case.functions:
            self._replay(self._shared, case)
            return
        server = self._server(f"case-{index}")
        try:
            install_functions(server.endpoint, case)
            self._replay(server, case)
        finally:
            server.stop()

    def _replay(self, server, case) -> None:
        made = {}

        def client(service):
            if service not in SERVICES:
                return None
            if service not in made:
                made[service] = self._client(service, server.endpoint)
            return made[service]

        Replay(case, client).run()

    def _client(self, service, endpoint):
        config = Config(inject_host_prefix=False)
        return self._session.client(service, endpoint_url=endpoint, config=config)

    def result(self, case) -> Exception | None:
        """Returns why the case does not agree, if it does not."""
        found = self._outcomes[case.id].exception()
        if found and not isinstance(found, (Differs, NotReached, Skipped)):
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
def runner(request, tmp_path_factory):
    """Everything that pytest selected, running."""
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    selected = [item.callspec.params["case"] for item in request.session.items if "runner" in item.fixturenames]
    running = Runner(tmp_path_factory.mktemp("recorded"), selected)
    yield running
    running.stop()


@pytest.mark.skipif(bool(CASES), reason="the recorded cases are there")
def test_there_are_recorded_cases():
    pytest.skip(MISSING)


def test_deviations_name_recorded_cases():
    if not CASES:
        pytest.skip(MISSING)
    for end in deviations.DEVIATIONS:
        assert sum(case.name.endswith(end) for case in CASES) == 1, f"{end} names not exactly one case"
    assert set(deviations.PENDING) <= {case.area for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_recorded(case, runner, report):
    why, found = deviations.reason(case.name), runner.result(case)
    if isinstance(found, Skipped):
        report.add(case.area, case.exact, "skipped")
        pytest.skip(str(found))
    report.add(case.area, case.exact, "disagree" if found else "agree")
    if found and (why or case.area in deviations.PENDING):
        pytest.xfail(f"{why or deviations.PENDING[case.area]}: {found}")
    if found:
        pytest.fail(str(found), pytrace=False)
    assert not why, f"the case agrees and is a deviation all the same: {why}"
