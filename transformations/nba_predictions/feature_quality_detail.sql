{%- import 'macros/quality_detail.sql' as d -%}
-- Grain: one row per player, game date and feature of the store.
-- Every field restates the store row, or names what it came from as written with it: no value is held a second time.
{{ d.detail('nba_predictions.ml_feature_store_v2', 'nba_predictions.feature_quality_sources') }}
