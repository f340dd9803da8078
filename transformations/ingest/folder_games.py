"""Games, team box scores and start times out of a box-score folder."""

from __future__ import annotations

from transformations.ingest.workspace import EASTERN, Workspace

SCHEDULE = "nba_raw.schedule"
TEAM_BOXES = "nba_raw.team_boxscores"

BOX_COLUMNS = "fgm fga fg3m fg3a ftm fta oreb dreb ast stl blk tov pf".split()
BOX = ", ".join(f"{name.upper()} AS {name}" for name in BOX_COLUMNS)

# One row per source row. A game is told from another by its id; of two rows of one team the one with a result, then the longer, counts.
_TEAM_ROWS = """
CREATE TEMP TABLE team_rows AS
WITH named AS (
  SELECT
    t.*,
    teams.abbr AS league_abbr,
    CASE left(t.SEASON_ID, 1)
      WHEN '1' THEN 'preseason' WHEN '2' THEN 'regular' WHEN '3' THEN 'all_star'
      WHEN '4' THEN 'playoffs' WHEN '5' THEN 'play_in' WHEN '6' THEN 'cup_final'
    END AS season_type,
    try_cast(t.GAME_DATE AS DATE) AS game_date
  FROM source_team_game_logs AS t
  LEFT JOIN teams ON teams.team_id = t.TEAM_ID
),
numbered AS (
  SELECT
    *,
    coalesce(league_abbr, CASE WHEN season_type = 'all_star' THEN TEAM_ABBREVIATION END) AS abbr,
    coalesce(season_type = 'preseason' AND bool_or(league_abbr IS NULL) OVER (PARTITION BY GAME_ID), FALSE) AS is_foreign,
    row_number() OVER (PARTITION BY GAME_ID, TEAM_ID ORDER BY WL IS NULL, try_cast(MIN AS DOUBLE) DESC, _source, _row) AS copy
  FROM named
),
judged AS (
  SELECT
    *,
    CASE
      WHEN GAME_ID IS NULL OR length(GAME_ID) <> 10 OR substr(GAME_ID, 3, 1) IS DISTINCT FROM left(SEASON_ID, 1) OR season_type IS NULL
        THEN 'bad_value'
      WHEN abbr IS NULL THEN 'unknown_team'
      WHEN copy > 1 THEN 'duplicate_key'
    END AS fault
  FROM numbered
)
SELECT
  *,
  CASE fault
    WHEN 'bad_value' THEN concat('game id ', GAME_ID, ' and season id ', SEASON_ID, ' name no one kind of game')
    WHEN 'unknown_team' THEN concat('team ', TEAM_ID, ' ', TEAM_ABBREVIATION)
    WHEN 'duplicate_key' THEN concat('second row of ', abbr, ' in ', GAME_ID, CASE WHEN WL IS NULL THEN ', without a result' ELSE '' END)
  END AS detail
FROM judged
"""

