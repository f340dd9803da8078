"""The batch score on record: metrics, dependencies and a log line for every date of every build, blocked ones included."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.runs import Run
from orchestration.slates import game_dates
from quality.batch_score import BatchFigures, BatchScore, batch_score, data_age, row_figures
from quality.store_audit import expected_slates
from quality.verdicts import BLOCKED, GateReport
from schemas.clock import eastern_date
from schemas.code_version import code_version
from schemas.rules import STORE_TABLE, load_rules
from serving.definitions import partition_definition
from warehouse.protocol import RecordWrite, Staged, Warehouse

METRICS = f"{STORE_TABLE}_quality_metrics"
DEPENDENCIES = f"{STORE_TABLE}_dependency_tracking"
LOG = f"{STORE_TABLE}_execution_log"
PLAYED = "nba_analytics.player_game_summary"
LOOK_BACK = dt.timedelta(days=365)
COMPLETIONS = """
SELECT job, game_date, status, record_count, completed_at, run_id
FROM nba_orchestration.phase_completions
WHERE game_date BETWEEN @start_date AND @end_date AND phase = 'phase4'
ORDER BY completed_at, run_id
"""


@dataclass(frozen=True)
class _Build:
    """One build of the store: what was staged, how it was judged, and when it began."""

    staged: Staged
    dates: tuple[dt.date, ...]
    report: GateReport
    started_at: dt.datetime


def _figures(
    warehouse: Warehouse, build: _Build, latest: Mapping[tuple[str, dt.date], Mapping[str, Any]], run: Run
) -> dict[dt.date, BatchFigures]:
    jobs, first, last = load_rules().phase4_jobs, min(build.dates), max(build.dates)
    today = eastern_date(run.as_of)
    due = sorted(date for date in game_dates(warehouse, first - LOOK_BACK, last) if date < today)
    loaded = sorted(date for date in warehouse.partitions(PLAYED, first - LOOK_BACK, last) if date < today)
    slates = expected_slates(warehouse, build.dates)
    counted = row_figures(warehouse, build.staged, build.dates)
    nothing = {"row_count": 0, "phase4_rows": 0, "fallback_rows": 0, "null_values": 0, "required_values": 0}
    figures = {}
    for date in build.dates:
        rows = counted.get(date, nothing)
        succeeded = sum(_is_available(latest.get((job, date))) for job in jobs)
        figures[date] = BatchFigures(
            rows=rows["row_count"],
            expected_rows=slates[date].roster_rows,
            phase4_rows=rows["phase4_rows"],
            fallback_rows=rows["fallback_rows"],
            null_values=rows["null_values"],
            required_values=rows["required_values"],
            age=data_age(date, due, loaded),
            jobs_succeeded=succeeded,
            jobs=len(jobs),
        )
    return figures


def _is_available(row: Mapping[str, Any] | None) -> bool:
    """TRUE when the job's latest word for the date is success, with rows."""
    return row is not None and row["status"] == "success" and bool(row["record_count"])


def _fate(build: _Build, date: dt.date) -> str:
    verdict = build.report.verdicts.get(date)
    return verdict.fate if verdict else BLOCKED


def _metrics(build: _Build, date: dt.date, figures: BatchFigures, score: BatchScore, run: Run, at: dt.datetime) -> dict[str, Any]:
    return {
        "game_date": date,
        "fate": _fate(build, date),
        "row_count": figures.rows,
        "expected_row_count": figures.expected_rows,
        "quality_score": score.score,
        "band": score.band,
        "severity": score.severity,
        "severity_reason": score.reason,
        "is_prediction_ready": _fate(build, date) != BLOCKED and score.is_prediction_ready(load_rules()),
        **{f"{name}_score": value for name, value in score.components.items()},
        "phase4_share": figures.phase4_share,
        "fallback_share": figures.fallback_share,
        "data_age_game_days": figures.age,
        "jobs_succeeded": figures.jobs_succeeded,
        "row_completeness": figures.row_completeness,
        "null_share": figures.null_share,
        "run_id": run.run_id,
        "computed_at": at,
    }


def _dependency(job: str, date: dt.date, row: Mapping[str, Any] | None, run: Run, at: dt.datetime) -> dict[str, Any]:
    found = row or {}
    return {
        "run_id": run.run_id,
        "game_date": date,
        "job": job,
        "is_available": _is_available(row),
        "status": found.get("status") or "never_ran",
        "record_count": found.get("record_count") or 0,
        "job_run_id": found.get("run_id"),
        "completed_at": found.get("completed_at"),
        "recorded_at": at,
    }


def _log(build: _Build, date: dt.date, figures: BatchFigures, score: BatchScore, run: Run, at: dt.datetime) -> dict[str, Any]:
    verdict = build.report.verdicts.get(date)
    return {
        "run_id": run.run_id,
        "game_date": date,
        "started_at": build.started_at,
        "completed_at": at,
        "dates_in_build": len(build.dates),
        "statement_seconds": build.staged.seconds,
        "row_count": figures.rows,
        "fate": _fate(build, date),
        "reasons": ",".join(verdict.reasons) or None if verdict else None,
        "quality_score": score.score,
        "severity": score.severity,
        "code_version": code_version(),
        "definition_version": partition_definition(STORE_TABLE),
    }


def batch_records(
    warehouse: Warehouse, staged: Staged, dates: Sequence[dt.date], report: GateReport, run: Run, started_at: dt.datetime
) -> list[RecordWrite]:
    """Return the rows that a build of the store leaves of every date, for the three record tables."""
    build, at = _Build(staged, tuple(sorted(dates)), report, started_at), run.now()
    span = {"start_date": min(dates), "end_date": max(dates)}
    latest = {(row["job"], row["game_date"]): row for row in warehouse.query(COMPLETIONS, span).to_pylist()}
    figures = _figures(warehouse, build, latest, run)
    scores = {date: batch_score(figures[date]) for date in build.dates}
    jobs = load_rules().phase4_jobs
    return [
        RecordWrite(METRICS, [_metrics(build, date, figures[date], scores[date], run, at) for date in build.dates]),
        RecordWrite(DEPENDENCIES, [_dependency(job, date, latest.get((job, date)), run, at) for date in build.dates for job in jobs]),
        RecordWrite(LOG, [_log(build, date, figures[date], scores[date], run, at) for date in build.dates]),
    ]
