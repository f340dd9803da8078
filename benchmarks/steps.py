"""The measured steps. Each gets settings over a home of its own and returns its reading; imports come before the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from benchmarks.backfilling import (  # noqa: F401 - steps are found here by name
    backfill_date_by_date,
    backfill_everything,
    backfill_nothing,
    cascade_from_a_date,
    detect,
    detect_limit,
)
from benchmarks.data import LONG_AFTER, season_dates, source
from benchmarks.meter import Reading, import_everything, measured
from benchmarks.night_watch import explain, report, status  # noqa: F401 - steps are found here by name
from benchmarks.training import training_limit, training_rows  # noqa: F401 - steps are found here by name
from orchestration.build import build_table
from orchestration.nightly import run_night
from orchestration.plan import dated_tables, summaries
from orchestration.runs import Run, new_run_id, recorded_run
from schemas.clock import EASTERN, UTC, utc_now
from schemas.contracts import contract
from schemas.settings import Settings
from transformations.ingest.load import load
from transformations.render import companions, dates_statement, statement
from warehouse import open_warehouse
from warehouse.protocol import Publication, Warehouse


def _stages(warehouse: Warehouse) -> Iterator[tuple[str, list[dt.date]]]:
    """Yield what a backfill of everything builds: summaries of all seasons first, then the dates' own tables, season by season."""
    dates = season_dates(warehouse)
    yield from ((table, days) for days in dates.values() for table in summaries())
    yield from ((table, days) for days in dates.values() for table in dated_tables())


def ingest(settings: Settings) -> Reading:
    """Read all sources, check every row, publish nba_raw in an empty home."""
    import_everything()
    warehouse = open_warehouse(settings)
    with measured() as reading, recorded_run(warehouse, "ingest", {}, utc_now(), settings.cutoff_minutes) as run:
        report = load(warehouse, source(settings).deliver(), run.run_id, run.started_at)
    reading.facts = {"rows read": report.rows_in, "rows in nba_raw": sum(item.rows for item in report.tables)}
    return reading


def ingest_limit(settings: Settings) -> Reading:
    """Read the same source files and write them again as they are: what reading and writing alone cost."""
    import duckdb

    files = sorted(settings.data_dir.rglob("*.parquet")) if settings.data_dir else []
    target = settings.home / "copy.parquet"
    connection = duckdb.connect(config={"threads": str(settings.threads), "memory_limit": settings.memory_limit})
    with measured() as reading:
        for file in files:
            connection.execute(f"COPY (SELECT * FROM '{file}') TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    target.unlink(missing_ok=True)
    reading.facts = {"files": len(files)}
    return reading


def build(settings: Settings) -> Reading:
    """Make and publish every derived table of all seasons, without a gate."""
    import_everything()
    warehouse = open_warehouse(settings)
    run = Run(new_run_id(utc_now()), LONG_AFTER, utc_now(), settings.cutoff_minutes)
    rows = 0
    with measured() as reading:
        for table, dates in _stages(warehouse):
            params = {**run.params(dates[0], dates[-1]), "dates": dates}
            staged = warehouse.stage_query(contract(table), dates_statement(table), params, run.run_id)
            share = {"computation_duration_ms": 0.0}
            parts = [warehouse.stage_query(contract(n), statement(n), {**params, **share}, run.run_id, [staged]) for n in companions(table)]
            warehouse.publish([Publication(part, tuple(dates)) for part in (staged, *parts)])
            rows += staged.rows + sum(part.rows for part in parts)
    reading.facts = {"rows written": rows}
    return reading


def build_gated(settings: Settings) -> Reading:
    """The same through the gate: audits, events, ledger and completions included."""
    import_everything()
    warehouse = open_warehouse(settings)
    blocked: dict[dt.date, tuple[str, ...]] = {}
    with measured() as reading, recorded_run(warehouse, "backfill", {}, LONG_AFTER, settings.cutoff_minutes) as run:
        for table, dates in _stages(warehouse):
            blocked |= build_table(warehouse, table, dates, run).blocked
    reading.facts = {"rows published": run.rows_written, "dates blocked": len(blocked)}
    return reading


def build_limit(settings: Settings) -> Reading:
    """Read each built table and write the same columns again, sorted alike, in one plain statement per table and season."""
    import duckdb

    from warehouse.embedded import EmbeddedWarehouse

    warehouse = open_warehouse(settings)
    assert isinstance(warehouse, EmbeddedWarehouse)
    stages = list(_stages(warehouse))
    cursor: duckdb.DuckDBPyConnection = warehouse.duckdb_cursor([name for table, _ in stages for name in (table, *companions(table))])
    target: Path = settings.home / "copy.parquet"
    with measured() as reading:
        for table, dates in stages:
            for name in (table, *companions(table)):
                order = ", ".join(contract(name).keys)
                rows = f"SELECT * FROM {name} WHERE game_date BETWEEN DATE '{dates[0]}' AND DATE '{dates[-1]}' ORDER BY game_date, {order}"
                cursor.execute(f"COPY ({rows}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    target.unlink(missing_ok=True)
    reading.facts = {"statements": sum(1 + len(companions(table)) for table, _ in stages)}
    return reading


def one_date(settings: Settings) -> Reading:
    """Run one upcoming date from raw rows through the gate to the published store, the second time in a process."""
    import_everything()
    warehouse = open_warehouse(settings)
    days = list(season_dates(warehouse).values())[-1]
    date = days[len(days) // 2]
    as_of = dt.datetime.combine(date, dt.time(15), EASTERN).astimezone(UTC)

    def night() -> int:
        with recorded_run(warehouse, "run", {"date": date}, as_of, settings.cutoff_minutes, date, date) as run:
            store = run_night(warehouse, date, run).store
        return store.rows if store else 0

    night()
    with measured() as reading:
        rows = night()
    reading.facts = {"date": str(date), "players": rows}
    return reading
