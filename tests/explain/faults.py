"""Faults of operations to plant: in the raw rows, in the night itself, or after it; and what must be said of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import pytest

from orchestration.build import build_table
from orchestration.runs import Run, new_run_id
from schemas.arrow_types import arrow_schema
from schemas.clock import utc_now
from schemas.contracts import TableContract, contract
from schemas.errors import WarehouseError
from schemas.rules import STORE_TABLE
from tests.explain.conftest import Site
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Publication, RecordWrite, Staged

FACTORS, CACHE = "nba_precompute.player_composite_factors", "nba_precompute.player_daily_cache"
ZONES, DEFENSE = "nba_precompute.player_shot_zone_analysis", "nba_precompute.team_defense_zone_analysis"
BOXES, LINES, REPORTS = "nba_raw.player_boxscores", "nba_raw.odds_player_points", "nba_raw.injury_reports"
COMPLETIONS, RUNS = "nba_orchestration.phase_completions", "nba_orchestration.pipeline_runs"
Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """One thing gone wrong: `raw` before the night, `words` and `patch` during it, `after` when it is over.

    `cause` is what the explanation must name, `event` a severity and the beginning of a reason on record once the night and its
    watch are over. `runs` says whether the night is run at all.
    """

    name: str
    cause: tuple[str, str]
    event: tuple[str, str]
    words: tuple[str, ...] = ()
    raw: Callable[[Site], None] | None = None
    patch: Patch | None = None
    after: Callable[[Site], None] | None = None
    runs: bool = True
    said: str = ""

    def __str__(self) -> str:
        return self.name


def empty(table: str, dates: Callable[[Site], tuple[dt.date, ...]]) -> Callable[[Site], None]:
    """Let the rows of a raw table never have arrived on these dates."""

    def plant(site: Site) -> None:
        warehouse = site.warehouse()
        spec = contract(table)
        staged = warehouse.stage_rows(spec, arrow_schema(spec).empty_table(), "planted")
        warehouse.publish([Publication(staged, tuple(date for date in warehouse.partitions(table) if date in dates(site)))])
        warehouse.close()

    return plant


def unfinished(site: Site) -> None:
    """Take one game of yesterday's box scores away, as a feed that was cut off leaves them."""
    warehouse = site.warehouse()
    for table in (BOXES, "nba_raw.team_boxscores"):
        rows = warehouse.query(f"SELECT * FROM {table} WHERE game_date = @date", {"date": two_games(site)})
        first = sorted(set(rows["game_id"].to_pylist()))[0]
        staged = warehouse.stage_rows(contract(table), rows.filter(pc.not_equal(rows["game_id"], first)), "planted")
        warehouse.publish([Publication(staged, (two_games(site),))])
    warehouse.close()


def two_games(site: Site) -> dt.date:
    """Return the last date before tonight on which more than one game was played."""
    found = site.rows(f"SELECT game_date, COUNT(DISTINCT game_id) AS n FROM {BOXES} GROUP BY game_date")
    return max(row["game_date"] for row in found if row["n"] > 1)


def spoiled(table: str, **columns: str) -> Patch:
    """Let the statement of a table yield these expressions in its columns."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        stage_query = EmbeddedWarehouse.stage_query

        def spoiling(self: EmbeddedWarehouse, spec: TableContract, sql: str, *given: Any, **named: Any) -> Staged:
            if spec.name == table:
                texts = [f"{columns[name]} AS {name}" if name in columns else name for name in spec.column_names]
                sql = f"SELECT {', '.join(texts)} FROM (\n{sql}\n) AS made"
            return stage_query(self, spec, sql, *given, **named)

        monkeypatch.setattr(EmbeddedWarehouse, "stage_query", spoiling)

    return patch


def failing(table: str, text: str) -> Patch:
    """Let the statement of a table fail."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        stage_query = EmbeddedWarehouse.stage_query

        def failed(self: EmbeddedWarehouse, spec: TableContract, *given: Any, **named: Any) -> Staged:
            if spec.name == table:
                raise WarehouseError(text)
            return stage_query(self, spec, *given, **named)

        monkeypatch.setattr(EmbeddedWarehouse, "stage_query", failed)

    return patch


def broken_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gate of the store fail by itself."""

    def fails(*given: Any, **named: Any) -> Any:
        raise RuntimeError("the gate lost its footing")

    monkeypatch.setattr("quality.gate.evaluate", fails)


def dead_run(site: Site) -> None:
    """Leave a run on record as running whose process is gone."""
    warehouse = site.warehouse()
    at = utc_now()
    row = {
        "run_id": new_run_id(at),
        "command": f'{{"command": "run", "date": "{site.tonight}"}}',
        "started_at": at,
        "state": "running",
        "holder": warehouse.this_process().rsplit(":", 2)[0] + ":999999:1",
        "code_version": "0",
        "definition_version": "0",
        "start_date": site.tonight,
        "end_date": site.tonight,
        "as_of": site.now,
        "rows_written": 0,
    }
    warehouse.record([RecordWrite(RUNS, [row])])
    warehouse.close()


def late_inputs(site: Site) -> None:
    """Bring the forgotten job in, and then its inputs a second time: it is older than what it is made from."""
    warehouse = site.warehouse()
    now = utc_now()
    run = Run(new_run_id(now), site.now, now, 60)
    build_table(warehouse, FACTORS, [site.tonight], run)
    (found,) = warehouse.query(
        f"SELECT * FROM {COMPLETIONS} WHERE job = @job AND game_date = @date", {"job": ZONES, "date": site.tonight}
    ).to_pylist()
    warehouse.record([RecordWrite(COMPLETIONS, [{**found, "run_id": new_run_id(utc_now()), "completed_at": utc_now()}])])
    warehouse.close()


def altered(site: Site) -> None:
    """Change published rows of the store behind everybody's back."""
    warehouse = site.warehouse()
    rows = warehouse.query(f"SELECT * FROM {STORE_TABLE} WHERE game_date = @date", {"date": site.tonight})
    staged = warehouse.stage_rows(contract(STORE_TABLE), rows.slice(1), "planted")
    warehouse.publish([Publication(staged, (site.tonight,))])
    warehouse.close()


