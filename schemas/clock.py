"""Instants and dates: parsing what a person types, and the league's own calendar."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from schemas.errors import UsageError

EASTERN = ZoneInfo("America/New_York")
UTC = dt.UTC
# Room to look a year back and to move between zones on both sides.
YEARS = range(1901, 3000)


def parse_date(text: str) -> dt.date:
    """Return the date in `YYYY-MM-DD`; raise `UsageError` for anything else."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError(text)
        value = dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError("not a date", [text], "write YYYY-MM-DD") from None
    _require_year(value, text)
    return value


def parse_instant(text: str) -> dt.datetime:
    """Return the UTC instant of an ISO time with zone; without a zone it is read as UTC. Raise `UsageError` else."""
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("not an instant", [text], "write for example 2024-12-25T22:00:00Z") from None
    if "T" not in text and " " not in text:
        raise UsageError("not an instant", [text], "a date alone is not a time: write for example 2024-12-25T22:00:00Z")
    _require_year(value, text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _require_year(value: dt.date, text: str) -> None:
    if value.year not in YEARS:
        raise UsageError("the year is out of range", [text], f"years run from {YEARS[0]} to {YEARS[-1]}")


def utc_now() -> dt.datetime:
    """Return the present instant; called at the edge only, never by a rule or a statement."""
    return dt.datetime.now(UTC)


def eastern_date(instant: dt.datetime) -> dt.date:
    """Return the US Eastern date of an instant."""
    return instant.astimezone(EASTERN).date()
