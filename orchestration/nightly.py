"""The nightly run: walk the plan of a date, stop at the first thing that is not as it must be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.build import Built, build_table
from orchestration.dependencies import Dependency, check
from orchestration.outcome import COMPLETIONS, LEDGER, completion_rows, ledger_row
from orchestration.plan import AwaitStage, BuildStage, SkipStage, Stage, plan_night
from orchestration.quality_events import record_waiting
from orchestration.runs import Run
from schemas.arrow_types import arrow_schema
from schemas.clock import eastern_date
from schemas.contracts import contract
from schemas.errors import BlockedError, WaitingError
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Publication, RecordWrite, Warehouse

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Night:
    """What a run of one date did."""

    game_date: dt.date
    built: tuple[Built, ...]
    dependencies: tuple[Dependency, ...]

    @property
    def store(self) -> Built | None:
        """The build of the store, when it came to that."""
        return next((item for item in self.built if item.table == STORE_TABLE), None)


def _retire(warehouse: Warehouse, jobs: Sequence[Dependency], date: dt.date, run: Run) -> None:
    """Take rows out of use that the gate did not accept, so that no stale row poses as a fresh one."""
    for item in jobs:
        spec = contract(item.job)
        with warehouse.lease(item.job, date, date, f"run {run.run_id}"):
            if not warehouse.partitions(item.job, date, date):
                continue
            empty = warehouse.stage_rows(spec, arrow_schema(spec).empty_table(), run.run_id)
            completion = completion_rows(spec, {date: 0}, {}, {date: (item.state,)}, run, run.now())
            ledger = ledger_row(spec, date, "missing", None, run, reasons=item.state)
            warehouse.publish([Publication(empty, (date,))], [RecordWrite(COMPLETIONS, completion), RecordWrite(LEDGER, [ledger])])


def _require(warehouse: Warehouse, stage: AwaitStage, run: Run) -> tuple[Dependency, ...]:
    found = check(warehouse, stage.game_date)
    absent = [item for item in found if not item.is_ready]
    if absent and not stage.allow_fallback:
        record_waiting(warehouse, stage.game_date, absent, run)
        raise WaitingError(
            f"the store waits for {len(absent)} of {len(found)} jobs on {stage.game_date}",
            [item.line() for item in absent],
            f"run: nba-features run --date {stage.game_date}, or build without with --allow-fallback",
        )
    _retire(warehouse, absent, stage.game_date, run)
    return found


def run_night(
    warehouse: Warehouse,
    game_date: dt.date,
    run: Run,
    skip: Sequence[str] = (),
    allow_fallback: bool = False,
    progress: Progress | None = None,
) -> Night:
    """Build a date from raw rows to the published store.

    Raises:
        NoGamesError: no game is scheduled on the date.
        WaitingError: a Phase 4 job has not delivered and `allow_fallback` is off; the store is not touched.
        BlockedError: the gate refused the rows; they are readable as blocked, the last good partition stays.
    """
    stages = plan_night(warehouse, game_date, eastern_date(run.as_of), skip, allow_fallback)
    return walk(warehouse, stages, game_date, run, progress)


def walk(warehouse: Warehouse, stages: Sequence[Stage], game_date: dt.date, run: Run, progress: Progress | None = None) -> Night:
    """Walk exactly these stages; where fallbacks are allowed, a blocked Phase 4 job counts as a missing one."""
    may_go_without = any(isinstance(stage, AwaitStage) and stage.allow_fallback for stage in stages)
    may_be_missing = load_rules().phase4_jobs if may_go_without else ()
    built: list[Built] = []
    dependencies: tuple[Dependency, ...] = ()
    for done, stage in enumerate(stages):
        if progress:
            progress(stage.line(), done, len(stages))
        if isinstance(stage, BuildStage):
            item = build_table(warehouse, stage.table, stage.dates, run)
            built.append(item)
            if item.table not in may_be_missing:
                _stop_if_blocked(item)
        elif isinstance(stage, AwaitStage):
            dependencies = _require(warehouse, stage, run)
        else:
            assert isinstance(stage, SkipStage)
    return Night(game_date, tuple(built), dependencies)


def _stop_if_blocked(item: Built) -> None:
    if not item.blocked:
        return
    date, reasons = next(iter(item.blocked.items()))
    hint = (
        f"the rows are readable in {STORE_TABLE}_blocked; nothing new is served"
        if item.table == STORE_TABLE
        else "the last good partition stays; later tables were not built"
    )
    raise BlockedError(
        f"{item.table} is blocked on {date}" if len(item.blocked) == 1 else f"{item.table} is blocked on {len(item.blocked)} dates",
        reasons,
        hint,
    )
