"""An empty embedded warehouse, and a second one over the same folder: another reader or writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.settings import Settings
from warehouse.embedded import EmbeddedWarehouse


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("embedded", tmp_path / "home", None, memory_limit="1GB", threads=1)


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[EmbeddedWarehouse]:
    opened = EmbeddedWarehouse(settings)
    yield opened
    opened.close()


@pytest.fixture
def other(settings: Settings, warehouse: EmbeddedWarehouse) -> Iterator[EmbeddedWarehouse]:
    opened = EmbeddedWarehouse(settings)
    yield opened
    opened.close()
