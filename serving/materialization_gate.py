"""May this interval be written to the online store? A decision over facts; nothing is read or written here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.clock import EASTERN, UTC
from schemas.errors import BlockedError, UsageError
from warehouse.protocol import Partition

PUBLISHED = "published"
BLOCKED = "blocked"


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger says of one partition."""

    state: str
    rows: int
    fingerprint: str | None
    reasons: str
    definition_version: str


@dataclass(frozen=True)
class DateRead:
    """What a reader finds in one partition: all rows, and the rows and distinct keys inside the interval."""

    rows: int
    slice_rows: int
    slice_keys: int
    last_event: dt.datetime


@dataclass(frozen=True)
class GateFacts:
    """Ledger, catalogue and a count of the table itself, by game date.

    `definition` is what the table is built with today, None for one that is not built here.
    """

    table: str
    ledger: Mapping[dt.date, LedgerEntry]
    partitions: Mapping[dt.date, Partition]
    read: Mapping[dt.date, DateRead]
    definition: str | None

    def dates(self, state: str) -> list[dt.date]:
        """Return the dates of that state, oldest first."""
        return sorted(date for date, entry in self.ledger.items() if entry.state == state)


@dataclass(frozen=True)
class Verdict:
    """The gate lets these dates pass; `left_out` holds the blocked ones of the interval with their reasons."""

    table: str
    start: dt.datetime
    end: dt.datetime
    partitions: Mapping[dt.date, Partition]
    rows: int
    left_out: Mapping[dt.date, str]
    definition_version: str


def midnight(date: dt.date) -> dt.datetime:
    """Return the UTC instant at which the US Eastern date begins."""
    return dt.datetime.combine(date, dt.time(), EASTERN).astimezone(UTC)


def pasted(instant: dt.datetime) -> str:
    """Return the instant as `feast materialize` takes it: ISO, in UTC, without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat()


def last_allowed_end(facts: GateFacts, now: dt.datetime) -> dt.datetime | None:
    """Return the last instant the watermark may move to, or None when nothing is gated.

    It is the end of the newest gated game date, US Eastern, but no instant to come: a row built later today would then
    lie before the watermark and never be picked up. The newest gated row itself is always allowed.
    """
    gated = facts.dates(PUBLISHED)
    if not gated:
        return None
    newest = gated[-1]
    end = min(midnight(newest + dt.timedelta(days=1)), now)
    return max(end, facts.read[newest].last_event) if newest in facts.read else end


def _command(facts: GateFacts, start: dt.datetime, end: dt.datetime) -> str:
    return f"feast materialize {pasted(start)} {pasted(end)}"


def _refuse_interval(start: dt.datetime, end: dt.datetime, facts: GateFacts, allowed: dt.datetime) -> None:
    first = midnight(facts.dates(PUBLISHED)[0])
    if start >= end:
        stop = min(end, allowed) if end > first else allowed
        fact = f"the interval from {pasted(start)} to {pasted(end)} is empty: nothing would be written and the watermark would move"
        why = "materialize-incremental starts at the last end, or three days ago on its first run; name the interval instead"
        raise UsageError(fact, hint=f"{why}: {_command(facts, first, stop)}")
    if end > allowed:
        fact = f"the end {pasted(end)} lies beyond the last gated instant, {pasted(allowed)}: rows gated later would be skipped"
        why = "the last allowed end is the end of the newest gated game date (US Eastern), and never an instant to come"
        raise UsageError(fact, hint=f"{why}; run: {_command(facts, min(start, first) if start >= allowed else start, allowed)}")


def _ungated(facts: GateFacts, inside: list[dt.date]) -> list[str]:
    """List what makes a date of the interval unfit: the ledger, the catalogue and the table must tell the same story."""
    problems = []
    for date in inside:
        entry, part, found = facts.ledger.get(date), facts.partitions.get(date), facts.read[date]
        if entry is None or entry.state != PUBLISHED:
            problems.append(f"{date} is {entry.state if entry else 'not in the ledger'}")
        elif part is None or (entry.rows, entry.fingerprint) != (part.rows, part.fingerprint):
            problems.append(f"{date} is not the partition that was gated")
        elif found.rows != part.rows:
            problems.append(f"{date} holds {found.rows} rows, {part.rows} were gated")
        elif found.slice_rows != found.slice_keys:
            problems.append(f"{date} holds {found.slice_rows - found.slice_keys} repeated keys")
    return problems


def _refuse_older(facts: GateFacts, inside: list[dt.date]) -> None:
    """Raise `BlockedError` for dates made under another definition than today's: a reader would take them for the same thing."""
    if facts.definition is None:
        return
    older = [date for date in inside if facts.ledger[date].definition_version != facts.definition]
    if older:
        hint = f"run: nba-features backfill --start-date {older[0]} --end-date {older[-1]}"
        raise BlockedError("the interval holds dates made under another definition than today's", older, hint)


def judge(start: dt.datetime, end: dt.datetime, facts: GateFacts, now: dt.datetime) -> Verdict:
    """Return what may be written of the interval, both ends included.

    Raises:
        UsageError: the interval is empty, or ends beyond the last gated instant.
        BlockedError: nothing gated lies in it, or a date in it is not what the gate let pass, or was made under another definition.
    """
    allowed = last_allowed_end(facts, now)
    if allowed is None:
        raise BlockedError("no date of the store is gated", facts.dates(BLOCKED), "run: nba-features run")
    _refuse_interval(start, end, facts, allowed)
    last_date = end.astimezone(EASTERN).date()
    first_date = start.astimezone(EASTERN).date()
    read = {date for date, found in facts.read.items() if found.slice_rows}
    left_out = {
        date: facts.ledger[date].reasons or "no reason recorded"
        for date in facts.dates(BLOCKED)
        if date in read or first_date <= date <= last_date
    }
    inside = sorted(read - set(left_out))
    problems = _ungated(facts, inside)
    # A published date of the interval that a reader finds empty would be a silent hole.
    problems += [
        f"{date} is published and holds no row"
        for date in facts.dates(PUBLISHED)
        if first_date <= date <= last_date and date not in facts.read
    ]
    if problems:
        raise BlockedError("the interval holds dates the gate has not let pass", problems, "run: nba-features doctor")
    _refuse_older(facts, inside)
    if not inside:
        blocked = [f"{date} ({reasons})" for date, reasons in left_out.items()]
        raise BlockedError(
            f"nothing gated lies between {pasted(start)} and {pasted(end)}" + (", only blocked dates" if blocked else ""),
            blocked,
            f"gated so far: {_command(facts, midnight(facts.dates(PUBLISHED)[0]), allowed)}",
        )
    versions = sorted({facts.ledger[date].definition_version for date in inside})
    return Verdict(
        facts.table,
        start,
        end,
        {date: facts.partitions[date] for date in inside},
        sum(facts.read[date].slice_rows for date in inside),
        left_out,
        ",".join(versions),
    )
