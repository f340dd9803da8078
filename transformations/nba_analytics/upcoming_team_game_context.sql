{%- import 'macros/common.sql' as m -%}
-- Grain: one row per team and game date.
-- As of: game lines as of the cutoff; fixtures are published in advance.
WITH fixtures AS (
  {{ m.counted_schedule('*', 'DATE_SUB(@start_date, INTERVAL 365 DAY)', '@end_date') }}
),
sides AS (
  SELECT *, home_team AS team_abbr, away_team AS opponent_team_abbr, TRUE AS is_home FROM fixtures
  UNION ALL
  SELECT *, away_team AS team_abbr, home_team AS opponent_team_abbr, FALSE AS is_home FROM fixtures
),
paced AS (
  SELECT
    team_abbr,
    opponent_team_abbr,
    game_id,
    game_date,
    season,
    season_type,
    is_neutral_site,
    is_home,
    tipoff_time,
    tipoff_known,
    LEAST(@as_of, TIMESTAMP_SUB(tipoff_time, INTERVAL @cutoff_minutes MINUTE)) AS cutoff,
    MAX(game_date) OVER (PARTITION BY team_abbr ORDER BY UNIX_DATE(game_date) RANGE BETWEEN 365 PRECEDING AND 1 PRECEDING) AS previous_game_date,
    COUNT(*) OVER (PARTITION BY team_abbr ORDER BY UNIX_DATE(game_date) RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING) AS team_games_in_last_7_days
  FROM sides
),
asked AS (
  SELECT
    *,
    IF(previous_game_date IS NULL, 7, LEAST(7, DATE_DIFF(game_date, previous_game_date, DAY) - 1)) AS days_rest
  FROM paced
  WHERE game_date BETWEEN @start_date AND @end_date
),
lines AS (
  SELECT
    o.game_id,
    o.home_spread,
    o.total,
    ROW_NUMBER() OVER (PARTITION BY o.game_id, o.bookmaker ORDER BY o.observed_at DESC) AS age
  FROM nba_raw.odds_game_lines AS o
  JOIN asked AS a ON a.game_id = o.game_id AND a.is_home
  WHERE o.game_date BETWEEN @start_date AND @end_date
    AND {{ m.knowable_at('o.observed_at', 'a.cutoff') }}
),
ranked AS (
  SELECT
    game_id,
    home_spread,
    total,
    ROW_NUMBER() OVER (PARTITION BY game_id, home_spread IS NULL ORDER BY home_spread) AS spread_position,
    COUNT(home_spread) OVER (PARTITION BY game_id) AS spreads,
    ROW_NUMBER() OVER (PARTITION BY game_id, total IS NULL ORDER BY total) AS total_position,
    COUNT(total) OVER (PARTITION BY game_id) AS totals
  FROM lines
  WHERE age = 1
),
consensus AS (
  SELECT
    game_id,
    {{ m.middle('home_spread', 'spread_position', 'spreads') }} AS home_spread,
    {{ m.middle('total', 'total_position', 'totals') }} AS total,
    COUNT(*) AS bookmakers
  FROM ranked
  GROUP BY game_id
)
SELECT
  a.team_abbr,
  a.game_date,
  a.game_id,
  a.season,
  a.season_type AS season_phase,
  a.opponent_team_abbr,
  a.is_home AND NOT a.is_neutral_site AS home_game,
  a.is_neutral_site,
  a.tipoff_time,
  a.tipoff_known,
  a.cutoff,
  a.previous_game_date,
  a.days_rest,
  a.days_rest = 0 AS back_to_back,
  other.days_rest AS opponent_days_rest,
  a.team_games_in_last_7_days,
  IF(a.is_home, c.home_spread, -c.home_spread) AS spread,
  c.total,
  c.total / 2 - IF(a.is_home, c.home_spread, -c.home_spread) / 2 AS implied_team_total,
  IFNULL(c.bookmakers, 0) AS bookmakers
FROM asked AS a
JOIN asked AS other ON other.game_id = a.game_id AND other.team_abbr = a.opponent_team_abbr
LEFT JOIN consensus AS c ON c.game_id = a.game_id
