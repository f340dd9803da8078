"""What a build leaves on record of every date: its line in the ledger, and its completion."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.runs import Run
from schemas.code_version import code_version
from schemas.contracts import TableContract
from serving.definitions import partition_definition
from warehouse.protocol import Partition

LEDGER = "nba_orchestration.partition_ledger"
COMPLETIONS = "nba_orchestration.phase_completions"
Reasons = Mapping[dt.date, tuple[str, ...]]


def phase_name(spec: TableContract) -> str:
    """Return the phase that completions of the table go by."""
    return f"phase{spec.phase}" if spec.phase in (3, 4) else "store"


def ledger_row(spec: TableContract, date: dt.date, state: str, part: Partition | None, run: Run, **others: Any) -> dict[str, Any]:
    """Return the line of one partition in the ledger."""
    return {
        "table_name": spec.name,
        "game_date": date,
        "state": state,
        "row_count": part.rows if part else 0,
        "fingerprint": part.fingerprint if part else None,
        "definition_version": partition_definition(spec.name),
        "code_version": code_version(),
        "as_of": run.as_of,
        "run_id": run.run_id,
        "updated_at": run.started_at,
        **others,
    }


def ledger_rows(
    spec: TableContract,
    staged: Mapping[dt.date, Partition],
    dates: Sequence[dt.date],
    blocked: Reasons,
    upstream: Mapping[dt.date, str],
    run: Run,
) -> list[dict[str, Any]]:
    """Return what a build did with each date: published or blocked, and why there are no rows."""
    return [
        ledger_row(
            spec,
            date,
            "blocked" if date in blocked else "published",
            staged.get(date),
            run,
            upstream_fingerprint=upstream[date],
            reasons=",".join(blocked.get(date, ())) or (None if date in staged else "no_source_rows"),
        )
        for date in dates
    ]


def _completion(
    spec: TableContract, date: dt.date, status: str, count: int, run: Run, at: dt.datetime, detail: str | None
) -> dict[str, Any]:
    return {
        "phase": phase_name(spec),
        "game_date": date,
        "job": spec.name,
        "status": status,
        "record_count": count,
        "run_id": run.run_id,
        "completed_at": at,
        "detail": detail,
    }


def completion_rows(
    spec: TableContract, counts: Mapping[dt.date, int], expected: Mapping[dt.date, int], blocked: Reasons, run: Run, at: dt.datetime
) -> list[dict[str, Any]]:
    """Return one completion per date; `counts` are rows read back, not rows meant to be written."""
    rows = []
    for date, count in counts.items():
        status = "blocked" if date in blocked else "success" if count else "skipped"
        row = _completion(spec, date, status, count, run, at, ",".join(blocked.get(date, ())) or None)
        rows.append({**row, "expected_count": expected.get(date)})
    return rows


def failed_completions(spec: TableContract, dates: Sequence[dt.date], why: str, run: Run, at: dt.datetime) -> list[dict[str, Any]]:
    """Return one completion per date that says the job failed."""
    return [_completion(spec, date, "failed", 0, run, at, why) for date in dates]
