"""Every table of every real season: in one statement, season by season, and thirty random dates by a statement of their own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.transformations.shared import Seasons, dates_by_season
from tests.transformations.test_chunking import TABLES, date_by_date, unequal
from tests.transformations.workbench import STORE, Workbench

ONE_BY_ONE = 30
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def whole(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Seasons:
    """Return the real seasons with every table built on every date, each by one statement."""
    from transformations.ingest.box_score_folder import BoxScoreFolder

    bench = Workbench(tmp_path_factory.mktemp("whole"))
    bench.load(BoxScoreFolder(data_dir).deliver().tables)
    by_season = dates_by_season(bench)
    assert len(by_season) == 5 and sum(map(len, by_season.values())) > 1000
    seasons = Seasons(bench, by_season, by_season)
    bench.build_all(seasons.dates[0], seasons.dates[-1], tables=TABLES)
    return seasons


def test_FM29_five_seasons_one_by_one_equal_in_one_go(whole: Seasons, tmp_path: Path) -> None:
    """The newest season first: what a season is made of is all raw, or made by the same statement."""
    bench = whole.bench.clone(tmp_path / "by_season")
    for dates in reversed(whole.by_season.values()):
        made = bench.build_all(dates[0], dates[-1], tables=TABLES)
        assert set(made[STORE]) == set(dates)
        assert {table: unequal(whole.bench, table, partitions) for table, partitions in made.items()} == {table: [] for table in TABLES}
    assert {table: bench.warehouse.partitions(table) for table in TABLES} == {
        table: whole.bench.warehouse.partitions(table) for table in TABLES
    }
    bench.close()


def test_FM29_thirty_real_dates_one_by_one_equal_in_one_go(whole: Seasons) -> None:
    assert date_by_date(whole, random.Random(2026).sample(whole.dates, ONE_BY_ONE)) == []
