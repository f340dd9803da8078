{%- import 'macros/common.sql' as m -%}
{#- What a store row was made from where that is more than one row: the windows of games with one hash over their rows. -#}

{#- Source columns of the features whose fallback is the opponent's defence in Phase 3. -#}
{%- macro opponent_sources() -%}
{%- for f in catalogue.features if f.fallback_table == 'nba_analytics.team_defense_game_summary' %}feature_{{ f.index }}_source{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro -%}

{%- macro player_windows() -%}
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
    ARRAY_AGG(IF(l.place < 7, g.game_id, NULL) IGNORE NULLS ORDER BY l.place) AS games_7,
    ARRAY_AGG(IF(l.place < 5, g.game_id, NULL) IGNORE NULLS ORDER BY l.place) AS games_5,
    TO_HEX(MD5(STRING_AGG(g.data_hash, ',' ORDER BY l.place))) AS rows_hash
  FROM listed_games AS l
  JOIN ({{ m.knowable_games('nba_analytics.player_game_summary', 'player_lookup, game_date, game_id, data_hash', 'is_played') }}) AS g
    ON g.player_lookup = l.player_lookup AND g.game_date = l.played_on
  GROUP BY l.player_lookup, l.game_date
)
{%- endmacro -%}

{#- The last n games of each side of the spine. -#}
{%- macro side_windows(name, spine, table, n) -%}
{{ name }}_games AS (
  SELECT team_abbr, game_date, game_id, data_hash, ROW_NUMBER() OVER (PARTITION BY team_abbr ORDER BY game_date, game_id) AS number
  FROM ({{ m.knowable_games(table, 'team_abbr, game_date, game_id, data_hash') }}) AS knowable
),
{{ name }}_latest AS (
  {{ m.latest_before(spine, name ~ '_games', 'team_abbr') }}
),
{{ name }}_listed AS (
  {{ m.last_games(name ~ '_latest', name ~ '_games', 'team_abbr', n, 'g.game_id, g.data_hash') }}
),
{{ name }} AS (
  SELECT
    team_abbr,
    game_date,
    ARRAY_AGG(game_id ORDER BY recency) AS games,
    TO_HEX(MD5(STRING_AGG(data_hash, ',' ORDER BY recency))) AS rows_hash
  FROM {{ name }}_listed
  GROUP BY team_abbr, game_date
)
{%- endmacro -%}
