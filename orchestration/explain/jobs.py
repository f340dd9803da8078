"""How each job stands for a date, and which of them is the one to look at: the first that was not dragged down by another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from orchestration.explain.facts import Facts, Row, request_of
from orchestration.plan import dated_tables
from schemas.contracts import READ_WINDOWS, contract
from schemas.rules import STORE_TABLE, load_rules

READY = "ready"
SAME_DAY = (0, 0)


@dataclass(frozen=True)
class JobState:
    """A job for a date: its state, the reason codes or the error it left, its rows and the run that said so."""

    job: str
    date: dt.date
    state: str
    rows: int = 0
    expected: int | None = None
    run_id: str | None = None
    reasons: tuple[str, ...] = ()
    detail: str = ""

    @property
    def is_ready(self) -> bool:
        """TRUE when the rows of the job may be used."""
        return self.state == READY

    @property
    def name(self) -> str:
        """Name of the job without its dataset."""
        return self.job.split(".")[1]


def same_day_inputs(job: str) -> tuple[str, ...]:
    """Return the built tables of the very date that the job reads."""
    return tuple(
        name for name, window in contract(job).reads.items() if READ_WINDOWS[window] == SAME_DAY and contract(name).phase in (3, 4)
    )


def _judged(facts: Facts, job: str, date: dt.date, found: Row) -> tuple[str, tuple[str, ...]]:
    rows = facts.readable[job].get(date)
    if found["status"] == "failed":
        return "failed", ()
    if found["status"] == "blocked":
        return "blocked", tuple(filter(None, (found["detail"] or "").split(",")))
    if not found["record_count"]:
        return "no_rows", ()
    if found["expected_count"] is not None and found["record_count"] != found["expected_count"]:
        return "rows_missing", ()
    if (rows.rows if rows else 0) != found["record_count"]:
        return "rows_changed_since", ()
    newest = max(
        (facts.completions[name, date]["completed_at"] for name in same_day_inputs(job) if (name, date) in facts.completions), default=None
    )
    if newest is not None and found["completed_at"] < newest:
        return "older_than_its_inputs", ()
    return READY, ()


def job_state(facts: Facts, job: str, date: dt.date) -> JobState:
    """Return how a job stands for a date, by its latest completion and the rows that are there."""
    found = facts.completions.get((job, date))
    if found is None:
        rows = facts.readable.get(job, {}).get(date)
        return JobState(job, date, READY if rows else "never_ran", rows.rows if rows else 0)
    state, reasons = _judged(facts, job, date, found)
    said = facts.gate.get((job, date))
    if state == READY and said is not None and not said.is_ready:
        state = said.state
    return JobState(job, date, state, found["record_count"], found["expected_count"], found["run_id"], reasons, found["detail"] or "")


def jobs_of(facts: Facts, date: dt.date) -> tuple[JobState, ...]:
    """Return the state of every job of the date, in the order in which they run, the store last."""
    return tuple(job_state(facts, job, date) for job in dated_tables())


def skipped_by(facts: Facts, job: str, date: dt.date) -> Row | None:
    """Return the latest run for the date when it was told to leave the job out."""
    for run in facts.runs_about(date):
        request = request_of(run)
        if request.get("command") == "run":
            asked = {str(name).split(".")[-1] for name in request.get("skip") or ()}
            return run if job.split(".")[1] in asked else None
    return None


def stopped_run(facts: Facts, date: dt.date) -> Row | None:
    """Return the latest run for the date when it ended before its time: failed, died, or on record as running without a process."""
    runs = facts.runs_about(date)
    if not runs:
        return None
    latest = runs[0]
    dead = latest["state"] == "running" and not facts.alive.get(latest["holder"], True)
    return latest if dead or latest["state"] in ("failed", "died") else None


def root_jobs(facts: Facts, date: dt.date) -> tuple[JobState, ...]:
    """Return the jobs that broke by themselves: not ready, while everything of the date they read is.

    A job that never ran because the run stopped at another one is dragged down by it, unless it was left out on purpose.
    """
    states = {state.job: state for state in jobs_of(facts, date)}
    broken = {job: state for job, state in states.items() if not state.is_ready and job != STORE_TABLE}
    stopped_at = [state for state in broken.values() if state.state in ("blocked", "failed")]
    roots = []
    for job, state in broken.items():
        if any(name in broken for name in same_day_inputs(job)):
            continue
        if state.state == "never_ran" and stopped_at and skipped_by(facts, job, date) is None:
            continue
        roots.append(state)
    if roots or not broken:
        return tuple(roots)
    return (next(iter(broken.values())),)


def waits_for(facts: Facts, date: dt.date) -> tuple[JobState, ...]:
    """Return the Phase 4 jobs that the store cannot be built without and that are not ready."""
    wanted = load_rules().phase4_jobs
    return tuple(state for state in jobs_of(facts, date) if state.job in wanted and not state.is_ready)
