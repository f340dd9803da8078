"""Statements on the catalogue: files, the partitions alive in them, and the change counters of tables."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from warehouse.embedded.catalog import Catalog
from warehouse.protocol import Partition

NOW = "((julianday('now') - 2440587.5) * 86400.0)"


@dataclass(frozen=True)
class FileEntry:
    """A data file with the partitions that are alive in it, their rows, and the number of partitions it ever held."""

    file_id: int
    path: Path
    columns: tuple[str, ...]
    live: tuple[str, ...]
    rows: int
    held: int


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


def file_entries(catalog: Catalog, connection: sqlite3.Connection, table: str) -> list[FileEntry]:
    """Return the files of a table that hold live partitions, oldest first."""
    found = connection.execute(
        "SELECT f.file_id, f.path, f.columns, p.key, p.rows FROM partitions p JOIN files f USING (file_id)"
        " WHERE p.table_name = ? ORDER BY f.file_id, p.key",
        (table,),
    )
    grouped: dict[int, tuple[str, str, list[str], list[int]]] = {}
    for file_id, path, columns, key, rows in found:
        _, _, keys, counts = grouped.setdefault(file_id, (path, columns, [], []))
        keys.append(key)
        counts.append(rows)
    marks = ",".join("?" * len(grouped))
    held = dict(connection.execute(f"SELECT file_id, count(*) FROM file_keys WHERE file_id IN ({marks}) GROUP BY 1", list(grouped)))
    return [
        FileEntry(file_id, catalog.resolve(path), tuple(json.loads(columns)), tuple(keys), sum(counts), held[file_id])
        for file_id, (path, columns, keys, counts) in sorted(grouped.items())
    ]


def partition_rows(connection: sqlite3.Connection, table: str, start: dt.date | None, end: dt.date | None) -> dict[dt.date, Partition]:
    """Return the live partitions of a table between two dates, both included."""
    rows = connection.execute(
        "SELECT key, rows, fingerprint FROM partitions WHERE table_name = ? AND key >= ? AND key <= ? ORDER BY key",
        (table, (start or dt.date.min).isoformat(), (end or dt.date.max).isoformat()),
    )
    return {(day := dt.date.fromisoformat(key)): Partition(day, count, fingerprint) for key, count, fingerprint in rows}


def add_file(connection: sqlite3.Connection, table: str, path: str, columns: Sequence[str], keys: Iterable[str]) -> int:
    """Register a data file once and return its id."""
    known = connection.execute("SELECT file_id FROM files WHERE path = ?", (path,)).fetchone()
    if known:
        return int(known[0])
    cursor = connection.execute("INSERT INTO files(table_name, path, columns) VALUES(?, ?, ?)", (table, path, json.dumps(list(columns))))
    file_id = int(cursor.lastrowid or 0)
    connection.executemany("INSERT INTO file_keys VALUES(?, ?)", [(file_id, key) for key in keys])
    return file_id


def replace_partitions(
    connection: sqlite3.Connection, table: str, file_id: int, keys: Iterable[dt.date], staged: Mapping[dt.date, Partition]
) -> None:
    """Point the keys at the file; a key without staged rows disappears."""
    wanted = list(keys)
    connection.executemany("DELETE FROM partitions WHERE table_name = ? AND key = ?", [(table, key.isoformat()) for key in wanted])
    connection.executemany(
        "INSERT INTO partitions VALUES(?, ?, ?, ?, ?)",
        [(table, key.isoformat(), file_id, staged[key].rows, staged[key].fingerprint) for key in wanted if key in staged],
    )


def move_partitions(connection: sqlite3.Connection, table: str, old: FileEntry, file_id: int) -> None:
    """Point those partitions at another file that are still alive in the old one."""
    connection.executemany(
        "UPDATE partitions SET file_id = ? WHERE table_name = ? AND key = ? AND file_id = ?",
        [(file_id, table, key, old.file_id) for key in old.live],
    )


def retire(connection: sqlite3.Connection) -> None:
    """Note since when a file holds nothing alive: a reader may have begun just before."""
    alive = "file_id IN (SELECT file_id FROM partitions)"
    connection.execute(f"UPDATE files SET retired_at = {NOW} WHERE retired_at IS NULL AND NOT {alive}")
    connection.execute(f"UPDATE files SET retired_at = NULL WHERE retired_at IS NOT NULL AND {alive}")


def forget_retired(connection: sqlite3.Connection, grace_seconds: float) -> list[str]:
    """Remove the files retired longer ago than the grace from the catalogue and return their paths."""
    gone = connection.execute(
        f"SELECT file_id, path FROM files WHERE retired_at <= {NOW} - ? AND file_id NOT IN (SELECT file_id FROM partitions)",
        (grace_seconds,),
    ).fetchall()
    connection.executemany("DELETE FROM file_keys WHERE file_id = ?", [(file_id,) for file_id, _ in gone])
    connection.executemany("DELETE FROM files WHERE file_id = ?", [(file_id,) for file_id, _ in gone])
    return [path for _, path in gone]
