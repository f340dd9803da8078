"""What the tests of this folder do to a warehouse, and what they read from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backfill.calendar import expected_calendar
from backfill.plan import Plan, make_plan
from backfill.request import Request
from backfill.runner import Outcome, run_backfill
from orchestration.build import build_table
from orchestration.plan import dated_tables
from orchestration.runs import Run
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from schemas.settings import Settings
from transformations.render import built_tables, companions
from warehouse.protocol import Partition, Publication, Warehouse

LINEAGE = "nba_predictions.feature_lineage"
Key = tuple[str, dt.date]


def CODE() -> str:  # noqa: N802 - a constant that is called
    """Stand for the version of the files on disk: editing the checkout while tests run stops no backfill."""
    return "tests"


@dataclass(frozen=True)
class Site:
    """A home of its own and its warehouse, at the instant of the tests."""

    settings: Settings
    warehouse: Warehouse
    now: dt.datetime

    def backfill(self, request: Request | None = None, **options: Any) -> Outcome:
        return run_backfill(self.warehouse, request or Request(), options.pop("now", self.now), 60, code=CODE, **options)

    def plan(self, request: Request | None = None) -> Plan:
        asked = request or Request()
        calendar = expected_calendar(self.warehouse, self.now, asked.start, asked.end, asked.season, asked.dates)
        return make_plan(self.warehouse, calendar, asked, self.now, self.now)

    def run(self) -> Run:
        return Run("test", self.now, self.now, 60)

    def dates(self, table: str = STORE_TABLE) -> list[dt.date]:
        return sorted(self.warehouse.partitions(table))

    def fingerprints(self) -> dict[str, dict[dt.date, Partition]]:
        """Return what a reader finds in every built table and in what is published with it."""
        return {name: self.warehouse.readable(name) for table in built_tables() for name in (table, *companions(table))}

    def store_rows(self) -> dict[Key, Mapping[str, Any]]:
        """Return the content of every store row."""
        columns = ", ".join(column.name for column in contract(STORE_TABLE).content_columns)
        rows = self.warehouse.query(f"SELECT {columns} FROM {STORE_TABLE}").to_pylist()
        return {(row["player_lookup"], row["game_date"]): row for row in rows}

    def replace(self, table: str, date: dt.date, change: Callable[[pa.Table], pa.Table]) -> None:
        """Publish a partition with its rows changed, as a later delivery or a clumsy hand would."""
        rows = self.warehouse.query(f"SELECT * FROM {table} WHERE game_date = @date", {"date": date})
        ordered = rows.sort_by([(name, "ascending") for name in contract(table).keys])
        staged = self.warehouse.stage_rows(contract(table), change(ordered), "test")
        self.warehouse.publish([Publication(staged, (date,))])

    def build_everything(self) -> None:
        """Make every date of the tables of a date again, whatever the ledger says."""
        for table in dated_tables():
            build_table(self.warehouse, table, self.dates(table), self.run())


def with_values(rows: pa.Table, column: str, changes: Mapping[int, Any]) -> pa.Table:
    """Return the rows with some values of a column changed, by row number."""
    values = rows[column].to_pylist()
    for row, value in changes.items():
        values[row] = value
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, rows.schema.field(place), pa.array(values, rows.schema.field(place).type))


def without_row(rows: pa.Table, row: int) -> pa.Table:
    """Return the rows without one of them."""
    return rows.filter(pc.not_equal(pa.array(range(rows.num_rows)), row))


def regular(rows: pa.Table) -> int:
    """Return the number of the first row of somebody who played most of a game."""
    return next(row for row, minutes in enumerate(rows["minutes"].to_pylist()) if minutes and minutes > 20)


def differing(old: Mapping[Key, Any], new: Mapping[Key, Any]) -> set[Key]:
    """Return the keys of rows that differ, came or went."""
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


def unfinished(plan: Plan) -> dict[str, Sequence[dt.date]]:
    """Return the dates that are not current, by table."""
    found: dict[str, list[dt.date]] = {}
    for table, item in plan.unfinished():
        found.setdefault(table, []).append(item.date)
    return found
