"""What to run: commands as they are typed, with the instant and the source that the runs before were given."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence

from orchestration.explain.facts import Facts, request_of
from schemas.clock import UTC

PROGRAM = "nba-features"
EXPLICIT = dt.timedelta(minutes=10)
"""An as-of instant further than this from the start of its run was asked for."""


MOST_NAMED = 12
"""More dates than this are given by the first and the last of them."""


def as_of_words(facts: Facts, date: dt.date) -> tuple[str, ...]:
    """Return `--as-of` with the instant of the latest run of the date, when that was asked for; else nothing."""
    for run in facts.runs_about(date):
        if request_of(run).get("command") != "run" or run["as_of"] is None:
            continue
        if abs(run["as_of"] - run["started_at"]) <= EXPLICIT:
            return ()
        return ("--as-of", run["as_of"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return ()


def run_again(facts: Facts, date: dt.date) -> str:
    """Return the command that makes a date from raw rows to the store."""
    return " ".join([PROGRAM, "run", "--date", str(date), *as_of_words(facts, date)])


def build_dates(facts: Facts, dates: Sequence[dt.date]) -> str:
    """Return the command that makes these dates: one as a night, several as a backfill."""
    days = sorted(set(dates))
    if len(days) == 1:
        return run_again(facts, days[0])
    if len(days) > MOST_NAMED:
        return f"{PROGRAM} backfill --start-date {days[0]} --end-date {days[-1]}"
    return f"{PROGRAM} backfill --dates {','.join(str(day) for day in days)}"


def ingest_again(facts: Facts) -> str:
    """Return the command that loads the raw rows, as it was last given."""
    for run in sorted(facts.runs.values(), key=lambda row: row["started_at"], reverse=True):
        request = request_of(run)
        if request.get("command") == "ingest":
            words = [str(word) for word in request.get("words") or ()]
            return shlex.join([PROGRAM, "ingest", *words])
    return f"{PROGRAM} ingest"


def cascade() -> str:
    """Return the command that makes again what holds raw rows that have arrived or changed."""
    return f"{PROGRAM} backfill --cascade-auto"


def mend_ledger() -> str:
    """Return the command that holds ledger and tables against each other and mends them."""
    return f"{PROGRAM} doctor --repair"


def make_damaged_again() -> str:
    """Return the command that retires rows whose file is damaged and makes them again, though nothing can be read of them."""
    return f"{PROGRAM} backfill --skip-preflight"
