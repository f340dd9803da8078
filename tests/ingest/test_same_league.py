"""Another league is never laid over the games a home holds; the same one may grow, shrink and move."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from schemas.errors import SourceError
from schemas.settings import load_settings
from transformations.ingest.load import load
from transformations.ingest.same_league import SCHEDULE, refuse_another_league
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse.embedded import EmbeddedWarehouse

NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
SMALL = {"teams": 4, "games_per_team": 6, "seasons": ("2023-24",)}


@pytest.fixture
def warehouse(tmp_path: Path) -> EmbeddedWarehouse:
    home = EmbeddedWarehouse(load_settings({"NBA_FEATURES_HOME": str(tmp_path)}))
    load(home, SimulatedLeague(seed=7, **SMALL).deliver(), "first", NOW)
    return home


def test_another_league_is_refused_and_nothing_changes(warehouse: EmbeddedWarehouse) -> None:
    before = warehouse.partitions(SCHEDULE)
    with pytest.raises(SourceError, match="another league") as refused:
        load(warehouse, SimulatedLeague(seed=8, **SMALL).deliver(), "second", NOW)
    assert refused.value.values == ("2023-24",)
    assert warehouse.partitions(SCHEDULE) == before


def test_the_same_league_with_fewer_games_and_then_all_is_taken(warehouse: EmbeddedWarehouse) -> None:
    schedule = SimulatedLeague(seed=7, **SMALL).deliver().tables[SCHEDULE]
    refuse_another_league(warehouse, schedule.slice(0, schedule.num_rows // 3))
    load(warehouse, SimulatedLeague(seed=7, **SMALL).deliver(), "whole", NOW)


def test_another_season_is_taken(warehouse: EmbeddedWarehouse) -> None:
    load(warehouse, SimulatedLeague(seed=8, teams=4, games_per_team=6, seasons=("2024-25",)).deliver(), "next", NOW)
