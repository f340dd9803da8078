"""The monthly look at costs: bytes and slot time by label in BigQuery; rows, seconds and files on the embedded warehouse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.explain.facts import request_of
from orchestration.outcome import COMPLETIONS
from orchestration.runs import RUNS
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

APP = "nba-features"
"""Value of the label `app` that every job of ours carries."""
JOBS = f"""
SELECT run_id, job, completed_at, SUM(record_count) AS row_count
FROM {COMPLETIONS}
WHERE completed_at >= @since AND phase != 'phase2'
GROUP BY run_id, job, completed_at
ORDER BY completed_at
"""
STATEMENTS = f"""
SELECT COUNT(*) AS builds, SUM(statement_seconds) AS seconds
FROM (
  SELECT DISTINCT run_id, started_at, statement_seconds FROM {STORE_TABLE}_execution_log WHERE started_at >= @since
) AS builds
"""


@dataclass(frozen=True)
class Cost:
    """What one label, job or command took: how often, and its bytes and slot time, or its rows and seconds."""

    what: str
    kind: str
    times: int
    rows: int | None = None
    seconds: float | None = None
    bytes_billed: int | None = None
    slot_seconds: float | None = None


@dataclass(frozen=True)
class Costs:
    """Costs since an instant, dearest first."""

    profile: str
    since: dt.datetime
    items: tuple[Cost, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the costs for `--json`."""
        return asdict(self)


def costs_by_label(jobs: Iterable[Any]) -> tuple[Cost, ...]:
    """Return bytes billed, slot time and duration of BigQuery jobs of ours, by what they did and the table they did it to."""
    found: dict[tuple[str, str], list[float]] = {}
    for job in jobs:
        labels = job.labels or {}
        if labels.get("app") != APP:
            continue
        sums = found.setdefault((labels.get("table", "unknown"), labels.get("what", "unknown")), [0, 0, 0.0, 0.0])
        sums[0] += 1
        # Only queries are billed by bytes; loads and copies carry no such figure.
        sums[1] += getattr(job, "total_bytes_billed", None) or 0
        sums[2] += (getattr(job, "slot_millis", None) or 0) / 1000
        if job.started is not None and job.ended is not None:
            sums[3] += (job.ended - job.started).total_seconds()
    costs = [
        Cost(table, what, int(n), seconds=round(seconds, 2), bytes_billed=int(billed), slot_seconds=round(slots, 2))
        for (table, what), (n, billed, slots, seconds) in found.items()
    ]
    return tuple(sorted(costs, key=lambda cost: (-(cost.bytes_billed or 0), cost.what, cost.kind)))


def _embedded(warehouse: Warehouse, since: dt.datetime) -> tuple[Cost, ...]:
    params = {"since": since}
    runs = {row["run_id"]: row for row in warehouse.query(f"SELECT * FROM {RUNS} WHERE started_at >= @since", params).to_pylist()}
    seconds: dict[str, list[float]] = {}
    before: dict[str, dt.datetime] = {run_id: row["started_at"] for run_id, row in runs.items()}
    for row in warehouse.query(JOBS, params).to_pylist():
        sums = seconds.setdefault(row["job"], [0, 0, 0.0])
        sums[0] += 1
        sums[1] += row["row_count"] or 0
        # Jobs of a run follow each other: each lasted from the end of the one before.
        if row["run_id"] in before:
            sums[2] += (row["completed_at"] - before[row["run_id"]]).total_seconds()
            before[row["run_id"]] = row["completed_at"]
    jobs = [Cost(job, "job", int(n), int(rows), round(took, 2)) for job, (n, rows, took) in seconds.items()]
    commands: dict[str, list[float]] = {}
    for run in runs.values():
        if run["ended_at"] is None:
            continue
        sums = commands.setdefault(str(request_of(run).get("command") or "unknown"), [0, 0, 0.0])
        sums[0] += 1
        sums[1] += run["rows_written"] or 0
        sums[2] += (run["ended_at"] - run["started_at"]).total_seconds()
    whole = [Cost(name, "command", int(n), int(rows), round(took, 2)) for name, (n, rows, took) in commands.items()]
    statements = warehouse.query(STATEMENTS, params).to_pylist()[0]
    own = [Cost(STORE_TABLE, "statement", statements["builds"], None, round(statements["seconds"], 2))] if statements["builds"] else []
    return tuple(sorted([*whole, *jobs, *own], key=lambda cost: (cost.kind, -(cost.seconds or 0.0))))


def _recent_jobs(warehouse: Any, since: dt.datetime) -> Sequence[Any]:
    from warehouse.bigquery.failures import cloud_errors

    with cloud_errors("listing the jobs"):
        return tuple(warehouse.client.list_jobs(min_creation_time=since, all_users=True))


def read_costs(warehouse: Warehouse, now: dt.datetime, days: int) -> Costs:
    """Return what the last days cost.

    Raises:
        StorageUnavailableError: the project's jobs cannot be listed.
    """
    since = now - dt.timedelta(days=days)
    items = costs_by_label(_recent_jobs(warehouse, since)) if warehouse.profile == "gcp" else _embedded(warehouse, since)
    return Costs(warehouse.profile, since, items)
