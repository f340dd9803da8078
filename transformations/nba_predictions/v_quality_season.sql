{%- import 'macros/quality_totals.sql' as q -%}
-- Grain: one row per season and fate.
SELECT
  season,
  is_blocked,
  MIN(game_date) AS first_game_date,
  MAX(game_date) AS last_game_date,
  COUNT(DISTINCT game_date) AS game_dates,
  {{ q.totals() }}
FROM nba_predictions.v_ml_feature_store_v2_all
-- A season has no date for the reader to name, and the blocked rows require one: the first day of the league.
WHERE game_date >= DATE '1946-11-01'
GROUP BY season, is_blocked
