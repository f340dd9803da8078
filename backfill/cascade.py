"""Late or corrected raw data: find the store rows that hold it, make just their dates again, and vouch for the others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backfill.changes import Change, find_changes, whole_date
from backfill.plan import spans
from backfill.runner import STOPPING
from backfill.touched_rows import Touched, touched_rows
from orchestration.build import Built, build_table
from orchestration.ledger import entries, unbuilt_dates
from orchestration.lineage import upstream_fingerprints
from orchestration.outcome import LEDGER
from orchestration.plan import DAY, LOOK_BACK, dated_tables, others_tables, own_tables, summaries
from orchestration.runs import Run
from orchestration.slates import game_dates
from schemas.clock import eastern_date
from schemas.contracts import contract, load_contracts
from schemas.errors import PartlyDoneError, UsageError, WarehouseError
from schemas.rules import STORE_TABLE
from serving.definitions import partition_definition
from transformations.render import built_tables
from warehouse.protocol import Partition, RecordWrite, Warehouse

Report = Callable[[str, int, int], None]
Entries = Mapping[str, Mapping[dt.date, Mapping[str, Any]]]
FIRST, LAST = dt.date(1900, 1, 1), dt.date(2999, 12, 31)
MOST_CHANGES = 31
"""Beyond so many changed dates the windows overlap so much that every stale date is made again instead."""


@dataclass(frozen=True)
class CascadeStage:
    """Make, audit and publish these dates of a table."""

    table: str
    dates: tuple[dt.date, ...]

    def line(self) -> str:
        """Return the stage as one line."""
        return f"build {self.table}, {spans(self.dates)} ({len(self.dates)} dates)"


@dataclass(frozen=True)
class CascadePlan:
    """What changed, the store rows that hold it, and the stages; `vouched` are partitions that were current and hold nothing of it."""

    changes: tuple[Change, ...]
    touched: Touched
    stages: tuple[CascadeStage, ...]
    vouched: Mapping[str, tuple[dt.date, ...]]
    partitions: Mapping[str, Mapping[dt.date, Partition]]
    is_taken_on_trust: bool = False

    @property
    def store_dates(self) -> tuple[dt.date, ...]:
        """Dates of the store that are made again."""
        return next((stage.dates for stage in self.stages if stage.table == STORE_TABLE), ())

    def lines(self) -> list[str]:
        """Return the plan in words: what changed, whom it reaches, what is done."""
        reasons = ", ".join(f"{count} through {why}" for why, count in sorted(self.touched.reasons().items())) or "none"
        return [
            *(change.line() for change in self.changes),
            f"{len(self.touched.rows)} store rows hold it ({reasons}); {len(self.store_dates)} dates of the store are made again",
            *(stage.line() for stage in self.stages),
        ]


def _known(warehouse: Warehouse) -> dict[str, dict[dt.date, dict[str, Any]]]:
    return {table: entries(warehouse, table, FIRST, LAST) for table in own_tables(warehouse)}


def _require_own_summaries(warehouse: Warehouse) -> None:
    """Refuse where the tables of played games are another owner's: what changed in a row of theirs cannot be told from here."""
    if others := sorted(others_tables(warehouse) & set(summaries())):
        hint = "run: nba-features backfill, which makes every date again that reads what has changed"
        raise UsageError("a cascade needs tables of played games that are built here", others, hint)


def _is_current(table: str, entry: Mapping[str, Any], upstream: str) -> bool:
    """TRUE when the ledger's line speaks of today's definition and inputs."""
    return entry["definition_version"] == partition_definition(table) and entry["upstream_fingerprint"] == upstream


def _stale_dates(warehouse: Warehouse, known: Entries) -> dict[str, tuple[dt.date, ...]]:
    """Return for each table the dates on record whose inputs or definition have changed since."""
    found = {}
    for table, lines in known.items():
        upstream = upstream_fingerprints(warehouse, contract(table), tuple(lines))
        found[table] = tuple(sorted(date for date, entry in lines.items() if not _is_current(table, entry, upstream[date])))
    return found


def _arrived(warehouse: Warehouse, known: Entries, today: dt.date) -> set[dt.date]:
    """Return the dates of counted games with raw rows for a summary that was never made, from the first date on record on."""
    first = min((date for table in summaries() for date in known[table]), default=None)
    if first is None:
        return set()
    counted = game_dates(warehouse, first, today - DAY)
    return {
        date
        for table in summaries()
        for date in warehouse.partitions(contract(table).rows_from or table, first)
        if date in counted and date not in known[table]
    }


