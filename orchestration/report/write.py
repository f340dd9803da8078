"""Write a report to a file, whole or not at all."""

from __future__ import annotations

import datetime as dt
import uuid
from contextlib import suppress
from pathlib import Path

from orchestration.report.data import read_report
from orchestration.report.page import render_page
from schemas.errors import StorageUnavailableError
from schemas.settings import Settings
from warehouse.protocol import Warehouse

FOLDER = "reports"


def default_path(settings: Settings, start: dt.date, end: dt.date) -> Path:
    """Return where a report goes that is given no other place."""
    return settings.home / FOLDER / (f"{start}.html" if start == end else f"{start}_{end}.html")


def write_report(warehouse: Warehouse, settings: Settings, start: dt.date, end: dt.date, now: dt.datetime, out: Path | None = None) -> Path:
    """Write the report of a range and return its path.

    Raises:
        NoGamesError: no game date has come in the range.
        StorageUnavailableError: the file cannot be written; an older one stays.
    """
    page = render_page(read_report(warehouse, start, end, now))
    path = (out or default_path(settings, start, end)).absolute()
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(page, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise StorageUnavailableError("the report cannot be written", [path, error.strerror or error]) from None
    return path
