"""The ways a gate must block, each planted in the job of each table and met by the command: exit status, event, nothing published."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from orchestration.outcome import LEDGER, ledger_row
from orchestration.plan import dated_tables
from quality import gx_duckdb, table_audit
from quality.gate import StoreGate
from schemas.arrow_types import arrow_schema
from schemas.clock import EASTERN
from schemas.contracts import TableContract, contract
from schemas.rules import STORE_TABLE
from tests.orchestration.conftest import Season
from transformations.render import companions, statement
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Partition, Publication, RecordWrite, Staged

SCHEDULE, SLATE = "nba_raw.schedule", "nba_analytics.upcoming_team_game_context"
EVENTS = "nba_orchestration.data_quality_events"
WITH_BUILT_UPSTREAM = tuple(
    table
    for table in dated_tables()
    if any(window == "same_day" and contract(name).built_by == "sql" for name, window in contract(table).reads.items())
)
Change = Callable[[pa.Table], pa.Table]
Nba = Callable[..., Result]


@pytest.fixture
def nba(season: Season, monkeypatch: pytest.MonkeyPatch) -> Nba:
    """Return a function that makes one table of the last played date again, as of that afternoon."""
    monkeypatch.setenv("NBA_FEATURES_HOME", str(season.settings.home))
    date = season.dates[-1]
    as_of = dt.datetime.combine(date, dt.time(17), EASTERN).isoformat()
    return lambda table: CliRunner().invoke(main, ["run", "--date", str(date), "--as-of", as_of, "--only", table.split(".")[1]])


@pytest.fixture
def staged_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Change], None]:
    """Return a function that changes what the job of a table has staged."""

    def plant(table: str, change: Change) -> None:
        stage_query = EmbeddedWarehouse.stage_query

        def spoiled(self: EmbeddedWarehouse, spec: TableContract, *given: Any, **named: Any) -> Staged:
            staged = stage_query(self, spec, *given, **named)
            if spec.name != table:
                return staged
            path = self._path(staged)
            rows = change(pq.read_table(path))
            pq.write_table(rows, path)
            partitions = {key: dataclasses.replace(part, rows=rows.num_rows) for key, part in staged.partitions.items() if rows.num_rows}
            return dataclasses.replace(staged, partitions=partitions)

        monkeypatch.setattr(EmbeddedWarehouse, "stage_query", spoiled)

    return plant


def published(season: Season, table: str) -> dict[dt.date, Partition]:
    return dict(season.warehouse.partitions(table, season.dates[-1], season.dates[-1]))


def blocks(season: Season, nba: Nba, table: str, reason: str) -> None:
    """The command ends with 3, says why, leaves an open event with the reason, and what was published stays as it was."""
    before = published(season, table)
    result = nba(table)
    assert result.exit_code == 3, result.output
    assert reason in result.output
    assert len(result.stderr.strip().splitlines()[-1:]) == 1 and "Traceback" not in result.output
    sql = f"SELECT * FROM {EVENTS} WHERE table_name = @table AND reason_code = @reason AND fate = 'blocked'"
    (event,) = season.warehouse.query(sql, {"table": table, "reason": reason}).to_pylist()
    assert (event["game_date"], event["resolution_status"]) == (season.dates[-1], "open")
    assert event["severity"] in ("P0", "P1")
    assert published(season, table) == before
    (state,) = season.warehouse.query(
        f"SELECT state FROM {LEDGER} WHERE table_name = @table AND game_date = @day", {"table": table, "day": season.dates[-1]}
    ).to_pylist()
    assert state == {"state": "blocked"}


@pytest.mark.parametrize("table", dated_tables())
def test_without_a_fault_the_command_publishes(season: Season, nba: Nba, table: str) -> None:
    result = nba(table)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("table", dated_tables())
def test_FM42_FM55_an_empty_frame(season: Season, nba: Nba, staged_as: Callable[[str, Change], None], table: str) -> None:
    staged_as(table, lambda rows: rows.slice(0, 0))
    blocks(season, nba, table, "no_rows")


@pytest.mark.parametrize("table", dated_tables())
def test_FM55_a_required_column_that_is_all_null(season: Season, nba: Nba, staged_as: Callable[[str, Change], None], table: str) -> None:
    spec = contract(table)
    name = [column.name for column in spec.columns if column.required and column.name != spec.partition][-1]
    staged_as(
        table, lambda rows: rows.set_column(rows.column_names.index(name), name, pa.nulls(rows.num_rows, rows.schema.field(name).type))
    )
    blocks(season, nba, table, f"null:{name}")


@pytest.mark.parametrize("table", dated_tables())
def test_FM55_an_empty_suite(season: Season, nba: Nba, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    suite, gate = table_audit.table_suite, StoreGate.default()
    monkeypatch.setattr(table_audit, "table_suite", lambda name: () if name == table else suite(name))
    monkeypatch.setattr(StoreGate, "default", classmethod(lambda cls: dataclasses.replace(gate, rows=(), dates=())))
    blocks(season, nba, table, "gate_error")


@pytest.mark.parametrize("table", dated_tables())
def test_FM39_FM55_a_missing_column(season: Season, nba: Nba, staged_as: Callable[[str, Change], None], table: str) -> None:
    spec = contract(table)
    # A column that the tables published beside it need is missed by their statements before any gate.
    needed = " ".join(statement(name) for name in companions(table))
    gone = next(column.name for column in spec.columns if column.name not in (*spec.keys, spec.partition) and column.name not in needed)
    staged_as(table, lambda rows: rows.drop_columns([gone]))
    blocks(season, nba, table, f"missing_column:{gone}")


@pytest.mark.parametrize("table", WITH_BUILT_UPSTREAM)
def test_FM09_FM10_a_failed_upstream_whose_old_rows_are_still_readable(season: Season, nba: Nba, table: str) -> None:
    upstream = next(name for name, window in contract(table).reads.items() if window == "same_day" and contract(name).built_by == "sql")
    row = ledger_row(contract(upstream), season.dates[-1], "blocked", None, season.run(), reasons="planted")
    season.warehouse.record([RecordWrite(LEDGER, [row])])
    blocks(season, nba, table, f"upstream_blocked:{upstream}")


@pytest.mark.parametrize("table", [table for table in dated_tables() if table != SLATE])
def test_FM09_FM11_an_upstream_of_yesterday(season: Season, nba: Nba, table: str) -> None:
    """What the table reads ends the day before. Only the schedule is there: without it there is no night, and the slate is all it needs."""
    date = season.dates[-1]
    emptied = [name for name in contract(table).reads if name != SCHEDULE and date in season.warehouse.partitions(name, date, date)]
    parts = []
    for name in emptied:
        rows = arrow_schema(contract(name)).empty_table()
        parts.append(Publication(season.warehouse.stage_rows(contract(name), rows, "planted"), (date,)))
    season.warehouse.publish(parts)
    before = published(season, table)
    result = nba(table)
    # Without the four jobs the store is not even made: the gate before it waits.
    assert result.exit_code == (4 if table == STORE_TABLE else 3), result.output
    assert published(season, table) == before
    sql = f"SELECT reason_code, resolution_status FROM {EVENTS} WHERE game_date = @day AND fate = 'blocked'"
    events = season.warehouse.query(sql, {"day": date}).to_pylist()
    assert events and {event["resolution_status"] for event in events} == {"open"}


@pytest.mark.parametrize("table", dated_tables())
def test_FM55_an_exception_inside_an_expectation(season: Season, nba: Nba, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError("inside an expectation")

    monkeypatch.setattr(gx_duckdb, "validate", fails)
    blocks(season, nba, table, "gate_error")