def yesterday(site: Site) -> tuple[dt.date, ...]:
    return (site.yesterday,)


def tonight(site: Site) -> tuple[dt.date, ...]:
    return (site.tonight,)


def weeks(site: Site) -> tuple[dt.date, ...]:
    return tuple(site.tonight - dt.timedelta(days=n) for n in range(-1, 45))


FM08_FORGOTTEN = Fault("FM08 job forgotten", ("job_left_out", FACTORS), ("P1", "never_ran"), ("--skip", "player_composite_factors"))
FM08_FALLBACK = Fault(
    "FM08 built without it", ("job_left_out", FACTORS), ("P1", "red_share"), ("--skip", "player_composite_factors", "--allow-fallback")
)
FM08_CACHE = Fault("FM08 cache forgotten", ("job_left_out", CACHE), ("P1", "never_ran"), ("--skip", "player_daily_cache"))
FM09_LATE = Fault(
    "FM09 inputs came late",
    ("older_than_its_inputs", FACTORS),
    ("P1", "never_ran"),
    ("--skip", "player_composite_factors"),
    after=late_inputs,
)
FM10_FAILED = Fault(
    "FM10 job failed", ("job_failed", CACHE), ("P0", "not_served"), patch=failing(CACHE, "the disk was away"), said="the disk was away"
)
FM10_DEFENSE = Fault(
    "FM10 defence failed",
    ("job_failed", DEFENSE),
    ("P0", "not_served"),
    patch=failing(DEFENSE, "no answer in time"),
    said="no answer in time",
)
FM19_LINES = Fault(
    "FM19 no lines tonight", ("raw_rows_missing", LINES), ("P2", "coverage_drift:vegas_points_line"), raw=empty(LINES, tonight)
)
FM55_GATE = Fault("FM55 gate broken", ("gate:gate_error", STORE_TABLE), ("P0", "gate_error"), patch=broken_gate, said="lost its footing")
FM56_GAME = Fault("FM56 unfinished game", ("raw_games_missing", BOXES), ("P3", "games_missing:player_boxscores"), raw=unfinished)
FM57_VALUES = Fault("FM57 invalid inside", ("job_blocked", FACTORS), ("P1", ""), patch=spoiled(FACTORS, fatigue_score="500.0"))
FM60_DEAD = Fault("FM60 run died", ("run_stopped", STORE_TABLE), ("P0", "not_served"), after=dead_run, runs=False, said="without a word")
FM63_BOXES = Fault(
    "FM63 boxes never loaded", ("raw_rows_missing", BOXES), ("P1", "freshness:player_boxscores"), raw=empty(BOXES, yesterday)
)
SILENT_REPORTS = Fault("reports silent", ("feed_silent", REPORTS), ("P2", "coverage_drift:injury_risk"), raw=empty(REPORTS, weeks))
FM45_ALTERED = Fault("FM45 rows altered", ("rows_altered", STORE_TABLE), ("P1", "rows_altered:ml_feature_store_v2"), after=altered)
NEVER_RAN = Fault("never ran", ("never_ran", "nba_analytics.upcoming_team_game_context"), ("P0", "not_served"), runs=False)
FAULTS = (
    *(FM08_FORGOTTEN, FM09_LATE, FM10_FAILED, FM55_GATE, FM60_DEAD, FM63_BOXES, FM45_ALTERED, FM56_GAME),
    *(FM08_FALLBACK, FM08_CACHE, FM10_DEFENSE, FM19_LINES, FM57_VALUES, SILENT_REPORTS, NEVER_RAN),
)
PAIRS = (
    (FM08_FORGOTTEN, FM19_LINES),
    (FM08_FORGOTTEN, FM63_BOXES),
    (FM08_FALLBACK, FM56_GAME),
    (FM08_FALLBACK, SILENT_REPORTS),
    (FM10_FAILED, FM63_BOXES),
    (FM10_DEFENSE, FM19_LINES),
    (FM55_GATE, FM19_LINES),
    (FM57_VALUES, FM63_BOXES),
    (FM45_ALTERED, FM19_LINES),
    (FM08_CACHE, FM10_DEFENSE),
)


@contextmanager
def planted(site: Site, faults: tuple[Fault, ...]) -> Iterator[None]:
    """Plant the faults and live through the night."""
    for fault in faults:
        if fault.raw:
            fault.raw(site)
    with ExitStack() as stack:
        for fault in faults:
            if fault.patch:
                fault.patch(stack.enter_context(pytest.MonkeyPatch.context()))
        if all(fault.runs for fault in faults):
            words = tuple(word for fault in faults for word in fault.words)
            site.run(*words)
    for fault in faults:
        if fault.after:
            fault.after(site)
    yield
