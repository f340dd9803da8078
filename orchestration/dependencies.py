"""The four-way gate before the store: each Phase 4 job must have delivered, for this date, enough rows, after its inputs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.contracts import contract
from schemas.rules import load_rules
from warehouse.protocol import Warehouse

LATEST_COMPLETIONS = """
SELECT job, status, record_count, expected_count, completed_at, run_id
FROM nba_orchestration.phase_completions
WHERE game_date = @game_date
ORDER BY completed_at, run_id
"""
READY = "ready"
UNREADABLE = "state_cannot_be_read"


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


def _state(latest: Mapping[str, Any] | None, inputs: list[Mapping[str, Any]], rows_now: int) -> str:
    """Judge the latest completion of a job; the first condition that holds decides, and what cannot be judged is not ready."""
    if latest is None:
        return "never_ran"
    if latest["status"] != "success":
        return "did_not_succeed"
    completed, input_times = latest["completed_at"], [row["completed_at"] for row in inputs]
    if not all(isinstance(moment, dt.datetime) for moment in (completed, *input_times)) or not isinstance(latest["record_count"], int):
        return UNREADABLE
    if not latest["record_count"]:
        return "no_rows"
    if latest["expected_count"] is not None and latest["record_count"] != latest["expected_count"]:
        return "rows_missing"
    if rows_now != latest["record_count"]:
        return "rows_changed_since"
    if input_times and completed < max(input_times):
        return "older_than_its_inputs"
    return READY


def check(warehouse: Warehouse, game_date: dt.date) -> tuple[Dependency, ...]:
    """Return the state of every Phase 4 job for the date.

    Ready: the latest completion says success, for this very date, with the rows the slate calls for, written after the
    completions of its own inputs for the date, and just as many rows can be read now.

    Raises:
        WarehouseError: the completions cannot be read; no job counts as ready then.
    """
    latest = {row["job"]: row for row in warehouse.query(LATEST_COMPLETIONS, {"game_date": game_date}).to_pylist()}
    result = []
    for job in load_rules().phase4_jobs:
        row = latest.get(job)
        inputs = [latest[name] for name in contract(job).reads if name in latest and contract(name).phase in (3, 4)]
        part = warehouse.partitions(job, game_date, game_date).get(game_date)
        state = _state(row, inputs, part.rows if part else 0)
        found = row or {}
        result.append(
            Dependency(
                job, state, found.get("record_count") or 0, found.get("expected_count"), found.get("run_id"), found.get("completed_at")
            )
        )
    return tuple(result)
