"""The JavaScript SDK v3 against the real server: tests/clients/js, run by Node's own test runner."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import stepwell_server

FOLDER = Path(__file__).parent / "js"
LIMIT_SECONDS = 180
# A key may make one request at once and two a second.
RATE = "2:1"


@pytest.fixture
def limited(tmp_path):
    """A server that throttles, and the key to it."""
    store = f"sled:{tmp_path / 'data'}"
    made = subprocess.run(
        [stepwell_server.binary(), "key", "create", "--policy", "admin", "--store", store, "--json"],
        env=stepwell_server.ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    server = stepwell_server.Server(tmp_path, "--rate-limit", RATE)
    yield server.endpoint, json.loads(made.stdout)
    assert server.stop() == 0


def test_the_javascript_sdk(endpoint, limited):
    if not shutil.which("node") or not (FOLDER / "node_modules").is_dir():
        pytest.skip("Node and the SDK are not there: run `make clients`, or `npm ci` in tests/clients/js")
    address, key = limited
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STEPWELL_"))}
    environment = kept | {
        "STEPWELL_ENDPOINT": endpoint,
        "STEPWELL_LIMITED": address,
        "AWS_ACCESS_KEY_ID": key["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"],
        "NO_PROXY": "127.0.0.1",
    }
    ran = subprocess.run(
        ["node", "--test", "--test-reporter=tap"],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0
    assert "\n# pass 0\n" not in ran.stdout
