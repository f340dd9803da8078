"""A small league built by commands up to yesterday; every test works on a copy of its own and plants a fault in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.explain.dates import explain_dates
from orchestration.explain.findings import DateExplanation
from schemas.clock import EASTERN, UTC, utc_now
from schemas.settings import load_settings
from tests.cli.calling import Answer, call, copy_home
from tests.once import built_once
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse import open_warehouse
from warehouse.protocol import Warehouse

TEAMS, GAMES, PLAYED = 6, 20, 26


@dataclass(frozen=True)
class Site:
    """A home with a league in the middle of its season, and the afternoon before its next games."""

    home: Path
    dates: tuple[dt.date, ...]
    tonight: dt.date

    @property
    def yesterday(self) -> dt.date:
        return self.dates[-1]

    @property
    def as_of(self) -> str:
        return dt.datetime.combine(self.tonight, dt.time(17), EASTERN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.as_of.replace("Z", "+00:00"))

    def call(self, *words: str) -> Answer:
        return call(self.home, *words)

    def run(self, *more: str) -> Answer:
        """Run the night."""
        return self.call("run", "--date", str(self.tonight), "--as-of", self.as_of, *more)

    def watched(self) -> Answer:
        """Look at the night as the night watch does after it."""
        answer = self.call("monitor", "--date", str(self.tonight), "--no-feast")
        assert answer.status in (0, 3), answer.err
        return answer

    def warehouse(self) -> Warehouse:
        return open_warehouse(load_settings({"NBA_FEATURES_HOME": str(self.home)}))

    def explained(self, date: dt.date | None = None) -> DateExplanation:
        """Return the explanation of tonight, or of another date."""
        day = date or self.tonight
        warehouse = self.warehouse()
        try:
            return explain_dates(warehouse, (day,), utc_now())[day]
        finally:
            warehouse.close()

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        warehouse = self.warehouse()
        try:
            return warehouse.query(sql, params).to_pylist()
        finally:
            warehouse.close()


def ingest_words(through: dt.date) -> tuple[str, ...]:
    """Return the words that load the league."""
    return ("ingest", "--source", "simulated", "--teams", str(TEAMS), "--games-per-team", str(GAMES), "--played-through", str(through))


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    whole = SimulatedLeague(teams=TEAMS, games_per_team=GAMES)
    through = whole.played_dates()[PLAYED - 1]
    league = SimulatedLeague(teams=TEAMS, games_per_team=GAMES, played_through=through)

    def build(home: Path) -> None:
        site = Site(home, league.played_dates(), league.upcoming_date())
        site.call(*ingest_words(through)).assert_done()
        site.call("backfill", "--end-date", str(through), "--as-of", site.as_of).assert_done()

    return Site(built_once(tmp_path_factory.getbasetemp(), "site", build), league.played_dates(), league.upcoming_date())


@pytest.fixture
def site(built_site: Site, tmp_path: Path) -> Iterator[Site]:
    copy_home(built_site.home, tmp_path / "home")
    yield Site(tmp_path / "home", built_site.dates, built_site.tonight)
