"""Injury reports out of a box-score folder: the moves and notes of a transaction list."""

from __future__ import annotations

import pyarrow as pa

from transformations.ingest.folder_players import known_names, squads
from transformations.ingest.workspace import EASTERN, Workspace

INJURIES = "nba_raw.injury_reports"
DAY_TO_DAY_DAYS = 3

# Whoever is acquired comes back; whoever is relinquished goes out. A move to the list or a ruling-out outweighs "day to day".
_ROWS = """
CREATE TEMP TABLE injury_rows AS
WITH cells AS (
  SELECT
    *, try_cast(Date AS DATE) AS report_date, lower(coalesce(Notes, '')) AS note,
    nullif(trim(replace(coalesce(Acquired, ''), '•', ' ')), '') AS back,
    nullif(trim(replace(coalesce(Relinquished, ''), '•', ' ')), '') AS gone,
    length(regexp_replace(concat(Acquired, Relinquished), '[^•]', '', 'g')) AS bullets
  FROM source_injury_transactions
)
SELECT
  *, coalesce(back, gone) AS cell,
  coalesce(
    NOT regexp_matches(coalesce(back, gone), '[[:alpha:]]')
    -- A note that slipped into the column of names.
    OR regexp_matches(lower(coalesce(back, gone)), '\\((dtd|out )|^(placed on|activated|returned)'), TRUE
  ) AS is_nobody,
  CASE
    WHEN back IS NOT NULL AND gone IS NOT NULL THEN NULL
    WHEN back IS NOT NULL THEN CASE WHEN regexp_matches(note, '^(activated|returned)') THEN 'available' END
    WHEN regexp_matches(note, '^(activated|returned)') THEN NULL
    WHEN regexp_matches(note, 'placed on il|out for (the )?season|out indefinitely') THEN 'out'
    WHEN regexp_matches(note, '\\bdtd\\b') THEN 'questionable'
    WHEN regexp_matches(note, 'surgery|protocol') THEN 'out'
  END AS status
FROM cells
"""

_REPORTS = f"""
WITH judged AS (
  SELECT
    r.*, n.abbr, s.player_lookup,
    timezone('{EASTERN}', CAST(r.report_date + 1 AS TIMESTAMP)) AS reported_at,
    CASE
      WHEN r.is_nobody THEN 'no_player_named'
      WHEN r.bullets > 1 OR r.status IS NULL THEN 'bad_value'
      WHEN nullif(r.Team, '') IS NOT NULL AND n.abbr IS NULL THEN 'unknown_team'
      WHEN s.player_lookup IS NULL THEN 'unknown_player'
    END AS fault
  FROM injury_rows AS r
  LEFT JOIN team_nicknames AS n ON n.nickname = r.Team
  LEFT JOIN injury_spellings AS s ON s.spelling = r.cell AND s.team = coalesce(r.Team, '')
)
SELECT
  report_date, player_lookup, reported_at,
  row_number() OVER (PARTITION BY player_lookup, reported_at, fault IS NULL ORDER BY _source, _row) AS report_seq,
  status, CAST(NULL AS VARCHAR) AS game_id,
  CASE WHEN status = 'questionable' THEN {DAY_TO_DAY_DAYS} END AS valid_days,
  abbr AS team_abbr, Notes AS reason, _source, _row, fault AS _reason,
  CASE fault
    WHEN 'bad_value' THEN concat('no one status: ', coalesce(cell, ''), ', ', coalesce(Notes, ''))
    ELSE concat(coalesce(cell, 'no name'), CASE WHEN Team <> '' THEN concat(', ', Team) ELSE '' END)
  END AS _detail
FROM judged
ORDER BY report_date, player_lookup, report_seq, _source, _row
"""


def _spellings(space: Workspace) -> pa.Table:
    names = known_names(space)
    nicknames = dict(space.rows("SELECT nickname, abbr FROM team_nicknames"))
    by_team: dict[str, frozenset[str]] = {}
    for (_, team), keys in squads(space).items():
        by_team[team] = by_team.get(team, frozenset()) | keys
    rows = space.rows("SELECT DISTINCT cell, coalesce(Team, '') FROM injury_rows WHERE NOT is_nobody ORDER BY ALL")
    found = [names.find(cell, by_team.get(nicknames.get(team, ""), frozenset())) for cell, team in rows]
    columns = {"spelling": [row[0] for row in rows], "team": [row[1] for row in rows], "player_lookup": found}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def load_injuries(space: Workspace) -> None:
    """Load one row per move or note about a player of the box scores.

    A row's date has no clock, so it is knowable from 00:00 US Eastern of the following day. Players who are in no box
    score of the seasons read go to quarantine: nothing is computed for them.
    """
    files = space.files.of("injury_transactions")
    if not files:
        space.accept(INJURIES, None, ())
        return
    space.run(_ROWS)
    space.register("injury_spellings", _spellings(space))
    space.accept(INJURIES, space.arrow(_REPORTS), files)
