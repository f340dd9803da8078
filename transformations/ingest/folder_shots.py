"""Field-goal attempts out of a box-score folder: two sources in, one form and one scale out."""

from __future__ import annotations

from transformations.ingest.folder_layout import FolderFile
from transformations.ingest.workspace import Workspace

SHOTS = "nba_raw.shots"
# A box score and the list of shots may differ by a scorer's correction; a cut-off file lacks whole quarters.
TOLERATED_MISSING = 3

ZONES = {
    "Restricted Area": "restricted_area",
    "In The Paint (Non-RA)": "paint_non_ra",
    "Mid-Range": "mid_range",
    "Left Corner 3": "left_corner_3",
    "Right Corner 3": "right_corner_3",
    "Above the Break 3": "above_break_3",
    "Backcourt": "backcourt",
}
_ZONE = "CASE zone " + " ".join(f"WHEN '{text}' THEN '{name}'" for text, name in ZONES.items()) + " ELSE zone END"

# Feet. From the baseline the hoop's middle is at 5.25; the league's own sign of x is kept (left corner negative).
# A shot of 20 feet and more lies 20 feet from the hoop, unless the file is on another scale: then a tenth, with the
# hoop at 5.775, and x is not mirrored.
_COURT = """
SELECT
  {origin},
  lpad(CAST(GAME_ID AS VARCHAR), 10, '0') AS game_id,
  CAST(try_strptime(GAME_DATE, '%m-%d-%Y') AS DATE) AS played_on,
  HOME_TEAM AS home, AWAY_TEAM AS away, TEAM_ID, PLAYER_ID, BASIC_ZONE AS zone, SHOT_TYPE, SHOT_MADE AS made,
  SHOT_DISTANCE AS distance_ft,
  CASE WHEN s.is_small THEN LOC_X * 10 ELSE 0.0 - LOC_X END AS loc_x,
  CASE WHEN s.is_small THEN (LOC_Y - 5.775) * 10 + 5.25 ELSE LOC_Y END AS loc_y,
  QUARTER AS period, MINS_LEFT * 60 + SECS_LEFT AS seconds_left
FROM {scan}
CROSS JOIN (
  SELECT coalesce(median(sqrt(LOC_X * LOC_X + (LOC_Y - 5.25) * (LOC_Y - 5.25))) FILTER (SHOT_DISTANCE >= 20) < 10, FALSE) AS is_small
  FROM {scan}
) AS s
"""

# The league's own columns: tenths of feet with the hoop at (0, 0).
_LEAGUE = """
SELECT
  {origin},
  GAME_ID AS game_id, CAST(try_strptime(GAME_DATE, '%Y%m%d') AS DATE) AS played_on,
  HTM AS home, VTM AS away, TEAM_ID, PLAYER_ID, SHOT_ZONE_BASIC AS zone, SHOT_TYPE,
  CASE SHOT_MADE_FLAG WHEN 1 THEN TRUE WHEN 0 THEN FALSE END AS made,
  SHOT_DISTANCE AS distance_ft, LOC_X / 10.0 AS loc_x, LOC_Y / 10.0 + 5.25 AS loc_y,
  PERIOD AS period, MINUTES_REMAINING * 60 + SECONDS_REMAINING AS seconds_left
FROM {scan}
"""

# An id the schedule does not know is recovered from the date and the two teams. Decided once per list of shots, not per shot.
_FOUND = """
CREATE TEMP TABLE found_games AS
WITH lists AS (SELECT DISTINCT game_id, played_on, home, away FROM shot_rows)
SELECT
  l.game_id AS given_id, l.played_on, l.home, l.away,
  coalesce(g.game_id, r.game_id) AS game_id, coalesce(g.game_date, r.game_date) AS game_date,
  coalesce(g.home_team, r.home_team) AS home_team, coalesce(g.away_team, r.away_team) AS away_team
FROM lists AS l
LEFT JOIN games AS g ON g.game_id = l.game_id
LEFT JOIN games AS r
  ON r.game_date = l.played_on AND least(r.home_team, r.away_team) = least(l.home, l.away)
  AND greatest(r.home_team, r.away_team) = greatest(l.home, l.away)
"""