_GAMES = """
CREATE TEMP TABLE staged_games AS
WITH paired AS (
  SELECT
    GAME_ID AS game_id,
    min(game_date) AS game_date,
    min(SEASON) AS season,
    min(season_type) AS season_type,
    list(abbr ORDER BY abbr) AS sides,
    count(*) FILTER (MATCHUP LIKE '% vs. %') AS home_rows,
    -- Without a home row both teams' rows carry one text and the nominal home team is the one right of the @.
    CASE WHEN count(*) FILTER (MATCHUP LIKE '% vs. %') = 0 THEN min(split_part(MATCHUP, ' @ ', 2))
         ELSE min(abbr) FILTER (MATCHUP LIKE '% vs. %') END AS home_team,
    count(DISTINCT CASE WHEN MATCHUP LIKE '% vs. %' THEN '' ELSE split_part(MATCHUP, ' @ ', 2) END) AS texts,
    count(DISTINCT game_date) AS dates,
    bool_or(WL IS NOT NULL) AS is_final,
    min(_source) AS _source,
    list(_row ORDER BY _row) AS _row
  FROM team_rows
  WHERE fault IS NULL AND NOT is_foreign
  GROUP BY GAME_ID
),
judged AS (
  SELECT
    *,
    list_filter(sides, side -> side <> home_team)[1] AS away_team,
    CASE
      WHEN len(sides) <> 2 THEN 'unpaired_game'
      WHEN home_rows > 1 OR (home_rows = 0 AND texts > 1) OR dates <> 1 OR NOT list_contains(sides, home_team) THEN 'bad_value'
    END AS fault
  FROM paired
)
SELECT
  game_id, game_date, season, season_type, home_team, away_team,
  -- The Cup final and the All-Star games are held on a floor of the league's choosing, whatever the row calls home.
  home_rows = 0 OR season_type IN ('cup_final', 'all_star') AS is_neutral_site,
  CASE WHEN is_final THEN 'final' ELSE 'scheduled' END AS status,
  _source, _row, fault AS _reason,
  CASE fault
    WHEN 'unpaired_game' THEN concat(game_id, ' has rows of ', array_to_string(sides, ', '))
    WHEN 'bad_value' THEN concat('the rows of ', game_id, ' disagree on the date or the home team')
  END AS _detail
FROM judged
UNION ALL BY NAME
SELECT GAME_ID AS game_id, _source, [_row] AS _row, fault AS _reason, detail AS _detail
FROM team_rows WHERE fault IS NOT NULL AND NOT is_foreign
"""

# One row per event: what the latest reading says. A game with two events takes the one read last.
_EVENTS = f"""
CREATE TEMP TABLE events AS
WITH readings AS (
  SELECT
    e.*,
    least(h.abbr, a.abbr) AS side_1,
    greatest(h.abbr, a.abbr) AS side_2,
    h.abbr IS NULL OR a.abbr IS NULL AS unknown
  FROM source_schedule_events AS e
  LEFT JOIN team_names AS h ON h.name = e.home_team
  LEFT JOIN team_names AS a ON a.name = e.away_team
),
latest AS (
  SELECT id, commence_time, side_1, side_2, snapshot_timestamp AS read_at
  FROM readings
  WHERE NOT unknown AND commence_time IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY id ORDER BY snapshot_timestamp DESC, _source DESC, _row DESC) = 1
)
SELECT latest.*, g.game_id
FROM latest
LEFT JOIN staged_games AS g
  ON g._reason IS NULL AND least(g.home_team, g.away_team) = side_1 AND greatest(g.home_team, g.away_team) = side_2
  AND g.game_date = CAST(timezone('{EASTERN}', commence_time) AS DATE)
"""

_EVENT_FATE = """
CREATE TEMP VIEW event_fates AS
SELECT
  e._source, e._row, e.home_team, e.away_team, e.commence_time,
  h.abbr IS NULL OR a.abbr IS NULL AS unknown,
  x.game_id
FROM source_schedule_events AS e
LEFT JOIN team_names AS h ON h.name = e.home_team
LEFT JOIN team_names AS a ON a.name = e.away_team
LEFT JOIN events AS x ON x.id = e.id
"""

_NO_EVENTS = (
    "CREATE TEMP TABLE events (id VARCHAR, commence_time TIMESTAMPTZ, side_1 VARCHAR, side_2 VARCHAR, read_at TIMESTAMPTZ, game_id VARCHAR)"
)

_SCHEDULE = f"""
WITH starts AS (
  SELECT game_id, max_by(commence_time, {{order}}) AS tipoff FROM events WHERE game_id IS NOT NULL GROUP BY game_id
)
SELECT
  g.*,
  coalesce(s.tipoff, timezone('{EASTERN}', CAST(g.game_date AS TIMESTAMP) + INTERVAL 12 HOUR)) AS tipoff_time,
  s.tipoff IS NOT NULL AS tipoff_known
FROM staged_games AS g
LEFT JOIN starts AS s ON s.game_id = g.game_id AND g._reason IS NULL
ORDER BY g.game_date, g.game_id, g._row
""".format(order="struct_pack(read_at := read_at, id := id)")

