"""What the inputs of a range lack, found before anything is built."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backfill.calendar import Calendar
from schemas.errors import WaitingError
from warehouse.protocol import Warehouse

INPUTS = """
WITH games AS (
  SELECT game_id, game_date, season_type
  FROM nba_raw.schedule
  WHERE game_date BETWEEN @start_date AND @end_date
    AND game_date < @today
    AND season_type IN ('regular', 'play_in', 'playoffs', 'cup_final')
    AND status != 'postponed'
),
team_boxes AS (
  SELECT DISTINCT game_id FROM nba_raw.team_boxscores WHERE game_date BETWEEN @start_date AND @end_date
),
player_boxes AS (
  SELECT DISTINCT game_id FROM nba_raw.player_boxscores WHERE game_date BETWEEN @start_date AND @end_date
),
shot_games AS (
  SELECT DISTINCT game_id FROM nba_raw.shots WHERE game_date BETWEEN @start_date AND @end_date
),
quoted AS (
  SELECT DISTINCT game_id FROM nba_raw.odds_player_points WHERE game_date BETWEEN @start_date AND @end_date
)
SELECT
  g.game_date,
  COUNT(*) AS games,
  COUNTIF(t.game_id IS NULL) AS team_boxscores,
  COUNTIF(p.game_id IS NULL AND g.season_type NOT IN ('play_in', 'cup_final')) AS player_boxscores,
  COUNTIF(p.game_id IS NULL AND g.season_type IN ('play_in', 'cup_final')) AS player_boxscores_of_extra_games,
  COUNTIF(h.game_id IS NULL) AS shots,
  COUNTIF(q.game_id IS NULL) AS odds_player_points
FROM games AS g
LEFT JOIN team_boxes AS t ON t.game_id = g.game_id
LEFT JOIN player_boxes AS p ON p.game_id = g.game_id
LEFT JOIN shot_games AS h ON h.game_id = g.game_id
LEFT JOIN quoted AS q ON q.game_id = g.game_id
GROUP BY g.game_date
ORDER BY g.game_date
"""
REPORTS = """
SELECT DISTINCT report_date FROM nba_raw.injury_reports
WHERE report_date BETWEEN DATE_SUB(@start_date, INTERVAL 7 DAY) AND @end_date
"""
NEEDED = ("team_boxscores", "player_boxscores")
"""Without these there is nothing to make the summaries from; what else is absent becomes a default with its reason."""
OPTIONAL = ("player_boxscores_of_extra_games", "shots", "odds_player_points")


@dataclass(frozen=True)
class Absent:
    """An input that lacks games of a date."""

    table: str
    date: dt.date
    games: int
    of: int
    needed: bool

    def line(self) -> str:
        """Return it in words."""
        return f"{self.date}: {self.table.replace('_of_extra_games', ' of play-in and cup games')} of {self.games} of {self.of} games"


def absent_inputs(warehouse: Warehouse, calendar: Calendar) -> tuple[Absent, ...]:
    """Return what is absent of the raw inputs on the dates, the needed ones first."""
    first, last = calendar.effective
    wanted = set(calendar.dates)
    params = {"start_date": first, "end_date": last, "today": calendar.today}
    rows = [row for row in warehouse.query(INPUTS, params).to_pylist() if row["game_date"] in wanted]
    found = [
        Absent(name, row["game_date"], row[name], row["games"], name in NEEDED)
        for name in (*NEEDED, *OPTIONAL)
        for row in rows
        if row[name]
    ]
    reported = {row["report_date"] for row in warehouse.query(REPORTS, params).to_pylist()}
    silent = [date for date in calendar.dates if not any(date - dt.timedelta(days=back) in reported for back in range(8))]
    return (*found, *(Absent("injury_reports", date, calendar.games[date], calendar.games[date], False) for date in silent))


def require_inputs(warehouse: Warehouse, calendar: Calendar) -> tuple[Absent, ...]:
    """Return what is absent and may be; raise `WaitingError` naming box scores of played games that are not there."""
    absent = absent_inputs(warehouse, calendar)
    needed = [item.line() for item in absent if item.needed]
    if needed:
        raise WaitingError(
            "box scores of played games are absent",
            needed,
            "run: nba-features ingest, give --as-of the instant your data reaches, or go on without with --skip-preflight",
        )
    return tuple(item for item in absent if not item.needed)
