"""Rows of any contract, the same ones for the same arguments, and the short way to publish them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from schemas.arrow_types import arrow_schema
from schemas.contracts import Column, contract
from warehouse.protocol import Partition, Publication, RecordWrite, Staged, Warehouse

BOXES = "nba_raw.team_boxscores"
LINES = "nba_raw.odds_game_lines"
PLAYERS = "nba_raw.players"
DAYS = tuple(dt.date(2025, 1, 1) + dt.timedelta(days=day) for day in range(4))
NOON = dt.datetime(2025, 1, 1, 12, tzinfo=dt.UTC)
COMPLETIONS = "nba_orchestration.phase_completions"


def value(column: Column, row: int) -> Any:
    """Return a value of the column's type that differs from row to row."""
    if column.is_array:
        element = Column(column.name, column.element_type, column.description, fields=column.fields)
        return [value(element, row + place) for place in range(2)]
    if column.fields:
        return {inner.name: value(inner, row) for inner in column.fields}
    return {
        "STRING": f"{column.name}{row:03d}",
        "INT64": 100 + row,
        "FLOAT64": row + 0.25,
        "BOOL": row % 2 == 0,
        "DATE": DAYS[0] + dt.timedelta(days=row),
        "TIMESTAMP": NOON + dt.timedelta(minutes=row, microseconds=row),
    }[column.type]


def rows_of(table: str, dates: Sequence[dt.date] = DAYS, per_date: int = 3, **changed: Any) -> pa.Table:
    """Return `per_date` rows for each date; `changed` gives one value for all rows of a column, or a list of them."""
    spec = contract(table)
    days = [date for date in dates for _ in range(per_date)] if spec.partition else [None] * per_date
    columns = {column.name: [value(column, row) for row in range(len(days))] for column in spec.columns}
    if spec.partition:
        columns[spec.partition] = days
    for name, given in changed.items():
        assert name in columns, name
        columns[name] = given if isinstance(given, list) else [given] * len(days)
    return pa.table(columns, schema=arrow_schema(spec))


def stage(warehouse: Warehouse, table: str, rows: pa.Table) -> Staged:
    """Stage rows."""
    return warehouse.stage_rows(contract(table), rows, "test")


def publish(warehouse: Warehouse, table: str, rows: pa.Table, records: Sequence[RecordWrite] = ()) -> Mapping[dt.date, Partition]:
    """Stage and publish all partitions of the rows."""
    staged = stage(warehouse, table, rows)
    return warehouse.publish([Publication(staged, tuple(staged.partitions))], records)[0].published


def read(warehouse: Warehouse, table: str) -> pa.Table:
    """Return all rows of a table in the order of all their columns."""
    rows = warehouse.query(f"SELECT * FROM {table}")
    flat = [field.name for field in rows.schema if not pa.types.is_nested(field.type)]
    return rows.sort_by([(name, "ascending") for name in flat])


def completion(job: str = BOXES, date: dt.date = DAYS[0], run: str = "r1", **changed: Any) -> dict[str, Any]:
    """Return a row of the completions."""
    row = {"phase": "phase2", "game_date": date, "job": job, "status": "success", "record_count": 3, "run_id": run, "completed_at": NOON}
    return {**row, **changed}
