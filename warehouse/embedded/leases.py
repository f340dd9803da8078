"""One writer per table and range. A lease names its holder and dies with the process that took it."""

from __future__ import annotations

import datetime as dt
import os
import socket
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import LeaseHeldError
from warehouse.embedded.catalog import Catalog
from warehouse.embedded.storage import storage_errors


def _started(pid: int) -> str:
    """Return the start time of a process, which tells it from a later one of the same number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    except OSError:
        return "?"


def _host() -> str:
    """Return the name of the machine, with that of the container's execution where many containers share one name."""
    execution = os.environ.get("CLOUD_RUN_EXECUTION", "")
    return f"{socket.gethostname()}/{execution}" if execution else socket.gethostname()


def this_process() -> str:
    """Return host, number and start time of this process."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(process: str) -> bool:
    """Tell whether the process still runs; one on another host, or a text that names none, counts as running."""
    host, _, rest = process.partition(":")
    pid, _, started = rest.partition(":")
    if host != _host() or not pid.isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return started in ("?", _started(int(pid)))


def _clear_dead(connection: sqlite3.Connection) -> None:
    for lease_id, process in connection.execute("SELECT lease_id, process FROM leases").fetchall():
        if not is_alive(process):
            connection.execute("DELETE FROM leases WHERE lease_id = ?", (lease_id,))


@contextmanager
def hold(catalog: Catalog, table: str, start: dt.date, end: dt.date, holder: str) -> Iterator[None]:
    """Hold the lease for the block; raise `LeaseHeldError` naming who has it."""
    lease_id = uuid.uuid4().hex
    with storage_errors("take a lease"), catalog.write() as connection:
        _clear_dead(connection)
        other = connection.execute(
            "SELECT holder, process, start_key, end_key FROM leases WHERE table_name = ? AND start_key <= ? AND end_key >= ?",
            (table, end.isoformat(), start.isoformat()),
        ).fetchone()
        if other is None:
            connection.execute(
                "INSERT INTO leases VALUES(?, ?, ?, ?, ?, ?, ?)",
                (lease_id, table, start.isoformat(), end.isoformat(), holder, this_process(), dt.datetime.now(dt.UTC).isoformat()),
            )
    if other is not None:
        name, process, first, last = other
        raise LeaseHeldError(
            f"{table} is being written from {first} to {last}", [f"{name} ({process.rsplit(':', 1)[0]})"], "wait for it to end or stop it"
        )
    try:
        yield
    finally:
        with storage_errors("give back a lease"), catalog.write() as connection:
            connection.execute("DELETE FROM leases WHERE lease_id = ?", (lease_id,))
