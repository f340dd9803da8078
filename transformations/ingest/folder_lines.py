"""Game lines out of a box-score folder: morning snapshots of many bookmakers, and the closing line."""

from __future__ import annotations

import pyarrow as pa

from transformations.ingest.workspace import EASTERN, Workspace

GAME_LINES = "nba_raw.odds_game_lines"
CLOSE = "close"
WANTED_MARKETS = ("spreads", "totals", "h2h")
_WANTED = ", ".join(f"'{market}'" for market in WANTED_MARKETS)

# The event listing knows the final date of an event; an event it does not list is joined by its own start.
_OUTCOMES = f"""
CREATE TEMP TABLE outcomes AS
WITH wanted AS (
  SELECT o.*, h.abbr AS home, a.abbr AS away, n.abbr AS named
  FROM source_game_odds_snapshots AS o
  LEFT JOIN team_names AS h ON h.name = o.home_team
  LEFT JOIN team_names AS a ON a.name = o.away_team
  LEFT JOIN team_names AS n ON n.name = o.outcome_name
  WHERE o.market_key IN ({_WANTED})
),
matched AS (
  SELECT w.*, coalesce(e.game_id, d.game_id) AS game_id
  FROM wanted AS w
  LEFT JOIN (SELECT id, game_id FROM events WHERE game_id IN (SELECT game_id FROM games)) AS e ON e.id = w.event_id
  LEFT JOIN games AS d
    ON d.game_date = CAST(timezone('{EASTERN}', w.commence_time) AS DATE)
    AND least(d.home_team, d.away_team) = least(w.home, w.away) AND greatest(d.home_team, d.away_team) = greatest(w.home, w.away)
)
SELECT
  -- The source's own game_date is the day of the reading, not of the game.
  m.* EXCLUDE (game_date), g.game_date, g.home_team AS host, g.tipoff_time,
  CASE
    WHEN m.home IS NULL OR m.away IS NULL THEN 'unknown_team'
    WHEN m.game_id IS NULL THEN 'unknown_game'
    WHEN m.market_key = 'totals' AND m.outcome_name NOT IN ('Over', 'Under') THEN 'bad_value'
    WHEN m.market_key <> 'totals' AND (m.named IS NULL OR m.named NOT IN (m.home, m.away)) THEN 'bad_value'
  END AS fault
FROM matched AS m
LEFT JOIN games AS g ON g.game_id = m.game_id
"""

_SNAPSHOTS = """
WITH pivoted AS (
  SELECT
    game_id, bookmaker_key AS bookmaker,
    min(game_date) AS game_date,
    -- A price changed after the nominal reading was not knowable at it.
    greatest(snapshot_timestamp, max(last_update)) AS observed_at,
    max(outcome_point) FILTER (market_key = 'spreads' AND named = host) AS host_spread,
    max(outcome_point) FILTER (market_key = 'spreads' AND named <> host) AS guest_spread,
    max(outcome_point) FILTER (market_key = 'totals' AND outcome_name = 'Over') AS over_total,
    max(outcome_point) FILTER (market_key = 'totals' AND outcome_name = 'Under') AS under_total,
    max(outcome_price) FILTER (market_key = 'h2h' AND named = host) AS home_moneyline,
    max(outcome_price) FILTER (market_key = 'h2h' AND named <> host) AS away_moneyline,
    -- Of two events of one game the one that starts when the game did comes first, and the first is kept.
    abs(epoch(any_value(commence_time)) - epoch(any_value(tipoff_time))) AS off_start,
    _source, list(_row ORDER BY _row) AS _row
  FROM outcomes
  WHERE fault IS NULL
  GROUP BY game_id, event_id, bookmaker_key, snapshot_timestamp, _source
)
SELECT
  game_id, game_date, bookmaker, observed_at,
  coalesce(host_spread, 0.0 - guest_spread) AS home_spread, coalesce(over_total, under_total) AS total,
  home_moneyline, away_moneyline, off_start, _source, _row,
  CASE WHEN host_spread + guest_spread <> 0 OR over_total <> under_total THEN 'bad_value' END AS _reason,
  CASE
    WHEN host_spread + guest_spread <> 0 THEN concat('spreads ', host_spread, ' and ', guest_spread, ' of the two sides do not cancel')
    WHEN over_total <> under_total THEN concat('totals ', over_total, ' and ', under_total, ' differ')
  END AS _detail
FROM pivoted
UNION ALL BY NAME
SELECT
  game_id, _source, [_row] AS _row, fault AS _reason,
  concat(outcome_name, ', ', market_key, ', ', away_team, ' at ', home_team, ', ', commence_time) AS _detail
FROM outcomes WHERE fault IS NOT NULL
ORDER BY game_date, game_id, observed_at, bookmaker, off_start, _source, _row
"""

