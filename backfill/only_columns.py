"""Fill new columns of the store and nothing else: every other column stays as it is, proved by fingerprint before publication."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backfill.calendar import Calendar, expected_calendar
from backfill.request import Request
from orchestration.audits import audited
from orchestration.expected import expected_rows
from orchestration.ledger import entries
from orchestration.lineage import upstream_fingerprints
from orchestration.outcome import LEDGER
from orchestration.quality_events import EVENTS
from orchestration.runs import Run, recorded_run
from schemas.contracts import contract
from schemas.errors import ExitStatus, UnknownNameError, UsageError
from schemas.rules import STORE_TABLE
from serving.definitions import partition_definition
from transformations.render import dates_statement
from warehouse.protocol import Partition, Publication, RecordWrite, Staged, Warehouse

COMMAND = "backfill only columns"


@dataclass(frozen=True)
class Filled:
    """The columns, the dates on which they were filled, and the dates left as they were and why."""

    run_id: str | None
    columns: tuple[str, ...]
    dates: tuple[dt.date, ...]
    rows: int
    left: Mapping[dt.date, str]

    @property
    def exit_status(self) -> ExitStatus:
        """Partly when a date was left as it was."""
        return ExitStatus.PARTLY if self.left else ExitStatus.DONE

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "run_id": self.run_id,
            "columns": list(self.columns),
            "dates": [str(date) for date in self.dates],
            "rows": self.rows,
            "left": {str(date): why for date, why in self.left.items()},
        }


def _check(columns: Sequence[str]) -> None:
    spec = contract(STORE_TABLE)
    unknown = [name for name in columns if name not in spec.by_name]
    if unknown or not columns:
        raise UnknownNameError("the store has no such column", unknown, "see docs/reference/tables.md")
    fixed = [name for name in columns if name in spec.keys or name == spec.partition]
    if fixed:
        raise UsageError("a key cannot be filled by itself", fixed)


def _mixed(columns: Sequence[str]) -> str:
    """Return the query of the published rows with these columns taken from rows made anew."""
    spec = contract(STORE_TABLE)
    chosen = ", ".join(f"{'made' if name in columns else 'kept'}.{name} AS {name}" for name in spec.column_names)
    keys = " AND ".join(f"made.{key} = kept.{key}" for key in spec.keys)
    kept = f"(SELECT * FROM {STORE_TABLE} WHERE game_date BETWEEN @start_date AND @end_date AND game_date IN UNNEST(@dates))"
    return f"SELECT {chosen}\nFROM {kept} AS kept\nJOIN (\n{dates_statement(STORE_TABLE)}\n) AS made ON {keys}"


def _others(
    warehouse: Warehouse, columns: Sequence[str], params: Mapping[str, Any], run: Run, staged: Sequence[Staged]
) -> dict[dt.date, Partition]:
    """Return rows and fingerprint over all columns but these, of the published rows or of staged ones in their place."""
    spec = contract(STORE_TABLE)
    rest = replace(spec, columns=tuple(column for column in spec.columns if column.name not in columns))
    names = ", ".join(column.name for column in rest.columns)
    # Copied first: an engine may take a query of the very table it stages for.
    found = warehouse.query(f"SELECT {names} FROM {STORE_TABLE} WHERE game_date IN UNNEST(@dates)", params, staged)
    copy = warehouse.stage_rows(rest, found, run.run_id)
    try:
        return dict(copy.partitions)
    finally:
        warehouse.discard(copy)


def _fill(warehouse: Warehouse, columns: Sequence[str], dates: Sequence[dt.date], run: Run) -> tuple[int, dict[dt.date, str]]:
    """Fill the columns on these dates; return the rows published and the dates left with the reason."""
    spec = contract(STORE_TABLE)
    start, end = min(dates), max(dates)
    params = {**run.params(start, end), "dates": sorted(dates)}
    with warehouse.lease(STORE_TABLE, start, end, f"run {run.run_id}"):
        fresh = warehouse.stage_query(spec, dates_statement(STORE_TABLE), params, run.run_id)
        mixed = warehouse.stage_query(spec, _mixed(columns), params, run.run_id)
        try:
            before = _others(warehouse, columns, params, run, ())
            after = _others(warehouse, columns, params, run, [mixed])
            left = {date: "its rows are other ones now: backfill it whole" for date in dates if before.get(date) != after.get(date)}
            audit = audited(warehouse, spec, [mixed], dates, expected_rows(warehouse, STORE_TABLE, dates), run)
            left |= {date: ", ".join(reasons) for date, reasons in audit.blocked.items() if date not in left}
            good = tuple(date for date in dates if date not in left)
            if not good:
                return 0, left
            lines = entries(warehouse, STORE_TABLE, start, end)
            upstream = upstream_fingerprints(warehouse, spec, good)
            rows = []
            for date in good:
                part = mixed.partitions[date]
                line = {**lines[date], "fingerprint": part.fingerprint, "row_count": part.rows, "run_id": run.run_id}
                if fresh.partitions.get(date) == part:
                    # Filled up like this the date is what a whole build makes of it today.
                    line |= {"definition_version": partition_definition(STORE_TABLE), "upstream_fingerprint": upstream[date]}
                rows.append(line)
            receipts = warehouse.publish([Publication(mixed, good)], [RecordWrite(LEDGER, rows), RecordWrite(EVENTS, list(audit.events))])
            return receipts[0].rows, left
        finally:
            warehouse.discard(mixed)
            warehouse.discard(fresh)


def _published(warehouse: Warehouse, calendar: Calendar) -> list[list[dt.date]]:
    """Return the published dates of the calendar, season by season."""
    there = warehouse.partitions(STORE_TABLE)
    known = entries(warehouse, STORE_TABLE, *calendar.effective)
    seasons: dict[str, list[dt.date]] = {}
    for date in calendar.dates:
        if date in there and date in known:
            seasons.setdefault(calendar.season_of[date], []).append(date)
    return list(seasons.values())


def fill_columns(
    warehouse: Warehouse,
    request: Request,
    columns: Sequence[str],
    now: dt.datetime,
    as_of: dt.datetime,
    cutoff_minutes: int,
    only_plan: bool = False,
) -> Filled:
    """Fill the columns on all published dates of the request.

    Raises:
        UnknownNameError, UsageError: no such column, or one that a row is known by.
    """
    _check(columns)
    calendar = expected_calendar(warehouse, as_of, request.start, request.end, request.season, request.dates)
    chunks = _published(warehouse, calendar)
    dates = tuple(date for chunk in chunks for date in chunk)
    if only_plan:
        rows = sum(part.rows for date, part in warehouse.partitions(STORE_TABLE).items() if date in dates)
        return Filled(None, tuple(columns), dates, rows, {})
    left: dict[dt.date, str] = {}
    with recorded_run(
        warehouse, COMMAND, {**request.as_dict(), "columns": list(columns)}, as_of, cutoff_minutes, *calendar.effective
    ) as run:
        for chunk in chunks:
            rows, reasons = _fill(warehouse, columns, chunk, run)
            run.rows_written += rows
            left |= reasons
        run.exit_status = ExitStatus.PARTLY if left else ExitStatus.DONE
    return Filled(run.run_id, tuple(columns), tuple(date for date in dates if date not in left), run.rows_written, left)
