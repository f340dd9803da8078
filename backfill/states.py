"""The state of every partition, computed from the data: schedule, ledger, definitions, and the rows a reader finds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestration.ledger import entries
from orchestration.lineage import upstream_fingerprints
from schemas.clock import EASTERN
from schemas.contracts import contract
from serving.definitions import partition_definition
from transformations.render import companions
from warehouse.protocol import Partition, Warehouse

NEVER_BUILT = "never built"


class State(StrEnum):
    """What is wrong with a partition, or that nothing is."""

    CURRENT = "current"
    MISSING = "missing"
    DIFFERS = "differs"
    STALE = "stale"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class PartitionState:
    """State of one date of a table and why; `retry` says whether building it again may change that."""

    date: dt.date
    state: State
    why: str = ""
    retry: bool = True


@dataclass(frozen=True)
class TableState:
    """The states of all expected dates of a table, by date."""

    table: str
    states: Mapping[dt.date, PartitionState]

    def dates(self, *wanted: State) -> tuple[dt.date, ...]:
        """Return the dates in one of the states, oldest first."""
        return tuple(sorted(date for date, item in self.states.items() if item.state in wanted))

    @property
    def work(self) -> tuple[dt.date, ...]:
        """Dates that building again may bring up to date, oldest first."""
        return tuple(sorted(date for date, item in self.states.items() if item.state is not State.CURRENT and item.retry))


@dataclass(frozen=True)
class Facts:
    """All that is known of one partition: its line in the ledger, what is readable, and what both should be."""

    entry: Mapping[str, Any] | None
    readable: Partition | None
    damaged: bool
    upstream: str
    definition: str
    as_of: dt.datetime
    rows_expected: int | None
    companions_whole: bool = True


def is_damaged(facts: Facts, _date: dt.date) -> bool:
    """TRUE when the rows are on record and their file cannot be read."""
    return facts.damaged


def is_never_built(facts: Facts, _date: dt.date) -> bool:
    """TRUE when there are neither rows nor a line in the ledger."""
    return facts.entry is None and facts.readable is None


def is_unrecorded(facts: Facts, _date: dt.date) -> bool:
    """TRUE when there are rows of which the ledger knows nothing."""
    return facts.entry is None


def is_blocked(facts: Facts, _date: dt.date) -> bool:
    """TRUE when the last build was refused."""
    return facts.entry is not None and facts.entry["state"] == "blocked"


def is_gone(facts: Facts, _date: dt.date) -> bool:
    """TRUE when rows were published and none is readable."""
    return facts.entry is not None and facts.entry["row_count"] > 0 and facts.readable is None


def is_altered(facts: Facts, _date: dt.date) -> bool:
    """TRUE when the readable rows are not the published ones, by count or fingerprint."""
    entry, found = facts.entry or {}, facts.readable
    return (entry.get("row_count"), entry.get("fingerprint")) != (found.rows if found else 0, found.fingerprint if found else None)


def is_short(facts: Facts, _date: dt.date) -> bool:
    """TRUE when the rows are as published, and not as many as the slate calls for."""
    return facts.rows_expected is not None and facts.rows_expected != (facts.readable.rows if facts.readable else 0)


def is_of_other_definition(facts: Facts, _date: dt.date) -> bool:
    """TRUE when catalogue, rules, statement or columns have changed since."""
    return facts.entry is not None and facts.entry["definition_version"] != facts.definition


def is_of_other_inputs(facts: Facts, _date: dt.date) -> bool:
    """TRUE when a partition it reads has changed since."""
    return facts.entry is not None and facts.entry["upstream_fingerprint"] != facts.upstream


def is_early(facts: Facts, date: dt.date) -> bool:
    """TRUE when it was built before its day was over, and more is knowable now."""
    over = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), EASTERN)
    built = facts.entry["as_of"] if facts.entry else None
    return built is not None and built < over and built < facts.as_of


STALE_BECAUSE = (
    (is_of_other_definition, "definition changed"),
    (is_of_other_inputs, "upstream changed"),
    (is_early, "built before its day was over"),
)


def why_stale(facts: Facts, date: dt.date) -> str:
    """Return why the partition would be built differently now; empty when it would not."""
    return next((why for holds, why in STALE_BECAUSE if holds(facts, date)), "")


def judge(date: dt.date, facts: Facts) -> PartitionState:
    """Return the state of a partition; the first condition that holds decides."""
    if is_damaged(facts, date):
        return PartitionState(date, State.MISSING, "its file is damaged or gone")
    if is_never_built(facts, date):
        return PartitionState(date, State.MISSING, NEVER_BUILT)
    if is_unrecorded(facts, date):
        return PartitionState(date, State.DIFFERS, "not in the ledger")
    stale = why_stale(facts, date)
    if is_blocked(facts, date):
        reasons = str((facts.entry or {}).get("reasons") or "no reason recorded")
        return PartitionState(date, State.BLOCKED, f"{reasons}{', ' + stale + ' since' if stale else ''}", retry=bool(stale))
    if is_gone(facts, date):
        return PartitionState(date, State.MISSING, "published rows are gone")
    if is_altered(facts, date) or not facts.companions_whole:
        entry = facts.entry or {}
        rows = facts.readable.rows if facts.readable else 0
        why = (
            "content changed after it was published"
            if rows == entry.get("row_count")
            else f"{rows} of {entry.get('row_count')} rows are there"
        )
        return PartitionState(date, State.DIFFERS, why if facts.companions_whole else "companion rows are not whole")
    if stale:
        return PartitionState(date, State.STALE, stale)
    if is_short(facts, date):
        rows = facts.readable.rows if facts.readable else 0
        return PartitionState(date, State.DIFFERS, f"{rows} rows, the slate calls for {facts.rows_expected}")
    return PartitionState(date, State.CURRENT)


def _companions_whole(
    warehouse: Warehouse, table: str, dates: Collection[dt.date], readable: Mapping[dt.date, Partition]
) -> dict[dt.date, bool]:
    """Tell for each date whether every table published with this one has rows exactly where this one has."""
    names = companions(table)
    if not names or not dates:
        return {}
    damaged = {name: set(warehouse.damaged(name)) for name in names}
    found = {name: warehouse.partitions(name, min(dates), max(dates)) for name in names}
    return {date: all((date in found[name]) == (date in readable) and date not in damaged[name] for name in names) for date in dates}


def table_state(
    warehouse: Warehouse, table: str, dates: Sequence[dt.date], as_of: dt.datetime, rows_expected: Mapping[dt.date, int]
) -> TableState:
    """Return the state of each date of a table, its rows counted and hashed anew."""
    if not dates:
        return TableState(table, {})
    start, end = min(dates), max(dates)
    damaged = set(warehouse.damaged(table))
    # One damaged file makes the whole table unreadable; what the catalogue says must do until it is retired.
    readable = warehouse.partitions(table, start, end) if damaged else warehouse.readable(table, start, end)
    known = entries(warehouse, table, start, end)
    upstream = upstream_fingerprints(warehouse, contract(table), dates)
    whole = _companions_whole(warehouse, table, dates, readable)
    definition = partition_definition(table)
    states = {}
    for date in dates:
        facts = Facts(
            known.get(date),
            readable.get(date),
            date in damaged,
            upstream[date],
            definition,
            as_of,
            rows_expected.get(date),
            whole.get(date, True),
        )
        states[date] = judge(date, facts)
    return TableState(table, states)
