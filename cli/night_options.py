"""Values of the night's own options: durations, and row counts by job."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from cli.options import DateType
from cli.output import say_json
from schemas.clock import eastern_date, utc_now
from schemas.errors import NoGamesError, UsageError

UNITS = {"s": 1, "m": 60, "h": 3600}
LONGEST = dt.timedelta(hours=6)


class NightType(DateType):
    """A date written YYYY-MM-DD, or the words today and yesterday, US Eastern, for schedules."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Return the date; the error is ours, one line with a hint."""
        days = {"today": 0, "yesterday": 1}.get(str(value))
        return super().convert(value, param, ctx) if days is None else eastern_date(utc_now()) - dt.timedelta(days=days)


class DurationType(click.ParamType):
    """A duration such as 30s, 5m or 1h."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.timedelta:
        """Return the duration; the error is ours, one line with a hint."""
        if isinstance(value, dt.timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smh])", str(value))
        span = dt.timedelta(seconds=int(found[1]) * UNITS[found[2]]) if found else dt.timedelta(0)
        if not dt.timedelta(0) < span <= LONGEST:
            raise UsageError("not a duration from 1s to 6h", [value], "write for example 30s, 5m or 1h")
        return span


class RowsType(click.ParamType):
    """A job and its row count, such as player_daily_cache=210."""

    name = "JOB=ROWS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return job and count; the error is ours, one line with a hint."""
        if isinstance(value, tuple):
            return value
        job, _, count = str(value).partition("=")
        if not job or not count.isdigit() or len(count) > 9:
            raise UsageError("not a job with its rows", [value], "write for example player_daily_cache=210")
        return job, int(count)


DURATION = DurationType()
ROWS = RowsType()
NIGHT = NightType()
if_games_option = click.option("--if-games", is_flag=True, help="On a date without games say so and end with exit status 0.")


@contextmanager
def games_wanted(if_games: bool) -> Iterator[None]:
    """Turn a date without games into a plain end where a schedule asks every day."""
    try:
        yield
    except NoGamesError as error:
        if not if_games:
            raise
        if click.get_current_context().params.get("as_json"):
            said = error.as_dict()
            say_json({"skipped": said["error"], **{name: said[name] for name in ("fact", "values", "hint")}})
        else:
            click.echo(error.line())
        raise SystemExit(0) from None
