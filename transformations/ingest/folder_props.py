"""Lines on a player's points out of a box-score folder."""

from __future__ import annotations

import pyarrow as pa

from transformations.ingest.folder_players import known_names, squads
from transformations.ingest.workspace import EASTERN, Workspace

POINTS_LINES = "nba_raw.odds_player_points"
POINTS_MARKET = "player_points"
STANDARD_DFS_PRICE = -137

_MATCHED = f"""
CREATE TEMP TABLE points_rows AS
SELECT
  p.*, g.game_id AS nba_game_id, g.game_date, g.season, g.home_team AS host, g.away_team AS guest,
  h.abbr IS NULL OR a.abbr IS NULL AS unknown_team
FROM source_player_props_dfs AS p
LEFT JOIN team_names AS h ON h.name = p.home_team
LEFT JOIN team_names AS a ON a.name = p.away_team
LEFT JOIN games AS g
  ON g.game_date = CAST(timezone('{EASTERN}', p.commence_time) AS DATE)
  AND least(g.home_team, g.away_team) = least(h.abbr, a.abbr) AND greatest(g.home_team, g.away_team) = greatest(h.abbr, a.abbr)
WHERE p.market = '{POINTS_MARKET}'
"""

# The reading's time of day is not recorded: it counts as knowable at 12:00 US Eastern of the game date. Several files may
# carry one line of one game; of differing prices the one nearest the site's standard stays, then the lower.
_LINES = f"""
WITH judged AS (
  SELECT
    r.*, n.player_lookup,
    CASE
      WHEN r.unknown_team THEN 'unknown_team'
      WHEN r.nba_game_id IS NULL THEN 'unknown_game'
      WHEN r.player IS NULL OR trim(r.player) = '' THEN 'no_player_named'
      WHEN n.player_lookup IS NULL THEN 'unknown_player'
      WHEN r.side IS NULL OR r.side NOT IN ('Over', 'Under') THEN 'bad_value'
    END AS fault
  FROM points_rows AS r
  LEFT JOIN player_spellings AS n ON n.spelling = r.player AND n.game_id = r.nba_game_id
)
SELECT
  nba_game_id AS game_id, game_date, player_lookup, lower(bookmaker) AS bookmaker, TRUE AS is_dfs,
  timezone('{EASTERN}', CAST(game_date AS TIMESTAMP) + INTERVAL 12 HOUR) AS observed_at, line,
  min_by(price, struct_pack(d := abs(price - {STANDARD_DFS_PRICE}), p := price)) FILTER (side = 'Over') AS over_price,
  min_by(price, struct_pack(d := abs(price - {STANDARD_DFS_PRICE}), p := price)) FILTER (side = 'Under') AS under_price,
  _source, list(_row ORDER BY _row) AS _row, CAST(NULL AS VARCHAR) AS _reason, CAST(NULL AS VARCHAR) AS _detail
FROM judged
WHERE fault IS NULL
GROUP BY nba_game_id, game_date, player_lookup, lower(bookmaker), line, _source
UNION ALL BY NAME
SELECT
  nba_game_id AS game_id, line, _source, [_row] AS _row, fault AS _reason,
  concat(player, ', ', side, ', ', away_team, ' at ', home_team, ', ', commence_time) AS _detail
FROM judged WHERE fault IS NOT NULL
ORDER BY game_date, game_id, player_lookup, bookmaker, line, _row
"""


def _spellings(space: Workspace) -> pa.Table:
    names, members = known_names(space), squads(space)
    empty: frozenset[str] = frozenset()
    rows = space.rows(
        """
        SELECT DISTINCT player, nba_game_id, season, host, guest FROM points_rows
        WHERE player IS NOT NULL AND nba_game_id IS NOT NULL ORDER BY ALL
        """
    )
    near: dict[tuple[str, str, str], frozenset[str]] = {}
    found = []
    for player, _, season, host, guest in rows:
        key = (season, host, guest)
        if key not in near:
            near[key] = members.get((season, host), empty) | members.get((season, guest), empty)
        found.append(names.find(player, near[key]))
    columns = {"spelling": [row[0] for row in rows], "game_id": [row[1] for row in rows], "player_lookup": found}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def load_points_lines(space: Workspace) -> None:
    """Load one row per player, game, bookmaker and points line, over and under side by side.

    Lines on rebounds, on assists and on points, rebounds and assists together are not wanted: no feature is made of them.
    """
    files = (*space.files.of("player_props_dfs"), *space.files.of("player_props_pra"))
    if space.has("player_props_dfs"):
        space.run(_MATCHED)
        space.register("player_spellings", _spellings(space))
        space.accept(POINTS_LINES, space.arrow(_LINES), files)
        other = f"""
        SELECT _source, count(*), concat('market ', market, ' has no raw table') FROM source_player_props_dfs
        WHERE market IS DISTINCT FROM '{POINTS_MARKET}' GROUP BY _source, market ORDER BY ALL
        """
        space.not_wanted(POINTS_LINES, space.rows(other))
    else:
        space.accept(POINTS_LINES, None, files)
    why = "lines on points, rebounds and assists together have no raw table"
    space.not_wanted(POINTS_LINES, [(file.source, file.rows, why) for file in space.files.of("player_props_pra")])
