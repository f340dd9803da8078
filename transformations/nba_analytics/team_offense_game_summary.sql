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
listed AS (
  SELECT DISTINCT game_id, team_abbr
  FROM ({{ m.knowable_day('nba_raw.player_boxscores', '*') }}) AS knowable
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
  own.points,
  other.points AS opponent_points,
  own.points > other.points AS win_flag,
  own.overtimes,
  240 + 25 * own.overtimes AS team_minutes,
  own.possessions,
  (own.possessions + other.possessions) / 2 AS game_possessions,
  48 * ((own.possessions + other.possessions) / 2) / ((240 + 25 * own.overtimes) / 5) AS pace,
  SAFE_DIVIDE(100 * own.points, (own.possessions + other.possessions) / 2) AS offensive_rating,
  listed.game_id IS NOT NULL AS has_player_boxes
FROM games AS g
JOIN boxes AS own ON own.game_id = g.game_id
JOIN boxes AS other ON other.game_id = g.game_id AND other.team_abbr != own.team_abbr
LEFT JOIN listed ON listed.game_id = own.game_id AND listed.team_abbr = own.team_abbr
WHERE own.team_abbr IN (g.home_team, g.away_team)
