"""What a backfill was asked, frozen in its run record, so that resuming on another day gives the same plan."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestration.runs import RUNS, close_dead_runs
from schemas.code_version import code_version
from schemas.errors import StaleDefinitionError
from transformations.render import definition_version
from warehouse.protocol import Warehouse

COMMAND = "backfill"
INTERRUPTED = ("died", "failed")
ROWS_PER_STAGE = 60_000
"""Rows of one statement: a season of a player table fits, and stays well below the memory limit."""


@dataclass(frozen=True)
class Request:
    """The range or dates asked for and how to go about it, exactly as typed."""

    start: dt.date | None = None
    end: dt.date | None = None
    season: str | None = None
    dates: tuple[dt.date, ...] = ()
    gaps: bool = False
    date_by_date: bool = False
    rows_per_stage: int = ROWS_PER_STAGE

    def as_dict(self) -> dict[str, Any]:
        """Return the request as it is kept in the run record."""
        return {
            "start": str(self.start) if self.start else None,
            "end": str(self.end) if self.end else None,
            "season": self.season,
            "dates": [str(date) for date in self.dates],
            "gaps": self.gaps,
            "date_by_date": self.date_by_date,
            "rows_per_stage": self.rows_per_stage,
        }


@dataclass(frozen=True)
class Frozen:
    """A request with all that time would change: the as-of instant, the cutoff policy and the number of dates."""

    request: Request
    as_of: dt.datetime
    cutoff_minutes: int
    dates_expected: int | None = None
    resumed: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return what the run record keeps besides code, definition and as-of instant, which have columns of their own."""
        return {
            "asked": self.request.as_dict(),
            "cutoff_minutes": self.cutoff_minutes,
            "dates_expected": self.dates_expected,
            "resumed": self.resumed,
        }

    def counted(self, dates: int) -> Frozen:
        """Return it with the number of dates the schedule gave."""
        return replace(self, dates_expected=dates)


def _asked(row: Mapping[str, Any]) -> Any:
    command = json.loads(row["command"])
    return command if command.get("command") == COMMAND else None


def interrupted_run(warehouse: Warehouse, request: Request, now: dt.datetime) -> Mapping[str, Any] | None:
    """Return the record of the latest backfill with this very request if it was interrupted, else None."""
    close_dead_runs(warehouse, now)
    rows = warehouse.query(f"SELECT * FROM {RUNS} ORDER BY started_at DESC, run_id DESC").to_pylist()
    latest = next((row for row in rows if (command := _asked(row)) and command.get("asked") == request.as_dict()), None)
    return latest if latest is not None and latest["state"] in INTERRUPTED else None


def freeze(
    warehouse: Warehouse, request: Request, now: dt.datetime, as_of: dt.datetime | None, cutoff_minutes: int, resume: bool = True
) -> Frozen:
    """Return the request with its instant: that of the interrupted run it goes on with, else the one given, else now.

    Raises:
        StaleDefinitionError: the interrupted run was begun with other code or definitions; `--no-resume` starts anew.
    """
    fresh = Frozen(request, as_of or now, cutoff_minutes)
    before = interrupted_run(warehouse, request, now) if resume else None
    if before is None or (as_of is not None and as_of != before["as_of"]):
        return fresh
    versions = {"code": (before["code_version"], code_version()), "definitions": (before["definition_version"], definition_version())}
    changed = [f"{name} {old}, now {new}" for name, (old, new) in versions.items() if old != new]
    if changed:
        raise StaleDefinitionError(
            f"the backfill {before['run_id']} was interrupted under another version",
            changed,
            "--no-resume starts a new one with the present code",
        )
    command = json.loads(before["command"])
    return Frozen(request, before["as_of"], command["cutoff_minutes"], command["dates_expected"], before["run_id"])