_MATCHED = f"""
CREATE TEMP TABLE matched_shots AS
WITH shots AS (SELECT * REPLACE (round(loc_x, 3) AS loc_x, round(loc_y, 3) AS loc_y, {_ZONE} AS zone) FROM shot_rows)
SELECT
  f.*, s.* EXCLUDE (game_id, played_on, home, away),
  t.abbr, k.player_lookup, try_cast(left(s.SHOT_TYPE, 1) AS BIGINT) AS shot_value
FROM shots AS s
LEFT JOIN found_games AS f
  ON f.given_id IS NOT DISTINCT FROM s.game_id AND f.played_on IS NOT DISTINCT FROM s.played_on
  AND f.home IS NOT DISTINCT FROM s.home AND f.away IS NOT DISTINCT FROM s.away
LEFT JOIN teams AS t ON t.team_id = s.TEAM_ID
LEFT JOIN player_keys AS k ON k.player_id = s.PLAYER_ID
"""

_SHOTS = f"""
WITH boxes AS (
  SELECT game_id, sum(fga) AS attempts FROM team_boxes GROUP BY game_id HAVING count(*) = 2
),
listed AS (
  SELECT game_id, count(*) AS shots FROM matched_shots GROUP BY game_id
),
cut_off AS (
  SELECT l.game_id, l.shots, b.attempts FROM listed AS l JOIN boxes AS b USING (game_id) WHERE l.shots < b.attempts - {TOLERATED_MISSING}
)
SELECT
  m.game_id, m.game_date,
  -- Two rows alike in everything are two shots; which of them has which number changes nothing.
  row_number() OVER (
    PARTITION BY m.game_id
    ORDER BY m.period, m.seconds_left DESC, m.abbr, m.player_lookup, m.zone, m.shot_value, m.made, m.distance_ft, m.loc_x, m.loc_y, m._row
  ) AS shot_number,
  m.player_lookup, m.abbr AS team_abbr, m.zone, m.shot_value, m.made, m.distance_ft, m.loc_x, m.loc_y, m.period, m.seconds_left,
  m._source, m._row,
  CASE
    WHEN m.game_id IS NULL THEN 'unknown_game'
    WHEN m.abbr IS NULL OR m.abbr NOT IN (m.home_team, m.away_team) THEN 'unknown_team'
    WHEN m.player_lookup IS NULL THEN 'unknown_player'
    WHEN c.game_id IS NOT NULL THEN 'incomplete_game'
  END AS _reason,
  CASE
    WHEN m.game_id IS NULL THEN concat('game ', m.given_id, ', ', m.away, ' at ', m.home, ' on ', m.played_on)
    WHEN m.abbr IS NULL OR m.abbr NOT IN (m.home_team, m.away_team) THEN concat('team ', m.TEAM_ID, ' in ', m.game_id)
    WHEN m.player_lookup IS NULL THEN concat('player ', m.PLAYER_ID)
    WHEN c.game_id IS NOT NULL THEN concat(c.shots, ' shots of ', c.game_id, ', the box score has ', c.attempts, ' attempts')
  END AS _detail
FROM matched_shots AS m
LEFT JOIN cut_off AS c ON c.game_id = m.game_id
ORDER BY m.game_date, m.game_id, shot_number
"""


def _select(space: Workspace, file: FolderFile) -> str:
    form = _LEAGUE if "SHOT_ZONE_BASIC" in file.columns else _COURT
    return form.format(origin=space.origin(file), scan=space.scan(file))


def load_shots(space: Workspace) -> None:
    """Load one row per attempt of the games whose list of shots is whole."""
    files = space.files.of("shots")
    if not files:
        space.accept(SHOTS, None, ())
        return
    space.run(f"CREATE TEMP TABLE shot_rows AS {' UNION ALL BY NAME '.join(_select(space, file) for file in files)}")
    space.run(_FOUND)
    space.run(_MATCHED)
    space.accept(SHOTS, space.arrow(_SHOTS), files)
    space.run("DROP TABLE shot_rows")
    space.run("DROP TABLE matched_shots")
