{%- import 'macros/common.sql' as m -%}
{#- What the quality views say of a group of rows, from flat columns alone. -#}
{%- macro totals() -%}
COUNT(*) AS row_count,
  {%- for tier in rules.tier_names %}
  COUNTIF(quality_tier = '{{ tier }}') AS {{ tier }}_rows,
  {%- endfor %}
  {%- for level in rules.alert_levels %}
  COUNTIF(quality_alert_level = '{{ level }}') AS {{ level }}_rows,
  {%- endfor %}
  COUNTIF(is_quality_ready) AS quality_ready_rows,
  COUNTIF(is_training_ready) AS training_ready_rows,
  COUNTIF(is_production_ready) AS production_ready_rows,
  ROUND({{ m.exact_mean('feature_quality_score') }}, 2) AS avg_feature_quality_score,
  {%- for category in catalogue.categories %}
  ROUND({{ m.exact_mean(category.name ~ '_quality_pct') }}, 2) AS avg_{{ category.name }}_quality_pct,
  SUM({{ category.name }}_default_count) AS {{ category.name }}_default_count,
  {%- endfor %}
  SUM(required_default_count) AS required_default_count,
  SUM(failure_default_count) AS failure_default_count,
  SUM(phase3_fallback_count) AS phase3_fallback_count,
  COUNTIF(NOT has_composite_factors) AS composite_missing_rows,
  COUNTIF(NOT has_opponent_defense) AS opponent_defense_missing_rows,
  COUNTIF(has_vegas_line = 1) AS vegas_line_rows
{%- endmacro -%}
