"""Made-up rows of the store table, published with the ledger as a build would do it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.arrow_types import arrow_schema, arrow_type
from schemas.catalogue import load_catalogue
from schemas.clock import EASTERN, UTC
from schemas.contracts import Column, contract
from schemas.rules import STORE_TABLE
from serving.definitions import partition_definition
from warehouse.protocol import Publication, RecordWrite, Warehouse

LEDGER = "nba_orchestration.partition_ledger"
SUMMARY = "nba_analytics.player_game_summary"
WRITTEN = dt.datetime(2025, 2, 1, 12, tzinfo=UTC)
TIPOFF_HOURS = (19, 22)


def cutoff(date: dt.date, hour: int = 19) -> dt.datetime:
    """Return the instant one hour before a tip-off at that hour, US Eastern."""
    return dt.datetime.combine(date, dt.time(hour - 1), EASTERN).astimezone(UTC)


def player(index: int) -> str:
    """Return a player key."""
    return f"player{index:03d}"


def _filled(column: Column, rows: int) -> pa.Array:
    """Return legal values of a column nobody asks about."""
    kind = arrow_type(column)
    if not column.required:
        return pa.nulls(rows, kind)
    plain: dict[str, Any] = {
        "STRING": column.values[0] if column.values else "x",
        "INT64": 0,
        "FLOAT64": 50.0,
        "BOOL": True,
        "TIMESTAMP": WRITTEN,
    }
    value = {} if column.fields else [] if column.is_array else plain[column.type]
    return pa.array([value] * rows, kind)


def table_of(name: str, given: dict[str, Any], rows: int) -> pa.Table:
    """Return a table of the contract's columns: those given, legal values for the others."""
    spec = contract(name)
    unknown = set(given) - set(spec.column_names)
    assert not unknown, unknown
    columns = [pa.array(given[c.name], arrow_type(c)) if c.name in given else _filled(c, rows) for c in spec.columns]
    return pa.table(columns, schema=arrow_schema(spec))


def store_table(dates: Sequence[dt.date], players: int = 4, seed: int = 7, **changed: Any) -> pa.Table:
    """Return store rows: each player once per date, even ones early and odd ones late, values in range from a seed."""
    rng = np.random.default_rng(seed)
    keys = [(date, index) for date in dates for index in range(players)]
    rows = len(keys)
    given: dict[str, Any] = {
        "player_lookup": [player(index) for _, index in keys],
        "game_date": [date for date, _ in keys],
        "game_id": [f"00{date:%y%m%d}{index % 2:02d}" for date, index in keys],
        "team_abbr": ["AAA"] * rows,
        "opponent_team_abbr": ["BBB"] * rows,
        "season": ["2024-25"] * rows,
        "event_timestamp": [cutoff(date, TIPOFF_HOURS[index % 2]) for date, index in keys],
        "tipoff_time": [cutoff(date, TIPOFF_HOURS[index % 2]) + dt.timedelta(hours=1) for date, index in keys],
        "created_timestamp": [WRITTEN] * rows,
        "quality_alert_level": ["green"] * rows,
        "quality_tier": ["gold"] * rows,
        "feature_schema_version": [load_catalogue().schema_version] * rows,
        "failure_default_count": [0] * rows,
        "definition_version": ["v1"] * rows,
    }
    for feature in load_catalogue().features:
        given[feature.name] = np.round(rng.uniform(feature.min, feature.max, rows), 6)
    for name in load_catalogue().breakout_inputs:
        given[name] = np.round(rng.uniform(0, 1, rows), 6)
    return table_of(STORE_TABLE, {**given, **changed}, rows)


def summary_table(store: pa.Table, is_played: Sequence[bool] | None = None) -> pa.Table:
    """Return a box-score line for every store row: row number as points."""
    rows = store.num_rows
    played = list(is_played) if is_played is not None else [True] * rows
    given = {name: store.column(name).to_pylist() for name in ("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr")}
    points = [index if ok else None for index, ok in enumerate(played)]
    return table_of(SUMMARY, {**given, "is_played": played, "points": points}, rows)


def ledger_row(date: dt.date, state: str, rows: int, fingerprint: str | None, **changed: Any) -> dict[str, Any]:
    """Return a ledger row of the store table."""
    row = {
        "table_name": STORE_TABLE,
        "game_date": date,
        "state": state,
        "row_count": rows,
        "fingerprint": fingerprint,
        "definition_version": partition_definition(STORE_TABLE),
        "run_id": "test",
        "updated_at": WRITTEN,
    }
    return {**row, **changed}


def publish(warehouse: Warehouse, rows: pa.Table, name: str = STORE_TABLE, *, repeats_unseen: bool = False) -> None:
    """Publish the rows and write what the ledger says of them, in one step.

    `repeats_unseen` plants repeated keys past the warehouse's own check.
    """
    staged = warehouse.stage_rows(contract(name), rows, "test")
    if repeats_unseen:
        staged = replace(staged, repeated=frozenset())
    records = []
    if name == STORE_TABLE:
        entries = [ledger_row(key, "published", part.rows, part.fingerprint) for key, part in staged.partitions.items()]
        records = [RecordWrite(LEDGER, entries)]
    warehouse.publish([Publication(staged, tuple(staged.partitions))], records)


def block(warehouse: Warehouse, date: dt.date, reasons: str = "matchup_quality_critical") -> None:
    """Mark a date blocked, as a failed audit does; what was published before stays."""
    warehouse.record([RecordWrite(LEDGER, [ledger_row(date, "blocked", 0, None, reasons=reasons)])])
