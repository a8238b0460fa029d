"""The AWS SDK for Rust against the real server: the program in tests/clients/rust, which `make clients` builds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import stepwell_server

LIMIT_SECONDS = 120


def test_the_rust_sdk(endpoint):
    named = os.environ.get("STEPWELL_RUST_CLIENT")
    program = Path(named) if named else stepwell_server.ROOT / "target/clients-rust/debug/stepwell-client-rust"
    if not program.is_file():
        pytest.skip(f"there is no {program}: run `make clients-rust`, or set STEPWELL_RUST_CLIENT")
    ran = subprocess.run(
        [program, endpoint],
        env=stepwell_server.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0
    assert "ok executions" in ran.stdout
