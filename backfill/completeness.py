"""How complete the history behind the rows of a range is: complete, bootstrap, gaps, and whom the gaps concern."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

DAILY = f"""
SELECT
  game_date,
  COUNT(*) AS row_count,
  COUNTIF(historical_completeness.is_complete) AS complete,
  COUNTIF(historical_completeness.is_bootstrap) AS bootstrap,
  COUNTIF(NOT historical_completeness.is_complete AND NOT historical_completeness.is_bootstrap) AS gaps,
  COUNTIF(is_production_ready) AS production_ready
FROM {STORE_TABLE}
WHERE game_date BETWEEN @start_date AND @end_date
GROUP BY game_date
ORDER BY game_date
"""
GAPS = f"""
SELECT
  player_lookup,
  game_date,
  historical_completeness.games_found AS games_found,
  historical_completeness.games_expected AS games_expected,
  historical_completeness.games_available AS games_available
FROM {STORE_TABLE}
WHERE game_date BETWEEN @start_date AND @end_date
  AND NOT historical_completeness.is_complete
  AND NOT historical_completeness.is_bootstrap
ORDER BY game_date, player_lookup
"""


@dataclass(frozen=True)
class Day:
    """Counts of one date; a row may be complete and bootstrap at once: all there is was found, and it is fewer than ten games."""

    game_date: dt.date
    rows: int
    complete: int
    bootstrap: int
    gaps: int
    production_ready: int


@dataclass(frozen=True)
class Gap:
    """A row built on fewer games than exist and should have entered."""

    player_lookup: str
    game_date: dt.date
    games_found: int
    games_expected: int
    games_available: int


@dataclass(frozen=True)
class Completeness:
    """Days with published rows, and every gap among them."""

    days: tuple[Day, ...]
    gaps: tuple[Gap, ...]

    @property
    def players(self) -> tuple[str, ...]:
        """Players the gaps concern."""
        return tuple(sorted({gap.player_lookup for gap in self.gaps}))

    def totals(self) -> Mapping[str, int]:
        """Return the counts over all days."""
        return {
            "dates": len(self.days),
            "rows": sum(day.rows for day in self.days),
            "complete": sum(day.complete for day in self.days),
            "bootstrap": sum(day.bootstrap for day in self.days),
            "gaps": sum(day.gaps for day in self.days),
            "production_ready": sum(day.production_ready for day in self.days),
        }


def completeness(warehouse: Warehouse, start: dt.date, end: dt.date) -> Completeness:
    """Return the completeness of the published rows of a range."""
    params = {"start_date": start, "end_date": end}
    days = tuple(
        Day(row["game_date"], row["row_count"], row["complete"], row["bootstrap"], row["gaps"], row["production_ready"])
        for row in warehouse.query(DAILY, params).to_pylist()
    )
    return Completeness(days, tuple(Gap(**row) for row in warehouse.query(GAPS, params).to_pylist()))
