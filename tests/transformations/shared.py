"""What the leagues of the tests of values hold: their dates, and which of them are built."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date

from tests.transformations.workbench import DATED, SLATE, SUMMARIES, Workbench

RAW_FOR_ORACLE = ("schedule", "player_boxscores", "team_boxscores", "shots", "odds_player_points", "injury_reports", "players")
DATES_PER_SEASON = 13
GAME_DATES = """
SELECT season, game_date
FROM nba_raw.schedule
WHERE season_type IN ('regular', 'play_in', 'playoffs', 'cup_final') AND status != 'postponed'
GROUP BY season, game_date
ORDER BY season, game_date
"""


def dates_by_season(bench: Workbench) -> dict[str, list[date]]:
    """Return the dates with games that count, by season."""
    found: dict[str, list[date]] = {}
    for row in bench.warehouse.query(GAME_DATES).to_pylist():
        found.setdefault(row["season"], []).append(row["game_date"])
    return found


def chosen_dates(by_season: dict[str, list[date]]) -> dict[str, list[date]]:
    """Return a fixed random choice of dates of each season, with its first and last ones."""
    rng = random.Random(20)
    return {
        season: sorted({dates[0], dates[-1], *rng.sample(dates[1:-1], min(DATES_PER_SEASON - 2, len(dates) - 2))})
        for season, dates in by_season.items()
    }


def build_chosen(bench: Workbench) -> None:
    """Build the three summaries of every date and all other tables of the chosen dates, in one statement per table.

    A date without a slate has no roster, so the statements cover five seasons and make the rows of the chosen dates only.
    """
    by_season = dates_by_season(bench)
    every = sorted(day for days in by_season.values() for day in days)
    wanted = {day for days in chosen_dates(by_season).values() for day in days}
    bench.build_all(every[0], every[-1], tables=(*SUMMARIES, SLATE))
    bench.drop(SLATE, [day for day in every if day not in wanted])
    bench.build_all(every[0], every[-1], tables=[table for table in DATED if table != SLATE])


@dataclass(frozen=True)
class Seasons:
    """A built league: the bench to read from (clone it to write), its game dates and the dates all tables are built for."""

    bench: Workbench
    by_season: dict[str, list[date]]
    chosen: dict[str, list[date]]

    @property
    def dates(self) -> list[date]:
        """Every game date, in order."""
        return sorted(day for days in self.by_season.values() for day in days)

    @property
    def built(self) -> list[date]:
        """The dates for which every table is built, in order."""
        return sorted(day for days in self.chosen.values() for day in days)
