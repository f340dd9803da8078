"""How often a date may be tried again: three times, then not for 24 hours. A state that cannot be read means stop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.runs import Run
from schemas.errors import WarehouseError
from warehouse.protocol import RecordWrite, Warehouse

ATTEMPTS = "nba_orchestration.reprocess_attempts"
MOST_ATTEMPTS = 3
PAUSE = dt.timedelta(hours=24)


@dataclass(frozen=True)
class Attempts:
    """The attempts that failed, by table and date, as of one instant."""

    rows: Mapping[tuple[str, dt.date], Mapping[str, Any]]
    now: dt.datetime

    def may_try(self, table: str, date: dt.date) -> bool:
        """TRUE while fewer than three attempts have failed, and again 24 hours after the last of them."""
        row = self.rows.get((table, date))
        return row is None or row["attempts"] < MOST_ATTEMPTS or row["last_attempt_at"] + PAUSE <= self.now

    def line(self, table: str, date: dt.date) -> str:
        """Return in words why a date is not tried."""
        row = self.rows[(table, date)]
        return f"tried {row['attempts']} times, not again before {row['last_attempt_at'] + PAUSE:%Y-%m-%d %H:%M} UTC"


def read_attempts(warehouse: Warehouse, now: dt.datetime) -> Attempts:
    """Return all failed attempts.

    Raises:
        WarehouseError: they cannot be read; that is no licence to try.
    """
    try:
        rows = warehouse.query(f"SELECT * FROM {ATTEMPTS}").to_pylist()
    except WarehouseError as error:
        raise WarehouseError(
            f"how often dates were tried cannot be read: {error.fact}", error.values, "nothing was tried; " + error.hint
        ) from None
    broken = [f"{row['table_name']} {row['game_date']}" for row in rows if row["attempts"] is None or row["last_attempt_at"] is None]
    if broken:
        raise WarehouseError("how often dates were tried is not on record as it should be", broken, "nothing was tried")
    return Attempts({(row["table_name"], row["game_date"]): row for row in rows}, now)


def note_outcome(
    warehouse: Warehouse, table: str, done: Sequence[dt.date], failed: Mapping[dt.date, str], run: Run, attempts: Attempts
) -> None:
    """Count an attempt of each failed date, and forget those of the dates that are done."""
    writes = []
    forgiven = [date for date in done if (table, date) in attempts.rows]
    if forgiven:
        writes.append(RecordWrite(ATTEMPTS, [], clear={"table_name": [table], "game_date": forgiven}))
    rows = []
    for date, error in failed.items():
        before = attempts.rows.get((table, date))
        fresh = before is None or before["last_attempt_at"] + PAUSE <= attempts.now
        count = 1 if fresh or before is None else before["attempts"] + 1
        rows.append(
            {
                "table_name": table,
                "game_date": date,
                "attempts": count,
                "last_attempt_at": run.now(),
                "last_error": error[:500],
                "run_id": run.run_id,
            }
        )
    if rows:
        writes.append(RecordWrite(ATTEMPTS, rows))
    if writes:
        warehouse.record(writes)
