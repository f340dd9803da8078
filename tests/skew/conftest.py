"""The fixtures of the Feast store: a published week, materialized."""

from __future__ import annotations

import datetime as dt

import pytest

from serving.materialization_gate import midnight
from tests.feast.conftest import WEEK, Site, applied, site, week

__all__ = ["applied", "site", "tonight", "week"]


@pytest.fixture
def tonight(week: Site) -> Site:
    """The week, materialized."""
    week.store.materialize(midnight(WEEK[0]), midnight(WEEK[-1] + dt.timedelta(days=1)))
    return week
