{%- import 'macros/common.sql' as m -%}
{#- Where the value of each feature comes from. One entry per feature: `value` (primary), `sample`, `fallback` and its
    sample, and `why`, the reason when nothing is there. Samples below the catalogue's minimum make a value missing. -#}

{#- NaN and infinities are misses, never values. -#}
{%- macro usable(expression) -%}
IF(IS_NAN({{ expression }}) OR IS_INF({{ expression }}), NULL, {{ expression }})
{%- endmacro -%}

{#- Too little history, unless the whole table behind it is absent. -#}
{%- macro thin_history() -%}
IF(fresh.newest_box_date IS NULL AND fresh.expected_game_date IS NOT NULL, 'upstream_row_missing', 'insufficient_history')
{%- endmacro -%}

{%- macro thin_or(sample, minimum, reason) -%}
IF(IFNULL({{ sample }}, 0) < {{ minimum }}, {{ thin_history() }}, '{{ reason }}')
{%- endmacro -%}

{%- set entries = {
  'points_avg_last_5': {'value': 'c.points_avg_last_5', 'sample': 'c.games_last_5', 'fallback': 'f.points_avg_last_5', 'fallback_sample': 'f.games_last_5'},
  'points_avg_last_10': {'value': 'c.points_avg_last_10', 'sample': 'c.games_last_10', 'fallback': 'f.points_avg_last_10', 'fallback_sample': 'f.games_last_10'},
  'points_avg_season': {'value': 'c.points_avg_season', 'sample': 'c.games_season', 'fallback': 'f.points_avg_season', 'fallback_sample': 'f.games_season'},
  'points_std_last_10': {'value': 'c.points_std_last_10', 'sample': 'c.games_last_10', 'fallback': 'f.points_std_last_10', 'fallback_sample': 'f.games_last_10'},
  'games_in_last_7_days': {'value': 'c.games_in_last_7_days', 'fallback': 'r.games_in_last_7_days', 'why': "'daily_cache_missing'"},
  'fatigue_score': {'value': 'k.fatigue_score', 'why': "IF(k.player_lookup IS NULL, 'composite_factors_missing', 'calculation_failed')"},
  'shot_zone_mismatch_score': {'value': 'k.shot_zone_mismatch_score', 'sample': 'k.shot_zone_mismatch_sample',
    'why': "CASE WHEN k.player_lookup IS NULL THEN 'composite_factors_missing' WHEN k.shot_zone_history_games < 3 THEN 'insufficient_history' WHEN k.shot_zone_mismatch_sample < 3 THEN 'shot_zone_data_missing' ELSE 'calculation_failed' END"},
  'pace_score': {'value': 'k.pace_score', 'sample': 'k.pace_sample',
    'why': "CASE WHEN k.player_lookup IS NULL THEN 'composite_factors_missing' WHEN k.pace_sample < 3 THEN 'insufficient_history' ELSE 'calculation_failed' END"},
  'usage_spike_score': {'value': 'k.usage_spike_score', 'sample': 'k.usage_sample',
    'why': "CASE WHEN k.player_lookup IS NULL THEN 'composite_factors_missing' WHEN NOT k.injury_feed_live THEN 'stale_data' WHEN k.projected_usage IS NULL OR k.usage_sample < 3 THEN 'insufficient_history' ELSE 'calculation_failed' END"},
  'rest_advantage': {'value': 's.days_rest - s.opponent_days_rest', 'clamp': True, 'why': "'upstream_row_missing'"},
  'injury_risk': {'value': "CASE r.player_status WHEN 'available' THEN 0 WHEN 'probable' THEN 1 WHEN 'questionable' THEN 2 WHEN 'doubtful' THEN 3 WHEN 'out' THEN 3 END",
    'why': "IF(r.injury_feed_live, 'calculation_failed', 'stale_data')"},
  'recent_trend': {'value': 'CASE WHEN 2 * f.points_newest_3 - 3 * (f.points_5 - f.points_newest_3) >= 30 THEN 2 WHEN 2 * f.points_newest_3 - 3 * (f.points_5 - f.points_newest_3) >= 12 THEN 1 WHEN 2 * f.points_newest_3 - 3 * (f.points_5 - f.points_newest_3) <= -30 THEN -2 WHEN 2 * f.points_newest_3 - 3 * (f.points_5 - f.points_newest_3) <= -12 THEN -1 ELSE 0 END',
    'sample': 'f.games_last_5'},
  'minutes_change': {'value': 'CASE WHEN NULLIF(c.minutes_avg_season, 0) IS NULL OR c.minutes_avg_last_10 IS NULL THEN NULL WHEN ROUND((c.minutes_avg_last_10 - c.minutes_avg_season) / NULLIF(c.minutes_avg_season, 0), 9) >= 0.20 THEN 2 WHEN ROUND((c.minutes_avg_last_10 - c.minutes_avg_season) / NULLIF(c.minutes_avg_season, 0), 9) >= 0.10 THEN 1 WHEN ROUND((c.minutes_avg_last_10 - c.minutes_avg_season) / NULLIF(c.minutes_avg_season, 0), 9) <= -0.20 THEN -2 WHEN ROUND((c.minutes_avg_last_10 - c.minutes_avg_season) / NULLIF(c.minutes_avg_season, 0), 9) <= -0.10 THEN -1 ELSE 0 END',
    'sample': 'LEAST(c.games_last_10, c.games_season)',
    'why': "IF(IFNULL(f.games_season, 0) < 5 OR f.minutes_avg_season = 0, 'insufficient_history', 'daily_cache_missing')"},
  'opponent_def_rating': {'value': 'o.defensive_rating_last_15', 'sample': 'o.games_last_15', 'fallback': 'od.defensive_rating_last_15', 'fallback_sample': 'od.games_last_15'},
  'opponent_pace': {'value': 'o.opponent_pace', 'sample': 'o.games_last_15', 'fallback': 'od.opponent_pace', 'fallback_sample': 'od.games_last_15'},
  'home_away': {'value': 'IF(r.home_game, 1, 0)', 'why': "'upstream_row_missing'"},
  'back_to_back': {'value': 'IF(r.back_to_back, 1, 0)', 'why': "'upstream_row_missing'"},
  'playoff_game': {'value': "IF(r.season_phase = 'playoffs', 1, 0)", 'why': "'upstream_row_missing'"},
  'pct_paint': {'value': 'p.paint_rate_last_10 / 100', 'sample': 'p.games_with_shots', 'fallback': 'z.paint_share', 'fallback_sample': 'z.games_with_shots', 'history': 'f.games_last_10'},
  'pct_mid_range': {'value': 'p.mid_range_rate_last_10 / 100', 'sample': 'p.games_with_shots', 'fallback': 'z.mid_range_share', 'fallback_sample': 'z.games_with_shots', 'history': 'f.games_last_10'},
  'pct_three': {'value': 'p.three_pt_rate_last_10 / 100', 'sample': 'p.games_with_shots', 'fallback': 'z.three_share', 'fallback_sample': 'z.games_with_shots', 'history': 'f.games_last_10'},
  'pct_free_throw': {'value': 'SAFE_DIVIDE(f.ftm_10, f.points_10)', 'sample': 'f.games_last_10'},
  'team_pace': {'value': 'c.team_pace_last_10', 'sample': 'c.team_games_last_10', 'fallback': 'ot.team_pace_last_10', 'fallback_sample': 'ot.team_games_last_10'},
  'team_off_rating': {'value': 'c.team_off_rating_last_10', 'sample': 'c.team_games_last_10', 'fallback': 'ot.team_off_rating_last_10', 'fallback_sample': 'ot.team_games_last_10'},
  'team_win_pct': {'value': 'SAFE_DIVIDE(ts.season_wins, ts.season_games)', 'sample': 'ts.season_games'},
  'vegas_points_line': {'value': 'pl.points_line', 'why': "'vegas_line_unavailable'"},
  'vegas_opening_line': {'value': 'pl.opening_line', 'why': "'vegas_line_unavailable'"},
  'vegas_line_move': {'value': 'pl.points_line - pl.opening_line', 'why': "'vegas_line_unavailable'"},
  'has_vegas_line': {'value': 'IF(pl.points_line IS NULL, 0, 1)', 'why': "'vegas_line_unavailable'"},
  'avg_points_vs_opponent': {'value': 'SAFE_DIVIDE(h.points, h.games)', 'sample': 'IFNULL(h.games, 0)', 'why': "'no_opponent_history'"},
  'games_vs_opponent': {'value': 'IFNULL(h.games, 0)', 'why': "'upstream_row_missing'"},
  'minutes_avg_last_10': {'value': 'f.minutes_avg_last_10', 'sample': 'f.games_last_10'},
  'ppm_avg_last_10': {'value': 'SAFE_DIVIDE(f.points_with_minutes_10 * 1000000000, f.nanominutes_10)', 'sample': 'f.games_with_minutes_10'},
  'dnp_rate': {'value': '1 - SAFE_DIVIDE(a.attended, a.team_games)', 'sample': 'a.team_games'},
  'pts_slope_10g': {'value': 'SAFE_DIVIDE(f.games_last_10 * (f.games_last_10 * f.points_10 - f.recency_points_10) - DIV(f.games_last_10 * (f.games_last_10 - 1), 2) * f.points_10, f.games_last_10 * DIV((f.games_last_10 - 1) * f.games_last_10 * (2 * f.games_last_10 - 1), 6) - DIV(f.games_last_10 * (f.games_last_10 - 1), 2) * DIV(f.games_last_10 * (f.games_last_10 - 1), 2))',
    'sample': 'f.games_last_10'},
  'pts_vs_season_zscore': {'clamp': True, 'sample': 'IF(c.player_lookup IS NULL, f.games_last_10, c.games_last_10)', 'derived': True},
  'breakout_flag': {'sample': 'IF(c.player_lookup IS NULL, f.games_last_10, c.games_last_10)', 'derived': True}
} -%}

{#- Wins over games of the team's season so far. -#}
{%- macro team_season_ctes() -%}
team_results AS (
  {{ m.knowable_games('nba_analytics.team_offense_game_summary', 'team_abbr, season, game_date, win_flag') }}
),
team_season AS (
  SELECT s.team_abbr, s.game_date, COUNT(*) AS season_games, COUNTIF(g.win_flag) AS season_wins
  FROM slate AS s
  JOIN team_results AS g ON g.team_abbr = s.team_abbr AND g.season = s.season AND g.game_date < s.game_date
  GROUP BY s.team_abbr, s.game_date
)
{%- endmacro -%}

{#- Games of the player against this opponent, for whatever team he played. -#}
{%- macro opponent_history_ctes() -%}
opponent_history AS (
  SELECT r.player_lookup, r.game_date, COUNT(*) AS games, SUM(g.points) AS points
  FROM roster AS r
  JOIN player_games AS g
    ON g.player_lookup = r.player_lookup
    AND g.opponent_team_abbr = r.opponent_team_abbr
    AND g.game_date < r.game_date
    AND g.game_date >= DATE_SUB(r.game_date, INTERVAL 365 DAY)
  GROUP BY r.player_lookup, r.game_date
)
{%- endmacro -%}

{#- The team's last 10 games with player boxes since the player's first game for it, and those he played. -#}
{%- macro attendance_ctes() -%}
boxed_games AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY team_abbr ORDER BY game_date, game_id) AS number
  FROM ({{ m.knowable_games('nba_analytics.player_game_summary', 'DISTINCT team_abbr, game_date, game_id') }}) AS knowable
),
boxed_latest AS (
  {{ m.latest_before('slate', 'boxed_games', 'team_abbr') }}
),
boxed_last_10 AS (
  {{ m.last_games('boxed_latest', 'boxed_games', 'team_abbr', 10, 'g.game_id, g.game_date AS played_on') }}
),
joined AS (
  SELECT r.player_lookup, r.game_date, r.team_abbr, MIN(g.game_date) AS first_game_date
  FROM roster AS r
  JOIN player_games AS g
    ON g.player_lookup = r.player_lookup
    AND g.team_abbr = r.team_abbr
    AND g.game_date < r.game_date
    AND g.game_date >= DATE_SUB(r.game_date, INTERVAL 365 DAY)
  GROUP BY r.player_lookup, r.game_date, r.team_abbr
),
attendance AS (
  SELECT j.player_lookup, j.game_date, COUNT(*) AS team_games, COUNT(g.game_id) AS attended
  FROM joined AS j
  JOIN boxed_last_10 AS b ON b.team_abbr = j.team_abbr AND b.game_date = j.game_date AND b.played_on >= j.first_game_date
  LEFT JOIN player_games AS g ON g.player_lookup = j.player_lookup AND g.game_id = b.game_id AND g.team_abbr = j.team_abbr
  GROUP BY j.player_lookup, j.game_date
)
{%- endmacro -%}

{#- Consensus points line and opening line over the snapshots knowable at the cutoff. -#}
{%- macro points_line_ctes() -%}
quotes AS (
  SELECT
    r.player_lookup,
    r.game_date,
    l.bookmaker,
    l.observed_at,
    l.line,
    ABS(COALESCE(l.over_price, l.under_price, 1000000) - IF(l.is_dfs, -137, -110)) AS price_gap
  FROM roster AS r
  JOIN nba_raw.odds_player_points AS l ON l.game_id = r.game_id AND l.player_lookup = r.player_lookup
  WHERE l.game_date BETWEEN @start_date AND @end_date
    AND {{ m.knowable_at('l.observed_at', 'r.cutoff') }}
),
quotes_in_order AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY player_lookup, game_date, bookmaker ORDER BY observed_at DESC, price_gap, line) AS newest,
    ROW_NUMBER() OVER (PARTITION BY player_lookup, game_date, bookmaker ORDER BY observed_at, price_gap, line) AS oldest
  FROM quotes
),
observation_times AS (
  SELECT player_lookup, game_date, COUNT(DISTINCT observed_at) AS times, MAX(observed_at) AS last_observed_at
  FROM quotes
  GROUP BY player_lookup, game_date
),
{%- for side, name in (('newest', 'latest_lines'), ('oldest', 'earliest_lines')) %}
{{ name }} AS (
  SELECT player_lookup, game_date, {{ m.middle('line', 'position', 'books') }} AS line
  FROM (
    SELECT
      player_lookup,
      game_date,
      line,
      ROW_NUMBER() OVER (PARTITION BY player_lookup, game_date ORDER BY line) AS position,
      COUNT(*) OVER (PARTITION BY player_lookup, game_date) AS books
    FROM quotes_in_order
    WHERE {{ side }} = 1
  ) AS ranked
  GROUP BY player_lookup, game_date
),
{%- endfor %}
points_lines AS (
  SELECT
    t.player_lookup,
    t.game_date,
    t.last_observed_at,
    n.line AS points_line,
    IF(t.times > 1, e.line, NULL) AS opening_line
  FROM observation_times AS t
  JOIN latest_lines AS n ON n.player_lookup = t.player_lookup AND n.game_date = t.game_date
  JOIN earliest_lines AS e ON e.player_lookup = t.player_lookup AND e.game_date = t.game_date
)
{%- endmacro -%}

{#- The last scheduled game day before each date, and the newest day that is loaded. -#}
{%- macro freshness_ctes() -%}
dates AS (
  SELECT DISTINCT game_date FROM slate
),
scheduled_days AS (
  SELECT DISTINCT game_date
  FROM ({{ m.counted_schedule('game_date', 'DATE_SUB(@start_date, INTERVAL 365 DAY)', '@end_date') }}) AS fixtures
  WHERE game_date < @as_of_date
),
loaded_days AS (
  SELECT game_date, LOGICAL_OR(has_shots) AS has_shots FROM played_games GROUP BY game_date
),
expected_days AS (
  SELECT d.game_date, MAX(s.game_date) AS expected_game_date
  FROM dates AS d
  JOIN scheduled_days AS s ON s.game_date < d.game_date AND s.game_date >= DATE_SUB(d.game_date, INTERVAL 365 DAY)
  GROUP BY d.game_date
),
freshness AS (
  SELECT
    d.game_date,
    e.expected_game_date,
    MAX(l.game_date) AS newest_box_date,
    MAX(IF(l.has_shots, l.game_date, NULL)) AS newest_shot_date
  FROM dates AS d
  LEFT JOIN expected_days AS e ON e.game_date = d.game_date
  LEFT JOIN loaded_days AS l ON l.game_date < d.game_date AND l.game_date >= DATE_SUB(d.game_date, INTERVAL 365 DAY)
  GROUP BY d.game_date, e.expected_game_date
)
{%- endmacro -%}

{%- set processors = {'player_composite_factors': 'composite', 'player_daily_cache': 'cache', 'player_shot_zone_analysis': 'shot_profile', 'team_defense_zone_analysis': 'opponent'} -%}

{#- Which Phase 4 jobs left rows for each date. -#}
{%- macro processor_ctes() -%}
processors AS (
  SELECT
    d.game_date,
    {%- for job, cte in processors.items() %}
    x{{ loop.index }}.game_date IS NOT NULL AS has_{{ job }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM dates AS d
  {%- for job, cte in processors.items() %}
  LEFT JOIN (SELECT DISTINCT game_date FROM {{ cte }}) AS x{{ loop.index }} ON x{{ loop.index }}.game_date = d.game_date
  {%- endfor %}
)
{%- endmacro -%}

{#- One row per roster row with, for every feature: p primary, n sample, f fallback, fn its sample, w reason. -#}
{%- macro inputs() -%}
SELECT
    r.player_lookup,
    r.game_date,
    r.game_id,
    r.team_abbr,
    r.opponent_team_abbr,
    r.season,
    r.season_phase,
    r.roster_basis,
    r.tipoff_time,
    r.cutoff,
    CAST(r.rest_days_numeric AS FLOAT64) AS rest_days_numeric,
    CAST(r.star_teammate_out AS FLOAT64) AS star_teammate_out,
    CAST(r.fourth_quarter_trust AS FLOAT64) AS fourth_quarter_trust,
    r.status_reported_at,
    c.explosion_ratio,
    c.days_since_breakout,
    c.minutes_increase_pct,
    c.usage_rate_trend,
    c.fg_pct_last_game,
    c.player_lookup IS NOT NULL AS has_cache,
    k.player_lookup IS NOT NULL AS has_composite,
    p.player_lookup IS NOT NULL AS has_shot_profile,
    o.team_abbr IS NOT NULL AS has_opponent,
    IFNULL(f.games_available, 0) AS games_available,
    IF(c.player_lookup IS NULL, IFNULL(f.games_last_10, 0), c.games_last_10) AS games_found,
    IF(c.player_lookup IS NULL, f.contributing_game_dates, c.contributing_game_dates) AS contributing_game_dates,
    f.newest_game_date,
    pl.last_observed_at,
    fresh.expected_game_date,
    fresh.newest_box_date,
    fresh.newest_shot_date,
    pr.has_player_composite_factors,
    pr.has_player_daily_cache,
    pr.has_player_shot_zone_analysis,
    pr.has_team_defense_zone_analysis,
    COALESCE(k.run_id, c.run_id, p.run_id, o.run_id) AS upstream_pipeline_run_id,
    c.processed_at AS cache_at,
    k.processed_at AS composite_at,
    p.processed_at AS shot_profile_at,
    o.processed_at AS opponent_at,
    r.processed_at AS context_at,
    {%- for feature in catalogue.features %}
    {%- set e = entries[feature.name] %}
    {%- if not e.get('derived') %}
    CAST({{ e.value }} AS FLOAT64) AS p{{ feature.index }},
    {%- endif %}
    {%- if e.get('sample') %}
    {{ e.get('sample') }} AS n{{ feature.index }},
    {%- endif %}
    {%- if e.get('fallback') %}
    CAST({{ e.get('fallback') }} AS FLOAT64) AS f{{ feature.index }},
    {%- endif %}
    {%- if e.get('fallback_sample') %}
    {{ e.get('fallback_sample') }} AS fn{{ feature.index }},
    {%- endif %}
    {%- if e.get('why') %}
    {{ e.get('why') }} AS w{{ feature.index }}{{ ',' if not loop.last }}
    {%- elif e.get('fallback_sample') %}
    {{ thin_or(e.get('history') or e.get('fallback_sample'), feature.min_sample, feature.missing_reason) }} AS w{{ feature.index }}{{ ',' if not loop.last }}
    {%- else %}
    {{ thin_history() }} AS w{{ feature.index }}{{ ',' if not loop.last }}
    {%- endif %}
    {%- endfor %}
  FROM roster AS r
  LEFT JOIN slate AS s ON s.team_abbr = r.team_abbr AND s.game_id = r.game_id
  LEFT JOIN cache AS c ON c.player_lookup = r.player_lookup AND c.game_date = r.game_date AND c.game_id = r.game_id
  LEFT JOIN composite AS k ON k.player_lookup = r.player_lookup AND k.game_date = r.game_date AND k.game_id = r.game_id AND k.opponent_team_abbr = r.opponent_team_abbr
  LEFT JOIN shot_profile AS p ON p.player_lookup = r.player_lookup AND p.game_date = r.game_date AND p.game_id = r.game_id
  LEFT JOIN opponent AS o ON o.team_abbr = r.opponent_team_abbr AND o.game_date = r.game_date AND o.game_id = r.game_id
  LEFT JOIN player_form AS f ON f.player_lookup = r.player_lookup AND f.game_date = r.game_date
  LEFT JOIN shot_zones AS z ON z.player_lookup = r.player_lookup AND z.game_date = r.game_date
  LEFT JOIN team_defense AS od ON od.team_abbr = r.opponent_team_abbr AND od.game_date = r.game_date
  LEFT JOIN team_offense AS ot ON ot.team_abbr = r.team_abbr AND ot.game_date = r.game_date
  LEFT JOIN team_season AS ts ON ts.team_abbr = r.team_abbr AND ts.game_date = r.game_date
  LEFT JOIN opponent_history AS h ON h.player_lookup = r.player_lookup AND h.game_date = r.game_date
  LEFT JOIN attendance AS a ON a.player_lookup = r.player_lookup AND a.game_date = r.game_date
  LEFT JOIN points_lines AS pl ON pl.player_lookup = r.player_lookup AND pl.game_date = r.game_date
  LEFT JOIN freshness AS fresh ON fresh.game_date = r.game_date
  LEFT JOIN processors AS pr ON pr.game_date = r.game_date
{%- endmacro -%}

{#- A value below its minimum sample, NaN or infinite is no value. -#}
{%- macro usable_inputs() -%}
SELECT
    * EXCEPT (
      {{ catalogue.breakout_inputs | join(', ') }},
      {%- for feature in catalogue.features if not entries[feature.name].get('derived') %}p{{ feature.index }}{{ ', ' if not loop.last }}{% endfor %},
      {%- for feature in catalogue.features if entries[feature.name].get('fallback') %} f{{ feature.index }}{{ ',' if not loop.last }}{% endfor %}
    ),
    {%- for name in catalogue.breakout_inputs %}
    {{ usable(name) }} AS {{ name }},
    {%- endfor %}
    {%- for feature in catalogue.features if not entries[feature.name].get('derived') %}
    {%- if entries[feature.name].get('sample') and feature.min_sample > 0 %}
    IF(IFNULL(n{{ feature.index }}, 0) < {{ feature.min_sample }}, NULL, {{ usable('p' ~ feature.index) }}) AS p{{ feature.index }},
    {%- else %}
    {{ usable('p' ~ feature.index) }} AS p{{ feature.index }},
    {%- endif %}
    {%- endfor %}
    {%- for feature in catalogue.features if entries[feature.name].get('fallback') %}
    {%- if entries[feature.name].get('fallback_sample') and feature.min_sample > 0 %}
    IF(IFNULL(fn{{ feature.index }}, 0) < {{ feature.min_sample }}, NULL, {{ usable('f' ~ feature.index) }}) AS f{{ feature.index }}{{ ',' if not loop.last }}
    {%- else %}
    {{ usable('f' ~ feature.index) }} AS f{{ feature.index }}{{ ',' if not loop.last }}
    {%- endif %}
    {%- endfor %}
  FROM inputs
{%- endmacro -%}
