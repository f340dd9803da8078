"""Definitions of views: kept in the catalogue as GoogleSQL, so that every process reads the same ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from schemas.contracts import load_contracts
from schemas.errors import WarehouseError
from warehouse.embedded import entries
from warehouse.googlesql import table_names

TABLE = "CREATE TABLE IF NOT EXISTS views(table_name TEXT PRIMARY KEY, sql TEXT NOT NULL) WITHOUT ROWID"


def load(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the definitions by view; none in a catalogue that never had any."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'views'").fetchone() is None:
        return {}
    return dict(connection.execute("SELECT table_name, sql FROM views"))


def save(connection: sqlite3.Connection, views: Mapping[str, str]) -> None:
    """Replace all definitions and count a change of those that differ, and of every view that reads one of them."""
    connection.execute(TABLE)
    known = load(connection)
    connection.execute("DELETE FROM views")
    connection.executemany("INSERT INTO views VALUES(?, ?)", sorted(views.items()))
    changed = {name for name, sql in views.items() if known.get(name) != sql}
    entries.bump(connection, [name for name in views if changed & {name, *reads(views, [name])}])


def reads(views: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Return the names with all that views among them read, each after what it reads.

    Raises:
        WarehouseError: a view of the contracts is not defined here.
    """
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        spec = load_contracts().get(name)
        if spec is not None and spec.built_by == "view":
            if name not in views:
                raise WarehouseError("the view is not defined in this warehouse", [name], "any run defines it: nba-features quality")
            for source in sorted(table_names(views[name])):
                visit(source)
        ordered[name] = None

    for name in names:
        visit(name)
    return list(ordered)
