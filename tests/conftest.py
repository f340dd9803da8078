"""Fixtures and profiles every test may use. Nothing heavy is imported here: each worker pays for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are derived from the test itself: a run on another machine tries the same ones, and no deadline
# makes a slow machine fail.
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=50)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

REAL_DATA = "data_dir"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the real data; put files with slow tests first, or one worker ends long after the others."""
    for item in items:
        if REAL_DATA in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real_data)
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("real_data")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real data, or skip where there is none; a wrong setting is an error, not a skip."""
    named = os.environ.get("NBA_DATA_DIR")
    if not named:
        pytest.skip("NBA_DATA_DIR is not set: no real data on this machine")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"NBA_DATA_DIR names no folder: {folder}")
    return folder
