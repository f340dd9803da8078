{%- import 'macros/common.sql' as m -%}
{#- A player's form before each date of a spine with columns player_lookup, game_date, season.
    The cache and its Phase 3 fallback are this one definition; equal inputs give equal values.
    Emits the CTEs player_games, player_latest, player_last_10 and player_form. -#}
{%- macro ctes(spine) -%}
played_games AS (
  {{ m.knowable_games('nba_analytics.player_game_summary', '*', 'is_played') }}
),
player_games AS (
  SELECT
    player_lookup,
    game_date,
    game_id,
    season,
    team_abbr,
    opponent_team_abbr,
    points,
    minutes,
    usage_rate,
    fgm,
    fga,
    ftm,
    has_shots,
    paint_attempts,
    mid_range_attempts,
    three_attempts,
    ROW_NUMBER() OVER (PARTITION BY player_lookup ORDER BY game_date, game_id) AS number,
    COUNT(*) OVER season_so_far AS season_games,
    SUM(points) OVER season_so_far AS season_points,
    {{ m.exact_sum('minutes') }} OVER season_so_far AS season_nanominutes,
    COUNT(usage_rate) OVER season_so_far AS season_usage_games,
    SUM(CAST(ROUND(usage_rate * 1000000000000) AS INT64)) OVER season_so_far AS season_picousage
  FROM played_games
  WINDOW season_so_far AS (PARTITION BY player_lookup, season ORDER BY game_date, game_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
player_latest AS (
  {{ m.latest_before(spine, 'player_games', 'player_lookup') }}
),
player_last_10 AS (
  {{ m.last_games('player_latest', 'player_games', 'player_lookup', 10, 'g.* EXCEPT (player_lookup, game_date), g.game_date AS played_on') }}
),
player_sums AS (
  SELECT
    player_lookup,
    game_date,
    COUNT(*) AS games_last_10,
    COUNTIF(recency <= 5) AS games_last_5,
    COUNTIF(recency <= 7 AND usage_rate IS NOT NULL) AS usage_games_last_7,
    SUM(points) AS points_10,
    SUM(points * points) AS squares_10,
    SUM(IF(recency <= 5, points, 0)) AS points_5,
    SUM(IF(recency <= 3, points, 0)) AS points_newest_3,
    SUM(recency * points) AS recency_points_10,
    MAX(IF(recency <= 5, points, NULL)) AS best_of_5,
    SUM(ftm) AS ftm_10,
    {{ m.exact_sum('minutes') }} AS nanominutes_10,
    COUNTIF(minutes > 0) AS games_with_minutes_10,
    SUM(IF(minutes > 0, points, 0)) AS points_with_minutes_10,
    {{ m.exact_mean('usage_rate') }} AS usage_avg_last_10,
    {{ m.exact_mean('IF(recency <= 7, usage_rate, NULL)') }} AS usage_avg_last_7,
    {{ m.exact_mean('IF(recency <= 3, usage_rate, NULL)') }} AS usage_avg_last_3,
    COUNTIF(played_on >= DATE_SUB(game_date, INTERVAL 7 DAY)) AS games_in_last_7_days,
    {{ m.exact_sum('IF(played_on >= DATE_SUB(game_date, INTERVAL 7 DAY), minutes, 0)') }} AS nanominutes_7_days,
    SUM(IF(recency = 1, fgm, NULL)) AS fgm_last_game,
    SUM(IF(recency = 1, fga, NULL)) AS fga_last_game,
    MAX(played_on) AS newest_game_date,
    ARRAY_AGG(played_on ORDER BY recency) AS contributing_game_dates,
    ARRAY_AGG(game_id ORDER BY recency) AS contributing_game_ids
  FROM player_last_10
  GROUP BY player_lookup, game_date
),
player_latest_game AS (
  SELECT
    l.player_lookup,
    l.game_date,
    l.last_number - l.first_number + 1 AS games_available,
    g.season = s.season AS is_same_season,
    g.season_games,
    g.season_points,
    g.season_nanominutes,
    g.season_usage_games,
    g.season_picousage
  FROM player_latest AS l
  JOIN player_games AS g ON g.player_lookup = l.player_lookup AND g.number = l.last_number
  JOIN {{ spine }} AS s ON s.player_lookup = l.player_lookup AND s.game_date = l.game_date
),
player_season AS (
  SELECT * FROM player_latest_game WHERE is_same_season
),
player_form AS (
  SELECT
    f.*,
    l.games_available,
    IFNULL(s.season_games, 0) AS games_season,
    f.points_5 / f.games_last_5 AS points_avg_last_5,
    f.points_10 / f.games_last_10 AS points_avg_last_10,
    s.season_points / s.season_games AS points_avg_season,
    IF(
      f.games_last_10 < 2,
      NULL,
      SQRT((f.games_last_10 * f.squares_10 - f.points_10 * f.points_10) / NULLIF(f.games_last_10 * (f.games_last_10 - 1), 0))
    ) AS points_std_last_10,
    f.nanominutes_10 / 1000000000 / f.games_last_10 AS minutes_avg_last_10,
    s.season_nanominutes / 1000000000 / s.season_games AS minutes_avg_season,
    SAFE_DIVIDE(f.best_of_5, s.season_points / s.season_games) AS explosion_ratio,
    f.usage_avg_last_10 - SAFE_DIVIDE(s.season_picousage / 1000000000000, s.season_usage_games) AS usage_rate_trend,
    SAFE_DIVIDE(
      SAFE_DIVIDE(f.nanominutes_7_days, f.games_in_last_7_days) - f.nanominutes_10 / f.games_last_10,
      f.nanominutes_10 / f.games_last_10
    ) AS minutes_increase_pct,
    SAFE_DIVIDE(f.fgm_last_game, f.fga_last_game) AS fg_pct_last_game
  FROM player_sums AS f
  JOIN player_latest_game AS l ON l.player_lookup = f.player_lookup AND l.game_date = f.game_date
  LEFT JOIN player_season AS s ON s.player_lookup = f.player_lookup AND s.game_date = f.game_date
)
{%- endmacro -%}
