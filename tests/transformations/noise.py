"""Everything that could not be known at a date's cutoffs, replaced by noise: only the schedule stays as it is.

Numbers come from a hash of the row's own key, so the noise is the same in every run. Decoys are put one microsecond
after each game's cutoff, where an inclusive bound, a wrong bound and a missing bound all show.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from schemas.arrow_types import arrow_schema
from schemas.clock import eastern_date
from schemas.contracts import contract
from tests.transformations.workbench import LONG_AFTER, Workbench, days

LAST_DAY = dt.date(2999, 12, 31)
FIGURES = "fgm fga fg3m fg3a ftm fta oreb dreb ast stl blk tov pf".split()
ZONES = "['restricted_area', 'paint_non_ra', 'mid_range', 'left_corner_3', 'above_break_3', 'backcourt']"
STATUSES = "['available', 'probable', 'questionable', 'doubtful', 'out']"

CUTOFFS = """
CREATE TABLE cutoffs AS
SELECT game_id, game_date AS played_on, LEAST(TIMESTAMPTZ '{as_of}', tipoff_time - INTERVAL 60 MINUTE) AS cutoff FROM schedule
"""

# On the date itself players stay with their teams, or the rows to compare would be gone, and the absent play; on other
# dates the players are dealt out anew.
PLAYER_BOXES = """
WITH dealt AS (
  SELECT * EXCLUDE (other) REPLACE (IF(game_date = DATE '{day}', player_lookup, other) AS player_lookup)
  FROM (
    SELECT p.*, o.player_lookup AS other
    FROM (SELECT *, row_number() OVER (PARTITION BY game_date ORDER BY hash(player_lookup, 'a')) AS n FROM player_boxscores) AS p
    JOIN (SELECT game_date, player_lookup, row_number() OVER (PARTITION BY game_date ORDER BY hash(player_lookup, 'b')) AS n
          FROM player_boxscores) AS o USING (game_date, n)
  )
), garbage AS (
  SELECT * EXCLUDE (n) REPLACE ({figures}, 1.0 * (hash(player_lookup, game_id, 'minutes') % 60) AS minutes,
    hash(player_lookup, game_id, 'points') % 90 AS points) FROM dealt
), absent AS (
  SELECT * REPLACE ({absent}) FROM garbage
), one_each AS (
  SELECT * FROM absent QUALIFY row_number() OVER (PARTITION BY game_id, team_abbr ORDER BY player_lookup) = 1
), strangers AS (
  SELECT * REPLACE ('stranger' || lower(team_abbr) AS player_lookup, 99 AS points, 48.0 AS minutes) FROM one_each
), unexpected AS (
  SELECT o.* REPLACE (r.player_lookup AS player_lookup, 99 AS points, 48.0 AS minutes)
  FROM one_each AS o JOIN roster AS r USING (game_id, team_abbr)
  WHERE r.player_lookup NOT IN (SELECT player_lookup FROM player_boxscores WHERE game_date = DATE '{day}')
)
SELECT * FROM absent UNION ALL SELECT * FROM strangers UNION ALL SELECT * FROM unexpected
"""
TEAM_BOXES = """
SELECT * REPLACE (240 + 25 * (hash(game_id, team_abbr) % 3) AS minutes, 60 + hash(game_id, team_abbr, 'points') % 120 AS points,
  60 + hash(game_id, team_abbr, 'fga') % 60 AS fga, hash(game_id, team_abbr, 'fta') % 60 AS fta,
  hash(game_id, team_abbr, 'oreb') % 30 AS oreb, hash(game_id, team_abbr, 'tov') % 30 AS tov)
