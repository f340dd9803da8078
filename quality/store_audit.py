"""Run the store gate on staged rows, against the roster each date calls for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from quality.gate import ExpectedSlate, GateReport, StoreGate, failed_report
from quality.trailing import warehouse_trailing
from warehouse.protocol import Staged, Warehouse

EXPECTED = """
SELECT
  game_date,
  COUNT(*) AS roster_rows,
  COUNT(DISTINCT game_id) AS games,
  COUNT(DISTINCT IF(is_neutral_site, game_id, NULL)) AS neutral_games
FROM nba_analytics.upcoming_player_game_context
WHERE game_date BETWEEN @start_date AND @end_date
GROUP BY game_date
"""


def expected_slates(warehouse: Warehouse, dates: Sequence[dt.date]) -> dict[dt.date, ExpectedSlate]:
    """Return the rows and games each date calls for; a date without a roster calls for none and so is blocked."""
    rows = warehouse.query(EXPECTED, {"start_date": min(dates), "end_date": max(dates)}).to_pylist()
    found = {
        row["game_date"]: ExpectedSlate(roster_rows=row["roster_rows"], games=row["games"], neutral_games=row["neutral_games"])
        for row in rows
    }
    return {date: found.get(date, ExpectedSlate(roster_rows=0, games=0)) for date in dates}


def audit_store(warehouse: Warehouse, staged: Staged, dates: Sequence[dt.date]) -> GateReport:
    """Return the verdict of the gate on each date of a staged store range, with the warnings against the days before."""
    gate = StoreGate.default()
    try:
        slates, trailing = expected_slates(warehouse, dates), warehouse_trailing(warehouse, staged, dates)
        with warehouse.audited(staged) as (connection, relation):
            return gate.audit(connection, relation, slates, trailing)
    except Exception as error:  # noqa: BLE001 - fail closed: a gate that errs blocks
        return failed_report(dates, len(gate.rows), error, 0.0, gate.rules)
