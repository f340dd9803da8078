"""Leagues shared by all tests of values: the real seasons, and a simulated one small enough to change at will."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.once import built_once
from tests.oracle.raw import RawData
from tests.transformations.shared import RAW_FOR_ORACLE, Seasons, build_chosen, chosen_dates, dates_by_season
from tests.transformations.workbench import DATED, SUMMARIES, Workbench

SIMULATED_SEASONS = ("2023-24", "2024-25")


@pytest.fixture(scope="session")
def real(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seasons]:
    """Return the real seasons: all raw rows and summaries, every other table on a random choice of dates."""
    from transformations.ingest.box_score_folder import BoxScoreFolder

    def build(folder: Path) -> None:
        bench = Workbench(folder)
        bench.load(BoxScoreFolder(data_dir).deliver().tables)
        build_chosen(bench)
        bench.close()

    bench = Workbench(built_once(tmp_path_factory.getbasetemp(), "real_seasons", build))
    by_season = dates_by_season(bench)
    yield Seasons(bench, by_season, chosen_dates(by_season))
    bench.close()


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seasons]:
    """Return two simulated seasons of six teams with every table built on every played date."""
    from transformations.ingest.simulated_league import SimulatedLeague

    league = SimulatedLeague(seed=3, seasons=SIMULATED_SEASONS, teams=6, games_per_team=40)

    def build(folder: Path) -> None:
        bench = Workbench(folder)
        bench.load(league.deliver().tables)
        dates = league.played_dates()
        bench.build_all(dates[0], dates[-1], tables=(*SUMMARIES, *DATED))
        bench.close()

    bench = Workbench(built_once(tmp_path_factory.getbasetemp(), "simulated_seasons", build))
    played = set(league.played_dates())
    by_season = {season: [day for day in days if day in played] for season, days in dates_by_season(bench).items()}
    yield Seasons(bench, by_season, by_season)
    bench.close()


@pytest.fixture
def writable(tmp_path: Path) -> Iterator[Callable[[Seasons], Workbench]]:
    """Return a function that gives a bench of the test's own over a shared league."""
    made: list[Workbench] = []

    def clone(seasons: Seasons) -> Workbench:
        made.append(seasons.bench.clone(tmp_path / f"home{len(made)}"))
        return made[-1]

    yield clone
    for bench in made:
        bench.close()


def oracle_data(bench: Workbench) -> RawData:
    """Return a bench's raw rows as the oracle reads them."""
    return RawData({name: bench.table(f"nba_raw.{name}").to_pandas() for name in RAW_FOR_ORACLE})
