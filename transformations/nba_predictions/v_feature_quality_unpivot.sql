{%- import 'macros/quality_detail.sql' as d -%}
-- Grain: one row per player, game date, fate and feature. Any range of dates: the reader says which.
SELECT
  *,
  {{ d.tier_of('quality_score') }} AS feature_quality_tier,
  source_type = 'default' AS is_default,
  CASE {%- for reason in rules.fallback_reasons %} WHEN fallback_reason = '{{ reason.name }}' THEN '{{ reason.reason_class }}'{% endfor %} END AS reason_class
FROM (
  SELECT
    player_lookup,
    game_date,
    game_id,
    season,
    team_abbr,
    is_blocked,
    quality_alert_level,
    feature_index,
    {{ d.attribute('name') }} AS feature_name,
    {{ d.attribute('category') }} AS feature_category,
    {{ d.attribute('required') }} AS is_required,
    {{ d.picked('@') }} AS feature_value,
    {{ d.picked('feature_#_quality') }} AS quality_score,
    {{ d.picked('feature_#_source') }} AS source_type,
    {{ d.from_json('feature_fallback_reasons_json') }} AS fallback_reason
  FROM nba_predictions.v_ml_feature_store_v2_all
  CROSS JOIN UNNEST({{ d.all_indices() }}) AS feature_index
) AS picked
