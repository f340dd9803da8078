{%- import 'macros/common.sql' as m -%}
{%- import 'macros/player_form.sql' as form -%}
{%- import 'macros/team_form.sql' as teams -%}
-- Grain: one row per player on the roster of a date.
-- As of: games strictly before the date and knowable on the as-of date.
WITH roster AS (
  {{ m.roster('player_lookup, game_date, game_id, season, team_abbr') }}
),
{{ form.ctes('roster') }},
{{ teams.offense_ctes('roster') }},
-- The last game of at least 1.5 times the present season mean; compared in whole numbers.
breakouts AS (
  SELECT f.player_lookup, f.game_date, MAX(g.game_date) AS last_breakout
  FROM player_season AS f
  JOIN player_games AS g
    ON g.player_lookup = f.player_lookup
    AND g.game_date < f.game_date
    AND g.game_date >= DATE_SUB(f.game_date, INTERVAL 365 DAY)
    AND 2 * g.points * f.season_games >= 3 * f.season_points
  GROUP BY f.player_lookup, f.game_date
)
SELECT
  r.player_lookup,
  r.game_date,
  r.game_id,
  r.team_abbr,
  IFNULL(f.games_last_5, 0) AS games_last_5,
  IFNULL(f.games_last_10, 0) AS games_last_10,
  IFNULL(f.games_season, 0) AS games_season,
  f.newest_game_date,
  f.points_avg_last_5,
  f.points_avg_last_10,
  f.points_avg_season,
  f.points_std_last_10,
  IFNULL(f.games_in_last_7_days, 0) AS games_in_last_7_days,
  f.minutes_avg_last_10,
  f.minutes_avg_season,
  IFNULL(t.team_games_last_10, 0) AS team_games_last_10,
  t.team_pace_last_10,
  t.team_off_rating_last_10,
  f.explosion_ratio,
  IF(f.points_avg_season IS NULL, NULL, CAST(IFNULL(DATE_DIFF(r.game_date, b.last_breakout, DAY), 365) AS FLOAT64)) AS days_since_breakout,
  f.minutes_increase_pct,
  f.usage_rate_trend,
  f.fg_pct_last_game,
  f.contributing_game_dates,
  f.contributing_game_ids
FROM roster AS r
LEFT JOIN player_form AS f ON f.player_lookup = r.player_lookup AND f.game_date = r.game_date
LEFT JOIN team_offense AS t ON t.team_abbr = r.team_abbr AND t.game_date = r.game_date
LEFT JOIN breakouts AS b ON b.player_lookup = r.player_lookup AND b.game_date = r.game_date
