{%- import 'macros/common.sql' as m -%}
-- Grain: one row per player and game date: who is expected to play, and once the box score is knowable who played.
-- As of: reports as of the cutoff; a box score of the date itself decides only that a row exists, never a value.
WITH slate AS (
  {{ m.slate('*') }}
),
fixtures AS (
  {{ m.counted_schedule('*', 'DATE_SUB(@start_date, INTERVAL 365 DAY)', '@end_date') }}
),
sides AS (
  SELECT home_team AS team_abbr, game_id, game_date, season FROM fixtures
  UNION ALL
  SELECT away_team AS team_abbr, game_id, game_date, season FROM fixtures
),
team_games AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY team_abbr ORDER BY game_date, game_id) AS number,
    MIN(game_date) OVER (PARTITION BY team_abbr, season) AS season_first,
    MAX(game_date) OVER (PARTITION BY team_abbr, season) AS season_last,
    DENSE_RANK() OVER (ORDER BY season) AS season_rank
  FROM sides
),
player_games AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY player_lookup ORDER BY game_date, game_id) AS number,
    LEAD(game_date) OVER (PARTITION BY player_lookup ORDER BY game_date, game_id) AS next_date,
    LAG(game_date) OVER (PARTITION BY player_lookup ORDER BY game_date, game_id) AS previous_date,
    COUNT(*) OVER (PARTITION BY player_lookup, season ORDER BY game_date, game_id) AS season_games,
    SUM(points) OVER (PARTITION BY player_lookup, season ORDER BY game_date, game_id) AS season_points
  FROM ({{ m.knowable_games('nba_analytics.player_game_summary', 'player_lookup, game_date, game_id, season, team_abbr, minutes, points', 'is_played') }}) AS knowable
),
-- The player's latest game, followed by up to 15 games of that team without him having played in between.
horizon AS (
  SELECT g.player_lookup, g.team_abbr, g.game_date AS played_on, g.next_date, own.season, own.season_rank, own.season_last, own.number + ahead AS number
  FROM player_games AS g
  JOIN team_games AS own ON own.team_abbr = g.team_abbr AND own.game_id = g.game_id
  CROSS JOIN UNNEST(GENERATE_ARRAY(1, 15)) AS ahead
),
asked AS (
  SELECT * FROM team_games WHERE game_date BETWEEN @start_date AND @end_date
),
expected AS (
  SELECT h.player_lookup, h.team_abbr, t.game_id, t.game_date, t.season
  FROM horizon AS h
  JOIN asked AS t ON t.team_abbr = h.team_abbr AND t.number = h.number
  WHERE h.played_on >= DATE_SUB(t.game_date, INTERVAL 365 DAY)
    AND (h.next_date IS NULL OR h.next_date >= t.game_date)
    AND CASE
      WHEN h.season = t.season THEN DATE_DIFF(t.game_date, h.played_on, DAY) <= 30
      WHEN h.season_rank = t.season_rank - 1
        THEN DATE_DIFF(t.game_date, t.season_first, DAY) + DATE_DIFF(h.season_last, h.played_on, DAY) + 1 <= 30
      ELSE FALSE
    END
),
played AS (
  SELECT b.player_lookup, b.team_abbr, s.game_id, s.game_date, s.season
  FROM ({{ m.knowable_day('nba_raw.player_boxscores', 'game_id, player_lookup, team_abbr, points, minutes') }}) AS b
  JOIN slate AS s ON s.game_id = b.game_id AND s.team_abbr = b.team_abbr
  WHERE b.points IS NOT NULL
    AND b.minutes IS NOT NULL
),
members AS (
  SELECT
    COALESCE(p.player_lookup, e.player_lookup) AS player_lookup,
    COALESCE(p.game_date, e.game_date) AS game_date,
    COALESCE(p.game_id, e.game_id) AS game_id,
    COALESCE(p.team_abbr, e.team_abbr) AS team_abbr,
    e.team_abbr AS expected_team_abbr,
    e.game_id AS expected_game_id,
    CASE
      WHEN p.player_lookup IS NULL THEN 'expected'
      WHEN e.game_id = p.game_id AND e.team_abbr = p.team_abbr THEN 'both'
      ELSE 'played'
    END AS roster_basis
  FROM played AS p
  FULL JOIN expected AS e ON e.player_lookup = p.player_lookup AND e.game_date = p.game_date
),
member_latest AS (
  {{ m.latest_before('members', 'player_games', 'player_lookup') }}
),
recent_games AS (
  {{ m.last_games('member_latest', 'player_games', 'player_lookup', 14, 'g.game_date AS played_on, g.previous_date, g.minutes, g.season, g.season_games, g.season_points') }}
),
recent AS (
  SELECT
    player_lookup,
    game_date,
    MAX(played_on) AS last_game_date,
    COUNTIF(played_on >= DATE_SUB(game_date, INTERVAL 7 DAY)) AS games_in_last_7_days,
    {{ m.exact_sum('IF(played_on >= DATE_SUB(game_date, INTERVAL 7 DAY), minutes, 0)') }} / 1000000000 AS minutes_in_last_7_days,
    COUNTIF(previous_date = DATE_SUB(played_on, INTERVAL 1 DAY) AND previous_date >= DATE_SUB(game_date, INTERVAL 14 DAY)) AS back_to_backs_last_14_days,
    MAX(IF(recency = 1, season, NULL)) AS last_season,
    MAX(IF(recency = 1, season_games, NULL)) AS season_games,
    MAX(IF(recency = 1, season_points, NULL)) AS season_points
  FROM recent_games
  GROUP BY player_lookup, game_date
),
reports AS (
  SELECT *
  FROM nba_raw.injury_reports
  WHERE report_date BETWEEN DATE_SUB(@start_date, INTERVAL 31 DAY) AND @end_date
),
report_times AS (
  SELECT DISTINCT report_date, reported_at FROM reports
),
live_feed AS (
  SELECT DISTINCT s.game_id
  FROM slate AS s
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, 10)) AS back
  JOIN report_times AS r ON r.report_date = DATE_SUB(s.game_date, INTERVAL back DAY)
  WHERE {{ m.knowable_at('r.reported_at', 's.cutoff') }}
    AND r.reported_at > TIMESTAMP_SUB(s.cutoff, INTERVAL 7 DAY)
),
-- Status is asked for the game a player has a row for and, where it differs, for the game he was expected in.
questions AS (
  SELECT player_lookup, game_date, game_id, team_abbr FROM members
  UNION DISTINCT
  SELECT player_lookup, game_date, expected_game_id, expected_team_abbr FROM members WHERE expected_game_id IS NOT NULL
),
answers AS (
  SELECT
    q.player_lookup,
    q.game_id,
    r.status,
    r.reported_at,
    ROW_NUMBER() OVER (PARTITION BY q.player_lookup, q.game_id ORDER BY r.reported_at DESC, r.report_seq DESC) AS age
  FROM questions AS q
  JOIN slate AS s ON s.game_id = q.game_id AND s.team_abbr = q.team_abbr
  JOIN reports AS r ON r.player_lookup = q.player_lookup
  LEFT JOIN recent AS p ON p.player_lookup = q.player_lookup AND p.game_date = q.game_date
  WHERE {{ m.knowable_at('r.reported_at', 's.cutoff') }}
    AND r.report_date BETWEEN DATE_SUB(q.game_date, INTERVAL 30 DAY) AND q.game_date
    AND (r.game_id IS NULL OR r.game_id = q.game_id)
    AND (r.valid_days IS NULL OR DATE_DIFF(q.game_date, r.report_date, DAY) BETWEEN 1 AND r.valid_days)
    AND NOT (
      r.status IN ('out', 'doubtful')
      AND r.game_id IS NULL
      AND r.valid_days IS NULL
      AND IFNULL(p.last_game_date > r.report_date, FALSE)
    )
),
statuses AS (
  SELECT player_lookup, game_id, status, reported_at FROM answers WHERE age = 1
),
judged AS (
  SELECT
    b.*,
    f.game_id IS NOT NULL AS injury_feed_live,
    IF(f.game_id IS NULL, NULL, IFNULL(own.status, 'available')) AS player_status,
    IF(f.game_id IS NULL, NULL, own.reported_at) AS status_reported_at,
    IF(ef.game_id IS NULL, NULL, IFNULL(there.status, 'available')) AS expected_status
  FROM members AS b
  LEFT JOIN live_feed AS f ON f.game_id = b.game_id
  LEFT JOIN live_feed AS ef ON ef.game_id = b.expected_game_id
  LEFT JOIN statuses AS own ON own.player_lookup = b.player_lookup AND own.game_id = b.game_id
  LEFT JOIN statuses AS there ON there.player_lookup = b.player_lookup AND there.game_id = b.expected_game_id
),
-- Stars the team misses: members of its expected roster, wherever they played in the end.
absent_stars AS (
  SELECT
    j.expected_team_abbr AS team_abbr,
    j.game_date,
    COUNT(*) AS stars,
    ARRAY_AGG(j.player_lookup) AS players
  FROM judged AS j
  JOIN recent AS r ON r.player_lookup = j.player_lookup AND r.game_date = j.game_date
  JOIN team_games AS t ON t.team_abbr = j.expected_team_abbr AND t.game_id = j.expected_game_id
  WHERE j.expected_status IN ('out', 'doubtful')
    AND r.last_season = t.season
    AND r.season_points >= 15 * r.season_games
  GROUP BY j.expected_team_abbr, j.game_date
)
SELECT
  j.player_lookup,
  j.game_date,
  j.game_id,
  j.team_abbr,
  s.season,
  s.season_phase,
  s.opponent_team_abbr,
  s.home_game,
  s.is_neutral_site,
  s.tipoff_time,
  s.cutoff,
  j.roster_basis,
  IFNULL(j.expected_game_id = j.game_id AND j.expected_team_abbr = j.team_abbr, FALSE) AS is_expected,
  j.expected_team_abbr,
  j.expected_status,
  j.injury_feed_live,
  j.player_status,
  j.status_reported_at,
  s.days_rest,
  s.opponent_days_rest,
  s.back_to_back,
  IFNULL(r.games_in_last_7_days, 0) AS games_in_last_7_days,
  IFNULL(r.minutes_in_last_7_days, 0) AS minutes_in_last_7_days,
  IFNULL(r.back_to_backs_last_14_days, 0) AS back_to_backs_last_14_days,
  r.last_game_date,
  EXTRACT(YEAR FROM j.game_date) - EXTRACT(YEAR FROM n.birth_date) - IF(
    EXTRACT(MONTH FROM j.game_date) * 100 + EXTRACT(DAY FROM j.game_date) < EXTRACT(MONTH FROM n.birth_date) * 100 + EXTRACT(DAY FROM n.birth_date), 1, 0
  ) AS age_years,
  CAST(s.days_rest AS FLOAT64) AS rest_days_numeric,
  IF(j.injury_feed_live, IFNULL(a.stars, 0) - IF(j.player_lookup IN UNNEST(a.players), 1, 0), NULL) AS star_teammate_out,
  CAST(NULL AS FLOAT64) AS fourth_quarter_trust
FROM judged AS j
JOIN slate AS s ON s.game_id = j.game_id AND s.team_abbr = j.team_abbr
LEFT JOIN recent AS r ON r.player_lookup = j.player_lookup AND r.game_date = j.game_date
LEFT JOIN absent_stars AS a ON a.team_abbr = j.team_abbr AND a.game_date = j.game_date
LEFT JOIN nba_raw.players AS n ON n.player_lookup = j.player_lookup
