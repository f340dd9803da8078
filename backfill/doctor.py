"""Hold ledger, tables, lineage, registry, online store and what processes left behind against each other; mend what differs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from backfill.calendar import Calendar, expected_calendar
from backfill.plan import ranges, survey
from backfill.progress import STAGES
from backfill.repairs import (
    ApplyDefinitions,
    CloseMaterializations,
    CloseRuns,
    CloseStages,
    MakeAgain,
    RemoveExtra,
    RemoveOrphans,
    Repair,
    ReplayOnline,
    Retire,
)
from backfill.replay import Replay, plan_replay, plan_replay_from
from backfill.states import State
from orchestration.outcome import LEDGER
from orchestration.plan import own_tables
from orchestration.runs import RUNS
from schemas.errors import FeatureStoreError, NoGamesError, UsageError
from schemas.rules import STORE_TABLE
from schemas.settings import Settings
from transformations.render import companions
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    from feast import FeatureStore

BROKEN = (State.MISSING, State.DIFFERS)
HISTORY = "nba_orchestration.materialization_history"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be, and what mends it."""

    check: str
    fact: str
    repair: Repair | None = None

    def line(self) -> str:
        """Return the finding as one line."""
        return f"{self.check}: {self.fact}" + (f" -> {self.repair.line()}" if self.repair else "")


@dataclass(frozen=True)
class Patient:
    """What the checks look at."""

    warehouse: Warehouse
    settings: Settings
    now: dt.datetime
    calendar: Calendar | None


def _built_range(warehouse: Warehouse) -> tuple[dt.date, dt.date] | None:
    row = warehouse.query(f"SELECT MIN(game_date) AS first_date, MAX(game_date) AS last_date FROM {LEDGER}").to_pylist()[0]
    return (row["first_date"], row["last_date"]) if row["first_date"] else None


def examined(warehouse: Warehouse, settings: Settings, now: dt.datetime) -> Patient:
    """Return what is to be looked at: the dates from the first to the last on record."""
    span = _built_range(warehouse)
    try:
        calendar = expected_calendar(warehouse, now, *span) if span else None
    except NoGamesError:
        calendar = None
    return Patient(warehouse, settings, now, calendar)


def check_partitions(patient: Patient) -> Iterator[Finding]:
    """Rows a reader finds against the ledger, the slates and the companions of each date."""
    if patient.calendar is None:
        return
    known = {
        (row["table_name"], row["game_date"]) for row in patient.warehouse.query(f"SELECT table_name, game_date FROM {LEDGER}").to_pylist()
    }
    for item in survey(patient.warehouse, patient.calendar, patient.now):
        by_why: dict[str, list[dt.date]] = {}
        for date in item.dates(*BROKEN):
            if (item.table, date) in known or item.states[date].state is State.DIFFERS:
                by_why.setdefault(item.states[date].why, []).append(date)
        for why, dates in sorted(by_why.items()):
            spans = ", ".join(
                f"{first} to {last}" if first != last else str(first) for first, last in ranges(dates, patient.calendar.dates)
            )
            yield Finding("partitions", f"{item.table}, {spans}: {why}", MakeAgain(tuple(dates)))


def check_strays(patient: Patient) -> Iterator[Finding]:
    """Partitions of dates on which the schedule has no game."""
    if patient.calendar is None:
        return
    for table in own_tables(patient.warehouse):
        for name in (table, *companions(table)):
            stray = tuple(date for date in patient.warehouse.partitions(name) if date not in patient.calendar.games)
            if stray:
                yield Finding("strays", f"{name} has rows of {len(stray)} dates without a game", Retire(name, stray))


def check_companions(patient: Patient) -> Iterator[Finding]:
    """As many rows of lineage and sources as the store has on each date."""
    store = patient.warehouse.partitions(STORE_TABLE)
    for name in companions(STORE_TABLE):
        found = patient.warehouse.partitions(name)
        wrong = tuple(date for date, part in store.items() if date in found and found[date].rows != part.rows)
        if wrong:
            yield Finding("companions", f"{name} has other rows than the store on {len(wrong)} dates", MakeAgain(wrong))


def check_runs(patient: Patient) -> Iterator[Finding]:
    """Runs and stages on record as running whose process is gone."""
    rows = patient.warehouse.query(f"SELECT run_id, holder FROM {RUNS} WHERE state = 'running'").to_pylist()
    dead = tuple(row["run_id"] for row in rows if not patient.warehouse.is_alive(row["holder"]))
    if dead:
        yield Finding("runs", f"{len(dead)} runs ended without a word", CloseRuns())
    alive = {row["run_id"] for row in rows} - set(dead)
    stages = patient.warehouse.query(f"SELECT run_id, stage FROM {STAGES} WHERE state = 'running'").to_pylist()
    left = tuple((row["run_id"], row["stage"]) for row in stages if row["run_id"] not in alive)
    if left:
        yield Finding("runs", f"{len(left)} stages of ended backfills are on record as running", CloseStages(left))


def check_orphans(patient: Patient) -> Iterator[Finding]:
    """Files that dead processes left behind; while somebody works, young ones may be his."""
    rows = patient.warehouse.query(f"SELECT holder FROM {RUNS} WHERE state = 'running'").to_pylist()
    busy = any(patient.warehouse.is_alive(row["holder"]) for row in rows)
    found = patient.warehouse.orphans() if busy else patient.warehouse.orphans(0)
    if found:
        yield Finding("orphans", f"{len(found)} files nobody needs", RemoveOrphans(busy))


