"""Six ways a gate must block, planted against every suite, and an exception inside an expectation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.audits import audited
from orchestration.build import build_table
from orchestration.outcome import LEDGER, ledger_row
from orchestration.plan import dated_tables, summaries
from quality.events import gate_events
from quality.store_audit import audit_store
from quality.table_audit import Audited, audit_tables
from quality.table_suite import suite_tables
from quality.verdicts import GateReport
from schemas.arrow_types import arrow_schema
from schemas.contracts import contract, load_contracts
from schemas.rules import STORE_TABLE
from tests.orchestration.conftest import Season
from transformations.render import companions
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Publication, RecordWrite, Staged

EVERY = tuple(table for table in suite_tables() if table != STORE_TABLE and load_contracts()[table].partition is not None)
DAY = "game_date"


def a_day(season: Season, table: str) -> dt.date:
    """Return the last date that the table has rows of."""
    return max(season.warehouse.partitions(table))


def rows_of(season: Season, table: str, date: dt.date) -> pa.Table:
    key = contract(table).partition
    return season.warehouse.query(f"SELECT * FROM {table} WHERE {key} = @day", {"day": date}).cast(arrow_schema(contract(table)))


def staged_anew(season: Season, table: str, rows: pa.Table) -> Staged:
    return season.warehouse.stage_rows(contract(table), rows, "planted")


def plant_in_all(season: Season, change: Any) -> tuple[GateReport, list[str]]:
    """Audit, in one validation, the last date of every table with the change made to its rows; return the prefixes of the tables."""
    dates = sorted({a_day(season, table) for table in EVERY})
    items = [
        Audited(table, staged_anew(season, table, change(rows_of(season, table, a_day(season, table)), table)), prefix=f"{table}:")
        for table in EVERY
    ]
    return audit_tables(season.warehouse, items, dates), [item.prefix for item in items]


def reasons(report: GateReport) -> set[str]:
    return {finding.reason_code for verdict in report.verdicts.values() for finding in verdict.findings}


def test_the_rows_pass_without_a_fault(season: Season) -> None:
    for table in EVERY:
        report = audit_tables(season.warehouse, [Audited(table)], [a_day(season, table)])
        assert not report.blocked, reasons(report)
        assert report.expectations_evaluated == report.expectations_declared > 5


def test_FM42_FM55_an_empty_frame_blocks_every_suite(season: Season) -> None:
    report, prefixes = plant_in_all(season, lambda rows, table: rows.schema.empty_table())
    assert not report.passed
    for date in report.verdicts:
        assert {f"{prefix}no_rows" for prefix in prefixes} <= set(report.verdicts[date].reasons)


def test_FM55_a_required_column_that_is_all_null_blocks_every_suite(season: Season) -> None:
    planted: dict[str, str] = {}

    def change(rows: pa.Table, table: str) -> pa.Table:
        spec = contract(table)
        last = [column for column in spec.columns if column.required and column.name != spec.partition][-1]
        planted[table] = last.name
        return rows.set_column(rows.column_names.index(last.name), last.name, pa.nulls(rows.num_rows, rows.schema.field(last.name).type))

    report, _ = plant_in_all(season, change)
    found = reasons(report)
    assert {f"{table}:null:{column}" for table, column in planted.items()} <= found
    assert set(planted) == set(EVERY)


@pytest.mark.parametrize("table", EVERY)
def test_FM55_an_empty_suite_blocks(season: Season, table: str) -> None:
    report = audit_tables(season.warehouse, [Audited(table, suite=())], [a_day(season, table)])
    assert not report.passed and reasons(report) == {"gate_error"}


@pytest.mark.parametrize("table", EVERY)
def test_FM39_FM55_a_missing_column_blocks_and_is_named(season: Season, table: str) -> None:
    date, spec = a_day(season, table), contract(table)
    staged = staged_anew(season, table, rows_of(season, table, date))
    gone = next(column.name for column in spec.columns if column.name not in (*spec.keys, spec.partition))
    assert isinstance(season.warehouse, EmbeddedWarehouse)
    path = season.warehouse._path(staged)
    pq.write_table(pq.read_table(path).drop_columns([gone]), path)
    report = audit_tables(season.warehouse, [Audited(table, staged)], [date])
    assert not report.passed and reasons(report) == {f"missing_column:{gone}"}


@pytest.mark.parametrize(
    "table", [name for name in EVERY if load_contracts()[name].built_by == "sql" and not load_contracts()[name].made_with]
)
def test_FM09_FM10_a_failed_upstream_whose_old_rows_are_still_readable_blocks(season: Season, table: str) -> None:
    spec = contract(table)
    upstream = [name for name, window in spec.reads.items() if window == "same_day" and contract(name).built_by == "sql"]
    if not upstream:
        upstream = [name for name in spec.reads if contract(name).built_by == "ingest" and contract(name).partition]
        assert upstream, "a built table reads something"
        _plant_bad_raw_rows(season, table, upstream)
        return
    date, run = a_day(season, table), season.run()
    staged = staged_anew(season, table, rows_of(season, table, date))
    assert not audited(season.warehouse, spec, [staged], [date], {}, run).blocked
    blocked = ledger_row(contract(upstream[0]), date, "blocked", None, run, reasons="planted")
    season.warehouse.record([RecordWrite(LEDGER, [blocked])])
    assert audited(season.warehouse, spec, [staged], [date], {}, run).blocked == {date: (f"upstream_blocked:{upstream[0]}",)}


def _plant_bad_raw_rows(season: Season, table: str, raw: list[str]) -> None:
    """A table made of raw rows alone: bad ones block it, and their table and column are named."""
    values = {
        "nba_raw.player_boxscores": ("points", -1),
        "nba_raw.team_boxscores": ("points", -1),
        "nba_raw.odds_game_lines": ("total", -1.0),
    }
    source = next(name for name in values if name in raw)
    column, value = values[source]
    date = a_day(season, table)
    rows = rows_of(season, source, date)
    bad = pa.array([value, *rows[column].to_pylist()[1:]], rows.schema.field(column).type)
    spoiled = rows.set_column(rows.column_names.index(column), column, bad)
    season.warehouse.publish([Publication(staged_anew(season, source, spoiled), (date,))])
    built = build_table(season.warehouse, table, [date], season.run())
    assert f"{source}:range:{column}" in built.blocked[date]


@pytest.mark.parametrize("table", [*summaries(), *dated_tables()])
def test_FM09_FM11_yesterdays_upstream_makes_no_rows_for_today(season: Season, table: str) -> None:
    date = season.dates[-1]
    emptied = [name for name in contract(table).reads if contract(name).partition and date in season.warehouse.partitions(name, date, date)]
    assert emptied
    parts = [Publication(staged_anew(season, name, arrow_schema(contract(name)).empty_table()), (date,)) for name in emptied]
    season.warehouse.publish(parts)
    built = build_table(season.warehouse, table, [date], season.run())
    if contract(table).rows_from in emptied:
        # A summary of games whose boxes have not arrived: nothing to make, nothing published in its place.
        assert (built.rows, dict(built.blocked)) == (0, {})
        assert not season.warehouse.partitions(table, date, date)
        return
    assert "no_rows" in built.blocked[date]
    events = season.warehouse.query("SELECT * FROM nba_orchestration.data_quality_events WHERE reason_code = 'no_rows'").to_pylist()
    assert [(row["table_name"], row["game_date"], row["fate"], row["resolution_status"]) for row in events] == [
        (table, date, "blocked", "open")
    ]


@pytest.fixture
def broken_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from quality import gx_duckdb

    def fails(*_: Any) -> Any:
        raise ZeroDivisionError("inside an expectation")

    monkeypatch.setattr(gx_duckdb, "validate", fails)
    yield


@pytest.mark.usefixtures("broken_library")
@pytest.mark.parametrize("table", [*EVERY, STORE_TABLE])
def test_FM55_an_exception_inside_an_expectation_blocks(season: Season, table: str) -> None:
    date = a_day(season, table)
    if table == STORE_TABLE:
        report = audit_store(season.warehouse, staged_anew(season, table, rows_of(season, table, date)), [date])
    else:
        report = audit_tables(season.warehouse, [Audited(table)], [date])
    assert not report.passed and reasons(report) == {"gate_error"}
    (event,) = gate_events(report, "run", season.as_of, table)
    assert (event["severity"], event["fate"], event["reason_code"]) == ("P0", "blocked", "gate_error")


def test_FM55_the_library_saying_yes_against_the_figures_blocks(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quality.table_audit.evaluate", lambda audit, suite: {one.column: True for one in suite})
    table = "nba_precompute.player_composite_factors"
    rows = rows_of(season, table, a_day(season, table))
    bad = rows.set_column(rows.column_names.index("fatigue_score"), "fatigue_score", pa.array([-3.0] * rows.num_rows))
    report = audit_tables(season.warehouse, [Audited(table, staged_anew(season, table, bad))], [a_day(season, table)])
    assert reasons(report) == {"gate_error"}


def test_FM41_a_companion_that_lost_its_rows_blocks_the_store(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    date = season.dates[-1]
    parts = [staged_anew(season, STORE_TABLE, rows_of(season, STORE_TABLE, date))]
    for name in companions(STORE_TABLE):
        rows = rows_of(season, name, date)
        parts.append(staged_anew(season, name, pa.concat_tables([rows, rows.slice(0, 1)])))
    found = audited(season.warehouse, contract(STORE_TABLE), parts, [date], {}, season.run())
    assert {f"{name}:duplicate_key" for name in companions(STORE_TABLE)} <= set(found.blocked[date])
