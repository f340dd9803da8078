-- Grain: one row per player, game date and fate. What the gate refused is here beside what it let through.
SELECT
  {% for column in contract('nba_predictions.ml_feature_store_v2').columns %}{{ column.name }}, {% endfor %}FALSE AS is_blocked
FROM nba_predictions.ml_feature_store_v2
UNION ALL
SELECT
  {% for column in contract('nba_predictions.ml_feature_store_v2').columns %}{{ column.name }}, {% endfor %}TRUE AS is_blocked
FROM nba_predictions.ml_feature_store_v2_blocked