_TEAM_BOXES = f"""
SELECT
  r.GAME_ID AS game_id, g.game_date, r.abbr AS team_abbr, r.MIN AS minutes, r.PTS AS points, {BOX}, r._source, r._row,
  CASE
    WHEN r.fault IS NOT NULL THEN r.fault
    WHEN g.game_id IS NULL THEN 'unknown_game'
    WHEN r.WL IS NULL THEN 'unfinished_game'
  END AS _reason,
  CASE
    WHEN r.fault IS NOT NULL THEN r.detail
    WHEN g.game_id IS NULL THEN concat(r.GAME_ID, ' was refused as a game')
    WHEN r.WL IS NULL THEN concat(r.GAME_ID, ' has no result')
  END AS _detail
FROM team_rows AS r
LEFT JOIN games AS g ON g.game_id = r.GAME_ID
WHERE r.season_type IS NULL OR r.season_type NOT IN ('preseason', 'all_star')
ORDER BY g.game_date, r.GAME_ID, r.abbr, r.copy
"""


def load_schedule(space: Workspace) -> None:
    """Load one row per game, with the start of the latest event reading or the 12:00 Eastern stand-in; keeps `games`.

    Preseason games against clubs of other leagues are not wanted; an event without a game (postponed, or a playoff game
    that was not needed) gives no row, because no source gives it an id.
    """
    space.run(_TEAM_ROWS)
    space.run(_GAMES)
    space.run(_EVENTS if space.has("schedule_events") else _NO_EVENTS)
    files = (*space.files.of("team_game_logs"), *space.files.of("schedule_events"))
    space.accept(SCHEDULE, space.arrow(_SCHEDULE), files, keep="games")
    foreign = "SELECT _source, count(*), 'preseason games against clubs of other leagues' FROM team_rows WHERE is_foreign GROUP BY 1"
    space.not_wanted(SCHEDULE, space.rows(foreign))
    if space.has("schedule_events"):
        _book_events(space)


def _book_events(space: Workspace) -> None:
    space.run(_EVENT_FATE)
    space.refuse(
        SCHEDULE,
        space.arrow(
            """
            SELECT _source, _row, CASE WHEN unknown THEN 'unknown_team' ELSE 'missing_value' END AS _reason,
              CASE WHEN unknown THEN concat(away_team, ' at ', home_team) ELSE 'commence_time is missing' END AS _detail
            FROM event_fates WHERE unknown OR commence_time IS NULL
            """
        ),
    )
    fates = "FROM event_fates WHERE NOT unknown AND commence_time IS NOT NULL AND game_id"
    space.merged(SCHEDULE, space.rows(f"SELECT _source, count(*) {fates} IS NOT NULL GROUP BY 1"))
    why = "events that left no game: postponed, or a playoff game that was not needed"
    space.not_wanted(SCHEDULE, space.rows(f"SELECT _source, count(*), '{why}' {fates} IS NULL GROUP BY 1"))


def load_team_boxes(space: Workspace) -> None:
    """Load one row per team and game of the regular season, play-in, playoffs and Cup final; keeps `team_boxes`."""
    space.accept(TEAM_BOXES, space.arrow(_TEAM_BOXES), space.files.of("team_game_logs"), keep="team_boxes")
    space.not_wanted(
        TEAM_BOXES,
        space.rows(
            """
            SELECT _source, count(*), concat(replace(season_type, '_', ' '), ' games count for nothing')
            FROM team_rows WHERE season_type IN ('preseason', 'all_star') GROUP BY _source, season_type ORDER BY ALL
            """
        ),
    )
