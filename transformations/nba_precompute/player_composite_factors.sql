{%- import 'macros/common.sql' as m -%}
{%- import 'macros/player_form.sql' as form -%}
{%- import 'macros/team_form.sql' as teams -%}
-- Grain: one row per player on the roster of a date, against the opponent of that date.
-- As of: games strictly before the date and knowable on the as-of date; statuses as of the cutoff of the game.
WITH roster AS (
  {{ m.roster('*') }}
),
{{ form.ctes('roster') }},
{{ teams.offense_ctes('roster') }},
defense AS (
  SELECT *
  FROM nba_precompute.team_defense_zone_analysis
  WHERE game_date BETWEEN @start_date AND @end_date
),
zones AS (
  SELECT *
  FROM nba_precompute.player_shot_zone_analysis
  WHERE game_date BETWEEN @start_date AND @end_date
),
-- Expected members who will miss the game, with their weight in this very team.
absent_games AS (
  SELECT
    r.player_lookup,
    r.game_date,
    r.expected_team_abbr,
    g.points,
    g.minutes,
    ROW_NUMBER() OVER (PARTITION BY r.player_lookup, r.game_date ORDER BY g.game_date DESC, g.game_id DESC) AS recency
  FROM roster AS r
  JOIN player_games AS g
    ON g.player_lookup = r.player_lookup
    AND g.team_abbr = r.expected_team_abbr
    AND g.game_date < r.game_date
    AND g.game_date >= DATE_SUB(r.game_date, INTERVAL 365 DAY)
  WHERE r.expected_status IN ('out', 'doubtful')
),
absent_rotation AS (
  SELECT player_lookup, game_date, expected_team_abbr AS team_abbr
  FROM absent_games
  WHERE recency <= 10
  GROUP BY player_lookup, game_date, expected_team_abbr
  HAVING {{ m.exact_sum('minutes') }} >= 25000000000 * COUNT(*) OR SUM(points) >= 15 * COUNT(*)
),
freed AS (
  SELECT
    a.player_lookup,
    a.game_date,
    a.team_abbr,
    CAST(ROUND(f.usage_avg_last_7 * f.minutes_avg_last_10 / 48 * 1000000000000) AS INT64) AS pico
  FROM absent_rotation AS a
  LEFT JOIN player_form AS f ON f.player_lookup = a.player_lookup AND f.game_date = a.game_date
),
team_freed AS (
  SELECT team_abbr, game_date, COUNT(*) AS players, COUNTIF(pico IS NULL) AS unknown, SUM(pico) AS pico
  FROM freed
  GROUP BY team_abbr, game_date
),
team_available AS (
  SELECT r.expected_team_abbr AS team_abbr, r.game_date, SUM(CAST(ROUND(f.minutes_avg_last_10 * 1000000000000) AS INT64)) / 1000000000000 AS minutes
  FROM roster AS r
  JOIN player_form AS f ON f.player_lookup = r.player_lookup AND f.game_date = r.game_date
  WHERE r.expected_status NOT IN ('out', 'doubtful')
  GROUP BY r.expected_team_abbr, r.game_date
),
inputs AS (
  SELECT
    r.*,
    f.games_last_10,
    f.usage_games_last_7,
    f.usage_avg_last_7,
    f.usage_avg_last_3,
    f.minutes_avg_last_10,
    f.newest_game_date,
    f.contributing_game_ids,
    o.team_games_last_10,
    o.team_pace_last_10,
    d.games_last_15,
    d.games_with_shots AS opponent_games_with_shots,
    d.opponent_pace,
    d.league_pace,
    100 * (d.paint_pct_allowed - d.league_paint_pct) AS paint_diff,
    100 * (d.mid_range_pct_allowed - d.league_mid_range_pct) AS mid_range_diff,
    100 * (d.three_pct_allowed - d.league_three_pct) AS three_diff,
    z.games_with_shots,
    z.games_last_10 AS zone_games_last_10,
    z.primary_zone,
    z.paint_rate_last_10 / 100 AS paint_share,
    z.mid_range_rate_last_10 / 100 AS mid_range_share,
    z.three_pt_rate_last_10 / 100 AS three_share,
    IFNULL(t.players, 0) - IF(own.player_lookup IS NULL, 0, 1) AS absent,
    IFNULL(t.unknown, 0) - IF(own.player_lookup IS NOT NULL AND own.pico IS NULL, 1, 0) AS unknown,
    (IFNULL(t.pico, 0) - IFNULL(own.pico, 0)) / 1000000000000 AS freed,
    v.minutes AS available_minutes
  FROM roster AS r
  LEFT JOIN player_form AS f ON f.player_lookup = r.player_lookup AND f.game_date = r.game_date
  LEFT JOIN team_offense AS o ON o.team_abbr = r.team_abbr AND o.game_date = r.game_date
  LEFT JOIN defense AS d ON d.team_abbr = r.opponent_team_abbr AND d.game_date = r.game_date
  LEFT JOIN zones AS z ON z.player_lookup = r.player_lookup AND z.game_date = r.game_date
  LEFT JOIN team_freed AS t ON t.team_abbr = r.team_abbr AND t.game_date = r.game_date
  LEFT JOIN freed AS own ON own.player_lookup = r.player_lookup AND own.game_date = r.game_date AND own.team_abbr = r.team_abbr
  LEFT JOIN team_available AS v ON v.team_abbr = r.team_abbr AND v.game_date = r.game_date
),
raw AS (
  SELECT
    *,
    100
      + CASE WHEN days_rest = 0 THEN -15 WHEN days_rest >= 2 THEN 5 ELSE 0 END
      + IF(games_in_last_7_days >= 4, -10, 0)
      + IF(ROUND(minutes_in_last_7_days, 9) > 240, -10, 0)
      + IF(games_in_last_7_days > 0 AND ROUND(minutes_in_last_7_days, 9) > 35 * games_in_last_7_days, -8, 0)
      + CASE WHEN back_to_backs_last_14_days >= 2 THEN -12 WHEN back_to_backs_last_14_days = 1 THEN -5 ELSE 0 END
      + CASE WHEN age_years >= 35 THEN -10 WHEN age_years >= 30 THEN -5 ELSE 0 END AS fatigue,
    CASE
      WHEN paint_diff + mid_range_diff + three_diff IS NULL OR primary_zone IS NULL THEN NULL
      WHEN primary_zone = 'paint' THEN paint_diff * LEAST(paint_share / 0.5, 1)
      WHEN primary_zone = 'three' THEN three_diff * LEAST(three_share / 0.5, 1)
      WHEN primary_zone = 'mid_range' THEN mid_range_diff * LEAST(mid_range_share / 0.5, 1)
      ELSE paint_share * paint_diff + mid_range_share * mid_range_diff + three_share * three_diff
    END AS mismatch,
    ((team_pace_last_10 + opponent_pace) / 2 - league_pace) / 2 AS pace_edge,
    CASE
      WHEN NOT injury_feed_live OR unknown > 0 THEN NULL
      WHEN absent = 0 THEN usage_avg_last_3
      ELSE usage_avg_last_3 + freed * SAFE_DIVIDE(minutes_avg_last_10, available_minutes)
    END AS projected_usage
  FROM inputs
)
SELECT
  player_lookup,
  game_date,
  game_id,
  opponent_team_abbr,
  {{ m.clamp('fatigue', 0, 100) }} * 1.0 AS fatigue_score,
  IF(
    LEAST(IFNULL(games_with_shots, 0), IFNULL(opponent_games_with_shots, 0)) < 3,
    NULL,
    {{ m.clamp('mismatch * IF(ABS(mismatch) > 5, 1.2, 1.0)', -10, 10) }}
  ) AS shot_zone_mismatch_score,
  LEAST(IFNULL(games_with_shots, 0), IFNULL(opponent_games_with_shots, 0)) AS shot_zone_mismatch_sample,
  LEAST(IFNULL(zone_games_last_10, 0), IFNULL(games_last_15, 0)) AS shot_zone_history_games,
  IF(
    LEAST(IFNULL(team_games_last_10, 0), IFNULL(games_last_15, 0)) < 3,
    NULL,
    {{ m.clamp('pace_edge', -3, 3) }}
  ) AS pace_score,
  LEAST(IFNULL(team_games_last_10, 0), IFNULL(games_last_15, 0)) AS pace_sample,
  IF(
    IFNULL(usage_games_last_7, 0) < 3,
    NULL,
    {{ m.clamp(
      '(projected_usage - usage_avg_last_7) * 0.3 * CASE WHEN projected_usage <= usage_avg_last_7 THEN 1.0 WHEN absent = 1 THEN 1.15 WHEN absent >= 2 THEN 1.30 ELSE 1.0 END',
      -3, 3) }}
  ) AS usage_spike_score,
  IFNULL(usage_games_last_7, 0) AS usage_sample,
  IF(injury_feed_live, absent, NULL) AS absent_rotation_teammates,
  usage_avg_last_7 AS base_usage,
  projected_usage,
  injury_feed_live,
  newest_game_date,
  contributing_game_ids
FROM raw
