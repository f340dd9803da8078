"""Players and their box scores out of a box-score folder."""

from __future__ import annotations

import pyarrow as pa

from transformations.ingest.folder_games import BOX, BOX_COLUMNS
from transformations.ingest.names import KnownPlayer, PlayerNames, player_key
from transformations.ingest.workspace import Workspace

PLAYERS = "nba_raw.players"
PLAYER_BOXES = "nba_raw.player_boxscores"

_REGULAR = f"""
SELECT _source, _row, _season, GAME_ID, GAME_DATE, TEAM_ID, PLAYER_ID, PLAYER_NAME, WL, MIN, PTS, PLUS_MINUS, {BOX},
  CAST(NULL AS BOOLEAN) AS started, CAST(NULL AS VARCHAR) AS note
FROM source_player_game_logs
"""

_PLAYOFFS = f"""
SELECT _source, _row, _season, GAME_ID, GAME_DATE, TEAM_ID, PLAYER_ID, PLAYER_NAME, WL, MIN, PTS, PLUS_MINUS, {BOX},
  START_POSITION IS NOT NULL AND START_POSITION <> '' AS started, nullif(trim(COMMENT), '') AS note
FROM source_playoff_player_box
"""

# A row with a note and no minutes is a marked absence: listed, did not play. Without a note 0 minutes are a few seconds of play.
_ABSENT = "(b.note IS NOT NULL AND coalesce(try_cast(b.MIN AS DOUBLE), 0) = 0)"


def _unless_absent(value: str, name: str) -> str:
    return f"CASE WHEN {_ABSENT} THEN NULL ELSE {value} END AS {name}"


_BOXES = f"""
SELECT
  b.GAME_ID AS game_id, g.game_date, k.player_lookup, b.PLAYER_ID AS player_id, t.abbr AS team_abbr,
  {_unless_absent("b.MIN", "minutes")},
  {_unless_absent("b.PTS", "points")},
  {", ".join(_unless_absent(f"b.{name}", name) for name in BOX_COLUMNS)},
  {_unless_absent("b.PLUS_MINUS", "plus_minus")},
  b.started, b._source, b._row,
  CASE
    WHEN b.PLAYER_ID IS NULL OR k.player_lookup IS NULL THEN 'no_player_named'
    WHEN g.game_id IS NULL THEN 'unknown_game'
    WHEN t.abbr IS NULL OR t.abbr NOT IN (g.home_team, g.away_team) THEN 'unknown_team'
    WHEN try_cast(b.GAME_DATE AS DATE) IS DISTINCT FROM g.game_date THEN 'bad_value'
    WHEN b.WL IS NULL THEN 'unfinished_game'
  END AS _reason,
  CASE
    WHEN b.PLAYER_ID IS NULL OR k.player_lookup IS NULL THEN 'the row has no player id or name'
    WHEN g.game_id IS NULL THEN concat('game ', b.GAME_ID)
    WHEN t.abbr IS NULL OR t.abbr NOT IN (g.home_team, g.away_team)
      THEN concat('team ', b.TEAM_ID, ' in ', g.away_team, ' at ', g.home_team)
    WHEN try_cast(b.GAME_DATE AS DATE) IS DISTINCT FROM g.game_date THEN concat('dated ', b.GAME_DATE, ', the game ', g.game_date)
    WHEN b.WL IS NULL THEN concat(b.GAME_ID, ' has no result')
  END AS _detail
FROM box_rows AS b
LEFT JOIN games AS g ON g.game_id = b.GAME_ID
LEFT JOIN teams AS t ON t.team_id = b.TEAM_ID
LEFT JOIN player_keys AS k ON k.player_id = b.PLAYER_ID
ORDER BY g.game_date, b.GAME_ID, t.abbr, k.player_lookup, b._source, b._row
"""

_LATEST_POSITIONS = """
CREATE TEMP TABLE positions AS
SELECT
  p._source, p._row, p.PLAYER_ID, p.POSITION, p.PLAYER_ID IS NULL AS nobody,
  k.player_lookup IS NOT NULL AS is_known,
  row_number() OVER (PARTITION BY p.PLAYER_ID ORDER BY p._season DESC, p._row) = 1 AS is_latest
FROM source_player_positions AS p
LEFT JOIN player_keys AS k ON k.player_id = p.PLAYER_ID
"""

_NO_POSITIONS = (
    "CREATE TEMP TABLE positions "
    "(_source VARCHAR, _row BIGINT, PLAYER_ID BIGINT, POSITION VARCHAR, nobody BOOLEAN, is_known BOOLEAN, is_latest BOOLEAN)"
)