_CLOSING = f"""
WITH named AS (
  SELECT c.*, h.abbr AS host, a.abbr AS guest, try_cast(c.date AS DATE) AS played_on
  FROM source_game_lines_close AS c
  LEFT JOIN team_codes AS h ON h.code = c.home
  LEFT JOIN team_codes AS a ON a.code = c.away
),
matched AS (
  SELECT
    n.*, g.game_id, g.game_date, g.tipoff_time, g.home_team = n.host AS same_way,
    CASE n.whos_favored WHEN 'home' THEN 0.0 - n.spread WHEN 'away' THEN n.spread END AS host_spread,
    CASE
      WHEN n.host IS NULL OR n.guest IS NULL THEN 'unknown_team'
      WHEN g.game_id IS NULL THEN 'unknown_game'
      WHEN n.spread < 0 OR (n.spread IS NOT NULL AND coalesce(n.whos_favored, '') NOT IN ('home', 'away')) THEN 'bad_value'
    END AS _reason
  FROM named AS n
  LEFT JOIN games AS g
    ON g.game_date = n.played_on AND least(g.home_team, g.away_team) = least(n.host, n.guest)
    AND greatest(g.home_team, g.away_team) = greatest(n.host, n.guest)
)
SELECT
  game_id, game_date, '{CLOSE}' AS bookmaker, tipoff_time AS observed_at,
  CASE WHEN same_way THEN host_spread ELSE 0.0 - host_spread END AS home_spread,
  total,
  CAST(CASE WHEN same_way THEN moneyline_home ELSE moneyline_away END AS BIGINT) AS home_moneyline,
  CAST(CASE WHEN same_way THEN moneyline_away ELSE moneyline_home END AS BIGINT) AS away_moneyline,
  _source, [_row] AS _row, _reason,
  CASE WHEN _reason IS NOT NULL
    THEN concat(away, ' at ', home, ' on ', date, ', favoured ', coalesce(whos_favored, 'nobody'), ' by ', spread) END AS _detail
FROM matched
ORDER BY game_date, game_id, _row
"""


def load_game_lines(space: Workspace) -> None:
    """Load one row per game, bookmaker and observation time: the home side of the spread, the total, the money lines."""
    parts: list[pa.Table] = []
    if space.has("game_odds_snapshots"):
        space.run(_OUTCOMES)
        parts.append(space.arrow(_SNAPSHOTS).drop_columns(["off_start"]))
    if space.has("game_lines_close"):
        parts.append(space.arrow(_CLOSING))
    files = (*space.files.of("game_odds_snapshots"), *space.files.of("game_lines_close"))
    space.accept(GAME_LINES, pa.concat_tables(parts, promote_options="permissive") if parts else None, files)
    if space.has("game_odds_snapshots"):
        other = f"""
        SELECT _source, count(*), concat('market ', market_key, ' is no line on the whole game') FROM source_game_odds_snapshots
        WHERE market_key IS NULL OR market_key NOT IN ({_WANTED}) GROUP BY _source, market_key ORDER BY ALL
        """
        space.not_wanted(GAME_LINES, space.rows(other))
