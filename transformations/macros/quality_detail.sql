{#- Wide store rows turned into one row per feature: each row meets each index once, and the index picks the column.
    A CASE over the index and not an array of structs: DuckDB copies such an array whole, a hundred times slower. -#}

{#- The column or text that an index picks; `#` in the template stands for the index, `@` for the feature's name. -#}
{%- macro picked(template) -%}
CASE feature_index {%- for f in catalogue.features %} WHEN {{ f.index }} THEN {{ template | replace('#', f.index | string) | replace('@', f.name) }}{% endfor %} END
{%- endmacro -%}

{%- macro from_json(column) -%}
{{ picked("JSON_VALUE(" ~ column ~ ", '$.\"#\"')") }}
{%- endmacro -%}

{#- An attribute of the feature that the index picks. A list of indices would be a join and keep filters from the scan. -#}
{%- macro attribute(name) -%}
CASE feature_index {%- for f in catalogue.features if f[name] is not none %} WHEN {{ f.index }} THEN {{ "'" ~ f[name] ~ "'" if f[name] is string else f[name] }}{% endfor %} END
{%- endmacro -%}

{%- macro all_indices() -%}
GENERATE_ARRAY(0, {{ catalogue.features | length - 1 }})
{%- endmacro -%}

{%- macro tier_of(expression) -%}
CASE {%- for tier in rules.tiers %}{% if not loop.last %} WHEN {{ expression }} >= {{ tier.lower }} THEN '{{ tier.name }}'{% else %} ELSE '{{ tier.name }}' END{% endif %}{% endfor -%}
{%- endmacro -%}

{%- set upstream = {
  'nba_precompute.player_daily_cache': 'cache',
  'nba_precompute.player_composite_factors': 'composite',
  'nba_precompute.player_shot_zone_analysis': 'shots',
  'nba_precompute.team_defense_zone_analysis': 'opponent',
  'nba_analytics.upcoming_player_game_context': 'context',
  'nba_analytics.upcoming_team_game_context': 'slate',
  'nba_analytics.player_game_summary': 'player',
  'nba_analytics.team_offense_game_summary': 'team',
  'nba_analytics.team_defense_game_summary': 'defense'
} -%}

{%- macro hashes() -%}
CASE upstream_table {%- for table, name in upstream.items() %} WHEN '{{ table }}' THEN {{ name }}_hash{% endfor %} END
{%- endmacro -%}

{#- Games in a feature's window: the team's for what the cache says of the team, else those of the row it came from. -#}
{%- macro games_of(f, table) -%}
{%- if f.category == 'team_context' or f.name == 'dnp_rate' -%}team_games
{%- elif f.window_games < 10 or upstream[table] in ('cache', 'player') -%}player_games{{ '_' ~ f.window_games if f.window_games < 10 }}
{%- else -%}{{ upstream[table] }}_games{%- endif -%}
{%- endmacro -%}

{#- Tables the value can have come from; what is derived from the player's means follows them. -#}
{%- macro tables_of(f) -%}
{{ f.tables[0] }}{% if f.fallback_table %},{{ f.fallback_table }}{% elif upstream.get(f.tables[0]) == 'cache' %},{{ catalogue.by_name['points_avg_last_5'].fallback_table }}{% endif %}
{%- endmacro -%}

{%- macro windows() -%}
CASE feature_index
  {%- for f in catalogue.features if f.window_games %} WHEN {{ f.index }} THEN CASE upstream_table
    {%- for table in tables_of(f).split(',') %} WHEN '{{ table }}' THEN {{ games_of(f, table) }}{% endfor %} END
  {%- endfor %} END
{%- endmacro -%}

{#- Quality of the value before any penalty. -#}
{%- macro base_quality() -%}
CASE feature_index
  {%- for f in catalogue.features %} WHEN {{ f.index }} THEN {% if f.has_phase3_fallback %}IF(source_type = 'phase3', {{ rules.source_type('phase3').weight }}, {{ rules.source_type(f.primary_type).weight }}){% else %}{{ rules.source_type(f.primary_type).weight }}{% endif %}
  {%- endfor %} END
{%- endmacro -%}

{%- macro detail(store, sources) -%}
{%- set P = rules.penalties -%}{%- set T = rules.training_quality -%}
SELECT
  player_lookup,
  game_date,
  game_id,
  feature_index,
  feature_name,
  feature_category,
  feature_value,
  expected_value,
  original_value,
  original_value IS NULL AS value_range_valid,
  CASE WHEN source_type = 'default' THEN 'defaulted' WHEN original_value IS NOT NULL THEN 'clamped' ELSE 'valid' END AS validation_status,
  source_type,
  upstream_table,
  {{ hashes() }} AS upstream_data_hash,
  last_updated,
  quality_score,
  {{ tier_of('quality_score') }} AS feature_quality_tier,
  IF(sample_size IS NULL, quality_score, ROUND(quality_score * LEAST(1, sample_size / window_games), 2)) AS confidence_pct,
  source_type = 'default' AS is_default,
  fallback_reason,
  sample_size,
  IFNULL({{ windows() }}, CAST([] AS ARRAY<STRING>)) AS contributing_game_ids,
  quality_score >= {{ T.min_quality }}
    AND source_type != 'default'
    AND original_value IS NULL
    AND IFNULL(sample_size >= LEAST({{ T.min_sample }}, window_games), TRUE) AS is_training_quality,
  CASE
    WHEN source_type = 'default' THEN 'default_used'
    WHEN original_value IS NOT NULL THEN 'range_violation'
    WHEN points_lost >= {{ P.stale_points }} THEN 'stale_data_48h'
    WHEN points_lost >= {{ P.thin_points }} THEN 'thin_sample'
  END AS triggered_alert,
  feature_definition_version,
  computation_duration_ms,
  run_id
FROM (
  SELECT
    *,
    {{ base_quality() }} - quality_score AS points_lost
  FROM (
    SELECT
      s.player_lookup,
      s.game_date,
      s.game_id,
      feature_index,
      {{ attribute('name') }} AS feature_name,
      {{ attribute('category') }} AS feature_category,
      {{ picked('@') }} AS feature_value,
      {{ attribute('default') }} AS expected_value,
      CAST({{ from_json('feature_original_values_json') }} AS FLOAT64) AS original_value,
      {{ picked('feature_#_source') }} AS source_type,
      {{ from_json('feature_upstream_tables_json') }} AS upstream_table,
      TIMESTAMP_MICROS(CAST({{ from_json('feature_last_updated_json') }} AS INT64)) AS last_updated,
      {{ picked('feature_#_quality') }} AS quality_score,
      {{ from_json('feature_fallback_reasons_json') }} AS fallback_reason,
      CAST({{ from_json('feature_sample_sizes_json') }} AS INT64) AS sample_size,
      {{ attribute('window_games') }} AS window_games,
      CONCAT('v', CAST({{ attribute('version') }} AS STRING)) AS feature_definition_version,
      s.run_id,
      u.computation_duration_ms,
      {%- for name in upstream.values() %}
      u.{{ name }}_hash,
      {%- endfor %}
      u.composite_games,
      u.shots_games,
      u.opponent_games,
      u.player_games,
      u.player_games_7,
      u.player_games_5,
      u.team_games,
      u.defense_games
    FROM {{ store }} AS s
    -- The reader's dates reach the store's rows alone: the other table requires dates of its own, and the first day of the league is one.
    LEFT JOIN {{ sources }} AS u
      ON u.player_lookup = s.player_lookup AND u.game_date = s.game_date AND u.game_date >= DATE '1946-11-01'
    CROSS JOIN UNNEST({{ all_indices() }}) AS feature_index
  ) AS picked
) AS located
{%- endmacro -%}
