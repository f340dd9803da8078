"""The dates with games, by the schedule and never by the calendar."""

from __future__ import annotations

import datetime as dt

from schemas.errors import NoGamesError, UnknownNameError, UsageError
from warehouse.protocol import Warehouse

DATES = """
SELECT game_date, season, COUNT(*) AS games
FROM nba_raw.schedule
WHERE game_date BETWEEN @start_date AND @end_date
  AND season_type IN ('regular', 'play_in', 'playoffs', 'cup_final')
  AND status != 'postponed'
GROUP BY game_date, season
ORDER BY game_date
"""
BOUNDS = "SELECT MIN(game_date) AS first_date, MAX(game_date) AS last_date FROM nba_raw.schedule"
SEASONS = """
SELECT season, MIN(game_date) AS first_date, MAX(game_date) AS last_date, COUNT(DISTINCT game_date) AS dates
FROM nba_raw.schedule
WHERE season_type IN ('regular', 'play_in', 'playoffs', 'cup_final') AND status != 'postponed'
GROUP BY season
ORDER BY season
"""
EMPTY = "run: nba-features ingest, or set NBA_FEATURES_HOME to where the data is"


def game_dates(warehouse: Warehouse, start: dt.date, end: dt.date) -> dict[dt.date, int]:
    """Return the number of counted games on each date that has any."""
    rows = warehouse.query(DATES, {"start_date": start, "end_date": end}).to_pylist()
    return {row["game_date"]: row["games"] for row in rows}


def seasons(warehouse: Warehouse) -> dict[str, tuple[dt.date, dt.date, int]]:
    """Return first date, last date and number of game dates of each season."""
    return {row["season"]: (row["first_date"], row["last_date"], row["dates"]) for row in warehouse.query(SEASONS).to_pylist()}


def require_games(warehouse: Warehouse, date: dt.date) -> int:
    """Return the number of games on the date; raise `NoGamesError` saying why there is none."""
    games = game_dates(warehouse, date, date)
    if games:
        return games[date]
    bounds = warehouse.query(BOUNDS).to_pylist()[0]
    if bounds["last_date"] is None:
        raise NoGamesError("the schedule is empty", [], EMPTY)
    if date > bounds["last_date"]:
        raise NoGamesError("the date lies beyond the schedule", [date], f"the last date known is {bounds['last_date']}")
    if date < bounds["first_date"]:
        raise NoGamesError("the date lies before the schedule", [date], f"the first date known is {bounds['first_date']}")
    raise NoGamesError("no games are scheduled on the date", [date])


def range_asked(
    warehouse: Warehouse, start: dt.date | None, end: dt.date | None, season: str | None, today: dt.date
) -> tuple[dt.date, dt.date]:
    """Return the range of a request given by dates or by a season; what is not given reaches from the first game to today.

    Raises:
        NoGamesError: the schedule is empty.
        UsageError: both are given, the season is unknown, or the range ends before it starts.
    """
    known = seasons(warehouse)
    if not known:
        raise NoGamesError("the schedule is empty", [], EMPTY)
    if season is not None:
        if start or end:
            raise UsageError("give either a season or dates", [season])
        if season not in known:
            raise UnknownNameError("unknown season", [season], "known: " + ", ".join(known))
        first, last = known[season][0], min(known[season][1], today)
    else:
        first = start or min(bounds[0] for bounds in known.values())
        last = end or min(max(bounds[1] for bounds in known.values()), today)
    if first > last:
        raise UsageError("the range ends before it starts", [f"{first} to {last}"])
    return first, last
