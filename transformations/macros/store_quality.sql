{%- import 'macros/store_values.sql' as v -%}
{#- From the inputs of each feature to its value, label and quality, and from those to the judgement of the row.
    Every weight, threshold and vocabulary is read from the rules. Suffix N is the feature index. -#}
{%- set P = rules.penalties -%}

{%- macro weight(name) -%}{{ rules.source_type(name).weight }}{%- endmacro -%}

{#- Types of the rules that a canonical source stands for, as SQL literals. -#}
{%- macro literals(names) -%}
{%- for name in names %}'{{ name }}'{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro -%}

{%- macro total(prefix, features) -%}
({%- for f in features %}{{ prefix }}{{ f.index }}{{ ' + ' if not loop.last }}{% endfor -%})
{%- endmacro -%}

{%- macro any_of(template, features) -%}
({%- for f in features %}{{ template | replace('#', f.index | string) }}{{ ' OR ' if not loop.last }}{% endfor -%})
{%- endmacro -%}

{%- macro all_of(template, features) -%}
({%- for f in features %}{{ template | replace('#', f.index | string) }}{{ ' AND ' if not loop.last }}{% endfor -%})
{%- endmacro -%}

{%- macro count_of(template, features) -%}
({%- for f in features %}IF({{ template | replace('#', f.index | string) }}, 1, 0){{ ' + ' if not loop.last }}{% endfor -%})
{%- endmacro -%}

{#- The string expressions that are not NULL, joined; `list_of` makes an array of such a column. -#}
{%- macro text_of(items) -%}
ARRAY_TO_STRING([{{ items | join(', ') }}], ',')
{%- endmacro -%}

{%- macro list_of(text) -%}
IF({{ text }} = '', CAST([] AS ARRAY<STRING>), SPLIT({{ text }}, ','))
{%- endmacro -%}

{#- A JSON object of the entries that are not NULL; each entry is an expression giving '"key":value' or NULL. -#}
{%- macro json_of(items) -%}
CONCAT('{', ARRAY_TO_STRING([{{ items | join(', ') }}], ','), '}')
{%- endmacro -%}

{#- Features whose clamp is part of the definition cannot be out of range; all others can. -#}
{%- macro checked_range(f) -%}
{{ 'no' if v.entries[f.name].get('clamp') else 'yes' }}
{%- endmacro -%}

{%- macro penalty(f, stale, thin) -%}
{%- if stale %} - IF(stale_{{ f.stale_with }}, {{ P.stale_points }}, 0){% endif -%}
{%- if thin %} - IF(IFNULL(z{{ f.index }}, 0) < {{ f.window_games * P.thin_window_share }}, {{ P.thin_points }}, 0){% endif -%}
{%- endmacro -%}

{#- Branches of a CASE over the raw types a feature can have. -#}
{%- macro by_type(f, attribute) -%}
{%- for t in rules.source_types if t.name in possible_types(f).split(',') %} WHEN '{{ t.name }}' THEN {% if attribute == 'weight' %}{{ t.weight }}{% else %}'{{ t.canonical }}'{% endif %}{% endfor -%}
{%- endmacro -%}

{%- macro possible_types(f) -%}
{{ f.primary_type }},{{ rules.miss_type(f) }}{{ ',phase3' if v.entries[f.name].get('fallback') }}{{ ',fallback' if f.name == 'avg_points_vs_opponent' }}
{%- endmacro -%}

{%- macro tier_of(expression) -%}
CASE {%- for tier in rules.tiers %}{% if not loop.last %} WHEN {{ expression }} >= {{ tier.lower }} THEN '{{ tier.name }}'{% else %} ELSE '{{ tier.name }}' END{% endif %}{% endfor -%}
{%- endmacro -%}

{#- Raw type t, value before range x, reason y (NULL when the primary was used), per feature. -#}
{%- macro resolved() -%}
{%- set by = catalogue.by_name -%}
SELECT
    u.*,
    {%- for f in catalogue.features %}
    {%- set e = v.entries[f.name] %}
    {%- if f.name == 'avg_points_vs_opponent' %}
    CASE WHEN p{{ f.index }} IS NOT NULL THEN '{{ f.primary_type }}' WHEN COALESCE(p2, f2) IS NOT NULL THEN 'fallback' ELSE '{{ rules.miss_type(f) }}' END AS t{{ f.index }},
    COALESCE(p{{ f.index }}, p2, f2, {{ f.default }}) AS x{{ f.index }},
    {%- elif e.get('fallback') %}
    CASE WHEN p{{ f.index }} IS NOT NULL THEN '{{ f.primary_type }}' WHEN f{{ f.index }} IS NOT NULL THEN 'phase3' ELSE '{{ rules.miss_type(f) }}' END AS t{{ f.index }},
    COALESCE(p{{ f.index }}, f{{ f.index }}{{ ', ' ~ f.default if f.has_default }}) AS x{{ f.index }},
    {%- else %}
    IF(p{{ f.index }} IS NOT NULL, '{{ f.primary_type }}', '{{ rules.miss_type(f) }}') AS t{{ f.index }},
    {{ 'COALESCE(p' ~ f.index ~ ', ' ~ f.default ~ ')' if f.has_default else 'p' ~ f.index }} AS x{{ f.index }},
    {%- endif %}
    {%- if e.get('fallback') %}
    CASE WHEN p{{ f.index }} IS NOT NULL THEN NULL WHEN f{{ f.index }} IS NOT NULL THEN '{{ f.missing_reason }}' ELSE w{{ f.index }} END AS y{{ f.index }},
    {%- else %}
    IF(p{{ f.index }} IS NOT NULL, NULL, w{{ f.index }}) AS y{{ f.index }},
    {%- endif %}
    {%- if e.get('fallback_sample') %}
    IF(p{{ f.index }} IS NULL AND f{{ f.index }} IS NOT NULL, fn{{ f.index }}, n{{ f.index }}) AS z{{ f.index }},
    {%- elif e.get('sample') %}
    n{{ f.index }} AS z{{ f.index }},
    {%- else %}
    CAST(NULL AS INT64) AS z{{ f.index }},
    {%- endif %}
    {%- endfor %}
    IFNULL(DATE_DIFF(expected_game_date, newest_box_date, DAY) * 24 > {{ P.stale_lag_hours }}, FALSE) AS stale_box_scores,
    IFNULL(DATE_DIFF(expected_game_date, newest_shot_date, DAY) * 24 > {{ P.stale_lag_hours }}, FALSE) AS stale_shots
  FROM (
    SELECT
      *,
      IF(IFNULL(n35, 0) < {{ by['pts_vs_season_zscore'].min_sample }} OR COALESCE(p0, f0) IS NULL OR COALESCE(p2, f2) IS NULL, NULL,
        IF(COALESCE(p3, f3) = 0, 0, SAFE_DIVIDE(COALESCE(p0, f0) - COALESCE(p2, f2), COALESCE(p3, f3)))) AS p35,
      CASE
        WHEN IFNULL(n36, 0) < {{ by['breakout_flag'].min_sample }} OR COALESCE(p0, f0) IS NULL OR COALESCE(p2, f2) IS NULL OR COALESCE(p3, f3) IS NULL THEN NULL
        WHEN ROUND(COALESCE(p0, f0), 9) > ROUND(COALESCE(p2, f2) + 1.5 * COALESCE(p3, f3), 9) THEN 1
        ELSE 0
      END AS p36
    FROM usable
  ) AS u
{%- endmacro -%}

{#- Value in range, quality q, canonical source s, default flag d, in-range flag g.
    A value is clamped in one step and rounded in the next: engines write an expression out again where they use it. -#}
{%- macro valued() -%}
SELECT
    * EXCEPT ({%- for f in catalogue.features %}p{{ f.index }}, clamped{{ f.index }}, base{{ f.index }}{{ ', ' if not loop.last }}{% endfor -%}),
    {%- for f in catalogue.features %}
    {%- set stale = f.stale_with in ('box_scores', 'shots') %}
    {%- set thin = f.window_games and v.entries[f.name].get('sample') %}
    ROUND(clamped{{ f.index }}, 6) + 0.0 AS value{{ f.index }},
    {%- if stale or thin or checked_range(f) == 'yes' %}
    CASE
      WHEN d{{ f.index }} THEN base{{ f.index }}
      {%- if checked_range(f) == 'yes' %}
      WHEN NOT g{{ f.index }} THEN {{ P.range_cap }} - IF(base{{ f.index }}{{ penalty(f, stale, thin) }} < {{ P.range_cap }}, {{ P.range_cap }} - (base{{ f.index }}{{ penalty(f, stale, thin) }}), 0)
      {%- endif %}
      ELSE base{{ f.index }}{{ penalty(f, stale, thin) }}
    END AS q{{ f.index }}{{ ',' if not loop.last }}
    {%- else %}
    base{{ f.index }} AS q{{ f.index }}{{ ',' if not loop.last }}
    {%- endif %}
    {%- endfor %}
  FROM (
    SELECT
      *,
      {%- for f in catalogue.features %}
      {%- if f.clamped %}
      CASE WHEN x{{ f.index }} < {{ f.min }} THEN {{ f.min }} WHEN x{{ f.index }} > {{ f.max }} THEN {{ f.max }} ELSE x{{ f.index }} END AS clamped{{ f.index }},
      {%- else %}
      x{{ f.index }} AS clamped{{ f.index }},
      {%- endif %}
      {%- if checked_range(f) == 'yes' %}
      IFNULL(x{{ f.index }} BETWEEN {{ f.min }} AND {{ f.max }}, TRUE) AS g{{ f.index }},
      {%- else %}
      TRUE AS g{{ f.index }},
      {%- endif %}
      CASE t{{ f.index }} {{ by_type(f, 'weight') }} END AS base{{ f.index }},
      CASE t{{ f.index }} {{ by_type(f, 'canonical') }} END AS s{{ f.index }},
      t{{ f.index }} IN ({% for t in rules.source_types if t.is_default %}'{{ t.name }}'{{ ', ' if not loop.last }}{% endfor %}) AS d{{ f.index }}{{ ',' if not loop.last }}
      {%- endfor %}
    FROM resolved
  ) AS typed
{%- endmacro -%}

{#- Counts and shares over the features of a row. -#}
{%- macro counted() -%}
{%- set required = catalogue.where(required=True) -%}
{#- Every reason that is not structural is a failure. Three literals, not seven: DuckDB makes a join of a longer list. -#}
{%- set structural = literals(rules.structural_reasons) -%}
SELECT
    *,
    {%- for c in catalogue.categories %}
    ({%- for f in c.features %}IF(d{{ f.index }}, 0, q{{ f.index }}){{ ' + ' if not loop.last }}{% endfor -%}) / {{ c.features | length }} AS {{ c.name }}_mean,
    {{ count_of('d#', c.features) }} AS {{ c.name }}_default_count,
    {%- endfor %}
    {{ total('q', catalogue.features) }} / {{ catalogue.features | length }} AS quality_mean,
    {{ count_of('d#', catalogue.features) }} AS default_feature_count,
    {%- for source in rules.canonical_sources if source != 'default' %}
    {{ count_of("s# = '" ~ source ~ "'", catalogue.features) }} AS {{ source }}_feature_count,
    {%- endfor %}
    {{ count_of('d#', required) }} AS required_default_count,
    {{ count_of('d# AND y# NOT IN (' ~ structural ~ ')', required) }} AS failure_default_count,
    {{ count_of("t# = 'phase3'", catalogue.where(primary_type='phase4')) }} AS phase3_fallback_count,
    {{ count_of('NOT d#', catalogue.where(critical=True)) }} AS critical_feature_count,
    {{ count_of('NOT d#', catalogue.where(required=False)) }} AS optional_feature_count,
    ({%- for f in catalogue.features %}
      {%- set sampled = f.window_games and v.entries[f.name].get('sample') %}
      IF(q{{ f.index }} >= {{ rules.training_quality.min_quality }} AND NOT d{{ f.index }} AND g{{ f.index }}
        {%- if sampled %} AND IFNULL(z{{ f.index }}, 0) >= {{ [rules.training_quality.min_sample, f.window_games] | min }}{% endif %}, 1, 0){{ ' + ' if not loop.last }}{% endfor %}) AS training_quality_feature_count,
    ({%- for f in catalogue.where(critical=True) %}
      {%- set sampled = f.window_games and v.entries[f.name].get('sample') %}
      q{{ f.index }} >= {{ rules.training_quality.min_quality }} AND NOT d{{ f.index }} AND g{{ f.index }}
        {%- if sampled %} AND IFNULL(z{{ f.index }}, 0) >= {{ [rules.training_quality.min_sample, f.window_games] | min }}{% endif %}{{ ' AND ' if not loop.last }}{% endfor %}) AS critical_features_training_quality,
    {%- for name, indices in (('has_composite_factors', rules.composite_indices), ('has_opponent_defense', rules.opponent_defense_indices)) %}
    NOT ({%- for index in indices %}d{{ index }}{{ ' OR ' if not loop.last }}{% endfor -%}) AS {{ name }},
    {%- endfor %}
    {%- for service in catalogue.services if service.model.startswith('breakout') %}
    ({%- for name in service.features %}{% if name in catalogue.by_name %}NOT d{{ catalogue.by_name[name].index }}{% else %}{{ name }} IS NOT NULL{% endif %}{{ ' AND ' if not loop.last }}{% endfor -%}) AS fits_{{ service.name }},
    {%- endfor %}
    stale_box_scores OR (stale_shots AND {{ any_of('NOT d#', catalogue.where(stale_with='shots')) }})
      OR {{ any_of("IFNULL(y# = 'stale_data', FALSE)", catalogue.features) }} AS is_stale,
    NOT {{ all_of('g#', catalogue.features) }} AS has_range_violation,
    LEAST({{ rules.production_ready.window_games }}, games_available) AS games_expected
  FROM valued
{%- endmacro -%}

{#- Tier, alert level and readiness of a row. -#}
{%- macro judged() -%}
{%- set red = rules.red -%}{%- set yellow = rules.yellow -%}
SELECT
    *,
    {{ tier_of('feature_quality_score') }} AS quality_tier,
    CASE
      WHEN matchup_quality_pct < {{ red.matchup_quality_pct_below }}
        OR feature_quality_score < {{ red.feature_quality_score_below }}
        OR failure_default_count >= {{ red.failure_defaults_from }}
        {%- for c in catalogue.categories if c.name in rules.critical_categories %}
        OR {{ c.name }}_default_count = {{ c.features | length }}
        {%- endfor %}
        THEN 'red'
      WHEN failure_default_count >= {{ yellow.failure_defaults_from }}
        OR phase3_fallback_count >= {{ yellow.phase3_fallbacks_from }}
        OR matchup_quality_pct < {{ yellow.matchup_quality_pct_below }}
        OR feature_quality_score < {{ yellow.feature_quality_score_below }}
        THEN 'yellow'
      ELSE 'green'
    END AS quality_alert_level
  FROM (
    SELECT
      *,
      {%- for c in catalogue.categories %}
      ROUND({{ c.name }}_mean, 1) AS {{ c.name }}_quality_pct,
      {%- endfor %}
      ROUND(quality_mean, 2) AS feature_quality_score,
      ROUND(100 * required_default_count / {{ catalogue.where(required=True) | length }}) AS required_default_pct
    FROM counted
  ) AS rounded
{%- endmacro -%}

{%- macro alerted() -%}
{%- set required = catalogue.where(required=True) -%}
{%- set T = rules.alert_thresholds -%}
{%- set alerts = [] -%}
{%- for c in catalogue.categories -%}
{%- do alerts.append("IF(" ~ c.name ~ "_default_count = " ~ (c.features | length) ~ ", 'all_" ~ c.name ~ "_features_defaulted', NULL)") -%}
{%- endfor -%}
{%- do alerts.append("IF(NOT has_composite_factors, 'composite_factors_missing', NULL)") -%}
{%- do alerts.append("IF(NOT has_opponent_defense, 'opponent_defense_missing', NULL)") -%}
{%- do alerts.append("IF(required_default_count > " ~ (T.high_default_rate_above * (required | length)) ~ ", CONCAT('high_default_rate_', CAST(CAST(required_default_pct AS INT64) AS STRING), 'pct'), NULL)") -%}
{%- do alerts.append("IF(critical_feature_count < " ~ (catalogue.where(critical=True) | length) ~ ", 'critical_features_missing', NULL)") -%}
{%- do alerts.append("IF(matchup_quality_pct < " ~ T.matchup_quality_pct_below ~ ", 'matchup_quality_critical', NULL)") -%}
{%- do alerts.append("IF(game_context_quality_pct < " ~ T.game_context_quality_pct_below ~ ", 'game_context_quality_critical', NULL)") -%}
{%- do alerts.append("IF(is_stale, 'stale_upstream', NULL)") -%}
{%- do alerts.append("IF(has_range_violation, 'range_violation', NULL)") -%}
{%- set names = [] -%}{%- set defaults = [] -%}{%- set fits = [] -%}
{%- for f in catalogue.features -%}
{%- do names.append("IF(value" ~ f.index ~ " IS NULL, NULL, '" ~ f.name ~ "')") -%}
{%- do defaults.append("IF(d" ~ f.index ~ ", '" ~ f.index ~ "', NULL)") -%}
{%- endfor -%}
{%- for s in catalogue.services if s.model.startswith('breakout') %}{% do fits.append("IF(fits_" ~ s.name ~ ", '" ~ s.name.removeprefix('breakout_') ~ "', NULL)") %}{% endfor -%}
SELECT
    *,
    {{ text_of(alerts) }} AS alerts_text,
    {{ text_of(names) }} AS names_text,
    {{ text_of(defaults) }} AS defaults_text,
    {{ text_of(fits) }} AS fits_text,
    {{ text_of(["IF(has_cache, 'player_daily_cache', NULL)", "IF(has_composite, 'player_composite_factors', NULL)", "IF(has_shot_profile, 'player_shot_zone_analysis', NULL)", "IF(has_opponent, 'team_defense_zone_analysis', NULL)"]) }} AS predecessors_text,
    TIMESTAMP_DIFF(tipoff_time, cutoff, SECOND) / 3600 AS age_hours,
    TIMESTAMP_DIFF(cutoff, NULLIF(GREATEST(
      IFNULL(TIMESTAMP_ADD(TIMESTAMP(newest_box_date), INTERVAL 29 HOUR), TIMESTAMP '1970-01-01 00:00:00+00'),
      IFNULL(last_observed_at, TIMESTAMP '1970-01-01 00:00:00+00'),
      IFNULL(status_reported_at, TIMESTAMP '1970-01-01 00:00:00+00')
    ), TIMESTAMP '1970-01-01 00:00:00+00'), SECOND) / 3600 AS freshness_hours
  FROM judged
{%- endmacro -%}

{#- A derived value comes from where the recent mean came from that it is made of. -#}
{%- macro upstream_table(f) -%}
{%- set recent = catalogue.by_name['points_avg_last_5'] -%}
{%- if v.entries[f.name].get('derived') -%}
CASE WHEN t{{ f.index }} = '{{ f.primary_type }}' AND t{{ recent.index }} = '{{ recent.primary_type }}' THEN '"{{ f.index }}":"{{ recent.tables[0] }}"' WHEN t{{ f.index }} = '{{ f.primary_type }}' THEN '"{{ f.index }}":"{{ recent.fallback_table }}"' END
{%- else -%}
CASE t{{ f.index }} WHEN '{{ f.primary_type }}' THEN '"{{ f.index }}":"{{ f.tables[0] }}"' {%- if f.fallback_table %} WHEN '{{ 'fallback' if f.name == 'avg_points_vs_opponent' else 'phase3' }}' THEN '"{{ f.index }}":"{{ f.fallback_table }}"'{% endif %} END
{%- endif -%}
{%- endmacro -%}

{#- When the row a value came from was written; NULL for a default. -#}
{%- macro written_at(f) -%}
{%- set at = {'nba_precompute.player_daily_cache': 'cache_at', 'nba_precompute.player_composite_factors': 'composite_at', 'nba_precompute.player_shot_zone_analysis': 'shot_profile_at', 'nba_precompute.team_defense_zone_analysis': 'opponent_at'} -%}
{{ at.get(f.tables[0], 'context_at') }}
{%- endmacro -%}

{%- macro final(table) -%}
{%- set Q = rules.quality_ready -%}{%- set T = rules.training_ready -%}{%- set R = rules.production_ready -%}
{%- set reasons = [] -%}{%- set samples = [] -%}{%- set expected = [] -%}{%- set ranges = [] -%}{%- set tables = [] -%}{%- set originals = [] -%}{%- set sources = [] -%}{%- set updated = [] -%}{%- set all_valid = [] -%}
{%- for f in catalogue.features -%}
{%- do reasons.append("'\"" ~ f.index ~ "\":\"' || y" ~ f.index ~ " || '\"'") -%}
{%- if f.window_games and v.entries[f.name].get('sample') -%}{%- do samples.append("'\"" ~ f.index ~ "\":' || CAST(IFNULL(z" ~ f.index ~ ", 0) AS STRING)") -%}{%- endif -%}
{%- if f.has_default -%}{%- do expected.append('"' ~ f.index ~ '":' ~ f.default) -%}{%- endif -%}
{%- do ranges.append("IF(g" ~ f.index ~ ", '\"" ~ f.index ~ "\":true', '\"" ~ f.index ~ "\":false')") -%}
{%- do all_valid.append('"' ~ f.index ~ '":true') -%}
{%- do tables.append(upstream_table(f)) -%}
{%- do originals.append("IF(g" ~ f.index ~ ", NULL, '\"" ~ f.index ~ "\":' || FORMAT('%.6f', x" ~ f.index ~ "))") -%}
{%- set branches = namespace(text='') -%}
{%- for name in possible_types(f).split(',') -%}{%- set branches.text = branches.text ~ " WHEN '" ~ name ~ "' THEN '\"" ~ f.index ~ "\":\"" ~ name ~ "\"'" -%}{%- endfor -%}
{%- do sources.append("CASE t" ~ f.index ~ branches.text ~ " END") -%}
{%- do updated.append("IF(d" ~ f.index ~ ", NULL, '\"" ~ f.index ~ "\":' || CAST(UNIX_MICROS(" ~ written_at(f) ~ ") AS STRING))") -%}
{%- endfor -%}
{%- set jobs = [] -%}{%- set missing = [] -%}
{%- for job in v.processors -%}
{%- do jobs.append("IF(has_" ~ job ~ ", '" ~ job ~ "', NULL)") -%}
{%- do missing.append("IF(has_" ~ job ~ ", NULL, '" ~ job ~ "')") -%}
{%- endfor -%}
SELECT
  player_lookup,
  game_date,
  game_id,
  team_abbr,
  opponent_team_abbr,
  season,
  season_phase,
  roster_basis,
  tipoff_time,
  cutoff AS event_timestamp,
  {%- for f in catalogue.features %}
  value{{ f.index }} AS {{ f.name }},
  {%- endfor %}
  {%- for name in catalogue.breakout_inputs %}
  ROUND({{ name }}, 6) + 0.0 AS {{ name }},
  {%- endfor %}
  {%- for f in catalogue.features %}
  CAST(q{{ f.index }} AS FLOAT64) AS feature_{{ f.index }}_quality,
  s{{ f.index }} AS feature_{{ f.index }}_source,
  {%- endfor %}
  feature_quality_score,
  quality_tier,
  quality_alert_level,
  {{ list_of('alerts_text') }} AS quality_alerts,
  default_feature_count,
  phase4_feature_count,
  phase3_feature_count,
  calculated_feature_count,
  quality_tier IN ({{ literals(T.tiers) }})
    AND matchup_quality_pct >= {{ T.min_matchup_quality_pct }}
    AND player_history_quality_pct >= {{ T.min_player_history_quality_pct }}
    AND {{ catalogue.where(critical=True) | length }} - critical_feature_count <= {{ T.max_critical_defaults }} AS is_training_ready,
  training_quality_feature_count,
  {%- for c in catalogue.categories %}
  {{ c.name }}_quality_pct,
  {{ c.name }}_default_count,
  {%- endfor %}
  has_composite_factors,
  has_opponent_defense,
  critical_features_training_quality,
  critical_feature_count,
  optional_feature_count,
  {{ tier_of('matchup_quality_pct') }} AS matchup_quality_tier,
  {{ tier_of('game_context_quality_pct') }} AS game_context_quality_tier,
  {{ json_of(reasons) }} AS feature_fallback_reasons_json,
  {{ json_of(samples) }} AS feature_sample_sizes_json,
  '{{ '{' ~ (expected | join(',')) ~ '}' }}' AS feature_expected_values_json,
  IF(has_range_violation, {{ json_of(ranges) }}, '{{ '{' ~ (all_valid | join(',')) ~ '}' }}') AS feature_value_ranges_valid_json,
  {{ json_of(tables) }} AS feature_upstream_tables_json,
  {{ json_of(updated) }} AS feature_last_updated_json,
  IF(has_range_violation, {{ json_of(originals) }}, '{}') AS feature_original_values_json,
  '{{ catalogue.schema_version }}' AS feature_schema_version,
  {{ list_of('names_text') }} AS available_feature_names,
  {{ list_of('fits_text') }} AS breakout_model_compatible,
  star_teammate_out IS NOT NULL AND fg_pct_last_game IS NOT NULL AS breakout_v3_features_available,
  ARRAY_TO_STRING([{{ jobs | join(', ') }}], ',') AS upstream_processors_ran,
  ARRAY_TO_STRING([{{ missing | join(', ') }}], ',') AS missing_processors,
  upstream_pipeline_run_id,
  {{ list_of('predecessors_text') }} AS predecessor_processors_completed,
  ROUND(age_hours, 6) AS feature_store_age_hours,
  ROUND(freshness_hours, 6) AS upstream_data_freshness_hours,
  '{{ rules.quality_schema_version }}' AS quality_schema_version,
  {{ json_of(sources) }} AS feature_sources,
  CASE
    WHEN has_cache AND has_composite AND has_shot_profile AND has_opponent THEN 'phase4'
    WHEN has_cache OR has_composite OR has_shot_profile OR has_opponent THEN 'phase4_partial'
    WHEN phase3_fallback_count > 0 THEN 'phase3'
    ELSE 'mixed'
  END AS primary_data_source,
  CASE matchup_default_count WHEN 0 THEN 'COMPLETE' WHEN {{ catalogue.category('matchup').features | length }} THEN 'MATCHUP_UNAVAILABLE' ELSE 'MATCHUP_PARTIAL' END AS matchup_data_status,
  quality_tier IN ({{ literals(Q.tiers) }})
    AND feature_quality_score >= {{ Q.min_score }}
    AND matchup_quality_pct >= {{ Q.min_matchup_quality_pct }}
    AND quality_alert_level NOT IN ({{ literals(Q.forbidden_alert_levels) }}) AS is_quality_ready,
  100 * games_found >= {{ R.min_completeness_pct }} * games_expected AND has_cache AND has_composite AND has_shot_profile AND has_opponent AS is_production_ready,
  required_default_count,
  failure_default_count,
  phase3_fallback_count,
  ARRAY(SELECT CAST(place AS INT64) FROM UNNEST({{ list_of('defaults_text') }}) AS place WITH OFFSET AS position ORDER BY position) AS default_feature_indices,
  STRUCT(
    games_found AS games_found,
    games_expected AS games_expected,
    games_available AS games_available,
    games_found >= games_expected AS is_complete,
    games_expected < {{ R.window_games }} AS is_bootstrap,
    contributing_game_dates AS contributing_game_dates
  ) AS historical_completeness,
  '{{ rules.detail_version }}' AS feature_quality_detail_version,
  '{{ catalogue.schema_version }}' AS feature_definition_version
FROM alerted
{%- endmacro -%}
