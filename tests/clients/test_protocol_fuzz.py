"""Noise, nonsense and malice at the server's port: it answers, stays small, and never fails without saying why.

STEPWELL_FUZZ_SECONDS makes the run longer, STEPWELL_FUZZ_SEED repeats one; each message has a seed of its own, which a
failure names, and STEPWELL_FUZZ_MESSAGE sends that one alone.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

import stepwell_server
from fuzz.messages import beginnings, call, message

SECONDS = float(os.environ.get("STEPWELL_FUZZ_SECONDS", "15"))
SEED = os.environ.get("STEPWELL_FUZZ_SEED") or str(random.randrange(10**9))
ONE = os.environ.get("STEPWELL_FUZZ_MESSAGE")
THREADS = 12
# How long an answer may take, how long a message is waited for that may get none, and how long for more of an answer.
ANSWER_SECONDS = 20
NOTHING_SECONDS = 0.25
AFTER_ANSWER_SECONDS = 0.1
MEBIBYTE = 1 << 20
# What the server may hold more after a run than before: its allocator keeps some of what was needed at once.
GROWN_BYTES = 256 * MEBIBYTE
IDLE_CONNECTIONS = 10_000
AT_ONCE = 1_000
# A connection that says nothing: buffers, timers and a task.
IDLE_CONNECTION_BYTES = 24 << 10
SLOW_CLIENTS = 50
OTHER_DESCRIPTORS = 500
PIPELINED = 40
# A good request, the last one of its connection.
LAST = call("ListStateMachines", b"{}", "connection: close")
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Port:
    """The server's port, and what can be seen of the process behind it."""

    def __init__(self, server) -> None:
        self.server = server
        parts = urlsplit(server.endpoint)
        self._address = (parts.hostname, parts.port)

    def connect(self, seconds: float = ANSWER_SECONDS) -> socket.socket:
        return socket.create_connection(self._address, timeout=seconds)

    def connect_at_once(self, count: int) -> list[socket.socket]:
        """Opens connections side by side: on a busy machine the system makes some of them try again after a second."""
        opened = []
        for _ in range(count):
            opened.append(socket.socket())
            opened[-1].setblocking(False)
            opened[-1].connect_ex(self._address)
        for connection in opened:
            poller = select.poll()
            poller.register(connection, select.POLLOUT)
            assert poller.poll(ANSWER_SECONDS * 1_000) == [(connection.fileno(), select.POLLOUT)]
            connection.settimeout(ANSWER_SECONDS)
        return opened

    def exchange(self, data: bytes, patience: float = ANSWER_SECONDS) -> bytes:
        """Sends bytes and returns what comes back until the server hangs up, or says nothing for `patience` seconds.

        The sending side stays open: a server may take its end for the end of the client.
        """
        with self.connect() as connection:
            try:
                connection.sendall(data)
            except OSError:
                # A server that refuses early hangs up early; what it said may still be read.
                pass
            received = bytearray()
            connection.settimeout(patience)
            try:
                while part := connection.recv(65_536):
                    received += part
                    connection.settimeout(min(patience, AFTER_ANSWER_SECONDS))
            except (ConnectionError, TimeoutError):
                pass
            return bytes(received)

    def resident_bytes(self) -> int:
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) << 10

    def check_alive(self) -> None:
        """Asks for something; looks for panics in what the server wrote."""
        answer = self.exchange(LAST)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert "panicked" not in self.server.output()


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    server = stepwell_server.Server(tmp_path_factory.mktemp("fuzz"))
    yield Port(server)
    assert server.stop() == 0
    assert "panicked" not in server.output()


def sent(port: Port, seed: str) -> str | None:
    """Sends one message; returns what is wrong with the answers, if anything is."""
    kind, data = message(seed)
    answers = STATUS.findall(port.exchange(data, ANSWER_SECONDS if ONE else NOTHING_SECONDS))
    failed = [status.decode() for status in answers if status >= b"500" and status not in (b"501", b"505")]
    return f"{seed} ({kind}): {', '.join(failed)} to {data[:400]!r}" if failed else None


