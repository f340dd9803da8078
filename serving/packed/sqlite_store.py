"""Packed rows in a SQLite file: a table per view, write-ahead log, one transaction per write."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from feast.repo_config import FeastConfigBaseModel

from schemas.errors import StorageUnavailableError, UsageError
from serving.clean_errors import clean_errors
from serving.home import settings_of
from serving.packed.layout import instant_of, microseconds
from serving.packed.store import PackedStore, Write
from serving.storage import writable_folder

if TYPE_CHECKING:
    from feast import Entity, FeatureView, RepoConfig

AWAY = "if it is no database any more move it away and run: nba-features doctor --repair"
VARIABLES = 10_000
"""Keys of one SELECT; SQLite takes 32,766 at most."""
WAIT_SECONDS = 30.0
"""How long a writer waits for another one."""

KEEP = """
INSERT INTO {table} (entity_key, event_us, created_us, packed) VALUES (?, ?, ?, ?)
ON CONFLICT (entity_key) DO UPDATE SET event_us = excluded.event_us, created_us = excluded.created_us, packed = excluded.packed
WHERE (excluded.event_us, excluded.created_us) >= (event_us, created_us) AND excluded.packed != packed
"""
"""A row that is there byte for byte, times included, costs no page."""
KEEP_STAGED = KEEP.replace("VALUES (?, ?, ?, ?)", "SELECT entity_key, event_us, created_us, {column} FROM temp.staged WHERE TRUE")
STAGED_ROWS = 500
"""Rows of all views handed over at once: enough that the hand-over costs little, few enough to stay in the processor's cache."""
CREATE = """
CREATE TABLE IF NOT EXISTS {table} (entity_key BLOB PRIMARY KEY, event_us INTEGER NOT NULL, created_us INTEGER NOT NULL,
 packed BLOB NOT NULL) WITHOUT ROWID
"""


class PackedSqliteOnlineStoreConfig(FeastConfigBaseModel):
    """Configuration: `path` is relative to the home of the data; `retention_days` None keeps every game."""

    type: Literal["serving.packed.sqlite_store.PackedSqliteOnlineStore"] = "serving.packed.sqlite_store.PackedSqliteOnlineStore"
    path: str = "feast/packed.db"
    retention_days: int | None = None


def _table(project: str, view: str) -> str:
    return '"' + f"{project}_{view}".replace('"', '""') + '"'


def _unapplied(error: sqlite3.OperationalError) -> bool:
    return "no such table" in str(error)


