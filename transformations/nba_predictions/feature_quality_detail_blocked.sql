{%- import 'macros/quality_detail.sql' as d -%}
-- Grain: one row per player, game date and feature of the blocked rows.
{{ d.detail('nba_predictions.ml_feature_store_v2_blocked', 'nba_predictions.feature_quality_sources_blocked') }}
