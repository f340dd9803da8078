"""Build whole ranges of dates: every table set-wise, season by season, bad dates blocked while their neighbours publish."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.build import Built, build_table
from orchestration.plan import dated_tables, own_tables, summaries
from orchestration.runs import Run
from orchestration.slates import game_dates, seasons
from schemas.clock import eastern_date
from schemas.errors import NoGamesError
from warehouse.protocol import Warehouse

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RangeStage:
    """Make one table on all these dates in one statement."""

    table: str
    dates: tuple[dt.date, ...]

    def line(self) -> str:
        """Return the stage as one line."""
        return f"build {self.table}, {self.dates[0]} to {self.dates[-1]} ({len(self.dates)} dates)"


def _by_season(dates: Sequence[dt.date], bounds: Sequence[tuple[dt.date, dt.date]]) -> list[tuple[dt.date, ...]]:
    groups = [tuple(date for date in dates if first <= date <= last) for first, last in bounds]
    return [group for group in groups if group]


def plan_range(warehouse: Warehouse, start: dt.date, end: dt.date, as_of: dt.datetime, by_season: bool = True) -> tuple[RangeStage, ...]:
    """Return the stages: all summaries of played games first, for later seasons read earlier ones, then the dates' own tables.

    Raises:
        NoGamesError: no game is scheduled in the range.
    """
    dates = tuple(game_dates(warehouse, start, end))
    if not dates:
        raise NoGamesError("no games are scheduled in the range", [f"{start} to {end}"])
    bounds = [(first, last) for first, last, _ in seasons(warehouse).values()] if by_season else [(start, end)]
    groups = _by_season(dates, bounds)
    today = eastern_date(as_of)
    played = [tuple(date for date in group if date < today) for group in groups]
    stages = [RangeStage(table, group) for group in played if group for table in summaries()]
    stages += [RangeStage(table, group) for group in groups for table in dated_tables()]
    own = own_tables(warehouse)
    return tuple(stage for stage in stages if stage.table in own)


def build_range(warehouse: Warehouse, stages: Sequence[RangeStage], run: Run, progress: Progress | None = None) -> list[Built]:
    """Walk exactly these stages and return what each did."""
    built = []
    for done, stage in enumerate(stages):
        if progress:
            progress(stage.line(), done, len(stages))
        built.append(build_table(warehouse, stage.table, stage.dates, run))
    return built
