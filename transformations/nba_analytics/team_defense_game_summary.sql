{%- import 'macros/common.sql' as m -%}
-- Grain: one row per team and counted game.
-- As of: a box score of a date is knowable from the day after it, US Eastern.
WITH games AS (
  {{ m.counted_schedule('game_id, game_date, season, season_type, home_team, away_team, is_neutral_site', '@start_date', '@end_date') }}
),
boxes AS (
  SELECT
    game_id,
    team_abbr,
    points,
    GREATEST(0, CAST(ROUND((minutes - 240) / 25) AS INT64)) AS overtimes,
    fga + 0.40 * fta - oreb + tov AS possessions
  FROM ({{ m.knowable_day('nba_raw.team_boxscores', '*') }}) AS knowable
),
zones AS (
  SELECT
    game_id,
    team_abbr,
    COUNTIF(made AND zone IN ('restricted_area', 'paint_non_ra')) AS paint_makes,
    COUNTIF(zone IN ('restricted_area', 'paint_non_ra')) AS paint_attempts,
    COUNTIF(made AND zone = 'mid_range') AS mid_range_makes,
    COUNTIF(zone = 'mid_range') AS mid_range_attempts,
    COUNTIF(made AND zone IN ('left_corner_3', 'right_corner_3', 'above_break_3', 'backcourt')) AS three_makes,
    COUNTIF(zone IN ('left_corner_3', 'right_corner_3', 'above_break_3', 'backcourt')) AS three_attempts
  FROM ({{ m.knowable_day('nba_raw.shots', '*') }}) AS knowable
  GROUP BY game_id, team_abbr
)
SELECT
  own.team_abbr,
  g.game_date,
  g.game_id,
  g.season,
  g.season_type AS season_phase,
  other.team_abbr AS opponent_team_abbr,
  own.team_abbr = g.home_team AND NOT g.is_neutral_site AS home_game,
  g.is_neutral_site,
  other.points AS opponent_points,
  48 * ((own.possessions + other.possessions) / 2) / ((240 + 25 * own.overtimes) / 5) AS pace,
  SAFE_DIVIDE(100 * other.points, (own.possessions + other.possessions) / 2) AS defensive_rating,
  z.game_id IS NOT NULL AS has_shots,
  z.paint_makes AS opponent_paint_makes,
  z.paint_attempts AS opponent_paint_attempts,
  z.mid_range_makes AS opponent_mid_range_makes,
  z.mid_range_attempts AS opponent_mid_range_attempts,
  z.three_makes AS opponent_three_makes,
  z.three_attempts AS opponent_three_attempts
FROM games AS g
JOIN boxes AS own ON own.game_id = g.game_id
JOIN boxes AS other ON other.game_id = g.game_id AND other.team_abbr != own.team_abbr
LEFT JOIN zones AS z ON z.game_id = g.game_id AND z.team_abbr = other.team_abbr
WHERE own.team_abbr IN (g.home_team, g.away_team)
