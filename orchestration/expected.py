"""How many rows a table must have on a date, by the slate: one per team, or one per player on the roster."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from schemas.contracts import contract
from warehouse.protocol import Staged, Warehouse

TEAMS = "nba_analytics.upcoming_team_game_context"
PLAYERS = "nba_analytics.upcoming_player_game_context"
ROWS = "SELECT game_date, COUNT(*) AS n FROM {table} WHERE game_date BETWEEN @start_date AND @end_date GROUP BY game_date"


def expected_rows(warehouse: Warehouse, table: str, dates: Sequence[dt.date]) -> dict[dt.date, int]:
    """Return the rows that the slate of each date calls for; empty for the tables the slates themselves are read from."""
    spec = contract(table)
    if spec.phase == 3 or not dates:
        return {}
    source = TEAMS if spec.keys[0] == "team_abbr" else PLAYERS
    found = warehouse.query(ROWS.format(table=source), {"start_date": min(dates), "end_date": max(dates)}).to_pylist()
    counts = {row["game_date"]: row["n"] for row in found}
    return {date: counts.get(date, 0) for date in dates}


def miscounted(staged: Staged, expected: Mapping[dt.date, int]) -> dict[dt.date, str]:
    """Return why the rows staged for a date are not those its slate calls for; a date without any rows is left to the audit."""
    return {
        date: "rows_missing" if part.rows < expected[date] else "rows_beyond_roster"
        for date, part in staged.partitions.items()
        if date in expected and part.rows != expected[date]
    }
