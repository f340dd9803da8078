-- Grain: one row per game date of the published store.
SELECT
  game_date,
  MIN(season) AS season,
  COUNT(*) AS row_count,
  COUNTIF(historical_completeness.is_complete) AS complete_rows,
  COUNTIF(NOT historical_completeness.is_complete) AS incomplete_rows,
  COUNTIF(historical_completeness.is_bootstrap) AS bootstrap_rows,
  COUNTIF(is_production_ready) AS production_ready_rows,
  SUM(historical_completeness.games_found) AS games_found,
  SUM(historical_completeness.games_expected) AS games_expected,
  ROUND(SAFE_DIVIDE(100 * SUM(historical_completeness.games_found), SUM(historical_completeness.games_expected)), 2) AS completeness_pct
FROM nba_predictions.ml_feature_store_v2
GROUP BY game_date
