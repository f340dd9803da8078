{%- import 'macros/common.sql' as m -%}
{%- import 'macros/player_form.sql' as form -%}
{%- import 'macros/shot_zones.sql' as zones -%}
-- Grain: one row per player on the roster of a date.
-- As of: games strictly before the date and knowable on the as-of date.
WITH roster AS (
  {{ m.roster('player_lookup, game_date, game_id, season') }}
),
{{ form.ctes('roster') }},
{{ zones.ctes() }}
SELECT
  r.player_lookup,
  r.game_date,
  r.game_id,
  IFNULL(z.games_last_10, 0) AS games_last_10,
  IFNULL(z.games_with_shots, 0) AS games_with_shots,
  z.newest_game_date,
  IFNULL(z.attempts, 0) AS attempts,
  100 * z.paint_share AS paint_rate_last_10,
  100 * z.mid_range_share AS mid_range_rate_last_10,
  100 * z.three_share AS three_pt_rate_last_10,
  CASE
    WHEN z.paint_share IS NULL THEN NULL
    WHEN ROUND(z.paint_share, 9) >= 0.40 THEN 'paint'
    WHEN ROUND(z.three_share, 9) >= 0.40 THEN 'three'
    WHEN ROUND(z.mid_range_share, 9) >= 0.35 THEN 'mid_range'
    ELSE 'balanced'
  END AS primary_zone,
  z.contributing_game_ids
FROM roster AS r
LEFT JOIN shot_zones AS z ON z.player_lookup = r.player_lookup AND z.game_date = r.game_date
