"""What the partition ledger says, held against the tables: the ledger is a cache, never the truth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from orchestration.lineage import upstream_fingerprints
from schemas.contracts import contract
from serving.definitions import partition_definition
from warehouse.protocol import Warehouse

ENTRIES = """
SELECT * FROM nba_orchestration.partition_ledger
WHERE table_name = @table AND game_date BETWEEN @start_date AND @end_date
"""


def entries(warehouse: Warehouse, table: str, start: dt.date, end: dt.date) -> dict[dt.date, dict[str, Any]]:
    """Return the ledger rows of a table by date."""
    rows = warehouse.query(ENTRIES, {"table": table, "start_date": start, "end_date": end}).to_pylist()
    return {row["game_date"]: row for row in rows}


def unbuilt_dates(warehouse: Warehouse, table: str, dates: Sequence[dt.date]) -> tuple[dt.date, ...]:
    """Return the dates that are missing, not as the ledger says, or built from other definitions or inputs than today's."""
    if not dates:
        return ()
    start, end = min(dates), max(dates)
    spec = contract(table)
    known = entries(warehouse, table, start, end)
    present = warehouse.partitions(table, start, end)
    upstream = upstream_fingerprints(warehouse, spec, dates)
    definition = partition_definition(table)

    def is_current(date: dt.date) -> bool:
        row, part = known.get(date), present.get(date)
        return (
            row is not None
            and row["state"] == "published"
            and row["fingerprint"] == (part.fingerprint if part else None)
            and row["row_count"] == (part.rows if part else 0)
            and row["definition_version"] == definition
            and row["upstream_fingerprint"] == upstream[date]
        )

    return tuple(date for date in sorted(dates) if not is_current(date))
