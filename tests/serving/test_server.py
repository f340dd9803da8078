"""`nba-features serve` as a process: it listens on loopback, ends in good order, and keeps a share of what it served."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.load import run_load
from benchmarks.slates import SERVICE, TODAY, Client, server, version_vectors
from schemas.settings import load_settings
from serving.lookup_log import read_log
from tests.house.tree import ROOT

pytestmark = pytest.mark.slow


def port_of(process: subprocess.Popen[str], home: Path) -> int:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("listening on http://127.0.0.1:"), line
    return int(line.rsplit(":", 1)[1])


def started(home: Path, *options: str) -> subprocess.Popen[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port), *options]
    environ = {**os.environ, "NBA_FEATURES_HOME": str(home)}
    return subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)


def ready(port: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            with Client(port) as client:
                if client.get("/v1/ready")[0] == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not become ready")


def test_a_request_under_way_is_answered_after_sigterm_and_the_log_is_written(slate_home: Path) -> None:
    process = started(slate_home, "--log-lookups", "1")
    port = port_of(process, slate_home)
    ready(port)
    body = json.dumps({"date": str(TODAY), "service": SERVICE, "players": ["player001", "player002"]}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /v1/lookup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        connection.sendall(f"{head}expect: 100-continue\r\n\r\n".encode() + body[:10])
        # The server asks for the rest: the request is under way.
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None
        connection.sendall(body[10:])
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["counts"]["ready"] == 2
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    log = read_log(load_settings({"NBA_FEATURES_HOME": str(slate_home)}), TODAY)
    assert log is not None
    assert log.column("player_lookup").to_pylist() == ["player001", "player002"]


def test_no_other_address_than_loopback_answers_unless_told(slate_home: Path) -> None:
    with server(slate_home) as port, pytest.raises(OSError):
        others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
        if not others:
            pytest.skip("the machine has no other address")
        socket.create_connection((others.pop(), port), timeout=5)


def test_FM54_no_torn_row_and_no_error_while_the_slate_is_corrected(slate_home: Path) -> None:
    """Five seconds of what the benchmark `load` does for a minute."""
    seen, versions = run_load(slate_home, 5.0, clients=4, players=40)
    assert seen.wrong == []
    assert seen.torn == 0
    assert set(seen.verdicts) <= {"ready", "stale"}
    assert versions >= 2 and len(seen.versions) >= 2
    assert min(len(taken) for taken in seen.seconds.values()) >= 10


def test_a_torn_vector_would_be_noticed() -> None:
    known = version_vectors()
    one, other = sorted(known, key=known.__getitem__)[:2]
    assert (*one[:5], *other[5:]) not in known
    assert len(known) == 97
