"""A home with a published week, and the Feast store over it."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from feast import FeatureStore

from schemas.settings import Settings, load_settings
from serving import feature_store as opened
from serving import home
from serving.feature_store import apply_definitions, open_feature_store
from tests.feast.store_rows import publish, store_table
from warehouse import open_warehouse
from warehouse.protocol import Warehouse

WEEK = [dt.date(2025, 1, 6) + dt.timedelta(days=day) for day in range(5)]
"""Published game dates of the fixtures."""


@dataclass(frozen=True)
class Site:
    """A home of its own with its warehouse and, when it was asked for, its Feast store."""

    settings: Settings
    warehouse: Warehouse

    @property
    def store(self) -> FeatureStore:
        return open_feature_store(self.settings, self.warehouse)


def close(site: Site) -> None:
    """Forget the home: the next test opens its own."""
    opened._stores.pop(site.settings.home, None)
    home._open.pop((site.settings.profile, site.settings.home), None)
    site.warehouse.close()


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry and an empty online store with the definitions applied, to be copied."""
    settings = load_settings({"NBA_FEATURES_HOME": str(tmp_path_factory.mktemp("applied"))})
    site = Site(settings, open_warehouse(settings))
    apply_definitions(site.store)
    close(site)
    return settings.home / "feast"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty home; nothing is published and nothing applied."""
    monkeypatch.setenv("NBA_FEATURES_HOME", str(tmp_path / "home"))
    settings = load_settings()
    site = Site(settings, open_warehouse(settings))
    yield site
    close(site)


@pytest.fixture
def week(site: Site, applied: Path) -> Site:
    """The home with a published week and the definitions applied."""
    shutil.copytree(applied, site.settings.home / "feast")
    publish(site.warehouse, store_table(WEEK))
    return site
