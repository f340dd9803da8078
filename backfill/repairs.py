"""What the doctor can do: each repair is a small step that can be shown before it is taken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from backfill.plan import RetireStage, spans
from backfill.progress import STAGES
from backfill.replay import Replay, run_replay
from backfill.request import Request
from backfill.runner import retire, run_backfill
from orchestration.runs import Run, close_dead_runs
from schemas.errors import PartlyDoneError
from schemas.settings import Settings
from warehouse.protocol import RecordWrite, Warehouse

HISTORY = "nba_orchestration.materialization_history"


@dataclass(frozen=True)
class Clinic:
    """What a repair works with."""

    warehouse: Warehouse
    settings: Settings
    run: Run
    now: dt.datetime


@dataclass(frozen=True)
class CloseRuns:
    """Close the records of runs whose process is gone."""

    def line(self) -> str:
        """Return the repair as one line."""
        return "mark them as died"

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        close_dead_runs(clinic.warehouse, clinic.now)


@dataclass(frozen=True)
class CloseStages:
    """Close the records of stages whose run has ended."""

    stages: tuple[tuple[str, int], ...]

    def line(self) -> str:
        """Return the repair as one line."""
        return "mark them as failed"

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        rows = clinic.warehouse.query(f"SELECT * FROM {STAGES} WHERE state = 'running'").to_pylist()
        mended = [{**row, "state": "failed", "ended_at": clinic.now} for row in rows if (row["run_id"], row["stage"]) in self.stages]
        clinic.warehouse.record([RecordWrite(STAGES, mended)])


@dataclass(frozen=True)
class RemoveOrphans:
    """Delete files that nobody needs; the young ones only while nobody works."""

    busy: bool

    def line(self) -> str:
        """Return the repair as one line."""
        return "delete them"

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        clinic.warehouse.remove_orphans() if self.busy else clinic.warehouse.remove_orphans(0)


@dataclass(frozen=True)
class Retire:
    """Take partitions out of a table that should not have them."""

    table: str
    dates: tuple[dt.date, ...]

    def line(self) -> str:
        """Return the repair as one line."""
        return f"take {spans(self.dates)} out of {self.table}"

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        retire(clinic.warehouse, RetireStage(self.table, self.dates), clinic.run)


@dataclass(frozen=True)
class MakeAgain:
    """Make the dates again in every table that is not current on them."""

    dates: tuple[dt.date, ...]

    def line(self) -> str:
        """Return the repair as one line."""
        return f"backfill {spans(self.dates)} ({len(self.dates)} dates)"

    def apply(self, clinic: Clinic) -> None:
        """Take the step; raise `PartlyDoneError` when a date cannot be verified after it."""
        request = Request(dates=self.dates)
        outcome = run_backfill(clinic.warehouse, request, clinic.now, clinic.settings.cutoff_minutes, resume=False, skip_preflight=True)
        if outcome.unverified:
            raise PartlyDoneError(
                "dates could not be made good", [f"{table} {item.date}: {item.why}" for table, item in outcome.unverified]
            )


@dataclass(frozen=True)
class ApplyDefinitions:
    """Register entities, views and services as they are declared."""

    def line(self) -> str:
        """Return the repair as one line."""
        return "feast apply"

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        from serving.feature_store import apply_definitions, open_feature_store

        apply_definitions(open_feature_store(clinic.settings, clinic.warehouse))


@dataclass(frozen=True)
class ReplayOnline:
    """Write repaired dates to the online store again."""

    replay: Replay

    def line(self) -> str:
        """Return the repair as one line."""
        return self.replay.line()

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        from serving.feature_store import open_feature_store

        run_replay(open_feature_store(clinic.settings, clinic.warehouse), self.replay)


@dataclass(frozen=True)
class CloseMaterializations:
    """Close the records of materializations whose process is gone."""

    ids: tuple[str, ...]

    def line(self) -> str:
        """Return the repair as one line."""
        return "mark them as failed"

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        rows = clinic.warehouse.query(f"SELECT * FROM {HISTORY} WHERE state = 'running'").to_pylist()
        mended = [{**row, "state": "failed", "detail": "the process died"} for row in rows if row["materialization_id"] in self.ids]
        clinic.warehouse.record([RecordWrite(HISTORY, mended)])


@dataclass(frozen=True)
class RemoveExtra:
    """Take rows out of the online store that no published row stands behind."""

    def line(self) -> str:
        """Return the repair as one line."""
        return "remove them from the online store"

    def apply(self, clinic: Clinic) -> None:
        """Take the step."""
        from serving.feature_store import open_feature_store
        from serving.online_audit import remove_extra

        remove_extra(open_feature_store(clinic.settings, clinic.warehouse), clinic.warehouse)


Repair = (
    CloseRuns | CloseStages | RemoveOrphans | Retire | MakeAgain | ApplyDefinitions | ReplayOnline | CloseMaterializations | RemoveExtra
)


def merged(repairs: Sequence[Repair]) -> tuple[Repair, ...]:
    """Return the repairs in order, each once; all dates to be made again in one step, all replays in one at the end."""
    dates = tuple(sorted({date for item in repairs if isinstance(item, MakeAgain) for date in item.dates}))
    replays = [item.replay for item in repairs if isinstance(item, ReplayOnline)]
    result: list[Repair] = []
    for item in repairs:
        step = MakeAgain(dates) if isinstance(item, MakeAgain) else item
        if step not in result and not isinstance(item, ReplayOnline):
            result.append(step)
    if replays:
        result.append(ReplayOnline(Replay(min(item.start for item in replays), max(item.end for item in replays))))
    return tuple(result)
