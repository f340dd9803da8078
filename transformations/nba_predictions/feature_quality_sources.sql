{%- import 'macros/common.sql' as m -%}
{%- import 'macros/quality_sources.sql' as s -%}
-- Grain: one row per player and game date of the store.
-- As of: nothing is named that the store row did not read; games strictly before the date.
WITH store AS (
  SELECT player_lookup, game_date, game_id, team_abbr, opponent_team_abbr, historical_completeness, {{ s.opponent_sources() }}
  FROM nba_predictions.ml_feature_store_v2
  WHERE game_date BETWEEN @start_date AND @end_date
),
{{ s.player_windows() }},
teams AS (
  SELECT DISTINCT team_abbr, game_date FROM store
),
{{ s.side_windows('team_windows', 'teams', 'nba_analytics.team_offense_game_summary', 10) }},
opponents_without_phase4 AS (
  SELECT DISTINCT opponent_team_abbr AS team_abbr, game_date
  FROM store
  WHERE 'phase3' IN ({{ s.opponent_sources() }})
),
{{ s.side_windows('defense_windows', 'opponents_without_phase4', 'nba_analytics.team_defense_game_summary', 15) }}
SELECT
  s.player_lookup,
  s.game_date,
  s.game_id,
  c.data_hash AS cache_hash,
  k.data_hash AS composite_hash,
  k.contributing_game_ids AS composite_games,
  p.data_hash AS shots_hash,
  p.contributing_game_ids AS shots_games,
  o.data_hash AS opponent_hash,
  o.contributing_game_ids AS opponent_games,
  context.data_hash AS context_hash,
  slate.data_hash AS slate_hash,
  player.rows_hash AS player_hash,
  player.games AS player_games,
  player.games_7 AS player_games_7,
  player.games_5 AS player_games_5,
  team.rows_hash AS team_hash,
  team.games AS team_games,
  defense.rows_hash AS defense_hash,
  defense.games AS defense_games
FROM store AS s
{%- for table, alias in (('player_daily_cache', 'c'), ('player_composite_factors', 'k'), ('player_shot_zone_analysis', 'p')) %}
LEFT JOIN (SELECT * FROM nba_precompute.{{ table }} WHERE game_date BETWEEN @start_date AND @end_date) AS {{ alias }}
  ON {{ alias }}.player_lookup = s.player_lookup AND {{ alias }}.game_date = s.game_date AND {{ alias }}.game_id = s.game_id
{%- endfor %}
LEFT JOIN (SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE game_date BETWEEN @start_date AND @end_date) AS o
  ON o.team_abbr = s.opponent_team_abbr AND o.game_date = s.game_date AND o.game_id = s.game_id
LEFT JOIN ({{ m.roster('player_lookup, game_date, data_hash') }}) AS context
  ON context.player_lookup = s.player_lookup AND context.game_date = s.game_date
LEFT JOIN ({{ m.slate('team_abbr, game_date, data_hash') }}) AS slate ON slate.team_abbr = s.team_abbr AND slate.game_date = s.game_date
LEFT JOIN player_windows AS player ON player.player_lookup = s.player_lookup AND player.game_date = s.game_date
LEFT JOIN team_windows AS team ON team.team_abbr = s.team_abbr AND team.game_date = s.game_date
LEFT JOIN defense_windows AS defense ON defense.team_abbr = s.opponent_team_abbr AND defense.game_date = s.game_date
