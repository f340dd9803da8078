"""The emulators as processes on free loopback ports: found where `make emulators` builds them, started and stopped by fixtures."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / ".venv" / "emulators"
REQUIRED = "NBA_FEATURES_REQUIRE_EMULATORS"
"""Set where a missing emulator is a failure and no skip."""


def program(name: str) -> Path:
    """Return a built emulator, or skip with the one line that says how to get it."""
    path = FOLDER / name
    if path.exists():
        return path
    go = "" if shutil.which("go") else "install Go 1.24 and clang, then "
    told = f"{name} is not built: {go}run `make emulators`"
    if os.environ.get(REQUIRED):
        pytest.fail(told)
    pytest.skip(told)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str | Path], port: int, folder: Path) -> Iterator[None]:
    """Run a server for the block; it is up when it answers on its port."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("w") as file:
        process = subprocess.Popen([str(part) for part in command], stdout=file, stderr=subprocess.STDOUT, cwd=folder)
        try:
            _wait(process, port, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{process.args!r} does not answer: {log.read_text(errors='replace')[-500:]}")


@contextmanager
def bigtable(folder: Path) -> Iterator[str]:
    """Run the Bigtable emulator; yield host:port for BIGTABLE_EMULATOR_HOST."""
    port = free_port()
    with running([program("bigtable-emulator"), "-host", "127.0.0.1", "-port", str(port)], port, folder):
        yield f"127.0.0.1:{port}"


@contextmanager
def cloud_storage(folder: Path) -> Iterator[str]:
    """Run the Cloud Storage server with an empty store; yield the address for STORAGE_EMULATOR_HOST."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [program("fake-gcs-server"), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    with running([*command, "-external-url", address], port, folder):
        yield address


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis of its own; yield its URL."""
    found = shutil.which("redis-server")
    if not found:
        if os.environ.get(REQUIRED):
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed: apt install redis-server")
    port = free_port()
    command = [found, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with running(command, port, folder):
        yield f"redis://127.0.0.1:{port}/0"