_PLAYERS = """
WITH first_rows AS (
  SELECT PLAYER_ID, _source, _row FROM box_rows
  WHERE PLAYER_ID IS NOT NULL AND PLAYER_NAME IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY PLAYER_ID ORDER BY _season, _source, _row) = 1
)
SELECT k.player_lookup, k.player_id, k.player_name, CAST(NULL AS DATE) AS birth_date, p.POSITION AS position, f._source, f._row
FROM first_rows AS f
JOIN player_keys AS k ON k.player_id = f.PLAYER_ID
LEFT JOIN positions AS p ON p.PLAYER_ID = f.PLAYER_ID AND p.is_latest
UNION ALL BY NAME
SELECT PLAYER_ID AS player_id, PLAYER_NAME AS player_name, _source, _row, 'no_player_named' AS _reason,
  'the row has no player id or name' AS _detail
FROM box_rows WHERE PLAYER_ID IS NULL OR PLAYER_NAME IS NULL
ORDER BY player_lookup, _source, _row
"""


def _keys(space: Workspace) -> None:
    """Give every player id one key, from the name he last had; of namesakes the lower id has the plain key."""
    rows = space.rows(
        """
        SELECT PLAYER_ID, max_by(PLAYER_NAME, struct_pack(d := GAME_DATE, s := _source, r := _row)) FROM box_rows
        WHERE PLAYER_ID IS NOT NULL AND PLAYER_NAME IS NOT NULL GROUP BY PLAYER_ID ORDER BY PLAYER_ID
        """
    )
    taken: set[str] = set()
    keys = []
    for player_id, name in rows:
        key = player_key(name)
        key = f"{key}{player_id}" if key in taken else key
        taken.add(key)
        keys.append(key)
    names = pa.array([row[1] for row in rows], pa.string())
    ids = pa.array([row[0] for row in rows], pa.int64())
    space.register("player_keys", pa.table({"player_id": ids, "player_lookup": pa.array(keys, pa.string()), "player_name": names}))


def load_players(space: Workspace) -> None:
    """Load one row per player of the box scores, with his latest known position; keeps `player_keys` (id, key, name)."""
    queries = [_REGULAR] + ([_PLAYOFFS] if space.has("playoff_player_box") else [])
    space.run(f"CREATE TEMP TABLE box_rows AS {' UNION ALL BY NAME '.join(queries)}")
    _keys(space)
    space.run(_LATEST_POSITIONS if space.has("player_positions") else _NO_POSITIONS)
    kinds = ("player_game_logs", "playoff_player_box", "player_positions")
    space.accept(PLAYERS, space.arrow(_PLAYERS), [file for kind in kinds for file in space.files.of(kind)])
    further = """
    SELECT _source, count(*) - count(*) FILTER (is_first) FROM (
      SELECT _source, row_number() OVER (PARTITION BY PLAYER_ID ORDER BY _season, _source, _row) = 1 AS is_first
      FROM box_rows WHERE PLAYER_ID IS NOT NULL AND PLAYER_NAME IS NOT NULL
    ) GROUP BY _source
    """
    space.merged(PLAYERS, space.rows(further))
    space.merged(PLAYERS, space.rows("SELECT _source, count(*) FROM positions WHERE is_known AND is_latest GROUP BY 1"))
    for condition, why in (
        ("is_known AND NOT is_latest", "a later reading of the player's position exists"),
        ("NOT nobody AND NOT is_known", "the player is in no box score"),
    ):
        rows = space.rows(f"SELECT _source, count(*) FROM positions WHERE {condition} GROUP BY 1 ORDER BY 1")
        space.not_wanted(PLAYERS, [(source, number, why) for source, number in rows])
    nobody = "SELECT _source, _row, 'no_player_named' AS _reason, 'the row has no player id' AS _detail FROM positions WHERE nobody"
    space.refuse(PLAYERS, space.arrow(nobody))


def load_player_boxes(space: Workspace) -> None:
    """Load one row per player and game; keeps `player_boxes`. Minutes may be numbers or `MM:SS`."""
    files = (*space.files.of("player_game_logs"), *space.files.of("playoff_player_box"))
    space.accept(PLAYER_BOXES, space.arrow(_BOXES), files, readers=("minutes",), keep="player_boxes")


def known_names(space: Workspace) -> PlayerNames:
    """Return the finder of players by the spellings of other sources."""
    rows = space.rows("SELECT player_lookup, player_name FROM player_keys ORDER BY player_lookup")
    return PlayerNames(KnownPlayer(key, name) for key, name in rows)


def squads(space: Workspace) -> dict[tuple[str, str], frozenset[str]]:
    """Return the keys of the players who had a box row for a team, by (season, team)."""
    rows = space.rows(
        """
        SELECT g.season, b.team_abbr, list(DISTINCT b.player_lookup) FROM player_boxes AS b JOIN games AS g ON g.game_id = b.game_id
        GROUP BY g.season, b.team_abbr
        """
    )
    return {(season, team): frozenset(keys) for season, team, keys in rows}
