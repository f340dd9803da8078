"""The SQLite catalogue: which file holds which partition, the record tables and the leases.

One transaction of this database is the unit of publication. Readers use it in write-ahead mode, so nobody waits for a
writer and nobody sees half of one.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import StorageUnavailableError
from warehouse.protocol import Partition

SCHEMA = """
CREATE TABLE IF NOT EXISTS files(
  file_id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, path TEXT NOT NULL UNIQUE, columns TEXT NOT NULL,
  published_at REAL NOT NULL DEFAULT (((julianday('now') - 2440587.5) * 86400.0)));
CREATE TABLE IF NOT EXISTS file_keys(
  file_id INTEGER NOT NULL REFERENCES files, key TEXT NOT NULL, PRIMARY KEY(file_id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions(
  table_name TEXT NOT NULL, key TEXT NOT NULL, file_id INTEGER NOT NULL REFERENCES files,
  rows INTEGER NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY(table_name, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS partitions_by_file ON partitions(file_id);
CREATE TABLE IF NOT EXISTS versions(table_name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases(
  lease_id TEXT PRIMARY KEY, table_name TEXT NOT NULL, start_key TEXT NOT NULL, end_key TEXT NOT NULL,
  holder TEXT NOT NULL, process TEXT NOT NULL, acquired_at TEXT NOT NULL) WITHOUT ROWID;
"""
BUSY_SECONDS = 30


@dataclass(frozen=True)
class FileEntry:
    """A data file with the partitions that are alive in it and all it ever held."""

    path: str
    columns: tuple[str, ...]
    live: tuple[str, ...]
    held: int


@contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Turn what a full disk, a read-only folder or missing rights raise into `StorageUnavailableError`."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        hint = "nothing was changed; free space, grant write rights or set NBA_FEATURES_HOME to another folder"
        raise StorageUnavailableError(f"the warehouse cannot {action}", [" ".join(str(error).split())], hint) from None


class Catalog:
    """Connections to the catalogue, one per thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        with storage_errors("be opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with self.write() as connection:
                    for statement in SCHEMA.split(";\n"):
                        connection.execute(statement)

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        existing: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if existing is None:
            existing = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            existing.execute("PRAGMA journal_mode=WAL")
            existing.execute("PRAGMA synchronous=FULL")
            self._local.connection = existing
        return existing

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one all-or-nothing transaction."""
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Read several things as of one instant."""
        connection = self.connection()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def versions(connection: sqlite3.Connection, tables: Iterable[str]) -> dict[str, int]:
    """Return the change counter of each table, 0 for one never written."""
    names = list(tables)
    marks = ",".join("?" * len(names))
    found = dict(connection.execute(f"SELECT table_name, version FROM versions WHERE table_name IN ({marks})", names))
    return {name: found.get(name, 0) for name in names}


def bump(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Count a change of each table."""
    connection.executemany(
        "INSERT INTO versions VALUES(?, 1) ON CONFLICT(table_name) DO UPDATE SET version = version + 1", [(t,) for t in sorted(set(tables))]
    )


def file_entries(connection: sqlite3.Connection, table: str) -> list[FileEntry]:
    """Return the files of a table that hold live partitions, oldest first."""
    rows = connection.execute(
        "SELECT f.file_id, f.path, f.columns, p.key FROM partitions p JOIN files f USING (file_id)"
        " WHERE p.table_name = ? ORDER BY f.file_id, p.key",
        (table,),
    )
    grouped: dict[int, tuple[str, str, list[str]]] = {}
    for file_id, path, columns, key in rows:
        grouped.setdefault(file_id, (path, columns, []))[2].append(key)
    marks = ",".join("?" * len(grouped))
    held = dict(connection.execute(f"SELECT file_id, count(*) FROM file_keys WHERE file_id IN ({marks}) GROUP BY 1", list(grouped)))
    return [
        FileEntry(path, tuple(json.loads(columns)), tuple(live), held[file_id])
        for file_id, (path, columns, live) in sorted(grouped.items())
    ]


def partition_rows(connection: sqlite3.Connection, table: str, start: dt.date | None, end: dt.date | None) -> dict[dt.date, Partition]:
    """Return the live partitions of a table between two dates, both included."""
    rows = connection.execute(
        "SELECT key, rows, fingerprint FROM partitions WHERE table_name = ? AND key >= ? AND key <= ? ORDER BY key",
        (table, (start or dt.date.min).isoformat(), (end or dt.date.max).isoformat()),
    )
    return {(day := dt.date.fromisoformat(key)): Partition(day, count, fingerprint) for key, count, fingerprint in rows}


def add_file(connection: sqlite3.Connection, table: str, path: str, columns: Sequence[str], keys: Iterable[dt.date]) -> int:
    """Register a data file once and return its id."""
    known = connection.execute("SELECT file_id FROM files WHERE path = ?", (path,)).fetchone()
    if known:
        return int(known[0])
    cursor = connection.execute(
        "INSERT INTO files(table_name, path, columns) VALUES(?, ?, ?)", (table, path, json.dumps(list(columns)))
    )
    file_id = int(cursor.lastrowid or 0)
    connection.executemany("INSERT INTO file_keys VALUES(?, ?)", [(file_id, key.isoformat()) for key in keys])
    return file_id


def replace_partitions(
    connection: sqlite3.Connection, table: str, file_id: int, keys: Iterable[dt.date], staged: dict[dt.date, Partition]
) -> None:
    """Point the keys at the file; a key without staged rows disappears."""
    wanted = [key.isoformat() for key in keys]
    connection.executemany("DELETE FROM partitions WHERE table_name = ? AND key = ?", [(table, key) for key in wanted])
    connection.executemany(
        "INSERT INTO partitions VALUES(?, ?, ?, ?, ?)",
        [
            (table, key, file_id, staged[day].rows, staged[day].fingerprint)
            for key in wanted
            if (day := dt.date.fromisoformat(key)) in staged
        ],
    )


def unreferenced_files(connection: sqlite3.Connection, grace_seconds: float) -> list[tuple[int, str]]:
    """Return files without a live partition that no reader can still be using."""
    return list(
        connection.execute(
            "SELECT file_id, path FROM files WHERE published_at < ((julianday('now') - 2440587.5) * 86400.0) - ?"
            " AND file_id NOT IN (SELECT file_id FROM partitions)",
            (grace_seconds,),
        )
    )
