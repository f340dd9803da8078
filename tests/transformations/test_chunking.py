"""How a range is cut into statements changes no row: in one go, season by season, date by date, in any order, twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date

import pytest

from schemas.contracts import contract
from tests.transformations.shared import Seasons
from tests.transformations.workbench import DATED, SLATE, STORE, SUMMARIES, Workbench, parameters
from transformations.render import statement
from warehouse.protocol import Partition

Writable = Callable[[Seasons], Workbench]
TABLES = (*SUMMARIES, *DATED)
# Dates one by one; thirty real ones are in test_five_seasons.py.
SIMULATED_DATES = 8
pytestmark = pytest.mark.slow


def unequal(bench: Workbench, table: str, made: Mapping[date, Partition]) -> list[date]:
    """Return the dates whose rows are not those of the build in one go."""
    published = bench.warehouse.partitions(table)
    return [day for day, partition in made.items() if published.get(day) != partition]


def test_FM29_season_by_season_equals_in_one_go(simulated: Seasons, writable: Writable) -> None:
    bench = writable(simulated)
    for dates in reversed(simulated.by_season.values()):
        made = bench.build_all(dates[0], dates[-1], tables=TABLES)
        assert set(made[STORE]) == set(dates)
        assert {table: unequal(simulated.bench, table, partitions) for table, partitions in made.items()} == {table: [] for table in TABLES}


def test_FM29_date_by_date_equals_in_one_go(simulated: Seasons) -> None:
    """Each date alone, in random order; what is staged is compared, so every table reads the build in one go."""
    assert date_by_date(simulated, random.Random(30).sample(simulated.dates, SIMULATED_DATES)) == []


def date_by_date(seasons: Seasons, dates: list[date]) -> list[str]:
    """Return the tables and dates that differ when each date is made by a statement of its own."""
    warehouse, found = seasons.bench.warehouse, []
    for day in dates:
        for table in TABLES:
            staged = warehouse.stage_query(contract(table), statement(table), parameters(day, day), "test")
            if staged.partitions != warehouse.partitions(table, day, day):
                found.append(f"{table} {day}")
            warehouse.discard(staged)
    return found


def test_building_twice_is_identical_and_a_changed_value_is_seen(simulated: Seasons, writable: Writable) -> None:
    bench = writable(simulated)
    dates = simulated.by_season["2024-25"][40:50]
    first = bench.build_all(dates[0], dates[-1], tables=TABLES)
    assert bench.build_all(dates[0], dates[-1], tables=TABLES) == first
    other = statement(SLATE).replace("c.total / 2 -", "c.total / 2 - 0.000001 -")
    assert unequal(simulated.bench, SLATE, bench.build(SLATE, dates[0], dates[-1], sql=other))


@pytest.mark.parametrize("table", [SLATE])
def test_a_choice_of_dates_leaves_no_other_rows(real: Seasons, table: str) -> None:
    assert set(real.bench.warehouse.partitions(table)) == set(real.built)
    assert set(real.bench.warehouse.partitions(STORE)) == set(real.built)
