{%- import 'macros/common.sql' as m -%}
{%- import 'macros/player_form.sql' as form -%}
{%- import 'macros/team_form.sql' as teams -%}
{%- import 'macros/shot_zones.sql' as zones -%}
{%- import 'macros/store_values.sql' as v -%}
{%- import 'macros/store_quality.sql' as q -%}
-- Grain: one row per player on the roster of a date and the game he is on the roster for.
-- As of: event_timestamp is the cutoff; past games strictly before the date, snapshots at or before the cutoff.
-- A label follows the value that was used: a missing primary takes the Phase 3 value, then the default, and says so.
WITH roster AS (
  {{ m.roster('*') }}
),
slate AS (
  {{ m.slate('*') }}
),
cache AS (
  SELECT * FROM nba_precompute.player_daily_cache WHERE game_date BETWEEN @start_date AND @end_date
),
composite AS (
  SELECT * FROM nba_precompute.player_composite_factors WHERE game_date BETWEEN @start_date AND @end_date
),
shot_profile AS (
  SELECT * FROM nba_precompute.player_shot_zone_analysis WHERE game_date BETWEEN @start_date AND @end_date
),
opponent AS (
  SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE game_date BETWEEN @start_date AND @end_date
),
{{ form.ctes('roster') }},
{{ zones.ctes() }},
-- Phase 3 fallbacks of team tables, only for what the Phase 4 table lacks.
teams_without_defense AS (
  SELECT s.team_abbr, s.game_date
  FROM slate AS s
  LEFT JOIN opponent AS o ON o.team_abbr = s.team_abbr AND o.game_date = s.game_date
  WHERE {{ v.usable('o.defensive_rating_last_15') }} IS NULL OR {{ v.usable('o.opponent_pace') }} IS NULL
),
{{ teams.defense_ctes('teams_without_defense') }},
teams_without_offense AS (
  SELECT DISTINCT r.team_abbr, r.game_date
  FROM roster AS r
  LEFT JOIN cache AS c ON c.player_lookup = r.player_lookup AND c.game_date = r.game_date AND c.team_abbr = r.team_abbr
  WHERE {{ v.usable('c.team_pace_last_10') }} IS NULL OR {{ v.usable('c.team_off_rating_last_10') }} IS NULL
),
{{ teams.offense_ctes('teams_without_offense') }},
{{ v.team_season_ctes() }},
{{ v.opponent_history_ctes() }},
{{ v.attendance_ctes() }},
{{ v.points_line_ctes() }},
{{ v.freshness_ctes() }},
{{ v.processor_ctes() }},
inputs AS (
  {{ v.inputs() }}
),
usable AS (
  {{ v.usable_inputs() }}
),
resolved AS (
  {{ q.resolved() }}
),
valued AS (
  {{ q.valued() }}
),
counted AS (
  {{ q.counted() }}
),
judged AS (
  {{ q.judged() }}
),
alerted AS (
  {{ q.alerted() }}
)
{{ q.final(table) }}
