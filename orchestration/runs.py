"""Run records: one row per run with a terminal state; a run that died is closed by the next one."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestration.views import define_views
from schemas.clock import UTC, eastern_date, utc_now
from schemas.code_version import code_version
from schemas.errors import ExitStatus, FeatureStoreError
from transformations.render import definition_version
from warehouse.protocol import RecordWrite, Warehouse

LONGEST_RUN = dt.timedelta(days=2)
RUNS = "nba_orchestration.pipeline_runs"
STATE_OF_STATUS = {
    ExitStatus.DONE: "succeeded",
    ExitStatus.ERROR: "failed",
    ExitStatus.USAGE: "failed",
    ExitStatus.BLOCKED: "blocked",
    ExitStatus.WAITING: "waiting",
    ExitStatus.PARTLY: "partly",
}


@dataclass
class Run:
    """One run: as of when it sees the sources, and what it has done so far.

    `override_newer_build` lets it write over what other code built after it had begun. `audited_raw` keeps what the suites of
    the raw tables said of a table and range, so that each is asked once.
    """

    run_id: str
    as_of: dt.datetime
    started_at: dt.datetime
    cutoff_minutes: int
    rows_written: int = 0
    detail: str = ""
    exit_status: ExitStatus = ExitStatus.DONE
    override_newer_build: bool = False
    audited_raw: dict[tuple[str, dt.date, dt.date], Mapping[dt.date, Sequence[Any]]] = field(default_factory=dict)

    def now(self) -> dt.datetime:
        """Return the present instant, for records of when something was done."""
        return utc_now()

    def params(self, start: dt.date, end: dt.date) -> dict[str, Any]:
        """Return the parameters of a statement over the range; no statement reads a clock."""
        return {
            "start_date": start,
            "end_date": end,
            "as_of": self.as_of,
            "as_of_date": eastern_date(self.as_of),
            "processed_at": self.started_at,
            "cutoff_minutes": self.cutoff_minutes,
            "run_id": self.run_id,
            "code_version": code_version(),
            "definition_version": definition_version(),
        }


def new_run_id(at: dt.datetime) -> str:
    """Return an id that sorts by time."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def _write(warehouse: Warehouse, row: Mapping[str, Any]) -> None:
    warehouse.record([RecordWrite(RUNS, [row])])


def has_died(warehouse: Warehouse, row: Mapping[str, Any], at: dt.datetime) -> bool:
    """TRUE for a run on record as running whose process is gone, or that is older than any run may become."""
    return row["state"] == "running" and (not warehouse.is_alive(row["holder"]) or at - row["started_at"] > LONGEST_RUN)


def close_dead_runs(warehouse: Warehouse, at: dt.datetime) -> list[str]:
    """Mark runs as died whose process is gone; return their ids.

    Whether a process of another machine is alive cannot be told from here: its run counts as died once it is older than any run
    may become.
    """
    open_runs = warehouse.query(f"SELECT * FROM {RUNS} WHERE state = 'running'").to_pylist()
    dead = [row for row in open_runs if has_died(warehouse, row, at)]
    closed = [
        {**row, "state": "died", "ended_at": at, "exit_status": int(ExitStatus.ERROR), "detail": "the process ended without a word"}
        for row in dead
    ]
    if closed:
        warehouse.record([RecordWrite(RUNS, closed)])
    return [row["run_id"] for row in closed]


def ending_of(error: BaseException) -> str:
    """Return what a record says of an error that ended a run or a stage of one."""
    if isinstance(error, FeatureStoreError):
        return error.line()
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


@contextmanager
def recorded_run(
    warehouse: Warehouse,
    command: str,
    request: Mapping[str, Any],
    as_of: dt.datetime,
    cutoff_minutes: int,
    start: dt.date | None = None,
    end: dt.date | None = None,
    override_newer_build: bool = False,
) -> Iterator[Run]:
    """Record the run as running, then with its terminal state, whatever happens inside."""
    now = utc_now()
    define_views(warehouse)
    close_dead_runs(warehouse, now)
    run = Run(new_run_id(now), as_of, now, cutoff_minutes, override_newer_build=override_newer_build)
    row: dict[str, Any] = {
        "run_id": run.run_id,
        "command": json.dumps({"command": command, **request}, default=str, sort_keys=True),
        "started_at": now,
        "state": "running",
        "holder": warehouse.this_process(),
        "code_version": code_version(),
        "definition_version": definition_version(),
        "start_date": start,
        "end_date": end,
        "as_of": as_of,
        "rows_written": 0,
    }
    _write(warehouse, row)

    def close(state: str, status: int, detail: str) -> None:
        ending = {"state": state, "exit_status": status, "detail": detail[:2000], "ended_at": utc_now()}
        _write(warehouse, {**row, **ending, "rows_written": run.rows_written})

    try:
        yield run
    except FeatureStoreError as error:
        close(STATE_OF_STATUS[error.exit_status], int(error.exit_status), ending_of(error))
        raise
    except BaseException as error:
        close("failed", int(ExitStatus.ERROR), ending_of(error))
        raise
    close(STATE_OF_STATUS[run.exit_status], int(run.exit_status), run.detail)
