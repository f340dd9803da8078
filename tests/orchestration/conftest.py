"""A small league in the middle of its season: ingested, and built up to yesterday. Every test works on a copy of its own."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.ranges import build_range, plan_range
from orchestration.runs import Run, new_run_id, recorded_run
from schemas.clock import EASTERN, UTC, utc_now
from schemas.settings import Settings
from tests.once import built_once
from transformations.ingest.load import load
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse import open_warehouse
from warehouse.protocol import Warehouse

TEAMS, GAMES, PLAYED = 6, 20, 26


@dataclass(frozen=True)
class Season:
    """A league, and a warehouse in which it stands as of the afternoon before its next games."""

    league: SimulatedLeague
    settings: Settings
    warehouse: Warehouse

    @property
    def dates(self) -> tuple[dt.date, ...]:
        return self.league.played_dates()

    @property
    def tonight(self) -> dt.date:
        return self.league.upcoming_date()

    @property
    def as_of(self) -> dt.datetime:
        return dt.datetime.combine(self.tonight, dt.time(17), EASTERN).astimezone(UTC)

    def run(self) -> Run:
        """Return a run that is not recorded."""
        now = utc_now()
        return Run(new_run_id(now), self.as_of, now, self.settings.cutoff_minutes)


def small_league() -> SimulatedLeague:
    """Return the league, some weeks into its season."""
    whole = SimulatedLeague(teams=TEAMS, games_per_team=GAMES)
    return SimulatedLeague(teams=TEAMS, games_per_team=GAMES, played_through=whole.played_dates()[PLAYED - 1])


def opened(league: SimulatedLeague, home: Path) -> Season:
    settings = Settings("embedded", home, None, threads=2)
    return Season(league, settings, open_warehouse(settings))


@pytest.fixture(scope="session")
def league() -> SimulatedLeague:
    return small_league()


@pytest.fixture(scope="session")
def ingested_home(league: SimulatedLeague, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(home: Path) -> None:
        season = opened(league, home)
        with recorded_run(season.warehouse, "ingest", {}, season.as_of, 60) as run:
            load(season.warehouse, league.deliver(), run.run_id, run.started_at)
        season.warehouse.close()

    return built_once(tmp_path_factory.getbasetemp(), "ingested_season", build)


@pytest.fixture(scope="session")
def built_home(league: SimulatedLeague, ingested_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(home: Path) -> None:
        shutil.copytree(ingested_home, home)
        season = opened(league, home)
        with recorded_run(season.warehouse, "backfill", {}, season.as_of, 60) as run:
            stages = plan_range(season.warehouse, season.dates[0], season.dates[-1], season.as_of)
            blocked = {item.table: item.blocked for item in build_range(season.warehouse, stages, run) if item.blocked}
        season.warehouse.close()
        assert not blocked

    return built_once(tmp_path_factory.getbasetemp(), "built_season", build)


@pytest.fixture
def raw(league: SimulatedLeague, ingested_home: Path, tmp_path: Path) -> Iterator[Season]:
    """The league with nothing built yet."""
    shutil.copytree(ingested_home, tmp_path / "home")
    season = opened(league, tmp_path / "home")
    yield season
    season.warehouse.close()


@pytest.fixture
def season(league: SimulatedLeague, built_home: Path, tmp_path: Path) -> Iterator[Season]:
    """The league built up to yesterday."""
    shutil.copytree(built_home, tmp_path / "home")
    built = opened(league, tmp_path / "home")
    yield built
    built.warehouse.close()