@contextmanager
def _told(path: Path | str, views: Sequence[str], what: str = "read", hint: str = AWAY) -> Iterator[None]:
    """Raise what SQLite says of its file as an error that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        with clean_errors():
            if isinstance(error, sqlite3.OperationalError) and _unapplied(error):
                raise UsageError("a feature view has no table in the online store", views, "run: feast apply") from None
            raise StorageUnavailableError(f"the online store cannot be {what}", [path, error], hint) from None


def _ordered(keys: Write, packed: Sequence[Write]) -> list[tuple[Any, ...]]:
    """Return key, times and the packed row of each view, in the order of the tree, so that pages are filled one after the other.

    Rows of one key keep their order.
    """
    rows = list(zip(keys.keys, keys.events, keys.created, *(write.rows for write in packed), strict=True))
    return rows if keys.ordered else sorted(rows, key=itemgetter(0))


def _keep_one(connection: sqlite3.Connection, project: str, write: Write) -> None:
    connection.executemany(KEEP.format(table=_table(project, write.view)), _ordered(write, [write]))


def _keep_together(connection: sqlite3.Connection, project: str, writes: Sequence[Write]) -> None:
    """Hand each row over once, with what every view keeps of it, and let SQLite spread it over the tables: a third less time."""
    names = [f"packed_{at}" for at in range(len(writes))]
    columns = ", ".join(["entity_key", "event_us", "created_us", *names])
    hand_over = f"INSERT INTO temp.staged ({columns}) VALUES ({', '.join('?' * (3 + len(names)))})"
    spread = [KEEP_STAGED.format(table=_table(project, write.view), column=name) for write, name in zip(writes, names, strict=True)]
    rows = _ordered(writes[0], writes)
    connection.execute(f"CREATE TEMP TABLE staged ({columns})")
    for start in range(0, len(rows), STAGED_ROWS):
        connection.executemany(hand_over, rows[start : start + STAGED_ROWS])
        for statement in spread:
            connection.execute(statement)
        connection.execute("DELETE FROM temp.staged")
    connection.execute("DROP TABLE temp.staged")


def _share_rows(writes: Sequence[Write]) -> bool:
    """TRUE when all writes are of the same rows: equal keys and times, one after the other."""
    first = writes[0]
    return all((w.keys, w.events, w.created) == (first.keys, first.events, first.created) for w in writes[1:])


class PackedSqliteOnlineStore(PackedStore):
    """Readers never wait for the writer and see a write whole or not at all, also across views and processes."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    @staticmethod
    def path(config: RepoConfig) -> Path:
        """Return the database file, its folder made."""
        with clean_errors():
            path = settings_of(config).home / config.online_store.path
            writable_folder(path.parent)
        return path

    def _connection(self, config: RepoConfig) -> sqlite3.Connection:
        """Return this thread's connection; a forked process opens its own."""
        mark = (os.getpid(), str(config.online_store.path), str(getattr(config.offline_store, "home", "")))
        known = getattr(self._local, "known", None)
        if known is None or known[0] != mark:
            path = self.path(config)
            try:
                connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
                # Of a new file only: rows of a slate lie side by side, and large pages take them with fewer splits.
                connection.execute("PRAGMA page_size = 16384")
                connection.execute("PRAGMA journal_mode = WAL")
                # A commit is on disk before the watermark moves.
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA mmap_size = 268435456")
                connection.execute("PRAGMA temp_store = MEMORY")
            except sqlite3.Error as error:
                with clean_errors():
                    raise StorageUnavailableError("the online store cannot be opened", [path, error], AWAY) from None
            known = self._local.known = (mark, connection)
        found: sqlite3.Connection = known[1]
        return found

    def _fetch(self, config: RepoConfig, asked: Sequence[tuple[str, Sequence[bytes]]]) -> list[list[bytes | None]]:
        connection = self._connection(config)
        shared: dict[int, list[int]] = {}
        for at, (_, keys) in enumerate(asked):
            shared.setdefault(id(keys), []).append(at)
        found: list[list[bytes | None]] = [[] for _ in asked]
        # One transaction: every view as of the same commit.
        connection.execute("BEGIN")
        try:
            for places in shared.values():
                views, keys = [asked[at][0] for at in places], asked[places[0]][1]
                with _told(config.online_store.path, views):
                    for start in range(0, len(keys), VARIABLES):
                        part = keys[start : start + VARIABLES]
                        for at, rows in zip(places, self._columns(connection, config.project, views, part), strict=True):
                            found[at].extend(rows)
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")
        return found

    @staticmethod
    def _columns(
        connection: sqlite3.Connection, project: str, views: Sequence[str], keys: Sequence[bytes]
    ) -> Iterable[Sequence[bytes | None]]:
        """Return the packed rows of the keys, view by view: all views in one statement that walks the keys once."""
        if not keys:
            return [[] for _ in views]
        columns = ", ".join(f"v{at}.packed" for at in range(len(views)))
        joins = " ".join(f"LEFT JOIN {_table(project, view)} v{at} ON v{at}.entity_key = k.column1" for at, view in enumerate(views))
        values = ",".join(["(?)"] * len(keys))
        rows = connection.execute(f"SELECT k.column1, {columns} FROM (VALUES {values}) k {joins}", keys).fetchall()
        told, *found = zip(*rows, strict=True)
        if list(told) != list(keys):
            at_key = dict(zip(told, zip(*found, strict=True), strict=True))
            found = list(zip(*(at_key[key] for key in keys), strict=True))
        return found

    def _keep(self, config: RepoConfig, writes: Sequence[Write]) -> None:
        def keep(connection: sqlite3.Connection) -> None:
            if len(writes) > 1 and _share_rows(writes):
                _keep_together(connection, config.project, writes)
            else:
                for write in writes:
                    _keep_one(connection, config.project, write)

        self._transaction(config, [write.view for write in writes], keep)

    def _transaction(self, config: RepoConfig, views: Sequence[str], work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do work on the tables of views, all of it or nothing; return what it returns."""
        connection = self._connection(config)
        with _told(config.online_store.path, views, "written", "nothing of this write is visible; run the same command again"):
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return done

    def _changed(self, config: RepoConfig, view: str, statement: str, rows: Iterable[Any]) -> int:
        """Run a statement on the table of a view for each of these parameters; return how many rows it changed."""
        text = statement.format(table=_table(config.project, view))
        return int(self._transaction(config, [view], lambda connection: max(0, connection.executemany(text, rows).rowcount)))

    def stored(self, config: RepoConfig, view: FeatureView) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and packed row of everything a view holds, as of one instant.

        Raises:
            UsageError: the view has no table.
            StorageUnavailableError: the file cannot be read.
        """
        with _told(self.path(config), [view.name]):
            yield from self._connection(config).execute(f"SELECT entity_key, packed FROM {_table(config.project, view.name)}")

    def remove(self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes]) -> int:
        """Remove the rows of these keys; return how many there were."""
        return self._changed(config, view.name, "DELETE FROM {table} WHERE entity_key = ?", [(key,) for key in keys])

    def prune(self, config: RepoConfig, view: FeatureView, before: dt.datetime) -> int:
        """Remove the rows of a view with an event time before the instant; return how many."""
        return self._changed(config, view.name, "DELETE FROM {table} WHERE event_us < ?", [(microseconds(before),)])

    def count(self, config: RepoConfig, view: FeatureView) -> int:
        """Return the number of rows of a view."""
        (rows,) = self._connection(config).execute(f"SELECT COUNT(*) FROM {_table(config.project, view.name)}").fetchone()
        return int(rows)

    def newest_event(self, config: RepoConfig, view: FeatureView) -> dt.datetime | None:
        """Return the newest event time of a view."""
        with _told(self.path(config), [view.name]):
            (newest,) = self._connection(config).execute(f"SELECT MAX(event_us) FROM {_table(config.project, view.name)}").fetchone()
        return None if newest is None else instant_of(newest)

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make the tables of new views and drop those of deleted ones."""
        connection = self._connection(config)
        for view in tables_to_keep:
            connection.execute(CREATE.format(table=_table(config.project, view.name)))
        for view in tables_to_delete:
            connection.execute(f"DROP TABLE IF EXISTS {_table(config.project, view.name)}")

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Remove the database file."""
        path = self.path(config)
        known = getattr(self._local, "known", None)
        if known is not None:
            known[1].close()
            self._local.known = None
        for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            name.unlink(missing_ok=True)
