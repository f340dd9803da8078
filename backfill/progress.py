"""How far a backfill has come, kept where another process can read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backfill.plan import Plan, Stage
from orchestration.runs import RUNS, Run
from schemas.clock import utc_now
from warehouse.protocol import RecordWrite, Warehouse

STAGES = "nba_orchestration.backfill_stages"
LATEST = f'SELECT * FROM {RUNS} WHERE command LIKE \'%"command": "backfill"%\' ORDER BY started_at DESC, run_id DESC LIMIT 1'


@dataclass(frozen=True)
class Pace:
    """Rows done and to do, and what follows from the time spent."""

    rows_done: int
    rows_left: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """Rows published per second so far."""
        return self.rows_done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time the rest will take at this pace; None before anything was published."""
        return self.rows_left / self.rows_per_second if self.rows_per_second else None

    def line(self) -> str:
        """Return the pace in words."""
        left = "time left unknown" if self.seconds_left is None else f"about {self.seconds_left:.0f} s left"
        return f"{self.rows_done} rows, {self.rows_per_second:.0f} rows/s, {left}"


class Progress:
    """Writes the state of each stage of one run as it goes."""

    def __init__(self, warehouse: Warehouse, plan: Plan, run: Run) -> None:
        self.warehouse, self.run = warehouse, run
        self.rows = [self._row(number, stage) for number, stage in enumerate(plan.stages, 1)]
        self.began = utc_now()
        if self.rows:
            warehouse.record([RecordWrite(STAGES, self.rows)])

    def _row(self, number: int, stage: Stage) -> dict[str, Any]:
        return {
            "run_id": self.run.run_id,
            "stage": number,
            "table_name": stage.table,
            "first_date": stage.dates[0],
            "last_date": stage.dates[-1],
            "dates": len(stage.dates),
            "state": "waiting",
            "rows_expected": stage.rows,
            "row_count": 0,
        }

    def _update(self, number: int, **changes: Any) -> None:
        self.rows[number - 1] |= changes
        self.warehouse.record([RecordWrite(STAGES, [self.rows[number - 1]])])

    def start(self, number: int) -> None:
        """Note that a stage has begun."""
        self._update(number, state="running", started_at=utc_now())

    def end(self, number: int, state: str, rows: int, detail: str = "") -> None:
        """Note how a stage ended."""
        self._update(number, state=state, row_count=rows, ended_at=utc_now(), detail=detail[:2000] or None)

    def pace(self) -> Pace:
        """Return rows done, rows to do and the time spent so far."""
        return pace_of(self.rows, self.began, utc_now())


def pace_of(stages: Sequence[Mapping[str, Any]], began: dt.datetime, now: dt.datetime) -> Pace:
    """Return the pace over the stages of a run."""
    done = sum(row["row_count"] for row in stages)
    left = sum(row["rows_expected"] for row in stages if row["state"] in ("waiting", "running"))
    return Pace(done, left, (now - began).total_seconds())


def latest_status(warehouse: Warehouse, now: dt.datetime) -> dict[str, Any] | None:
    """Return the latest backfill with its stages, for `--status`; None when there was none.

    A run whose process is gone is called died, though nobody has closed its record yet.
    """
    runs = warehouse.query(LATEST).to_pylist()
    if not runs:
        return None
    run = runs[0]
    state = "died" if run["state"] == "running" and not warehouse.is_alive(run["holder"]) else run["state"]
    stages = warehouse.query(f"SELECT * FROM {STAGES} WHERE run_id = @run_id ORDER BY stage", {"run_id": run["run_id"]}).to_pylist()
    pace = pace_of(stages, run["started_at"], run["ended_at"] or now)
    return {
        "run_id": run["run_id"],
        "state": state,
        "holder": run["holder"],
        "start": run["start_date"],
        "end": run["end_date"],
        "as_of": run["as_of"],
        "stages": len(stages),
        "done": sum(row["state"] in ("done", "partly", "failed") for row in stages),
        "running": [f"{row['table_name']}, {row['first_date']} to {row['last_date']}" for row in stages if row["state"] == "running"],
        "rows": pace.rows_done,
        "rows_per_second": round(pace.rows_per_second, 1),
        "seconds_left": None if state != "running" or pace.seconds_left is None else round(pace.seconds_left, 1),
        "detail": run["detail"],
    }
