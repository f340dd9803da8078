"""Instants and dates: parsing what a person types, and the league's own calendar."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from schemas.errors import UsageError

EASTERN = ZoneInfo("America/New_York")
UTC = dt.UTC


def parse_date(text: str) -> dt.date:
    """Return the date in `YYYY-MM-DD`; raise `UsageError` for anything else."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError("not a date", [text], "write YYYY-MM-DD") from None


def parse_instant(text: str) -> dt.datetime:
    """Return the UTC instant of an ISO time with zone; without a zone it is read as UTC. Raise `UsageError` else."""
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("not an instant", [text], "write for example 2024-12-25T22:00:00Z") from None
    if "T" not in text and " " not in text:
        raise UsageError("not an instant", [text], "a date alone is not a time: write for example 2024-12-25T22:00:00Z")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> dt.datetime:
    """Return the present instant; called at the edge only, never by a rule or a statement."""
    return dt.datetime.now(UTC)


def eastern_date(instant: dt.datetime) -> dt.date:
    """Return the US Eastern date of an instant."""
    return instant.astimezone(EASTERN).date()
