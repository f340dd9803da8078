"""How many rows each date of each table must have, counted from what lies before it and never from a checkpoint."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from backfill.calendar import Calendar
from orchestration.plan import summaries
from schemas.contracts import contract
from warehouse.protocol import Warehouse

TEAMS = "nba_analytics.upcoming_team_game_context"
ROSTER = "nba_analytics.upcoming_player_game_context"
COUNTED_ROWS = """
SELECT b.game_date, COUNT(*) AS n
FROM {source} AS b
JOIN nba_raw.schedule AS s ON s.game_id = b.game_id
WHERE b.game_date BETWEEN @start_date AND @end_date
  AND s.game_date BETWEEN @start_date AND @end_date
  AND s.season_type IN ('regular', 'play_in', 'playoffs', 'cup_final')
  AND s.status != 'postponed'
GROUP BY b.game_date
"""
WITHOUT_ROW = """
SELECT b.game_date, COUNT(*) AS n
FROM nba_raw.player_boxscores AS b
JOIN nba_analytics.upcoming_team_game_context AS t ON t.game_id = b.game_id AND t.team_abbr = b.team_abbr AND t.game_date = b.game_date
LEFT JOIN (
  SELECT player_lookup, game_date
  FROM nba_analytics.upcoming_player_game_context
  WHERE game_date BETWEEN @start_date AND @end_date
) AS r ON r.player_lookup = b.player_lookup AND r.game_date = b.game_date
WHERE b.game_date BETWEEN @start_date AND @end_date
  AND t.game_date BETWEEN @start_date AND @end_date
  AND b.points IS NOT NULL
  AND b.minutes IS NOT NULL
  AND t.tipoff_time < @as_of
  AND r.player_lookup IS NULL
GROUP BY b.game_date
"""


def _counts(warehouse: Warehouse, sql: str, dates: Sequence[dt.date], **params: object) -> dict[dt.date, int]:
    rows = warehouse.query(sql, {"start_date": min(dates), "end_date": max(dates), **params}).to_pylist()
    return {row["game_date"]: row["n"] for row in rows}


def expected_counts(warehouse: Warehouse, calendar: Calendar, table: str) -> dict[dt.date, int]:
    """Return the rows each expected date of a table must have.

    A summary has a row per raw row of a counted game, a team table two per game, a player table one per row of the
    roster. The roster itself has no count of its own; who played without being on it is counted by `players_without_row`.
    """
    dates = calendar.expected(table)
    spec = contract(table)
    if not dates or table == ROSTER:
        return {}
    if table in summaries():
        found = _counts(warehouse, COUNTED_ROWS.format(source=spec.rows_from), dates)
        return {date: found.get(date, 0) for date in dates}
    if spec.keys[0] == "team_abbr":
        return {date: 2 * calendar.games[date] for date in dates}
    roster = warehouse.partitions(ROSTER, min(dates), max(dates))
    return {date: roster[date].rows for date in dates if date in roster}


def players_without_row(warehouse: Warehouse, dates: Sequence[dt.date], as_of: dt.datetime) -> dict[dt.date, int]:
    """Return for each date how many players played and are not on its roster; dates without any are left out."""
    return _counts(warehouse, WITHOUT_ROW, dates, as_of=as_of)


PER_GAME = {"team_abbr": 2, "player_lookup": 32}
"""Rows a game brings, by the first key of a table, until the table itself can tell."""


def estimated_rows(warehouse: Warehouse, table: str, dates: Sequence[dt.date], games: Mapping[dt.date, int]) -> int:
    """Return about how many rows the dates will bring, by what the table holds per game already."""
    wanted = sum(games[date] for date in dates)
    spec = contract(table)
    present = warehouse.partitions(table)
    known = sum(games[date] for date in present if date in games)
    rows = sum(part.rows for date, part in present.items() if date in games)
    per_game = rows / known if known and rows else PER_GAME.get(spec.keys[0], 1)
    return round(wanted * per_game)
