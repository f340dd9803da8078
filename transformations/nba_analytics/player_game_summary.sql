{%- import 'macros/common.sql' as m -%}
-- Grain: one row per player and counted game.
-- As of: a box score of a date is knowable from the day after it, US Eastern.
WITH games AS (
  {{ m.counted_schedule('game_id, game_date, season, season_type, home_team, away_team, is_neutral_site', '@start_date', '@end_date') }}
),
player_boxes AS (
  {{ m.knowable_day('nba_raw.player_boxscores', '*') }}
),
team_boxes AS (
  {{ m.knowable_day('nba_raw.team_boxscores', 'game_id, team_abbr, minutes, fga, fta, tov') }}
),
shots AS (
  {{ m.knowable_day('nba_raw.shots', 'game_id, player_lookup, zone') }}
),
shot_games AS (
  SELECT DISTINCT game_id FROM shots
),
zones AS (
  SELECT
    game_id,
    player_lookup,
    COUNTIF(zone IN ('restricted_area', 'paint_non_ra')) AS paint_attempts,
    COUNTIF(zone = 'mid_range') AS mid_range_attempts,
    COUNTIF(zone IN ('left_corner_3', 'right_corner_3', 'above_break_3', 'backcourt')) AS three_attempts
  FROM shots
  GROUP BY game_id, player_lookup
)
SELECT
  p.player_lookup,
  g.game_date,
  g.game_id,
  p.team_abbr,
  g.season,
  g.season_type AS season_phase,
  IF(p.team_abbr = g.home_team, g.away_team, g.home_team) AS opponent_team_abbr,
  p.team_abbr = g.home_team AND NOT g.is_neutral_site AS home_game,
  g.is_neutral_site,
  p.points IS NOT NULL AND p.minutes IS NOT NULL AS is_played,
  p.minutes,
  p.points,
  p.fgm,
  p.fga,
  p.fg3m,
  p.fg3a,
  p.ftm,
  p.fta,
  p.tov,
  p.oreb + p.dreb AS reb,
  p.ast,
  p.plus_minus,
  p.started,
  SAFE_DIVIDE(
    100 * (p.fga + 0.44 * p.fta + p.tov) * ((240 + 25 * GREATEST(0, CAST(ROUND((t.minutes - 240) / 25) AS INT64))) / 5),
    p.minutes * (t.fga + 0.44 * t.fta + t.tov)
  ) AS usage_rate,
  s.game_id IS NOT NULL AS has_shots,
  IF(s.game_id IS NULL, NULL, IFNULL(z.paint_attempts, 0)) AS paint_attempts,
  IF(s.game_id IS NULL, NULL, IFNULL(z.mid_range_attempts, 0)) AS mid_range_attempts,
  IF(s.game_id IS NULL, NULL, IFNULL(z.three_attempts, 0)) AS three_attempts
FROM player_boxes AS p
JOIN games AS g ON g.game_id = p.game_id
LEFT JOIN team_boxes AS t ON t.game_id = p.game_id AND t.team_abbr = p.team_abbr
LEFT JOIN shot_games AS s ON s.game_id = p.game_id
LEFT JOIN zones AS z ON z.game_id = p.game_id AND z.player_lookup = p.player_lookup
