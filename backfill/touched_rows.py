"""Which store rows hold a changed game: lineage read forward over every window that can hold its date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backfill.changes import Change
from warehouse.protocol import Warehouse

TOUCHED = """
WITH lineage AS (
  SELECT * FROM nba_predictions.feature_lineage
  WHERE game_date >= @date AND game_date <= DATE_ADD(@date, INTERVAL 365 DAY)
),
-- Teams whose rows weigh the form of a changed player, if anybody is missing: he himself, or his last games share the minutes freed.
teams_with_player AS (
  SELECT DISTINCT r.expected_team_abbr AS team_abbr, r.game_date
  FROM nba_analytics.upcoming_player_game_context AS r
  JOIN lineage AS l ON l.player_lookup = r.player_lookup AND l.game_date = r.game_date
  WHERE r.game_date > @date
    AND r.game_date <= DATE_ADD(@date, INTERVAL 365 DAY)
    AND r.player_lookup IN UNNEST(@players)
    AND r.expected_team_abbr IS NOT NULL
    AND (r.expected_status IN ('out', 'doubtful') OR @date IN UNNEST(l.player_game_dates))
),
judged AS (
  SELECT
    l.player_lookup,
    l.game_date,
    CASE
      -- Who played on the date itself decides who has a row, and no value.
      WHEN l.game_date = @date THEN IF(l.player_lookup IN UNNEST(@appeared), 'player', NULL)
      WHEN l.player_lookup IN UNNEST(@appeared) THEN 'player'
      WHEN l.player_lookup IN UNNEST(@players) AND @date IN UNNEST(l.player_game_dates) THEN 'player'
      WHEN l.player_lookup IN UNNEST(@players) AND @date BETWEEN l.season_first_date AND l.season_last_date THEN 'season'
      WHEN l.player_lookup IN UNNEST(@players) AND @date IN UNNEST(l.head_to_head_game_dates) THEN 'head_to_head'
      WHEN l.team_abbr IN UNNEST(@teams_of_appeared) THEN 'roster'
      WHEN p.team_abbr IS NOT NULL AND ARRAY_LENGTH(l.absent_teammates) > 0 THEN 'roster'
      WHEN l.team_abbr IN UNNEST(@teams_appeared) THEN 'team'
      WHEN l.team_abbr IN UNNEST(@teams) AND (@date IN UNNEST(l.team_game_dates) OR @date >= l.team_season_first_date) THEN 'team'
      WHEN l.opponent_team_abbr IN UNNEST(@teams) AND @date IN UNNEST(l.opponent_game_dates) THEN 'opponent'
      WHEN l.opponent_team_abbr IN UNNEST(@teams_appeared) AND @date >= l.opponent_window_start THEN 'opponent'
      WHEN @any_team AND @date >= l.league_first_date THEN 'league'
      WHEN l.game_date <= @fresh_until THEN 'freshness'
    END AS why
  FROM lineage AS l
  LEFT JOIN teams_with_player AS p ON p.team_abbr = l.team_abbr AND p.game_date = l.game_date
)
SELECT player_lookup, game_date, why
FROM judged
WHERE why IS NOT NULL
ORDER BY game_date, player_lookup
"""
SLATES = """
SELECT DISTINCT game_date FROM nba_analytics.upcoming_team_game_context
WHERE team_abbr IN UNNEST(@teams) AND game_date > @date AND game_date <= DATE_ADD(@date, INTERVAL 365 DAY)
"""
NEXT_DAYS = """
SELECT MIN(IF(has_shots, game_date, NULL)) AS next_shots, MIN(game_date) AS next_boxes
FROM nba_analytics.player_game_summary
WHERE game_date > @date AND game_date <= DATE_ADD(@date, INTERVAL 365 DAY) AND is_played
"""


@dataclass(frozen=True)
class Touched:
    """Store rows that hold a change and why, and the dates to make again: also those on which rows may come or go."""

    rows: Mapping[tuple[str, dt.date], str]
    dates: frozenset[dt.date]

    def reasons(self) -> dict[str, int]:
        """Return the number of rows by the first input that holds the change."""
        counts: dict[str, int] = {}
        for why in self.rows.values():
            counts[why] = counts.get(why, 0) + 1
        return counts


def _fresh_until(warehouse: Warehouse, change: Change) -> dt.date:
    """Return the last date that may take the changed day for the newest one loaded."""
    if not change.day_differs:
        return change.date
    row = warehouse.query(NEXT_DAYS, {"date": change.date}).to_pylist()[0]
    return max(row["next_boxes"] or dt.date.max, row["next_shots"] or dt.date.max)


def _of_one(warehouse: Warehouse, change: Change) -> Touched:
    params = {
        "date": change.date,
        "players": sorted(change.players | change.appeared),
        "appeared": sorted(change.appeared),
        "teams": sorted(change.teams),
        "teams_appeared": sorted(change.teams_appeared),
        "teams_of_appeared": sorted(change.teams_of_appeared),
        "any_team": bool(change.teams or change.teams_appeared),
        "fresh_until": _fresh_until(warehouse, change),
    }
    rows = {(row["player_lookup"], row["game_date"]): row["why"] for row in warehouse.query(TOUCHED, params).to_pylist()}
    dates = {date for _, date in rows}
    if change.teams_of_appeared:
        found = warehouse.query(SLATES, {"teams": sorted(change.teams_of_appeared), "date": change.date}).to_pylist()
        dates |= {row["game_date"] for row in found}
    return Touched(rows, frozenset(dates))


def touched_rows(warehouse: Warehouse, changes: Iterable[Change]) -> Touched:
    """Return all store rows that any of the changes reaches."""
    rows: dict[tuple[str, dt.date], str] = {}
    dates: set[dt.date] = set()
    for change in changes:
        if not change.is_empty:
            found = _of_one(warehouse, change)
            rows = {**found.rows, **rows}
            dates |= found.dates
    return Touched(rows, frozenset(dates))
