"""A home with two small simulated seasons, built, gated and materialized for a slate; and a model that is fitted fast."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.points_model import model
from orchestration.nightly import run_night
from orchestration.ranges import build_range, plan_range
from orchestration.runs import recorded_run
from schemas.clock import EASTERN, UTC
from schemas.settings import Settings, load_settings
from serving.feature_store import apply_definitions, open_feature_store
from tests.feast.conftest import Site, close
from transformations.ingest.load import load
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse import open_warehouse

SEASONS = ("2023-24", "2024-25")
TEAMS, GAMES = 8, 36


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit fast: what is tested is the way through, not the last hundredth of a point."""
    monkeypatch.setitem(model.PARAMETERS, "max_iter", 60)
    monkeypatch.setitem(model.PARAMETERS, "learning_rate", 0.12)


@dataclass(frozen=True)
class League:
    """The home and the date of the slate to come."""

    site: Site
    tonight: dt.date

    @property
    def settings(self) -> Settings:
        return self.site.settings


@pytest.fixture(scope="module")
def league(tmp_path_factory: pytest.TempPathFactory) -> League:
    """Two simulated seasons, the second played to three quarters; tonight's slate is materialized."""
    settings = load_settings({"NBA_FEATURES_HOME": str(tmp_path_factory.mktemp("example") / "home")})
    warehouse = open_warehouse(settings)
    whole = SimulatedLeague(seasons=SEASONS, teams=TEAMS, games_per_team=GAMES).played_dates()
    last_season = [date for date in whole if date > dt.date(2024, 8, 1)]
    simulated = SimulatedLeague(seasons=SEASONS, teams=TEAMS, games_per_team=GAMES, played_through=last_season[len(last_season) * 3 // 4])
    tonight = simulated.upcoming_date()
    as_of = dt.datetime.combine(tonight, dt.time(17), EASTERN).astimezone(UTC)
    with recorded_run(warehouse, "ingest", {}, as_of, settings.cutoff_minutes) as run:
        load(warehouse, simulated.deliver(), run.run_id, run.started_at)
    stages = plan_range(warehouse, whole[0], simulated.played_dates()[-1], as_of)
    with recorded_run(warehouse, "backfill", {}, as_of, settings.cutoff_minutes) as run:
        build_range(warehouse, stages, run)
    with recorded_run(warehouse, "run", {"date": tonight}, as_of, settings.cutoff_minutes, tonight, tonight) as run:
        run_night(warehouse, tonight, run)
    store = open_feature_store(settings, warehouse)
    apply_definitions(store)
    store.materialize(start_date=as_of - dt.timedelta(days=3), end_date=as_of)
    site = Site(settings, warehouse)
    close(site)
    return League(site, tonight)


@pytest.fixture
def home(league: League, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, named in the environment as for a command."""
    monkeypatch.setenv("NBA_FEATURES_HOME", str(league.settings.home))
    monkeypatch.delenv("NBA_DATA_DIR", raising=False)
    return league.settings.home
