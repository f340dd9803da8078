"""The dates a backfill must account for: from the schedule, counted before anything is built."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestration.plan import LOOK_BACK, dated_tables, summaries
from orchestration.slates import game_dates, range_asked, seasons
from schemas.clock import eastern_date
from schemas.errors import NoGamesError, SourceError
from warehouse.protocol import Warehouse

BEGINNING = dt.date(1900, 1, 1)
STRAYS = """
SELECT b.game_date, COUNT(DISTINCT b.game_id) AS games
FROM nba_raw.team_boxscores AS b
LEFT JOIN nba_raw.schedule AS s ON s.game_id = b.game_id AND s.game_date = b.game_date
WHERE b.game_date BETWEEN @start_date AND @end_date AND s.game_id IS NULL
GROUP BY b.game_date
ORDER BY b.game_date
"""


@dataclass(frozen=True)
class Calendar:
    """The range asked for, the range that holds games by now, and the games of each date.

    `games` reaches a year further back than the first date: later dates read the summaries of that year.
    """

    asked: tuple[dt.date, dt.date]
    dates: tuple[dt.date, ...]
    games: Mapping[dt.date, int]
    season_of: Mapping[dt.date, str]
    today: dt.date

    @property
    def effective(self) -> tuple[dt.date, dt.date]:
        """First and last date that will be worked on."""
        return self.dates[0], self.dates[-1]

    def expected(self, table: str) -> tuple[dt.date, ...]:
        """Return the dates on which the table must have been built: of a summary of played games those before today, a year back."""
        if table in summaries():
            first, last = self.effective
            return tuple(date for date in self.games if first - LOOK_BACK <= date <= last and date < self.today)
        return self.dates

    def tables(self) -> dict[str, tuple[dt.date, ...]]:
        """Return the expected dates of every built table, in the order they are built."""
        return {table: self.expected(table) for table in (*summaries(), *dated_tables())}


def _refuse_strays(warehouse: Warehouse, start: dt.date, end: dt.date) -> None:
    """Refuse a schedule that lacks games of which there are box scores: its count of dates would be too small."""
    found = warehouse.query(STRAYS, {"start_date": start, "end_date": end}).to_pylist()
    if found:
        raise SourceError(
            "there are box scores of games that the schedule does not hold",
            [f"{row['game_date']} ({row['games']} games)" for row in found],
            "load the schedule of that season first: nba-features ingest",
        )


def _season_of(warehouse: Warehouse, dates: Collection[dt.date]) -> dict[dt.date, str]:
    bounds = seasons(warehouse)
    return {date: next((name for name, (first, last, _) in bounds.items() if first <= date <= last), "") for date in dates}


def expected_calendar(
    warehouse: Warehouse,
    as_of: dt.datetime,
    start: dt.date | None = None,
    end: dt.date | None = None,
    season: str | None = None,
    only: Sequence[dt.date] = (),
) -> Calendar:
    """Return the dates of the request that hold games and have come, by the schedule in the warehouse.

    Raises:
        NoGamesError: the schedule holds no game on what was asked for, or on one of the dates named one by one.
        SourceError: there are box scores of games that the schedule lacks.
    """
    today = eastern_date(as_of)
    if only:
        first, last = min(only), max(only)
    else:
        first, last = range_asked(warehouse, start, end, season, today)
    games = game_dates(warehouse, first - LOOK_BACK, last)
    # Without a first date the schedule itself says where to begin, so what it lacks at its beginning must be looked for as well.
    _refuse_strays(warehouse, first - LOOK_BACK if start or season or only else BEGINNING, last)
    dates = tuple(date for date in games if first <= date <= min(last, today) and (not only or date in only))
    absent = [date for date in only if date not in dates]
    if absent:
        raise NoGamesError("no games are scheduled, or not yet, on the dates", absent)
    if not dates:
        raise NoGamesError("no games have come by the as-of instant in the range", [f"{first} to {last}"], f"the as-of date is {today}")
    return Calendar((first, last), dates, games, _season_of(warehouse, games), today)
