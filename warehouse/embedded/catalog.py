"""The SQLite catalogue: which file holds which partition, the record tables and the leases.

One transaction of this database is the unit of publication. Readers use it in write-ahead mode, so nobody waits for a
writer and nobody sees half of one. Paths in it are relative: a copy of the folder is a warehouse of its own.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from warehouse.embedded.storage import storage_errors

SCHEMA_VERSION = 2
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


class Catalog:
    """Connections to the catalogue, one per thread; `root` is the folder that its paths are relative to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path.parent
        self._local = threading.local()
        with storage_errors("be opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with self.connected() as connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version < SCHEMA_VERSION:
                with self.write() as connection:
                    _set_up(connection)

    def _open(self) -> sqlite3.Connection:
        """Open the file; where it cannot be written to, so that it can still be read."""
        if self._is_writable():
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            return connection
        # Without a write-ahead log nobody is writing, and without rights none can be made: the file stands alone.
        alone = "" if Path(f"{self.path}-wal").exists() else "&immutable=1"
        return sqlite3.connect(f"{self.path.as_uri()}?mode=ro{alone}", uri=True, timeout=BUSY_SECONDS, isolation_level=None)

    def _is_writable(self) -> bool:
        return os.access(self.root, os.W_OK) and (not self.path.exists() or os.access(self.path, os.W_OK))

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """Yield this thread's connection; one that can only read is opened each time, for it may stand alone no longer."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open()
            if not self._is_writable():
                try:
                    yield connection
                finally:
                    connection.close()
                return
            self._local.connection = connection
        yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one all-or-nothing transaction."""
        with self.connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Read several things as of one instant."""
        with self.connected() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def resolve(self, stored: str) -> Path:
        """Return where a file of the catalogue lies; only the last three parts of its name count."""
        return self.root.joinpath(*PurePath(stored).parts[-3:])

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def _set_up(connection: sqlite3.Connection) -> None:
    """Create what is not there; another process may have been faster."""
    for statement in SCHEMA.split(";\n"):
        connection.execute(statement)
    if "retired_at" not in {row[1] for row in connection.execute("PRAGMA table_info(files)")}:
        connection.execute("ALTER TABLE files ADD COLUMN retired_at REAL")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
