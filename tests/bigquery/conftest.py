"""A BigQuery on loopback for each test: the emulator where one is built, the stand-in everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.settings import GcpSettings, Settings
from tests.bigquery.stand_in import StandIn, serve
from warehouse.bigquery import BigQueryWarehouse, schema
from warehouse.bigquery.jobs import Pace

PROJECT = "nba-test-project"
QUICK = Pace(first_wait=0.02, request=10.0, retries=5.0)
# The stand-in answers a request when its statement has run: a whole season of features takes a while on a busy machine.
PATIENT = Pace(first_wait=0.02, request=200.0, retries=400.0)


def settings_for(home: Path, **changed: object) -> Settings:
    """Return the settings of the gcp profile in a home of its own."""
    return Settings("gcp", home, None, memory_limit="1GB", threads=1, gcp=GcpSettings(project=PROJECT, **changed))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A server whose datasets, tables and views have been made by the project's own plan."""
    started = serve(PROJECT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", started.address)
        opened = BigQueryWarehouse(settings_for(tmp_path_factory.mktemp("home")), pace=QUICK)
        schema.apply(opened, schema.plan(opened, {}))
        opened.close()
    yield started
    started.stop()


@pytest.fixture
def server(prepared: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", prepared.address)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    yield prepared
    prepared.store.forget()


@pytest.fixture
def settings(tmp_path: Path, server: StandIn) -> Settings:
    return settings_for(tmp_path / "home")


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[BigQueryWarehouse]:
    opened = BigQueryWarehouse(settings, pace=QUICK)
    yield opened
    opened.close()


@pytest.fixture
def other(settings: Settings, warehouse: BigQueryWarehouse) -> Iterator[BigQueryWarehouse]:
    opened = BigQueryWarehouse(settings, pace=QUICK)
    yield opened
    opened.close()
