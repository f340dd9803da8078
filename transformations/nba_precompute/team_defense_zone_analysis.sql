{%- import 'macros/common.sql' as m -%}
{%- import 'macros/team_form.sql' as form -%}
-- Grain: one row per team on the slate of a date.
-- As of: games strictly before the date and knowable on the as-of date.
WITH slate AS (
  {{ m.slate('team_abbr, game_date, game_id') }}
),
{{ form.defense_ctes('slate') }},
dates AS (
  SELECT DISTINCT game_date FROM slate
),
games AS (
  SELECT
    game_id,
    game_date,
    {{ m.exact_mean('pace') }} AS pace,
    LOGICAL_OR(has_shots) AS has_shots,
    SUM(opponent_paint_makes) AS paint_makes,
    SUM(opponent_paint_attempts) AS paint_attempts,
    SUM(opponent_mid_range_makes) AS mid_range_makes,
    SUM(opponent_mid_range_attempts) AS mid_range_attempts,
    SUM(opponent_three_makes) AS three_makes,
    SUM(opponent_three_attempts) AS three_attempts
  FROM defense_games
  GROUP BY game_id, game_date
),
days AS (
  SELECT
    game_date,
    COUNT(*) AS games,
    SUM(CAST(ROUND(pace * 1000000000000) AS INT64)) AS picopace,
    COUNTIF(has_shots) AS games_with_shots,
    {%- for zone in ('paint', 'mid_range', 'three') %}
    IFNULL(SUM({{ zone }}_makes), 0) AS {{ zone }}_makes,
    IFNULL(SUM({{ zone }}_attempts), 0) AS {{ zone }}_attempts{{ ',' if not loop.last }}
    {%- endfor %}
  FROM games
  GROUP BY game_date
),
league_sums AS (
  SELECT
    d.game_date,
    {%- for days, suffix in ((60, '60'), (365, '365')) %}
    {%- for column in ('games', 'picopace', 'games_with_shots', 'paint_makes', 'paint_attempts', 'mid_range_makes', 'mid_range_attempts', 'three_makes', 'three_attempts') %}
    SUM(IF(g.game_date >= DATE_SUB(d.game_date, INTERVAL {{ days }} DAY), g.{{ column }}, 0)) AS {{ column }}_{{ suffix }},
    {%- endfor %}
    {%- endfor %}
    MAX(g.game_date) AS newest
  FROM dates AS d
  JOIN days AS g ON g.game_date < d.game_date AND g.game_date >= DATE_SUB(d.game_date, INTERVAL 365 DAY)
  GROUP BY d.game_date
),
league AS (
  SELECT
    game_date,
    IF(games_60 < 150, games_365, games_60) AS league_games,
    SAFE_DIVIDE(IF(games_60 < 150, picopace_365, picopace_60) / 1000000000000, IF(games_60 < 150, games_365, games_60)) AS league_pace,
    IF(games_with_shots_60 < 150, games_with_shots_365, games_with_shots_60) AS league_games_with_shots,
    {%- for zone in ('paint', 'mid_range', 'three') %}
    SAFE_DIVIDE(
      IF(games_with_shots_60 < 150, {{ zone }}_makes_365, {{ zone }}_makes_60),
      IF(games_with_shots_60 < 150, {{ zone }}_attempts_365, {{ zone }}_attempts_60)
    ) AS league_{{ zone }}_pct{{ ',' if not loop.last }}
    {%- endfor %}
  FROM league_sums
)
SELECT
  s.team_abbr,
  s.game_date,
  s.game_id,
  IFNULL(t.games_last_15, 0) AS games_last_15,
  t.newest_game_date,
  t.defensive_rating_last_15,
  t.opponent_pace,
  IFNULL(t.games_with_shots, 0) AS games_with_shots,
  t.paint_pct_allowed,
  t.mid_range_pct_allowed,
  t.three_pct_allowed,
  IFNULL(l.league_games, 0) AS league_games,
  l.league_pace,
  IFNULL(l.league_games_with_shots, 0) AS league_games_with_shots,
  l.league_paint_pct,
  l.league_mid_range_pct,
  l.league_three_pct,
  t.contributing_game_ids
FROM slate AS s
LEFT JOIN team_defense AS t ON t.team_abbr = s.team_abbr AND t.game_date = s.game_date
LEFT JOIN league AS l ON l.game_date = s.game_date
