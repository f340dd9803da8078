"""The night's plan: a list of small stages. `--dry-run` prints it, the runner walks it, the tests assert it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestration.ledger import unbuilt_dates
from orchestration.slates import game_dates, require_games
from schemas.contracts import contract
from schemas.errors import UnknownNameError, UsageError
from schemas.rules import STORE_TABLE
from transformations.render import built_tables
from warehouse.protocol import Warehouse

LOOK_BACK = dt.timedelta(days=365)
DAY = dt.timedelta(days=1)
ROSTER_DAYS = dt.timedelta(days=30)


@dataclass(frozen=True)
class BuildStage:
    """Make, audit and publish the partitions of a table on these dates."""

    table: str
    dates: tuple[dt.date, ...]
    why: str

    def line(self) -> str:
        """Return the stage as one line."""
        span = str(self.dates[0]) if len(self.dates) == 1 else f"{self.dates[0]} to {self.dates[-1]} ({len(self.dates)} dates)"
        return f"build {self.table}, {span}: {self.why}"


@dataclass(frozen=True)
class SkipStage:
    """Leave a job out on purpose, as a scheduler that forgot it would."""

    table: str

    def line(self) -> str:
        """Return the stage as one line."""
        return f"skip {self.table}: asked for by --skip"


@dataclass(frozen=True)
class AwaitStage:
    """Require the four Phase 4 jobs for the date."""

    game_date: dt.date
    allow_fallback: bool
    told: tuple[tuple[str, int], ...] = ()

    def line(self) -> str:
        """Return the stage as one line."""
        answer = "build with Phase 3 fallbacks" if self.allow_fallback else "stop, exit status 4"
        return f"require the four Phase 4 jobs for {self.game_date}; when one is missing: {answer}" + (
            "; as many rows as the caller was told" if self.told else ""
        )


Stage = BuildStage | SkipStage | AwaitStage


def summaries() -> tuple[str, ...]:
    """Return the tables of played games, which a date reads up to a year back."""
    return tuple(name for name in built_tables() if contract(name).as_of_rule == "event_date" and contract(name).phase == 3)


def dated_tables() -> tuple[str, ...]:
    """Return the tables made for the date itself, the store last."""
    return tuple(name for name in built_tables() if name not in summaries())


def others_tables(warehouse: Warehouse) -> frozenset[str]:
    """Return the built tables that another owner makes in this warehouse: they are read, never built."""
    found: frozenset[str] = getattr(warehouse, "others_tables", frozenset())
    return found


def own_tables(warehouse: Warehouse) -> tuple[str, ...]:
    """Return the tables that are built here, in building order."""
    return tuple(table for table in built_tables() if table not in others_tables(warehouse))


def grouped_names(names: Collection[str]) -> tuple[str, ...]:
    """Return full table names of jobs, and of all jobs of a phase for the words phase3, phase4 and store."""
    groups = {
        "phase3": [name for name in built_tables() if contract(name).phase == 3],
        "phase4": [name for name in built_tables() if contract(name).phase == 4],
        "store": [STORE_TABLE],
    }
    return tuple(table for name in names for table in groups.get(name, ()) or job_names([name]))


def job_names(names: Collection[str]) -> tuple[str, ...]:
    """Return full table names of jobs given with or without their dataset; raise `UnknownNameError` for others."""
    known = {name.split(".")[1]: name for name in built_tables()} | {name: name for name in built_tables()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownNameError("unknown job", unknown, "known: " + ", ".join(name.split(".")[1] for name in built_tables()))
    return tuple(known[name] for name in names)


def plan_night(
    warehouse: Warehouse,
    game_date: dt.date,
    as_of_date: dt.date,
    skip: Sequence[str] = (),
    allow_fallback: bool = False,
    only: Sequence[str] = (),
    told: Mapping[str, int] | None = None,
) -> tuple[Stage, ...]:
    """Return the stages that bring one date up to date: what is missing of the past year first, then the date itself.

    With `only`, just the stages of these jobs; `told` are the rows of each Phase 4 job that the gate must find.

    Raises:
        NoGamesError: no game is scheduled on the date.
        UsageError: at the as-of instant nothing was known yet that a roster of the date could be made from.
    """
    require_games(warehouse, game_date)
    if as_of_date < game_date - ROSTER_DAYS:
        raise UsageError(
            "the as-of instant lies too long before the date",
            [f"{as_of_date} for {game_date}"],
            f"a roster is made from the {ROSTER_DAYS.days} days before the date",
        )
    skipped, wanted = job_names(skip), set(grouped_names(only) or built_tables()) & set(own_tables(warehouse))
    told_rows = tuple(sorted((job, rows) for name, rows in (told or {}).items() for job in job_names([name])))
    stages: list[Stage] = []
    last_known = min(game_date, as_of_date) - DAY
    past = game_dates(warehouse, game_date - LOOK_BACK, last_known) if last_known >= game_date - LOOK_BACK else {}
    for table in (name for name in summaries() if name in wanted):
        missing = unbuilt_dates(warehouse, table, tuple(past))
        if missing:
            # A statement covers its range whole, so the dates between are made again too; that changes nothing in them.
            span = tuple(date for date in past if missing[0] <= date <= missing[-1])
            stages.append(BuildStage(table, span, f"{len(missing)} dates missing or out of date"))
    for table in (name for name in dated_tables() if name in wanted):
        if table == STORE_TABLE:
            stages.append(AwaitStage(game_date, allow_fallback, told_rows))
        stages.append(SkipStage(table) if table in skipped else BuildStage(table, (game_date,), "the date asked for"))
    return tuple(stages)