def changed_dates(warehouse: Warehouse, today: dt.date) -> tuple[dt.date, ...]:
    """Return the dates whose raw rows changed or arrived since their summaries were made, by fingerprints alone."""
    _require_own_summaries(warehouse)
    known = _known(warehouse)
    stale = _stale_dates(warehouse, {table: known[table] for table in summaries()})
    return tuple(sorted({date for dates in stale.values() for date in dates} | _arrived(warehouse, known, today)))


def plan_cascade(warehouse: Warehouse, dates: Sequence[dt.date], run: Run, with_stale: bool = False) -> CascadePlan:
    """Return what a change of these dates reaches, and the stages that make it good; nothing is changed.

    A date whose summaries come out as published was made good before, and counts as changed in every value. With
    `with_stale` the dates come along whose other inputs (odds, reports, fixtures) have changed.

    Raises:
        UsageError: the tables of played games are another owner's.
    """
    _require_own_summaries(warehouse)
    known = _known(warehouse)
    stale = _stale_dates(warehouse, known)
    trusted: set[dt.date] = set()
    if len(dates) > MOST_CHANGES:
        changes: tuple[Change, ...] = ()
        low, high = min(dates), max(dates) + LOOK_BACK
        touched = Touched({}, frozenset(date for date in known[STORE_TABLE] if low <= date <= high))
    else:
        rebuilt = {date for table in summaries() for date in stale[table]} | _arrived(warehouse, known, eastern_date(run.as_of))
        found = find_changes(warehouse, dates, run)
        trusted = {change.date for change in found if change.is_empty and change.date not in rebuilt}
        changes = tuple(whole_date(warehouse, change.date) if change.date in trusted else change for change in found)
        touched = touched_rows(warehouse, changes)
    stages = [CascadeStage(table, tuple(sorted(dates))) for table in summaries() if dates]
    vouched = {}
    for table in (name for name in dated_tables() if name in known):
        lines = known[table]
        again = tuple(sorted(date for date in {*touched.dates, *dates, *(stale[table] if with_stale else ())} if date in lines))
        if again:
            stages.append(CascadeStage(table, again))
        vouched[table] = tuple(sorted(set(lines) - set(again) - set(stale[table])))
    parts = {name: warehouse.partitions(name) for name in _read_tables()}
    return CascadePlan(changes, touched, tuple(stages), vouched, parts, bool(trusted))


def _read_tables() -> list[str]:
    return sorted({name for table in built_tables() for name in contract(table).reads if load_contracts()[name].built_by != "view"})


def _vouch(warehouse: Warehouse, plan: CascadePlan, run: Run) -> int:
    """Note of the dates that hold nothing of the change that their inputs are still the right ones; return how many.

    Only if nothing but this cascade changed an input meanwhile.
    """
    made = {(stage.table, date) for stage in plan.stages for date in stage.dates}
    for name, before in plan.partitions.items():
        after = warehouse.partitions(name)
        if any(before.get(date) != after.get(date) and (name, date) not in made for date in {*before, *after}):
            return 0
    rows = []
    for table, dates in plan.vouched.items():
        lines = entries(warehouse, table, FIRST, LAST)
        upstream = upstream_fingerprints(warehouse, contract(table), dates)
        rows += [
            {**lines[date], "upstream_fingerprint": upstream[date]}
            for date in dates
            if lines[date]["upstream_fingerprint"] != upstream[date]
        ]
    if rows:
        warehouse.record([RecordWrite(LEDGER, rows)])
    return len(rows)


def run_cascade(warehouse: Warehouse, plan: CascadePlan, run: Run, report: Report | None = None) -> tuple[Built, ...]:
    """Walk exactly the stages of the plan, then vouch for the dates left alone.

    Raises:
        PartlyDoneError: a date was blocked or failed; what is published stays.
    """
    built: list[Built] = []
    bad: dict[dt.date, str] = {}
    for number, stage in enumerate(plan.stages):
        if report:
            report(stage.line(), number, len(plan.stages))
        wanted = [date for date in stage.dates if date not in bad]
        if not plan.is_taken_on_trust:
            # A table whose inputs came out as they were, such as the slates after a correction of points, is current already.
            wanted = list(unbuilt_dates(warehouse, stage.table, wanted))
        if not wanted:
            continue
        try:
            item = build_table(warehouse, stage.table, wanted, run)
        except STOPPING:
            raise
        except WarehouseError as error:
            bad |= dict.fromkeys(wanted, f"{stage.table}: {error.line()}")
            continue
        built.append(item)
        bad |= {date: f"{stage.table}: {', '.join(reasons)}" for date, reasons in item.blocked.items()}
    _vouch(warehouse, plan, run)
    if bad:
        raise PartlyDoneError(
            "the cascade left dates as they were",
            [f"{date} ({why})" for date, why in sorted(bad.items())],
            "run: nba-features backfill --plan",
        )
    return tuple(built)
