"""The re-audit of what is published, with its findings on record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from orchestration.quality_events import EVENTS
from orchestration.runs import Run
from quality.table_suite import suite_tables
from quality.validate import Validated, validate_published
from warehouse.protocol import RecordWrite, Warehouse

Progress = Callable[[str, int, int], None]


def revalidate(warehouse: Warehouse, start: dt.date, end: dt.date, run: Run, progress: Progress | None = None) -> tuple[Validated, ...]:
    """Audit every published table in the range and record what was found; nothing published is changed."""
    found: list[Validated] = []
    total = len(suite_tables())
    for item in validate_published(warehouse, start, end):
        if progress:
            progress(f"validate {item.table}", len(found), total)
        found.append(item)
        events = list(item.events(run.run_id, run.now()))
        if events:
            warehouse.record([RecordWrite(EVENTS, events)])
    return tuple(found)
