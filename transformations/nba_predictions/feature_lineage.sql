{%- import 'macros/common.sql' as m -%}
{%- import 'macros/team_form.sql' as teams -%}
-- Grain: one row per row of the store, made from the very rows that are published with it.
-- As of: the windows of the store: games strictly before the date and knowable on the as-of date, at most 365 days back.
-- A window start says from which date on a game that arrives late would be let in: a full window reaches to its oldest game.
WITH store AS (
  SELECT
    player_lookup,
    game_date,
    game_id,
    team_abbr,
    opponent_team_abbr,
    season,
    historical_completeness.games_found AS games_found,
    historical_completeness.contributing_game_dates AS player_game_dates,
    (SELECT MIN(played_on) FROM UNNEST(historical_completeness.contributing_game_dates) AS played_on) AS oldest_game_date
  FROM nba_predictions.ml_feature_store_v2
  WHERE game_date BETWEEN @start_date AND @end_date
),
slate AS (
  {{ m.slate('*') }}
),
roster AS (
  {{ m.roster('player_lookup, game_date, expected_team_abbr, expected_status') }}
),
{{ teams.offense_ctes('slate') }},
own_games AS (
  SELECT team_abbr, game_date, COUNT(*) AS games, MIN(played_on) AS oldest, ARRAY_AGG(played_on ORDER BY played_on DESC) AS dates
  FROM offense_last_10
  GROUP BY team_abbr, game_date
),
{{ teams.defense_ctes('slate') }},
other_games AS (
  SELECT team_abbr, game_date, COUNT(*) AS games, MIN(played_on) AS oldest, ARRAY_AGG(played_on ORDER BY played_on DESC) AS dates
  FROM defense_last_15
  GROUP BY team_abbr, game_date
),
days AS (
  SELECT game_date, COUNT(DISTINCT game_id) AS games, COUNT(DISTINCT IF(has_shots, game_id, NULL)) AS games_with_shots
  FROM defense_games
  GROUP BY game_date
),
league_sums AS (
  SELECT
    d.game_date,
    SUM(IF(g.game_date >= DATE_SUB(d.game_date, INTERVAL 60 DAY), g.games, 0)) AS games_60,
    SUM(IF(g.game_date >= DATE_SUB(d.game_date, INTERVAL 60 DAY), g.games_with_shots, 0)) AS games_with_shots_60,
    SUM(g.games) AS games_365
  FROM (SELECT DISTINCT game_date FROM slate) AS d
  JOIN days AS g ON g.game_date < d.game_date AND g.game_date >= DATE_SUB(d.game_date, INTERVAL 365 DAY)
  GROUP BY d.game_date
),
team_season AS (
  SELECT s.team_abbr, s.game_date, COUNT(*) AS games, MIN(g.game_date) AS first_date
  FROM slate AS s
  JOIN ({{ m.knowable_games('nba_analytics.team_offense_game_summary', 'team_abbr, season, game_date') }}) AS g
    ON g.team_abbr = s.team_abbr AND g.season = s.season AND g.game_date < s.game_date
  GROUP BY s.team_abbr, s.game_date
),
boxed_games AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY team_abbr ORDER BY game_date, game_id) AS number
  FROM ({{ m.knowable_games('nba_analytics.team_offense_game_summary', 'team_abbr, game_date, game_id', 'has_player_boxes') }}) AS knowable
),
boxed_latest AS (
  {{ m.latest_before('slate', 'boxed_games', 'team_abbr') }}
),
boxed_last_10 AS (
  {{ m.last_games('boxed_latest', 'boxed_games', 'team_abbr', 10, 'g.game_date AS played_on') }}
),
attendance AS (
  SELECT team_abbr, game_date, MIN(played_on) AS first_date
  FROM boxed_last_10
  GROUP BY team_abbr, game_date
),
player_games AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY player_lookup ORDER BY game_date, game_id) AS number,
    COUNT(*) OVER season_so_far AS season_games,
    MIN(game_date) OVER season_so_far AS season_first_date
  FROM ({{ m.knowable_games('nba_analytics.player_game_summary', 'player_lookup, game_date, game_id, season, opponent_team_abbr', 'is_played') }}) AS knowable
  WINDOW season_so_far AS (PARTITION BY player_lookup, season ORDER BY game_date, game_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
player_latest AS (
  {{ m.latest_before('store', 'player_games', 'player_lookup') }}
),
player_season AS (
  SELECT l.player_lookup, l.game_date, g.season, g.season_games, g.season_first_date, g.game_date AS season_last_date
  FROM player_latest AS l
  JOIN player_games AS g ON g.player_lookup = l.player_lookup AND g.number = l.last_number
),
head_to_head AS (
  SELECT s.player_lookup, s.game_date, ARRAY_AGG(g.game_date ORDER BY g.game_date DESC) AS dates
  FROM store AS s
  JOIN player_games AS g
    ON g.player_lookup = s.player_lookup
    AND g.opponent_team_abbr = s.opponent_team_abbr
    AND g.game_date < s.game_date
    AND g.game_date >= DATE_SUB(s.game_date, INTERVAL 365 DAY)
  GROUP BY s.player_lookup, s.game_date
),
roster_form AS (
  SELECT
    r.expected_team_abbr AS team_abbr,
    r.game_date,
    MIN(s.oldest_game_date) AS first_date,
    ARRAY_AGG(IF(r.expected_status IN ('out', 'doubtful'), r.player_lookup, NULL) IGNORE NULLS ORDER BY r.player_lookup) AS absent
  FROM roster AS r
  JOIN store AS s ON s.player_lookup = r.player_lookup AND s.game_date = r.game_date
  WHERE r.expected_team_abbr IS NOT NULL
  GROUP BY r.expected_team_abbr, r.game_date
)
SELECT
  s.player_lookup,
  s.game_date,
  s.game_id,
  s.team_abbr,
  s.opponent_team_abbr,
  s.season,
  s.player_game_dates,
  IF(s.games_found >= 10, s.oldest_game_date, DATE_SUB(s.game_date, INTERVAL 365 DAY)) AS player_window_start,
  IFNULL(p.season_games, 0) AS season_games,
  p.season_first_date,
  p.season_last_date,
  h.dates AS head_to_head_game_dates,
  t.dates AS team_game_dates,
  IF(t.games >= 10, t.oldest, DATE_SUB(s.game_date, INTERVAL 365 DAY)) AS team_window_start,
  IFNULL(ts.games, 0) AS team_season_games,
  ts.first_date AS team_season_first_date,
  a.first_date AS attendance_first_date,
  o.dates AS opponent_game_dates,
  IF(o.games >= 15, o.oldest, DATE_SUB(s.game_date, INTERVAL 365 DAY)) AS opponent_window_start,
  DATE_SUB(s.game_date, INTERVAL IF(IFNULL(LEAST(l.games_60, l.games_with_shots_60), 0) < 150, 365, 60) DAY) AS league_first_date,
  IFNULL(IF(LEAST(l.games_60, l.games_with_shots_60) < 150, l.games_365, l.games_60), 0) AS league_games,
  f.first_date AS roster_first_date,
  ARRAY(SELECT name FROM UNNEST(f.absent) AS name WITH OFFSET AS place WHERE name != s.player_lookup ORDER BY place) AS absent_teammates,
  [
    {%- for table, window in contract('nba_predictions.ml_feature_store_v2').reads.items() %}
    {%- set days = read_windows[window] %}
    {%- if days is none %}
    '{{ table }}'
    {%- elif days[0] == 0 %}
    CONCAT('{{ table }}/', CAST(s.game_date AS STRING))
    {%- else %}
    CONCAT('{{ table }}/', CAST(DATE_SUB(s.game_date, INTERVAL {{ days[0] }} DAY) AS STRING), '..', CAST(DATE_SUB(s.game_date, INTERVAL {{ days[1] }} DAY) AS STRING))
    {%- endif %}{{ ',' if not loop.last }}
    {%- endfor %}
  ] AS upstream_partitions
FROM store AS s
LEFT JOIN player_season AS p ON p.player_lookup = s.player_lookup AND p.game_date = s.game_date AND p.season = s.season
LEFT JOIN head_to_head AS h ON h.player_lookup = s.player_lookup AND h.game_date = s.game_date
LEFT JOIN own_games AS t ON t.team_abbr = s.team_abbr AND t.game_date = s.game_date
LEFT JOIN team_season AS ts ON ts.team_abbr = s.team_abbr AND ts.game_date = s.game_date
LEFT JOIN attendance AS a ON a.team_abbr = s.team_abbr AND a.game_date = s.game_date
LEFT JOIN other_games AS o ON o.team_abbr = s.opponent_team_abbr AND o.game_date = s.game_date
LEFT JOIN league_sums AS l ON l.game_date = s.game_date
LEFT JOIN roster_form AS f ON f.team_abbr = s.team_abbr AND f.game_date = s.game_date
