{%- import 'macros/common.sql' as m -%}
{#- One long row per feature out of the wide store row. The JSON texts of the store repeat over thousands of rows, so each
    distinct text is read once, each distinct set of texts is a profile, and a long row looks its profile up. -#}
{%- set texts = {
  'reason': 'feature_fallback_reasons_json',
  'sample': 'feature_sample_sizes_json',
  'upstream': 'feature_upstream_tables_json',
  'updated': 'feature_last_updated_json',
  'original': 'feature_original_values_json'
} -%}

{#- Short names of the upstream rows a value can come from: table to prefix of `hash` and `games` columns. -#}
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

{#- Whose games fill the window of a feature: those of the row it came from, or the team's for what the cache says of the team. -#}
{%- macro games_of(f, table) -%}
{%- if f.category == 'team_context' or f.name == 'dnp_rate' -%}team
{%- elif table in ('nba_precompute.player_daily_cache', 'nba_analytics.player_game_summary') -%}player
{%- else -%}{{ upstream[table] }}{%- endif -%}
{%- endmacro -%}

{%- macro number_or_null(value) -%}
{%- if value is none -%}CAST(NULL AS FLOAT64){%- else -%}{{ value * 1.0 }}{%- endif -%}
{%- endmacro -%}

{%- macro profile_ctes() -%}
{%- for name, column in texts.items() %}
{{ name }}_texts AS (
  SELECT
    text,
    [{%- for f in catalogue.features %}JSON_VALUE(text, '$."{{ f.index }}"'){{ ', ' if not loop.last }}{% endfor -%}] AS items
  FROM (SELECT DISTINCT {{ column }} AS text FROM store) AS distinct_texts
),
{%- endfor %}
profiles AS (
  SELECT
    *,
    ROW_NUMBER() OVER (ORDER BY {% for name in texts %}{{ name }}_text{{ ', ' if not loop.last }}{% endfor %}) AS profile
  FROM (SELECT DISTINCT {% for name, column in texts.items() %}{{ column }} AS {{ name }}_text{{ ', ' if not loop.last }}{% endfor %} FROM store) AS sets
),
features AS (
  SELECT * FROM UNNEST([
    {%- for f in catalogue.features %}
    STRUCT(
      {{ f.index }} AS feature_index, '{{ f.name }}' AS feature_name, '{{ f.category }}' AS feature_category,
      {{ number_or_null(f.default) }} AS expected_value, {{ number_or_null(f.window_games) }} AS window_games,
      {{ rules.source_type(f.primary_type).weight }} AS primary_weight, '{{ f.primary_type }}' = 'phase3' AS is_phase3_by_nature,
      'v{{ f.version }}' AS feature_definition_version
    ){{ ',' if not loop.last }}
    {%- endfor %}
  ]) AS listed
),
profile_features AS (
  SELECT
    p.profile,
    f.*,
    reason_texts.items[SAFE_OFFSET(f.feature_index)] AS fallback_reason,
    CAST(sample_texts.items[SAFE_OFFSET(f.feature_index)] AS INT64) AS sample_size,
    upstream_texts.items[SAFE_OFFSET(f.feature_index)] AS upstream_table,
    TIMESTAMP_MICROS(CAST(updated_texts.items[SAFE_OFFSET(f.feature_index)] AS INT64)) AS last_updated,
    CAST(original_texts.items[SAFE_OFFSET(f.feature_index)] AS FLOAT64) AS original_value
  FROM profiles AS p
  {%- for name in texts %}
  JOIN {{ name }}_texts ON {{ name }}_texts.text = p.{{ name }}_text
  {%- endfor %}
  CROSS JOIN features AS f
)
{%- endmacro -%}

{#- The player's last ten games, newest first, and one hash over their rows. -#}
{%- macro player_games_ctes() -%}
listed_games AS (
  SELECT s.player_lookup, s.game_date, played_on, place
  FROM store AS s
  CROSS JOIN UNNEST(s.historical_completeness.contributing_game_dates) AS played_on WITH OFFSET AS place
),
player_windows AS (
  SELECT
    l.player_lookup,
    l.game_date,
    ARRAY_AGG(g.game_id ORDER BY l.place) AS games,
    TO_HEX(MD5(STRING_AGG(g.data_hash, ',' ORDER BY l.place))) AS hash
  FROM listed_games AS l
  JOIN ({{ m.knowable_games('nba_analytics.player_game_summary', 'player_lookup, game_date, game_id, data_hash', 'is_played') }}) AS g
    ON g.player_lookup = l.player_lookup AND g.game_date = l.played_on
  GROUP BY l.player_lookup, l.game_date
)
{%- endmacro -%}

{#- The last games of a side and one hash over their rows. -#}
{%- macro side_window(name, spine, table, n) -%}
{{ name }} AS (
  SELECT
    team_abbr,
    game_date,
    ARRAY_AGG(game_id ORDER BY recency) AS games,
    TO_HEX(MD5(STRING_AGG(data_hash, ',' ORDER BY recency))) AS hash
  FROM (
    SELECT
      t.team_abbr,
      t.game_date,
      g.game_id,
      g.data_hash,
      ROW_NUMBER() OVER (PARTITION BY t.team_abbr, t.game_date ORDER BY g.game_date DESC, g.game_id DESC) AS recency
    FROM {{ spine }} AS t
    JOIN ({{ m.knowable_games(table, 'team_abbr, game_date, game_id, data_hash') }}) AS g
      ON g.team_abbr = t.team_abbr AND g.game_date < t.game_date AND g.game_date >= DATE_SUB(t.game_date, INTERVAL 365 DAY)
  ) AS numbered
  WHERE recency <= {{ n }}
  GROUP BY team_abbr, game_date
)
{%- endmacro -%}

{%- macro team_games_ctes() -%}
teams AS (
  SELECT DISTINCT team_abbr, game_date FROM store
),
opponents_without_phase4 AS (
  SELECT DISTINCT opponent_team_abbr AS team_abbr, game_date
  FROM store
  WHERE {% for f in catalogue.features if f.fallback_table == 'nba_analytics.team_defense_game_summary' %}feature_{{ f.index }}_source = 'phase3'{{ ' OR ' if not loop.last }}{% endfor %}
),
{{ side_window('team_windows', 'teams', 'nba_analytics.team_offense_game_summary', 10) }},
{{ side_window('defense_windows', 'opponents_without_phase4', 'nba_analytics.team_defense_game_summary', 15) }}
{%- endmacro -%}

{#- Each store row with its profile and the hashes and games of all it can have come from. -#}
{%- macro sourced() -%}
SELECT
    s.player_lookup,
    s.game_date,
    s.game_id,
    {%- for f in catalogue.features %}
    s.{{ f.name }},
    s.feature_{{ f.index }}_quality,
    s.feature_{{ f.index }}_source,
    {%- endfor %}
    profiles.profile,
    cache.data_hash AS cache_hash,
    composite.data_hash AS composite_hash,
    composite.contributing_game_ids AS composite_games,
    shots.data_hash AS shots_hash,
    shots.contributing_game_ids AS shots_games,
    opponent.data_hash AS opponent_hash,
    opponent.contributing_game_ids AS opponent_games,
    context.data_hash AS context_hash,
    slate.data_hash AS slate_hash,
    player.hash AS player_hash,
    player.games AS player_games,
    team.hash AS team_hash,
    team.games AS team_games,
    defense.hash AS defense_hash,
    defense.games AS defense_games
  FROM store AS s
  JOIN profiles
    ON {% for name, column in texts.items() %}profiles.{{ name }}_text = s.{{ column }}{{ '\n    AND ' if not loop.last }}{% endfor %}
  {%- for table in ('player_daily_cache', 'player_composite_factors', 'player_shot_zone_analysis') %}
  LEFT JOIN (SELECT * FROM nba_precompute.{{ table }} WHERE game_date BETWEEN @start_date AND @end_date) AS {{ upstream['nba_precompute.' ~ table] }}
    ON {{ upstream['nba_precompute.' ~ table] }}.player_lookup = s.player_lookup AND {{ upstream['nba_precompute.' ~ table] }}.game_date = s.game_date AND {{ upstream['nba_precompute.' ~ table] }}.game_id = s.game_id
  {%- endfor %}
  LEFT JOIN (SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE game_date BETWEEN @start_date AND @end_date) AS opponent
    ON opponent.team_abbr = s.opponent_team_abbr AND opponent.game_date = s.game_date AND opponent.game_id = s.game_id
  LEFT JOIN ({{ m.roster('*') }}) AS context
    ON context.player_lookup = s.player_lookup AND context.game_date = s.game_date
  LEFT JOIN ({{ m.slate('*') }}) AS slate
    ON slate.team_abbr = s.team_abbr AND slate.game_date = s.game_date
  LEFT JOIN player_windows AS player ON player.player_lookup = s.player_lookup AND player.game_date = s.game_date
  LEFT JOIN team_windows AS team ON team.team_abbr = s.team_abbr AND team.game_date = s.game_date
  LEFT JOIN defense_windows AS defense ON defense.team_abbr = s.opponent_team_abbr AND defense.game_date = s.game_date
{%- endmacro -%}

{%- macro hash_of(f) -%}
{%- set source = 'feature_' ~ f.index ~ '_source' -%}
{%- set primary = upstream.get(f.tables[0]) -%}
CASE {{ source }} WHEN 'default' THEN CAST(NULL AS STRING)
{%- if f.fallback_table and f.has_phase3_fallback %} WHEN 'phase3' THEN {{ upstream[f.fallback_table] }}_hash{% endif %} ELSE {% if primary %}{{ primary }}_hash{% else %}CAST(NULL AS STRING){% endif %} END
{%- endmacro -%}

{%- macro newest(games, n, longest) -%}
{%- if n >= longest -%}{{ games }}{%- else -%}ARRAY(SELECT id FROM UNNEST({{ games }}) AS id WITH OFFSET AS place WHERE place < {{ n }} ORDER BY place){%- endif -%}
{%- endmacro -%}

{%- macro window_of(f) -%}
{%- set nothing = 'CAST([] AS ARRAY<STRING>)' -%}
{%- if not f.window_games -%}{{ nothing }}
{%- else -%}
{%- set longest = {'opponent': 15, 'defense': 15} -%}
{%- set primary = games_of(f, f.tables[0]) -%}
CASE feature_{{ f.index }}_source WHEN 'default' THEN {{ nothing }}
{%- if f.fallback_table and f.has_phase3_fallback %}{% set second = games_of(f, f.fallback_table) %} WHEN 'phase3' THEN {{ newest(second ~ '_games', f.window_games, longest.get(second, 10)) }}{% endif %} ELSE {{ newest(primary ~ '_games', f.window_games, longest.get(primary, 10)) }} END
{%- endif -%}
{%- endmacro -%}

{%- macro long_rows() -%}
{%- for f in catalogue.features %}
SELECT
    player_lookup,
    game_date,
    game_id,
    profile,
    {{ f.index }} AS feature_index,
    {{ f.name }} AS feature_value,
    feature_{{ f.index }}_quality AS quality_score,
    feature_{{ f.index }}_source AS source_type,
    {{ hash_of(f) }} AS upstream_data_hash,
    {{ window_of(f) }} AS contributing_game_ids
  FROM sourced
  {%- if not loop.last %}
  UNION ALL
  {%- endif %}
{%- endfor %}
{%- endmacro -%}

{%- macro final() -%}
{%- set P = rules.penalties -%}{%- set T = rules.training_quality -%}
{%- set base = "IF(source_type = 'phase3' AND NOT is_phase3_by_nature, " ~ rules.source_type('phase3').weight ~ ", primary_weight)" -%}
SELECT
  l.player_lookup,
  l.game_date,
  l.game_id,
  l.feature_index,
  feature_name,
  feature_category,
  feature_value,
  expected_value,
  original_value,
  original_value IS NULL AS value_range_valid,
  CASE WHEN source_type = 'default' THEN 'defaulted' WHEN original_value IS NOT NULL THEN 'clamped' ELSE 'valid' END AS validation_status,
  source_type,
  upstream_table,
  upstream_data_hash,
  last_updated,
  quality_score,
  CASE {%- for tier in rules.tiers %}{% if not loop.last %} WHEN quality_score >= {{ tier.lower }} THEN '{{ tier.name }}'{% else %} ELSE '{{ tier.name }}' END{% endif %}{% endfor %} AS feature_quality_tier,
  IF(window_games IS NULL OR sample_size IS NULL, quality_score, ROUND(quality_score * LEAST(1, sample_size / window_games), 2)) AS confidence_pct,
  source_type = 'default' AS is_default,
  fallback_reason,
  sample_size,
  contributing_game_ids,
  quality_score >= {{ T.min_quality }}
    AND source_type != 'default'
    AND original_value IS NULL
    AND (window_games IS NULL OR sample_size IS NULL OR sample_size >= LEAST({{ T.min_sample }}, window_games)) AS is_training_quality,
  CASE
    WHEN source_type = 'default' THEN 'default_used'
    WHEN original_value IS NOT NULL THEN 'range_violation'
    WHEN {{ base }} - quality_score >= {{ P.stale_points }} THEN 'stale_data_48h'
    WHEN {{ base }} - quality_score >= {{ P.thin_points }} THEN 'thin_sample'
  END AS triggered_alert,
  feature_definition_version
FROM long_rows AS l
JOIN profile_features AS p ON p.profile = l.profile AND p.feature_index = l.feature_index
{%- endmacro -%}
