"""A warehouse of a test's own: load raw rows, build tables over dates without a gate, read them back.

The gate is left out on purpose. What is proved here is the value of every cell, also of rows that would be blocked.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.arrow_types import arrow_schema
from schemas.clock import eastern_date
from schemas.contracts import TableContract, contract
from schemas.settings import Settings
from transformations.render import built_tables, companions, statement
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import UNPARTITIONED, Partition, Publication

LONG_AFTER = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
"""An as-of instant at which everything has been played: each row's cutoff is then its own."""
WRITTEN_AT = dt.datetime(2030, 1, 2, tzinfo=dt.UTC)
STORE = "nba_predictions.ml_feature_store_v2"
ROSTER = "nba_analytics.upcoming_player_game_context"
SLATE = "nba_analytics.upcoming_team_game_context"
SUMMARIES = tuple(name for name in built_tables() if contract(name).as_of_rule == "event_date" and contract(name).phase == 3)
DATED = tuple(name for name in built_tables() if name not in SUMMARIES)
PHASE_4 = tuple(name for name in built_tables() if contract(name).phase == 4)
SQL_TABLES = (*built_tables(), *(name for table in built_tables() for name in companions(table)))
RAW_OF_DATES = ("nba_raw.player_boxscores", "nba_raw.team_boxscores", "nba_raw.shots")


def parameters(start: dt.date, end: dt.date, as_of: dt.datetime = LONG_AFTER, cutoff_minutes: int = 60) -> dict[str, Any]:
    """Return the parameters of a statement over a range."""
    return {
        "start_date": start,
        "end_date": end,
        "as_of": as_of,
        "as_of_date": eastern_date(as_of),
        "processed_at": WRITTEN_AT,
        "cutoff_minutes": cutoff_minutes,
        "run_id": "test",
        "code_version": "test",
        "definition_version": "test",
    }


def days(number: int) -> dt.timedelta:
    """Return so many calendar days."""
    return dt.timedelta(days=number)


def empty(table: str) -> pa.Table:
    """Return no rows, in the contract's columns."""
    return arrow_schema(contract(table)).empty_table()


class Workbench:
    """An embedded warehouse in a folder and what tests do with it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.warehouse = EmbeddedWarehouse(Settings("embedded", home, None, memory_limit="2GB", threads=1))

    def clone(self, home: Path) -> Workbench:
        """Return a warehouse with the same content and a life of its own; data files are never changed, so they are linked."""
        self.warehouse.close()
        source = self.home / "warehouse"
        for path in source.rglob("*"):
            target = home / "warehouse" / path.relative_to(source)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                (os.link if path.suffix == ".parquet" else shutil.copy)(path, target)
        return Workbench(home)

    def load(self, tables: Mapping[str, pa.Table]) -> None:
        """Replace the tables' whole content by these rows."""
        publications = []
        for name, rows in tables.items():
            staged = self.warehouse.stage_rows(contract(name), rows, "test")
            keys = set(self.warehouse.partitions(name)) | set(staged.partitions)
            publications.append(Publication(staged, tuple(sorted(keys)) or (UNPARTITIONED,)))
        self.warehouse.publish(publications)

    def replace_from(self, first: dt.date, tables: Mapping[str, pa.Table]) -> None:
        """Replace all partitions from a date on by these rows."""
        publications = []
        for name, rows in tables.items():
            staged = self.warehouse.stage_rows(contract(name), rows, "test")
            keys = set(self.warehouse.partitions(name, first)) | set(staged.partitions)
            publications.append(Publication(staged, tuple(sorted(keys))))
        self.warehouse.publish(publications)

    def drop(self, table: str, dates: Sequence[dt.date]) -> None:
        """Empty partitions, as when the job that makes them never ran."""
        staged = self.warehouse.stage_rows(contract(table), empty(table), "test")
        self.warehouse.publish([Publication(staged, tuple(dates))])

    def build(
        self, table: str, start: dt.date, end: dt.date | None = None, as_of: dt.datetime = LONG_AFTER, sql: str | None = None
    ) -> Mapping[dt.date, Partition]:
        """Make the partitions between two dates, publish them and return them; `sql` takes the place of the table's statement."""
        spec, last = contract(table), end or start
        staged = self.warehouse.stage_query(spec, sql or statement(table), parameters(start, last, as_of), "test")
        keys = set(self.warehouse.partitions(table, start, last)) | set(staged.partitions)
        self.warehouse.publish([Publication(staged, tuple(sorted(keys)))])
        return staged.partitions

    def made_by(self, table: str, sql: str, day: dt.date, end: dt.date, as_of: dt.datetime = LONG_AFTER) -> list[dict[str, Any]]:
        """Return a day's rows as another statement over a range would make them; nothing is published."""
        spec = contract(table)
        staged = self.warehouse.stage_query(spec, sql, parameters(day, end, as_of), "test")
        rows = self.warehouse.query(f"SELECT * FROM {table} WHERE {spec.partition} = @day", {"day": day}, staged=[staged]).to_pylist()
        self.warehouse.discard(staged)
        return rows

    def build_all(
        self, start: dt.date, end: dt.date | None = None, as_of: dt.datetime = LONG_AFTER, tables: Iterable[str] = DATED
    ) -> dict[str, Mapping[dt.date, Partition]]:
        """Make several tables, each after those it reads."""
        return {table: self.build(table, start, end, as_of) for table in tables}

    def table(self, name: str, start: dt.date | None = None, end: dt.date | None = None) -> pa.Table:
        """Return the rows of a table, or of a range of its dates."""
        column = contract(name).partition
        if start is None or column is None:
            return self.warehouse.query(f"SELECT * FROM {name}")
        return self.warehouse.query(f"SELECT * FROM {name} WHERE {column} BETWEEN @low AND @high", {"low": start, "high": end or start})

    def rows(self, name: str, start: dt.date | None = None, end: dt.date | None = None) -> list[dict[str, Any]]:
        """Return the rows as dictionaries, in order of the table's keys."""
        keys = contract(name).keys
        return sorted(self.table(name, start, end).to_pylist(), key=lambda row: tuple(str(row[key]) for key in keys))

    def close(self) -> None:
        """Release the warehouse."""
        self.warehouse.close()


def by_key(table: str, rows: Iterable[Mapping[str, Any]], leave_out: Iterable[str] = ()) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the content columns of rows by the table's key and game."""
    spec: TableContract = contract(table)
    left_out = set(leave_out)
    names = [column.name for column in spec.content_columns if column.name not in left_out]
    return {(*(row[key] for key in spec.keys), row["game_id"]): {name: row[name] for name in names} for row in rows}


def differences(one: Mapping[Any, Mapping[str, Any]], other: Mapping[Any, Mapping[str, Any]]) -> list[str]:
    """Return one line per value that differs between rows of equal key, and per key that only one side has."""
    found = [f"{key} is on one side only" for key in sorted(set(one) ^ set(other), key=str)]
    for key in one.keys() & other.keys():
        found += [f"{key} {name}: {value!r} became {other[key][name]!r}" for name, value in one[key].items() if other[key][name] != value]
    return found
