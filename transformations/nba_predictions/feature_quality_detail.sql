{%- import 'macros/common.sql' as m -%}
{%- import 'macros/quality_detail.sql' as d -%}
-- Grain: one row per player, game date and feature of the store.
-- As of: nothing is read that the store row did not read; games strictly before the date.
-- Every field restates a column of the store row or names what it came from; no value is computed a second time.
WITH store AS (
  SELECT * FROM nba_predictions.ml_feature_store_v2 WHERE game_date BETWEEN @start_date AND @end_date
),
{{ d.profile_ctes() }},
{{ d.player_games_ctes() }},
{{ d.team_games_ctes() }},
sourced AS (
  {{ d.sourced() }}
),
long_rows AS (
  {{ d.long_rows() }}
)
{{ d.final() }}
