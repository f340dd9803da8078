"""A cascade from the question to the online store: what changed, what holds it, made again, replayed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backfill.cascade import CascadePlan, changed_dates, plan_cascade, run_cascade
from backfill.replay import Replay, plan_replay, run_replay
from orchestration.build import Built
from orchestration.plan import LOOK_BACK, summaries
from orchestration.runs import Run, recorded_run
from schemas.clock import eastern_date
from schemas.errors import NoGamesError
from schemas.settings import Settings
from warehouse.protocol import Warehouse

COMMAND = "cascade"
DRY_RUN = "dry-run"


@dataclass(frozen=True)
class CascadeOutcome:
    """The plan of a cascade and, unless it was only asked for, what was done."""

    run_id: str
    plan: CascadePlan | None
    built: tuple[Built, ...] = ()
    replay: Replay | None = None

    def lines(self) -> list[str]:
        """Return all of it in words."""
        if self.plan is None:
            return ["no raw data has changed since it was built"]
        lines = self.plan.lines()
        if self.replay is not None:
            lines.append(self.replay.line())
        if self.run_id != DRY_RUN:
            rows = sum(item.rows for item in self.built)
            lines.append(
                f"{rows} rows published, {sum(map(len, self.plan.vouched.values()))} partitions left as they are (run {self.run_id})"
            )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for programs."""
        plan = self.plan
        return {
            "run_id": self.run_id,
            "changes": [change.line() for change in plan.changes] if plan else [],
            "rows": [{"player_lookup": player, "game_date": date, "through": why} for (player, date), why in plan.touched.rows.items()]
            if plan
            else [],
            "dates": list(plan.store_dates) if plan else [],
            "stages": [stage.line() for stage in plan.stages] if plan else [],
            "replay": self.replay.line() if self.replay else None,
        }


def _require_dates(warehouse: Warehouse, dates: Sequence[dt.date]) -> None:
    """Refuse a date nothing can hold; one whose games were moved away since it was built is no such date."""
    if dates:
        first, last = min(dates), max(dates)
        known = set().union(*(warehouse.partitions(table, first, last) for table in ("nba_raw.schedule", *summaries())))
        if absent := sorted(set(dates) - known):
            raise NoGamesError("no games are scheduled on the dates", absent)


def cascade(
    warehouse: Warehouse,
    settings: Settings,
    dates: Sequence[dt.date],
    now: dt.datetime,
    as_of: dt.datetime,
    only_plan: bool = False,
    override_newer_build: bool = False,
    report: Callable[[str, int, int], None] | None = None,
) -> CascadeOutcome:
    """Make good what a change of the dates reaches; without dates, of those whose raw data has changed since it was built.

    Raises:
        NoGamesError: one of the dates named has no game and nothing was built on it.
        LeaseHeldError: a backfill works on the range.
        PartlyDoneError: a date was blocked or failed; what is published stays.
    """
    _require_dates(warehouse, dates)
    found = tuple(sorted(dates)) or changed_dates(warehouse, eastern_date(as_of))
    plan = plan_cascade(warehouse, found, Run(DRY_RUN, as_of, now, settings.cutoff_minutes), with_stale=not dates)
    if not plan.stages:
        return CascadeOutcome(DRY_RUN, None)
    if only_plan:
        return CascadeOutcome(DRY_RUN, plan, replay=plan_replay(warehouse, plan.store_dates))
    touched = [date for stage in plan.stages for date in stage.dates]
    first, last = min(touched), max(touched)
    request = {"dates": [str(date) for date in found], "rows": len(plan.touched.rows)}
    with (
        warehouse.lease("backfill", first - LOOK_BACK, last, f"{COMMAND} from {first}"),
        recorded_run(
            warehouse, COMMAND, request, as_of, settings.cutoff_minutes, first, last, override_newer_build=override_newer_build
        ) as run,
    ):
        built = run_cascade(warehouse, plan, run, report)
        replay = plan_replay(warehouse, plan.store_dates)
        if replay is not None:
            from serving.feature_store import open_feature_store

            run_replay(open_feature_store(settings, warehouse), replay)
        run.detail = f"{len(plan.touched.rows)} rows hold the change, {len(plan.store_dates)} dates made again"
    return CascadeOutcome(run.run_id, plan, built, replay)
