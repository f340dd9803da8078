"""A league of four teams and two short seasons: raw, and built once; each test works on a copy."""

from __future__ import annotations

import datetime as dt
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backfill.request import Request
from backfill.runner import Outcome, run_backfill
from schemas.settings import Settings, load_settings
from tests.backfill.site import CODE, Site
from tests.once import built_once
from transformations.ingest.load import load
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse import open_warehouse

LEAGUE = SimulatedLeague(seed=5, teams=4, games_per_team=12, seasons=("2023-24", "2024-25"))
NOW = dt.datetime.combine(LEAGUE.upcoming_date(), dt.time(17), dt.UTC)
"""Noon US Eastern of the first date without box scores."""


def settings_at(home: Path) -> Settings:
    return load_settings({"NBA_FEATURES_HOME": str(home), "NBA_FEATURES_MEMORY_LIMIT": "1GB"})


@pytest.fixture(scope="session")
def raw_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the league's raw rows and nothing built."""

    def build(home: Path) -> None:
        warehouse = open_warehouse(settings_at(home))
        load(warehouse, LEAGUE.deliver(), "ingest", NOW)
        warehouse.close()

    return built_once(tmp_path_factory.getbasetemp(), "raw_seasons", build)


@pytest.fixture(scope="session")
def first_backfill(raw_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A home that one backfill has brought up to date, and what that backfill did."""

    def build(folder: Path) -> None:
        shutil.copytree(raw_home, folder / "home")
        warehouse = open_warehouse(settings_at(folder / "home"))
        outcome = run_backfill(warehouse, Request(), NOW, 60, code=CODE)
        warehouse.close()
        (folder / "outcome").write_bytes(pickle.dumps(outcome))

    folder = built_once(tmp_path_factory.getbasetemp(), "first_backfill", build)
    return folder / "home", pickle.loads((folder / "outcome").read_bytes())


@pytest.fixture
def open_copy(tmp_path: Path) -> Iterator[Callable[[Path], Site]]:
    """Return a function that opens a copy of a home."""
    opened: list[Site] = []

    def copy(home: Path) -> Site:
        target = tmp_path / f"home{len(opened)}"
        shutil.copytree(home, target)
        settings = settings_at(target)
        site = Site(settings, open_warehouse(settings), NOW)
        opened.append(site)
        return site

    yield copy
    for site in opened:
        site.warehouse.close()


@pytest.fixture
def site(first_backfill: tuple[Path, Outcome], open_copy: Callable[[Path], Site]) -> Site:
    """A copy of the home that is up to date."""
    return open_copy(first_backfill[0])


@pytest.fixture
def raw_site(raw_home: Path, open_copy: Callable[[Path], Site]) -> Site:
    """A copy of the home with nothing built."""
    return open_copy(raw_home)
