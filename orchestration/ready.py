"""May predictions run for a date? Rows against the slate, batch score, state of the gate, freshness, each with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.altered import checked
from orchestration.batch import DEPENDENCIES, METRICS
from orchestration.expected import expected_rows
from orchestration.gate_state import BLOCKED, READY, WAITING, Gate, gate
from orchestration.ledger import entries
from orchestration.outcome import COMPLETIONS
from orchestration.slates import require_games
from schemas.errors import ExitStatus
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Warehouse

SCORE = f"SELECT * FROM {METRICS} WHERE game_date = @game_date"
KNOWN = f"SELECT job, is_available, status FROM {DEPENDENCIES} WHERE game_date = @game_date AND run_id = @run_id ORDER BY job"
STORED = f"SELECT COUNT(*) AS n, MAX(event_timestamp) AS last_event FROM {STORE_TABLE} WHERE game_date = @game_date"
BUILT = f"""
SELECT MAX(completed_at) AS completed
FROM {COMPLETIONS}
WHERE job = @job AND game_date = @game_date AND status = 'success'
"""
EXITS = {READY: ExitStatus.DONE, BLOCKED: ExitStatus.BLOCKED, WAITING: ExitStatus.WAITING}


@dataclass(frozen=True)
class Readiness:
    """Whether a date may be predicted: ready (exit 0), blocked (3: what is there is not good enough) or waiting (4: not there yet).

    `reasons` say why it is not ready, `notes` what a reader should know although it is. Ages are in expected game days.
    """

    game_date: dt.date
    state: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    games: int
    rows: int
    expected_rows: int
    quality_score: float | None
    min_score: float
    data_age_game_days: int | None
    built_at: dt.datetime | None
    last_event: dt.datetime | None
    gate: Gate

    @property
    def exit_status(self) -> ExitStatus:
        """Exit status of the state."""
        return EXITS[self.state]

    def as_dict(self) -> dict[str, Any]:
        """Return the answer for `--json`."""
        return {**vars(self), "exit_status": int(self.exit_status), "gate": self.gate.as_dict()}


def _row(warehouse: Warehouse, sql: str, **values: Any) -> Mapping[str, Any] | None:
    rows: list[Mapping[str, Any]] = warehouse.query(sql, values).to_pylist()
    return rows[0] if rows else None


def _missing(entry: Mapping[str, Any] | None, shut: Gate, game_date: dt.date) -> tuple[str, list[str]]:
    """Return state and reasons of a date without published rows."""
    if entry is not None and entry["state"] == "blocked":
        why = [reason for reason in (entry["reasons"] or "").split(",") if reason]
        return BLOCKED, ["the gate of the store has blocked the date", *why]
    state = BLOCKED if shut.state == BLOCKED else WAITING
    return state, [f"the store has not been built for {game_date}", *shut.reasons]


def _not_good_enough(metrics: Mapping[str, Any] | None, entry: Mapping[str, Any], min_score: float) -> list[str]:
    """Return what is wrong with rows that are there; a score that does not speak of just these rows is none."""
    if metrics is None or metrics["fate"] == "blocked" or metrics["row_count"] != entry["row_count"]:
        return ["the batch score of these rows is not on record"]
    found = []
    # Written so that a score that is no number fails.
    if not metrics["quality_score"] >= min_score:
        found.append(f"batch score {metrics['quality_score']:g} is below {min_score:g} ({metrics['severity_reason'] or metrics['band']})")
    if metrics["data_age_game_days"] >= len(load_rules().batch.freshness_points):
        found.append(f"the newest box scores are {metrics['data_age_game_days']} game days old")
    return found


def _not_up_to_date(shown: Gate, rows: int, expected: int, built_at: dt.datetime | None) -> list[str]:
    """Return what makes good rows yesterday's rows: another slate, or a job that delivered after the store was built."""
    found = [] if rows == expected else [f"{rows} rows are published, the slate calls for {expected}"]
    if built_at is None:
        return [*found, "when the store was built is not on record"]
    later = [job for job in shown.jobs if job.completed_at is not None and job.completed_at > built_at]
    return found + [f"{job.name} completed after the store was built" for job in later]


def readiness(warehouse: Warehouse, game_date: dt.date, min_score: float | None = None) -> Readiness:
    """Return whether predictions may run for the date; `min_score` is by default what the rules ask for.

    Raises:
        NoGamesError: no game is scheduled on the date.
        WarehouseError: the records cannot be read; the date is not ready then.
    """
    least = load_rules().batch.prediction_min if min_score is None else min_score
    games, now = require_games(warehouse, game_date), gate(warehouse, game_date)
    behind = [item for item in checked(warehouse, game_date, (STORE_TABLE, *load_rules().phase4_jobs)) if not item.is_whole]
    entry = entries(warehouse, STORE_TABLE, game_date, game_date).get(game_date)
    is_legible = not any(item.is_damaged and item.table == STORE_TABLE for item in behind)
    stored = (_row(warehouse, STORED, game_date=game_date) if is_legible else None) or {}
    metrics = _row(warehouse, SCORE, game_date=game_date)
    rows, expected = stored.get("n") or 0, expected_rows(warehouse, STORE_TABLE, [game_date])[game_date]
    part = warehouse.partitions(STORE_TABLE, game_date, game_date).get(game_date)
    built = _row(warehouse, BUILT, job=STORE_TABLE, game_date=game_date)
    at = built["completed"] if built else None
    notes: list[str] = []
    if behind:
        # Whatever else is true of the date: what a reader finds is not what the gates let pass.
        state, reasons = BLOCKED, [item.line() for item in behind]
    # Rows of an earlier build stay readable while the latest one is blocked; they are not tonight's.
    elif entry is None or entry["state"] != "published" or not rows:
        state, reasons = _missing(entry, now, game_date)
    elif part is None or (part.rows, part.fingerprint) != (entry["row_count"], entry["fingerprint"]) or part.rows != rows:
        state, reasons = BLOCKED, ["the rows that are readable are not those the gate let pass; run: nba-features doctor"]
    else:
        state, reasons = BLOCKED, _not_good_enough(metrics, entry, least)
        if not reasons:
            state, reasons = WAITING, _not_up_to_date(now, rows, expected, at)
        if not reasons:
            state = READY
        without = warehouse.query(KNOWN, {"game_date": game_date, "run_id": metrics["run_id"] if metrics else ""}).to_pylist()
        notes = [f"built without {row['job'].split('.')[1]} ({row['status']})" for row in without if not row["is_available"]]
    score = metrics["quality_score"] if metrics else None
    age = metrics["data_age_game_days"] if metrics else None
    return Readiness(
        game_date, state, tuple(reasons), tuple(notes), games, rows, expected, score, least, age, at, stored.get("last_event"), now
    )
