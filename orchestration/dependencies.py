"""The four-way gate before the store: each Phase 4 job must have delivered, for this date, enough rows, after its inputs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from schemas.contracts import contract
from schemas.rules import load_rules
from warehouse.protocol import Warehouse

COMPLETIONS = """
SELECT job, status, record_count, expected_count, completed_at, run_id
FROM nba_orchestration.phase_completions
WHERE game_date = @game_date
ORDER BY completed_at
"""
READY = "ready"


@dataclass(frozen=True)
class Dependency:
    """State of one upstream job for a date: ready, or why not."""

    job: str
    state: str
    rows: int
    expected: int | None
    run_id: str | None
    completed_at: dt.datetime | None

    @property
    def is_ready(self) -> bool:
        """TRUE when the job's rows may be used."""
        return self.state == READY

    def line(self) -> str:
        """Return the state in words."""
        name = self.job.split(".")[1]
        if self.is_ready:
            return f"{name}: ready, {self.rows} rows"
        expected = "" if self.expected is None else f" of {self.expected}"
        return f"{name}: {self.state.replace('_', ' ')} ({self.rows}{expected} rows)"


def _state(latest: dict[str, object] | None, inputs_completed: dt.datetime | None, rows_now: int) -> str:
    """Judge the latest completion of a job; the first condition that holds decides."""
    if latest is None:
        return "never_ran"
    if latest["status"] != "success":
        return "did_not_succeed"
    if not latest["record_count"]:
        return "no_rows"
    if latest["expected_count"] is not None and latest["record_count"] != latest["expected_count"]:
        return "rows_missing"
    if rows_now != latest["record_count"]:
        return "rows_changed_since"
    completed = latest["completed_at"]
    if inputs_completed is not None and isinstance(completed, dt.datetime) and completed < inputs_completed:
        return "older_than_its_inputs"
    return READY


def check(warehouse: Warehouse, game_date: dt.date) -> tuple[Dependency, ...]:
    """Return the state of every Phase 4 job for the date.

    Ready: the latest completion says success, for this very date, with the rows the slate calls for, written after the
    completions of its own inputs for the date, and just as many rows can be read now.
    """
    latest: dict[str, dict[str, object]] = {}
    for row in warehouse.query(COMPLETIONS, {"game_date": game_date}).to_pylist():
        latest[row["job"]] = row
    result = []
    for job in load_rules().phase4_jobs:
        row = latest.get(job)
        inputs = [latest[name]["completed_at"] for name in contract(job).reads if name in latest and contract(name).phase in (3, 4)]
        newest = max((moment for moment in inputs if isinstance(moment, dt.datetime)), default=None)
        part = warehouse.partitions(job, game_date, game_date).get(game_date)
        state = _state(row, newest, part.rows if part else 0)
        count = int(str(row["record_count"])) if row else 0
        expected = int(str(row["expected_count"])) if row and row["expected_count"] is not None else None
        completed = row["completed_at"] if row else None
        result.append(
            Dependency(
                job, state, count, expected, str(row["run_id"]) if row else None, completed if isinstance(completed, dt.datetime) else None
            )
        )
    return tuple(result)