FROM team_boxscores
"""
SHOTS = f"""
SELECT * REPLACE ({ZONES}[CAST(1 + hash(game_id, shot_number) % 6 AS INT)] AS zone, hash(game_id, shot_number, 'made') % 2 = 0 AS made)
FROM shots
"""
POINTS_LINES = """
SELECT * FROM odds_player_points JOIN cutoffs USING (game_id) WHERE observed_at <= cutoff
UNION ALL BY NAME
SELECT * REPLACE (70 + line / 10 AS line) FROM odds_player_points JOIN cutoffs USING (game_id) WHERE observed_at > cutoff
UNION ALL BY NAME
SELECT * REPLACE (66.5 AS line, cutoff + moment AS observed_at, -110 AS over_price, -110 AS under_price)
FROM (SELECT * FROM odds_player_points QUALIFY row_number() OVER (PARTITION BY game_id, player_lookup, bookmaker ORDER BY observed_at) = 1)
JOIN cutoffs USING (game_id) CROSS JOIN (SELECT unnest([INTERVAL 1 MICROSECOND, INTERVAL 3 HOUR]) AS moment)
"""
GAME_LINES = """
SELECT * FROM odds_game_lines JOIN cutoffs USING (game_id) WHERE observed_at <= cutoff
UNION ALL BY NAME
SELECT * REPLACE (-49.5 AS home_spread, 333.0 AS total) FROM odds_game_lines JOIN cutoffs USING (game_id) WHERE observed_at > cutoff
UNION ALL BY NAME
SELECT * REPLACE (49.5 AS home_spread, 111.0 AS total, cutoff + moment AS observed_at)
FROM (SELECT * FROM odds_game_lines QUALIFY row_number() OVER (PARTITION BY game_id, bookmaker ORDER BY observed_at) = 1)
JOIN cutoffs USING (game_id) CROSS JOIN (SELECT unnest([INTERVAL 1 MICROSECOND, INTERVAL 3 HOUR]) AS moment)
"""
# A report that names a game is judged by that game's cutoff; one that names none by the last cutoff of the date.
REPORTS = f"""
WITH known AS (
  SELECT r.*, r.reported_at <= COALESCE(c.cutoff, (SELECT max(cutoff) FROM cutoffs WHERE played_on = DATE '{{day}}')) AS is_known
  FROM injury_reports AS r LEFT JOIN cutoffs AS c USING (game_id)
)
SELECT * EXCLUDE (is_known) FROM known WHERE is_known
UNION ALL BY NAME
SELECT * EXCLUDE (is_known) REPLACE ({STATUSES}[CAST(1 + hash(player_lookup, reported_at) % 5 AS INT)] AS status)
FROM known WHERE NOT is_known
UNION ALL BY NAME
SELECT
  DATE '{{day}}' AS report_date, e.player_lookup, c.cutoff + moment AS reported_at, 90 AS report_seq,
  {STATUSES}[CAST(1 + 4 * (hash(e.player_lookup) % 2) AS INT)] AS status,
  IF(hash(e.player_lookup, 'g') % 2 = 0, e.game_id, NULL) AS game_id,
  NULL AS valid_days, e.team_abbr, 'decoy' AS reason
FROM roster AS e JOIN cutoffs AS c USING (game_id)
CROSS JOIN (SELECT unnest([INTERVAL 1 MICROSECOND, INTERVAL 3 HOUR]) AS moment)
"""


def first_unknown(day: dt.date, as_of: dt.datetime) -> dt.date:
    """Return the first date whose box scores cannot be known for rows of the day."""
    return min(day, eastern_date(as_of))


def plant_noise(bench: Workbench, day: dt.date, roster: Sequence[tuple[str, str, str]], as_of: dt.datetime = LONG_AFTER) -> dt.date:
    """Replace all that is unknowable for the rows of a day, seen from the as-of instant; return the first noisy box-score date.

    `roster` gives (player, game, team) of the rows that will be compared: they get decoy injury reports.
    """
    first = first_unknown(day, as_of)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("schedule", bench.table("nba_raw.schedule").select(["game_id", "game_date", "tipoff_time"]))
    connection.execute(CUTOFFS.format(as_of=as_of.isoformat()))
    columns = list(zip(*roster, strict=True))
    connection.register("roster", pa.table({"player_lookup": columns[0], "game_id": columns[1], "team_abbr": columns[2]}))
    figures = ", ".join(f"hash(player_lookup, game_id, '{name}') % 30 AS {name}" for name in FIGURES)
    absent = ", ".join(f"IF(hash(player_lookup, game_id, 'x') % 4 = 0, NULL, {name}) AS {name}" for name in (*FIGURES, "points", "minutes"))
    statements = {
        "player_boxscores": (first, PLAYER_BOXES.format(day=day, figures=figures, absent=absent)),
        "team_boxscores": (first, TEAM_BOXES),
        "shots": (first, SHOTS),
        "odds_player_points": (day - days(7), POINTS_LINES),
        "odds_game_lines": (day - days(7), GAME_LINES),
        "injury_reports": (day - days(31), REPORTS.format(day=day)),
    }
    for name, (low, sql) in statements.items():
        full = f"nba_raw.{name}"
        connection.register(name, bench.table(full, low, LAST_DAY))
        names = arrow_schema(contract(full)).names
        rows = connection.execute(f"SELECT {', '.join(names)} FROM ({sql})").to_arrow_table().cast(arrow_schema(contract(full)))
        bench.replace_from(low, {full: rows})
    connection.close()
    return first
