{%- import 'macros/common.sql' as m -%}
{#- Where a player's attempts come from, over the CTE player_last_10 of macros/player_form.sql. Emits shot_zones. -#}
{%- macro ctes() -%}
zone_sums AS (
  SELECT
    player_lookup,
    game_date,
    COUNT(*) AS games_last_10,
    COUNTIF(has_shots) AS games_with_shots,
    MAX(IF(has_shots, played_on, NULL)) AS newest_game_date,
    IFNULL(SUM(paint_attempts), 0) AS paint_attempts,
    IFNULL(SUM(mid_range_attempts), 0) AS mid_range_attempts,
    IFNULL(SUM(three_attempts), 0) AS three_attempts,
    ARRAY_AGG(IF(has_shots, game_id, NULL) IGNORE NULLS ORDER BY recency) AS contributing_game_ids
  FROM player_last_10
  GROUP BY player_lookup, game_date
),
shot_zones AS (
  SELECT
    *,
    paint_attempts + mid_range_attempts + three_attempts AS attempts,
    SAFE_DIVIDE(paint_attempts, paint_attempts + mid_range_attempts + three_attempts) AS paint_share,
    SAFE_DIVIDE(mid_range_attempts, paint_attempts + mid_range_attempts + three_attempts) AS mid_range_share,
    SAFE_DIVIDE(three_attempts, paint_attempts + mid_range_attempts + three_attempts) AS three_share
  FROM zone_sums
)
{%- endmacro -%}
