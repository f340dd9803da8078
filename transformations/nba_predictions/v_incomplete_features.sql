-- Grain: one row per player and game date of the published store whose history is short of what exists, or whose values broke.
SELECT
  player_lookup,
  game_date,
  game_id,
  season,
  quality_alert_level,
  historical_completeness.games_found AS games_found,
  historical_completeness.games_expected AS games_expected,
  historical_completeness.games_expected - historical_completeness.games_found AS games_missing,
  historical_completeness.is_bootstrap AS is_bootstrap,
  historical_completeness.contributing_game_dates AS contributing_game_dates,
  failure_default_count,
  default_feature_indices,
  feature_fallback_reasons_json,
  missing_processors
FROM nba_predictions.ml_feature_store_v2
WHERE NOT historical_completeness.is_complete OR failure_default_count > 0 OR missing_processors != ''
