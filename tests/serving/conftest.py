"""A home with a published and materialized slate of many players, as the benchmarks make it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.slates import published
from serving import feature_store, home
from tests.feast.conftest import Site, close


@pytest.fixture
def slate_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose slate is online."""
    folder = tmp_path / "home"
    monkeypatch.setenv("NBA_FEATURES_HOME", str(folder))
    place = published(folder, players=40)
    yield folder
    close(Site(place.settings, place.warehouse))
    assert folder not in feature_store._stores and all(key[1] != folder for key in home._open)
    assert os.environ["NBA_FEATURES_HOME"] == str(folder)
