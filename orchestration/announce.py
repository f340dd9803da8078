"""What programs outside are told of a date: that the store is there, and on request that its four jobs are. Read from the record."""

from __future__ import annotations

import datetime as dt

from orchestration.batch import METRICS
from orchestration.completion_messages import announcements
from orchestration.outbox import enqueue
from orchestration.outcome import COMPLETIONS
from orchestration.receivers import Topics
from orchestration.trigger import success_message
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

OF_DATE = f"""
SELECT job, game_date, status, record_count, run_id, completed_at
FROM {COMPLETIONS}
WHERE game_date = @game_date AND phase IN ('phase4', 'store')
ORDER BY completed_at, run_id
"""
SCORE = f"SELECT quality_score FROM {METRICS} WHERE game_date = @game_date"


def announce(warehouse: Warehouse, game_date: dt.date, at: dt.datetime, names: Topics, jobs: bool = False) -> list[str]:
    """Write the messages of a date that have not been written yet, and return their ids; they are sent by the next delivery.

    Of every job only its latest word counts. A run that died before it could tell is told of by whoever comes next.
    """
    rows = warehouse.query(OF_DATE, {"game_date": game_date}).to_pylist()
    latest = {row["job"]: row for row in rows}
    told = announcements(names.completions, list(latest.values()), at) if jobs else []
    store = latest.get(STORE_TABLE)
    if store is not None and store["status"] == "success":
        scores = warehouse.query(SCORE, {"game_date": game_date}).to_pylist()
        told.append(success_message(names.success, game_date, store, scores[0]["quality_score"] if scores else None, at))
    return enqueue(warehouse, told)