def check_registry(patient: Patient) -> Iterator[Finding]:
    """Feature views and services as declared against those registered, where anything is registered."""
    if not (patient.settings.home / "feast").is_dir():
        return
    from serving.feature_store import definitions, open_feature_store

    store = open_feature_store(patient.settings, patient.warehouse)
    registered = {item.name for item in (*store.list_feature_views(), *store.list_feature_services())}
    if not registered:
        return
    from feast import FeatureService, FeatureView

    declared = {item.name for item in definitions() if isinstance(item, FeatureView | FeatureService)}
    if declared != registered:
        yield Finding("registry", f"declared and registered differ: {', '.join(sorted(declared ^ registered))}", ApplyDefinitions())


def _store(patient: Patient) -> FeatureStore | None:
    """Return the Feast store, None where nothing was ever applied."""
    if not (patient.settings.home / "feast").is_dir():
        return None
    from serving.feature_store import open_feature_store

    return open_feature_store(patient.settings, patient.warehouse)


def check_materializations(patient: Patient) -> Iterator[Finding]:
    """Materializations on record as running whose process is gone: their interval is written again."""
    rows = patient.warehouse.query(f"SELECT * FROM {HISTORY} WHERE state = 'running'").to_pylist()
    dead = [row for row in rows if row["detail"] and not patient.warehouse.is_alive(row["detail"])]
    if not dead:
        return
    views = ", ".join(sorted({row["feature_view"] for row in dead}))
    ids = tuple(sorted(row["materialization_id"] for row in dead))
    yield Finding("materializations", f"{len(dead)} ended without a word: {views}", CloseMaterializations(ids))
    replay = Replay(min(row["start_time"] for row in dead), max(row["end_time"] for row in dead))
    yield Finding("materializations", "what they were to write may be online in part", ReplayOnline(replay))


def check_online(patient: Patient) -> Iterator[Finding]:
    """Dates made again after they were last materialized."""
    rows = patient.warehouse.query(
        f"SELECT MAX(recorded_at) AS recorded, MAX(end_time) AS reached FROM {HISTORY} WHERE state = 'succeeded'"
    ).to_pylist()
    at = rows[0]["recorded"]
    if at is None:
        return
    sql = f"SELECT game_date FROM {LEDGER} WHERE table_name = @table AND state = 'published' AND updated_at > @at ORDER BY game_date"
    newer = [row["game_date"] for row in patient.warehouse.query(sql, {"table": STORE_TABLE, "at": at}).to_pylist()]
    replay = plan_replay(patient.warehouse, newer)
    if replay is not None:
        yield Finding("online", f"{len(newer)} dates of the store are newer than the online store", ReplayOnline(replay))


def check_online_rows(patient: Patient) -> Iterator[Finding]:
    """Rows of the online store against the published rows of the intervals that were materialized: times and bytes."""
    store = _store(patient)
    if store is None:
        return
    from serving.online_audit import KINDS, REPLAYED, audit_online, materialized_intervals
    from serving.packed.layout import instant_of

    try:
        audits = list(audit_online(store, patient.warehouse))
    except UsageError as error:
        # The file was moved away: its tables are made anew and what was ever materialized is written again.
        yield Finding("online", error.line(), ApplyDefinitions())
        starts = [start for spans in materialized_intervals(patient.warehouse).values() for start, _ in spans]
        written = plan_replay_from(patient.warehouse, instant_of(min(starts)) or patient.now) if starts else None
        if written is not None:
            yield Finding("online", "what was materialized is not there", ReplayOnline(written))
        return
    told: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    for audit in audits:
        for kind, count in audit.counts().items():
            told[kind][audit.view] = count
    texts = {kind: f"{sum(views.values())} rows {kind} ({', '.join(sorted(views))})" for kind, views in told.items() if views}
    oldest = [audit.oldest for audit in audits if audit.oldest is not None]
    behind = "; ".join(texts[kind] for kind in REPLAYED if kind in texts)
    if behind:
        replay = plan_replay_from(patient.warehouse, min(oldest))
        yield Finding("online", behind, ReplayOnline(replay) if replay else None)
    if "extra" in texts:
        yield Finding("online", texts["extra"], RemoveExtra())
    if "newer" in texts:
        # An older value is never written over a newer one: which of the two is right, only a person can tell.
        yield Finding("online", f"{texts['newer']} than the warehouse: was it restored from a copy?")


Check = Callable[[Patient], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    check_runs,
    check_orphans,
    check_strays,
    check_partitions,
    check_companions,
    check_registry,
    check_materializations,
    check_online,
    check_online_rows,
)
"""In the order in which their repairs are walked: later ones may need what earlier ones mend."""


def _walked(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a check finds; one that fails is a finding itself, so that the others can still be heard."""
    try:
        yield from look()
    except FeatureStoreError as error:
        yield Finding(name, f"could not be looked at: {error.line()}")


def examine(warehouse: Warehouse, settings: Settings, now: dt.datetime) -> tuple[Finding, ...]:
    """Return all that is wrong, in the order of the repairs; nothing is changed."""
    found: list[Finding] = []
    try:
        patient = examined(warehouse, settings, now)
    except FeatureStoreError as error:
        # Without a calendar the checks that need none still run.
        found.append(Finding("calendar", f"could not be looked at: {error.line()}"))
        patient = Patient(warehouse, settings, now, None)
    for check in CHECKS:
        found += _walked(check.__name__.removeprefix("check_"), partial(check, patient))
    return tuple(found)
