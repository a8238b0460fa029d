"""The real server as a child process, for the clients to talk to.

What must be built first is named, never built here. Nothing in this folder may know how the server works inside: the
clients see what a user sees.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
ACCOUNT = "123456789012"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/stepwell"
ORDER_MODULES = ("reserve-stock", "charge-card", "refund-card", "ship-order")

START_SECONDS = 60
STOP_SECONDS = 30
REQUEST_SECONDS = 120
PAUSE_SECONDS = 0.05

# What servers see of this process's environment. Read once: pytest changes it while threads start servers.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")}
ENVIRONMENT["NO_COLOR"] = "1"

# The stub's buffer: see modules/test-guests/stub/README.md.
STUB_MARKER = b"STEPWELL-STUB-CONFIG:"
STUB_BUFFER_BYTES = 65_536


def binary() -> Path:
    """Returns the server: STEPWELL_BIN, or the newest build in the workspace."""
    named = os.environ.get("STEPWELL_BIN")
    built = [Path(named)] if named else [ROOT / "target" / profile / "stepwell" for profile in ("release", "debug")]
    found = [path for path in built if path.is_file()]
    if not found:
        raise FileNotFoundError(
            "there is no server to test: run `cargo build --release -p stepwell-server`, or set STEPWELL_BIN "
            f"(looked for {', '.join(map(str, built))})"
        )
    return max(found, key=lambda path: path.stat().st_mtime).resolve()


def guest(name: str) -> bytes:
    """Returns a built guest: from STEPWELL_GUESTS, or from where their workspace builds them."""
    named = os.environ.get("STEPWELL_GUESTS")
    directory = Path(named) if named else ROOT / "modules/target/wasm32-wasip2/release"
    path = directory / f"{name.replace('-', '_')}.wasm"
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: run `cargo build --release --target wasm32-wasip2 --manifest-path "
            "modules/Cargo.toml`, or set STEPWELL_GUESTS"
        )
    return path.read_bytes()


def stub(behaviour: dict) -> bytes:
    """Returns the stub, patched to behave as told."""
    wasm = guest("stub")
    text = json.dumps(behaviour).encode()
    buffer = STUB_MARKER + b"%08d\n" % len(text) + text
    assert len(buffer) <= STUB_BUFFER_BYTES, f"a behaviour of {len(text)} bytes does not fit into the stub"
    start = wasm.index(STUB_MARKER)
    return wasm[:start] + buffer.ljust(STUB_BUFFER_BYTES) + wasm[start + STUB_BUFFER_BYTES :]


def upload(endpoint: str, name: str, wasm: bytes) -> None:
    """Uploads a module through the server's own endpoint."""
    headers = {"content-type": "application/wasm"}
    request = urllib.request.Request(f"{endpoint}/modules/{name}", data=wasm, headers=headers, method="PUT")
    try:
        with _direct().open(request, timeout=REQUEST_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        raise AssertionError(f"uploading {name}: HTTP {error.code}: {error.read()!r}") from error


def _direct() -> urllib.request.OpenerDirector:
    """Returns an opener that never asks a proxy for its own loopback address."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Server:
    """A server on a free port. Its output goes to a file, which a failure quotes."""

    def __init__(self, directory: Path, *flags: str, store: str | None = None) -> None:
        self._output = directory / "output"
        command = [str(binary()), "serve", "--listen", "127.0.0.1:0", "--store", store or f"sled:{directory / 'data'}"]
        command += flags
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=ENVIRONMENT
            )
        try:
            self.endpoint = self._wait_for_endpoint()
        except BaseException:
            self.stop()
            raise

    def _wait_for_endpoint(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with {self._process.returncode}:\n{self.output()}")
            found = re.search(r"(http://127\.0\.0\.1:\d+)\D", self.output())
            if found and self._answers(found.group(1)):
                return found.group(1)
            time.sleep(PAUSE_SECONDS)
        raise TimeoutError(f"the server did not answer within {START_SECONDS} s:\n{self.output()}")

    @staticmethod
    def _answers(endpoint: str) -> bool:
        try:
            with _direct().open(f"{endpoint}/healthz", timeout=REQUEST_SECONDS) as reply:
                return reply.status == 200
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """The process, for those who measure it."""
        return self._process.pid

    def output(self) -> str:
        """Returns what the server wrote so far."""
        return self._output.read_text(errors="replace")

    def kill(self) -> None:
        """Ends the server as a crash does: nothing is written, nobody is answered."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Asks the server to stop and returns its exit code; kills it if it does not."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
