"""The nightly run: walk the plan of a date, stop at the first thing that is not as it must be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.build import Built, build_table
from orchestration.dependencies import Dependency
from orchestration.gate_state import DEGRADED, gate
from orchestration.outcome import COMPLETIONS, LEDGER, completion_rows, ledger_row
from orchestration.plan import AwaitStage, BuildStage, SkipStage, Stage, plan_night
from orchestration.quality_events import record_dependencies
from orchestration.runs import Run
from schemas.arrow_types import arrow_schema
from schemas.clock import eastern_date
from schemas.contracts import contract
from schemas.errors import BlockedError
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
            (completion,) = completion_rows(spec, {date: 0}, {}, {}, run, run.now())
            completion["detail"] = f"taken out of use: {item.state}"
            ledger = ledger_row(spec, date, "missing", None, run, reasons=item.state)
            try:
                warehouse.publish([Publication(empty, (date,))], [RecordWrite(COMPLETIONS, [completion]), RecordWrite(LEDGER, [ledger])])
            finally:
                warehouse.discard(empty)


def _require(warehouse: Warehouse, stage: AwaitStage, run: Run) -> tuple[Dependency, ...]:
    found = gate(warehouse, stage.game_date, stage.allow_fallback, dict(stage.told))
    if found.absent:
        record_dependencies(warehouse, found, run)
    if not found.is_open:
        raise found.error()
    if found.state == DEGRADED:
        run.detail = "degraded: " + "; ".join(found.reasons)
    _retire(warehouse, found.absent, stage.game_date, run)
    return found.jobs


def run_night(
    warehouse: Warehouse,
    game_date: dt.date,
    run: Run,
    skip: Sequence[str] = (),
    allow_fallback: bool = False,
    progress: Progress | None = None,
    only: Sequence[str] = (),
    told: Mapping[str, int] | None = None,
) -> Night:
    """Build a date from raw rows to the published store.

    Raises:
        NoGamesError: no game is scheduled on the date.
        WaitingError: a Phase 4 job has not delivered and `allow_fallback` is off; the store is not touched.
        BlockedError: the gate of the jobs is shut for good; or the store's gate refused the rows, which are readable as blocked,
            and the last good partition stays.
    """
    stages = plan_night(warehouse, game_date, eastern_date(run.as_of), skip, allow_fallback, only, told)
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
