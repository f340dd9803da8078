"""Events of the gates on record: written with the publication they speak of, closed by the one that mends them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from orchestration.event_log import record_events
from orchestration.gate_state import Gate
from orchestration.runs import Run
from quality import events
from quality.events import DEPENDENCY_GATE, event_id
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Warehouse

EVENTS = events.EVENTS
DEGRADED_SEVERITY = "P2"
OPEN = f"""
SELECT *
FROM {EVENTS}
WHERE table_name = @table
  AND (resolution_status = 'open' OR (resolution_status = 'acknowledged' AND severity != 'info'))
  AND event_type != '{events.CANARY}'
  AND game_date BETWEEN @start_date AND @end_date
"""


def healed_events(warehouse: Warehouse, table: str, published: Sequence[dt.date], run: Run) -> list[dict[str, Any]]:
    """Return the open events of earlier runs about dates that this run publishes, closed."""
    if not published:
        return []
    found = warehouse.query(OPEN, {"table": table, "start_date": min(published), "end_date": max(published)}).to_pylist()
    wanted = set(published)
    return [
        {**row, "resolution_status": "self_healed", "resolved_at": run.now()}
        for row in found
        if row["game_date"] in wanted and row["run_id"] != run.run_id
    ]


def record_dependencies(warehouse: Warehouse, found: Gate, run: Run) -> None:
    """Record which jobs have not delivered, and whether the store was held back for them or built without."""
    severity = DEGRADED_SEVERITY if found.is_open else load_rules().gate.event_severities["critical"]
    rows = [
        {
            "event_id": event_id(STORE_TABLE, found.game_date, f"{item.state}:{item.job}", run.run_id),
            "event_timestamp": run.now(),
            "event_type": DEPENDENCY_GATE,
            "severity": severity,
            "table_name": STORE_TABLE,
            "game_date": found.game_date,
            "metric_name": "upstream_rows",
            "metric_value": float(item.rows),
            "threshold": None if item.expected is None else float(item.expected),
            "reason_code": f"{item.state}:{item.job}",
            "fate": "warned" if found.is_open else "blocked",
            "resolution_status": "open",
            "details_json": json.dumps(
                {"job": item.job, "state": item.state, "job_run_id": item.run_id, "gate": found.state}, sort_keys=True
            ),
            "run_id": run.run_id,
        }
        for item in found.absent
    ]
    record_events(warehouse, rows)
