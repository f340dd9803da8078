"""The four-way gate before the store: each Phase 4 job must have delivered, for this date, enough rows, after its inputs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.expected import PLAYERS, TEAMS, expected_rows
from orchestration.ledger import entries
from orchestration.lineage import upstream_fingerprints
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
    """State of one upstream job for a date: ready, or why not. `status` is the job's own latest word."""

    job: str
    state: str
    rows: int
    expected: int | None
    run_id: str | None
    completed_at: dt.datetime | None
    status: str | None = None

    @property
    def is_ready(self) -> bool:
        """TRUE when the job's rows may be used."""
        return self.state == READY

    @property
    def name(self) -> str:
        """Name of the job without its dataset."""
        return self.job.split(".")[1]

    def line(self) -> str:
        """Return the state in words."""
        if self.is_ready:
            return f"{self.name}: ready, {self.rows} rows"
        expected = "" if self.expected is None else f" of {self.expected}"
        said = f", it said {self.status}" if self.state == "did_not_succeed" and self.status else ""
        return f"{self.name}: {self.state.replace('_', ' ')}{said} ({self.rows}{expected} rows)"


@dataclass(frozen=True)
class _Slate:
    """What can be counted now: rows of the job, rows the slate calls for, rows the caller was told; None where unknown."""

    rows: int
    called_for: int | None
    told: int | None
    inputs_changed: bool


def _state(latest: Mapping[str, Any] | None, inputs: list[Mapping[str, Any]], now: _Slate) -> str:
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
    if now.rows != latest["record_count"] or now.told not in (None, now.rows):
        return "rows_changed_since"
    if now.called_for is None and latest["expected_count"] is None:
        return "slate_unknown"
    if now.called_for not in (None, now.rows):
        return "not_the_slate"
    if input_times and completed < max(input_times):
        return "older_than_its_inputs"
    if now.inputs_changed:
        return "inputs_changed_since"
    return READY


def _inputs_changed(warehouse: Warehouse, job: str, game_date: dt.date, run_id: str | None) -> bool:
    """TRUE when what the job's rows were made from, past days included, is not what lies there now.

    A job run elsewhere leaves no fingerprint; of it only the times are known.
    """
    entry = entries(warehouse, job, game_date, game_date).get(game_date)
    if entry is None or entry["run_id"] != run_id or entry["upstream_fingerprint"] is None:
        return False
    return bool(entry["upstream_fingerprint"] != upstream_fingerprints(warehouse, contract(job), [game_date])[game_date])


def _called_for(warehouse: Warehouse, job: str, game_date: dt.date) -> int | None:
    """Return the rows the slate of the date calls for as it stands now; None while there is no slate."""
    source = TEAMS if contract(job).keys[0] == "team_abbr" else PLAYERS
    if game_date not in warehouse.partitions(source, game_date, game_date):
        return None
    return expected_rows(warehouse, job, [game_date])[game_date]


def check(warehouse: Warehouse, game_date: dt.date, told: Mapping[str, int] | None = None) -> tuple[Dependency, ...]:
    """Return the state of every Phase 4 job for the date.

    Ready: the latest completion says success, for this very date, with the rows the slate calls for (then and now), written
    after the completions of its own inputs for the date and from the inputs that lie there now, and just as many rows can be
    read now. `told` are row counts by job that the caller was given, which must be those found.

    Raises:
        WarehouseError: the completions cannot be read; no job counts as ready then.
    """
    latest = {row["job"]: row for row in warehouse.query(LATEST_COMPLETIONS, {"game_date": game_date}).to_pylist()}
    result = []
    for job in load_rules().phase4_jobs:
        row = latest.get(job)
        found = row or {}
        inputs = [latest[name] for name in contract(job).reads if name in latest and contract(name).phase in (3, 4)]
        part = warehouse.partitions(job, game_date, game_date).get(game_date)
        slate = _Slate(
            part.rows if part else 0,
            _called_for(warehouse, job, game_date) if row else None,
            (told or {}).get(job),
            _inputs_changed(warehouse, job, game_date, found.get("run_id")),
        )
        state = _state(row, inputs, slate)
        expected = found.get("expected_count") if slate.called_for is None else slate.called_for
        count = found.get("record_count") or 0
        result.append(Dependency(job, state, count, expected, found.get("run_id"), found.get("completed_at"), found.get("status")))
    return tuple(result)
