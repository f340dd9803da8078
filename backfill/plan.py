"""The plan of a backfill: a list of small stages computed from the data. `--plan` prints it, the runner walks exactly it."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backfill.attempts import Attempts, read_attempts
from backfill.calendar import Calendar
from backfill.request import Request
from backfill.row_counts import ROSTER, estimated_rows, expected_counts, players_without_row
from backfill.states import NEVER_BUILT, PartitionState, State, TableState, table_state
from orchestration.plan import own_tables, summaries
from schemas.contracts import READ_WINDOWS, contract
from warehouse.protocol import Warehouse

DAY = dt.timedelta(days=1)
AWAITS = "an input is built anew"


@dataclass(frozen=True)
class RetireStage:
    """Take partitions out of a table whose file is damaged, so that the others can be read again."""

    table: str
    dates: tuple[dt.date, ...]
    rows: int = 0

    def line(self) -> str:
        """Return the stage as one line."""
        return f"retire {self.table}, {spans(self.dates)}: damaged or gone"


@dataclass(frozen=True)
class BuildStage:
    """Make, audit and publish these dates of a table in one statement; about `rows` rows."""

    table: str
    dates: tuple[dt.date, ...]
    rows: int
    why: str

    def line(self) -> str:
        """Return the stage as one line."""
        return f"build {self.table}, {spans(self.dates)} ({len(self.dates)} dates, about {self.rows} rows): {self.why}"


Stage = RetireStage | BuildStage


@dataclass(frozen=True)
class Plan:
    """What there is, what is wrong with it, and the stages that mend it."""

    calendar: Calendar
    tables: tuple[TableState, ...]
    stages: tuple[Stage, ...]
    held_back: Mapping[str, tuple[str, ...]]

    @property
    def rows(self) -> int:
        """Estimate of the rows to be written."""
        return sum(stage.rows for stage in self.stages)

    def unfinished(self) -> list[tuple[str, PartitionState]]:
        """Return every partition that is not current, table by table."""
        return [(table.table, item) for table in self.tables for _, item in sorted(table.states.items()) if item.state is not State.CURRENT]

    def table_rows(self) -> list[dict[str, Any]]:
        """Return one summary per table: counts of dates by state and the ranges the plan runs."""
        planned: dict[str, list[dt.date]] = {}
        for stage in self.stages:
            if isinstance(stage, BuildStage):
                planned.setdefault(stage.table, []).extend(stage.dates)
        return [
            {
                "table": item.table,
                "expected": len(item.states),
                "present": len(item.dates(State.CURRENT)),
                **{state.value: len(item.dates(state)) for state in (State.MISSING, State.DIFFERS, State.STALE, State.BLOCKED)},
                "runs": spans(sorted(planned.get(item.table, ()))),
                "order": order_of_dates(item.table),
            }
            for item in self.tables
        ]


def ranges(dates: Sequence[dt.date], calendar: Sequence[dt.date] | None = None) -> list[tuple[dt.date, dt.date]]:
    """Return the dates as ranges; two dates are neighbours when no date of the calendar (by default no day) lies between."""
    places = {date: place for place, date in enumerate(calendar)} if calendar else {date: date.toordinal() for date in dates}
    found: list[tuple[dt.date, dt.date]] = []
    for date in sorted(dates):
        if found and places[date] - places[found[-1][1]] <= 1:
            found[-1] = (found[-1][0], date)
        else:
            found.append((date, date))
    return found


def spans(dates: Sequence[dt.date]) -> str:
    """Return the first and the last date as text."""
    if not dates:
        return ""
    return str(dates[0]) if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def order_of_dates(table: str) -> str:
    """Return `independent` when no date of a table reads another one of it, even through other tables, else `sequential`."""
    seen, waiting = set(), list(contract(table).reads)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += contract(name).reads
    return "sequential" if table in seen else "independent"


def survey(warehouse: Warehouse, calendar: Calendar, as_of: dt.datetime, on: Sequence[dt.date] | None = None) -> tuple[TableState, ...]:
    """Return the state of all expected dates of all tables built here, or of those in `on`, as a reader finds them."""
    states, own = [], own_tables(warehouse)
    for table, dates in calendar.tables().items():
        if table not in own:
            continue
        wanted = dates if on is None else tuple(date for date in dates if date in on)
        found = table_state(warehouse, table, wanted, as_of, expected_counts(warehouse, calendar, table))
        states.append(_without_row(warehouse, found, as_of) if table == ROSTER else found)
    return tuple(states)


def _without_row(warehouse: Warehouse, found: TableState, as_of: dt.datetime) -> TableState:
    """Mark the dates of the roster on which somebody played who has no row."""
    current = found.dates(State.CURRENT)
    if not current:
        return found
    lacking = players_without_row(warehouse, current, as_of)
    marked = {
        date: PartitionState(date, State.DIFFERS, f"{lacking[date]} players played and have no row") for date in current if date in lacking
    }
    return replace(found, states={**found.states, **marked})


def _touched(dates: Iterable[dt.date], rebuilt: Sequence[dt.date], window: tuple[int, int] | None) -> set[dt.date]:
    """Return the dates whose window holds a date that is rebuilt."""
    if window is None:
        return set(dates) if rebuilt else set()
    oldest, newest = window
    return {date for date in dates if bisect_left(rebuilt, date - oldest * DAY) < bisect_right(rebuilt, date - newest * DAY)}


def propagate(states: Sequence[TableState]) -> tuple[TableState, ...]:
    """Mark as stale what is current now and reads a partition that will be built anew; tables come in building order.

    A blocked date is tried again for the same reason.
    """
    rebuilt: dict[str, list[dt.date]] = {}
    result = []
    for item in states:
        waiting = [date for date, found in item.states.items() if found.state is State.CURRENT or not found.retry]
        touched = set().union(
            *(
                _touched(waiting, rebuilt[table], READ_WINDOWS[window])
                for table, window in contract(item.table).reads.items()
                if table in rebuilt
            )
        )
        marked = {
            date: PartitionState(date, State.STALE, AWAITS)
            if item.states[date].state is State.CURRENT
            else replace(item.states[date], why=f"{item.states[date].why}, {AWAITS}", retry=True)
            for date in touched
        }
        found = replace(item, states={**item.states, **marked})
        rebuilt[item.table] = list(found.work)
        result.append(found)
    return tuple(result)


def _chunks(
    warehouse: Warehouse, table: str, dates: Sequence[dt.date], calendar: Calendar, request: Request
) -> list[tuple[tuple[dt.date, ...], int]]:
    """Cut the dates by season and by the bound on rows of one statement; give each chunk its share of the estimate."""
    if not dates:
        return []
    per_game = estimated_rows(warehouse, table, dates, calendar.games) / sum(calendar.games[date] for date in dates)
    found: list[tuple[tuple[dt.date, ...], int]] = []
    chunk: list[dt.date] = []
    size = 0.0
    for date in dates:
        rows = per_game * calendar.games[date]
        other_season = bool(chunk) and calendar.season_of.get(date) != calendar.season_of.get(chunk[-1])
        if chunk and (request.date_by_date or other_season or size + rows > request.rows_per_stage):
            found.append((tuple(chunk), round(size)))
            chunk, size = [], 0.0
        chunk.append(date)
        size += rows
    return [*found, (tuple(chunk), round(size))]


def _why(states: Mapping[dt.date, PartitionState], dates: Sequence[dt.date]) -> str:
    counts: dict[str, int] = {}
    for date in dates:
        label = states[date].state.value if states[date].state is not State.STALE else f"stale, {states[date].why}"
        counts[label] = counts.get(label, 0) + 1
    return "; ".join(f"{count} {label}" for label, count in sorted(counts.items()))


def _has_failed(found: PartitionState) -> bool:
    """TRUE for what was built before and is not as it should be; what was never built is no failure."""
    return found.state in (State.BLOCKED, State.DIFFERS) or (found.state is State.MISSING and found.why != NEVER_BUILT)


def _groups(states: Sequence[TableState], calendar: Calendar, request: Request) -> list[set[dt.date]]:
    """Return the dates that go through all their tables together: failures before the rest, then season by season or date by date."""
    work = {date for item in states for date in item.work}
    failed = {date for item in states for date in item.work if _has_failed(item.states[date])}
    groups: list[set[dt.date]] = []
    for part in (failed, work - failed):
        together: dict[str, set[dt.date]] = {}
        for date in part:
            label = str(date) if request.date_by_date else calendar.season_of.get(date, "")
            together.setdefault(label, set()).add(date)
        groups += [together[label] for label in sorted(together)]
    return groups


def _build_stages(warehouse: Warehouse, states: Sequence[TableState], calendar: Calendar, request: Request) -> list[Stage]:
    """Return the summaries of all seasons first, for later dates read them; then the dates' own tables, group by group."""
    stages: list[Stage] = []

    def add(item: TableState, dates: Sequence[dt.date]) -> None:
        for chunk, rows in _chunks(warehouse, item.table, dates, calendar, request):
            stages.append(BuildStage(item.table, chunk, rows, _why(item.states, chunk)))

    played = [item for item in states if item.table in summaries()]
    dated = [item for item in states if item.table not in summaries()]
    for group in _groups(played, calendar, request):
        for item in played:
            add(item, [date for date in item.work if date in group])
    for group in _groups(dated, calendar, request):
        for item in dated:
            add(item, [date for date in item.work if date in group])
    return stages