def test_nothing_that_arrives_makes_the_server_fail(port):
    print(f"STEPWELL_FUZZ_SEED={SEED}")
    for first in beginnings():
        assert port.exchange(first).startswith(b"HTTP/1.1 200 ")
    port.check_alive()
    before = port.resident_bytes()
    deadline = time.monotonic() + SECONDS

    def run(thread: int) -> tuple[int, list[str]]:
        wrong, count = [], 0
        while time.monotonic() < deadline and not wrong:
            found = sent(port, f"{SEED}/{thread}/{count}")
            wrong += [found] if found else []
            count += 1
        return count, wrong

    if ONE:
        assert sent(port, ONE) is None
        return
    with ThreadPoolExecutor(THREADS) as threads:
        ran = list(threads.map(run, range(THREADS)))
    print(f"{sum(count for count, _ in ran)} messages")
    assert not [one for _, wrong in ran for one in wrong]
    port.check_alive()
    grown = port.resident_bytes() - before
    print(f"grown by {grown / MEBIBYTE:.1f} MiB")
    assert grown < GROWN_BYTES
    # What was not waited for has failed either, if it has left a trace.
    assert not [line for line in port.server.output().splitlines() if " ERROR " in line]


# The second message is what a proxy in front, which reads the lengths otherwise, would not have seen.
SMUGGLED = call("CreateStateMachine", json.dumps({"name": "smuggled"}).encode())
AMBIGUOUS = {
    "two lengths": b"content-length: 2\r\ncontent-length: 40\r\n\r\n{}",
    "a list of lengths": b"content-length: 2, 40\r\n\r\n{}",
    "a length with a sign": b"content-length: +2\r\n\r\n{}",
    "space before the colon": b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked, but not last": b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a folded header": b"transfer-encoding:\r\n chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "a bare line feed": b"transfer-encoding: chunked\r\n\r\n0\n\n",
    "a size with a sign": b"transfer-encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a size that overflows": b"transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
}


@pytest.mark.parametrize("how", AMBIGUOUS)
def test_messages_with_two_readings_are_refused(port, how):
    head = b"POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AWSStepFunctions.ListStateMachines\r\n"
    answers = STATUS.findall(port.exchange(head + AMBIGUOUS[how] + SMUGGLED, 1))
    # One refusal, after which the connection is over: nothing that follows is taken for a request.
    assert len(answers) <= 1, answers
    assert not answers or answers[0].startswith(b"4") or answers[0] == b"501", answers


def test_pipelined_requests_are_answered_in_their_order(port):
    operations = ["ListStateMachines" if index % 3 else "DescribeStateMachine" for index in range(PIPELINED)]
    received = port.exchange(b"".join(call(operation, b"{}") for operation in operations) + LAST)
    wanted = [b"200" if operation == "ListStateMachines" else b"400" for operation in operations] + [b"200"]
    assert STATUS.findall(received) == wanted
    assert len(set(re.findall(rb"x-amzn-requestid: (\S+)", received))) == PIPELINED + 1


def test_slow_clients_do_not_keep_others_waiting(port):
    """Clients that send a byte now and then, and clients that read nothing of what they asked for."""
    whole = call("ListStateMachines", b"{}")
    slow = [port.connect() for _ in range(SLOW_CLIENTS)]
    deaf = [port.connect() for _ in range(SLOW_CLIENTS)]
    try:
        for connection in deaf:
            connection.sendall(call("ListStateMachines", b"{}") * 100)
        for at in range(len(whole)):
            for connection in slow:
                connection.sendall(whole[at : at + 1])
            if at % 50 == 0:
                port.check_alive()
        for connection in slow:
            assert STATUS.match(connection.recv(65_536))[1] == b"200"
    finally:
        for connection in slow + deaf:
            connection.close()
    port.check_alive()


def test_ten_thousand_connections_that_say_nothing(port):
    wanted = IDLE_CONNECTIONS + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this process may open {hard} files only: `ulimit -n {wanted}`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    before = port.resident_bytes()
    idle = []
    try:
        for _ in range(IDLE_CONNECTIONS // AT_ONCE):
            idle += port.connect_at_once(AT_ONCE)
        port.check_alive()
        per_connection = (port.resident_bytes() - before) / IDLE_CONNECTIONS
        print(f"{per_connection:.0f} bytes a connection")
        assert per_connection < IDLE_CONNECTION_BYTES
        # They are open still: none was turned away to make room.
        poller = select.poll()
        for connection in idle:
            poller.register(connection, select.POLLIN | select.POLLRDHUP)
        assert not poller.poll(0)
        first, last = idle[0], idle[-1]
        for connection in (first, last):
            connection.sendall(call("ListStateMachines", b"{}"))
            assert STATUS.match(connection.recv(65_536))[1] == b"200"
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    port.check_alive()
