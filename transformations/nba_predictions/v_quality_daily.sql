{%- import 'macros/quality_totals.sql' as q -%}
-- Grain: one row per game date and fate.
SELECT
  game_date,
  MIN(season) AS season,
  is_blocked,
  {{ q.totals() }}
FROM nba_predictions.v_ml_feature_store_v2_all
GROUP BY game_date, is_blocked
