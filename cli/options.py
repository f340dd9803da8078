"""Options that several commands share."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from schemas.clock import parse_date, parse_instant
from schemas.errors import UsageError


class DateType(click.ParamType):
    """A date written YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Return the date; the error is ours, one line with a hint."""
        return value if isinstance(value, dt.date) else parse_date(value)


class DatesType(click.ParamType):
    """Dates written YYYY-MM-DD, comma-separated."""

    name = "YYYY-MM-DD,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[dt.date, ...]:
        """Return the dates, each once, oldest first."""
        if isinstance(value, tuple):
            return value
        dates = tuple(sorted({parse_date(text.strip()) for text in str(value).split(",") if text.strip()}))
        if not dates:
            raise UsageError("no date is named", [value], "write YYYY-MM-DD, comma-separated")
        return dates


class InstantType(click.ParamType):
    """An instant in ISO form."""

    name = "INSTANT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        """Return the instant in UTC; the error is ours, one line with a hint."""
        return value if isinstance(value, dt.datetime) else parse_instant(value)


DATE = DateType()
DATES = DatesType()
INSTANT = InstantType()
as_of_option = click.option(
    "--as-of", type=INSTANT, default=None, help="Instant up to which sources are known, e.g. 2024-12-25T22:00:00Z. Default: now."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would be done and change nothing.")
override_option = click.option(
    "--override-newer-build", is_flag=True, help="Write over partitions that other code has built since this run began."
)
