"""A small league, built and gated once for the tests of the pages."""

from __future__ import annotations

import datetime as dt

import pytest

from orchestration.build import build_table
from orchestration.plan import dated_tables, summaries
from orchestration.runs import recorded_run
from orchestration.slates import game_dates
from schemas.clock import EASTERN, UTC
from schemas.settings import load_settings
from transformations.ingest.load import load
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse import open_warehouse
from warehouse.protocol import Warehouse


@pytest.fixture(scope="session")
def built_league(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The warehouse of a league of six teams whose first ten weeks are built and gated."""
    settings = load_settings({"NBA_FEATURES_HOME": str(tmp_path_factory.mktemp("league"))})
    warehouse = open_warehouse(settings)
    league = SimulatedLeague(teams=6, games_per_team=20)
    as_of = dt.datetime.combine(max(league.played_dates()) + dt.timedelta(days=1), dt.time(9), EASTERN).astimezone(UTC)
    with recorded_run(warehouse, "ingest", {}, as_of, settings.cutoff_minutes) as run:
        load(warehouse, league.deliver(), run.run_id, run.started_at)
    dates = sorted(game_dates(warehouse, dt.date(2024, 9, 1), max(league.played_dates())))
    with recorded_run(warehouse, "backfill", {}, as_of, settings.cutoff_minutes) as run:
        for table in (*summaries(), *dated_tables()):
            build_table(warehouse, table, dates, run)
    return warehouse