def _in_scope(item: TableState, request: Request, attempts: Attempts) -> TableState:
    """Leave out of the work what was not asked for and what has been tried too often; retry what was named one by one."""
    states = {}
    for date, found in item.states.items():
        if (request.gaps or date in request.dates) and found.state is State.BLOCKED:
            # Asked for by name: the same rows may pass another suite, or beside other neighbours.
            found = replace(found, retry=True)
        if request.gaps and found.state is State.STALE:
            found = replace(found, retry=False)
        if found.state is not State.CURRENT and not attempts.may_try(item.table, date):
            found = replace(found, retry=False, why=f"{found.why}; {attempts.line(item.table, date)}")
        states[date] = found
    return replace(item, states=states)


def make_plan(warehouse: Warehouse, calendar: Calendar, request: Request, as_of: dt.datetime, now: dt.datetime) -> Plan:
    """Return what is missing, altered, stale or blocked on the dates, and the stages that mend it.

    Raises:
        WarehouseError: the state of earlier attempts cannot be read; then nothing may be tried.
    """
    attempts = read_attempts(warehouse, now)
    surveyed = survey(warehouse, calendar, as_of)
    states = propagate([_in_scope(item, request, attempts) for item in surveyed])
    if request.gaps:
        states = tuple(_in_scope(item, request, attempts) for item in states)
    retired: list[Stage] = [RetireStage(table, dates) for table in _with_companions(states) if (dates := warehouse.damaged(table))]
    held = {item.table: tuple(str(date) for date in item.dates(State.BLOCKED) if not item.states[date].retry) for item in states}
    return Plan(calendar, states, (*retired, *_build_stages(warehouse, states, calendar, request)), {t: d for t, d in held.items() if d})


def _with_companions(states: Sequence[TableState]) -> list[str]:
    from transformations.render import companions

    return [name for item in states for name in (item.table, *companions(item.table))]
