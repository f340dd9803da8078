"""A home with a published week, box scores and betting lines for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from schemas.clock import UTC
from serving.labels import LINES_TABLE, POINTS_TABLE
from serving.training_set import TrainingSet, training_set
from serving.training_set_request import TrainingSetRequest
from tests.feast.conftest import WEEK, Site, applied, site, week
from tests.feast.store_rows import publish, store_table, summary_table, table_of

__all__ = ["applied", "season", "site", "week"]

V3 = "points_v3_37features"
KNOWN_BY = dt.datetime(2025, 3, 1, tzinfo=UTC)
"""A month after the rows of the fixtures were written."""


def asked(start: dt.date = WEEK[0], end: dt.date = WEEK[-1], service: str = V3, **changed: Any) -> TrainingSetRequest:
    """Return a request for the week."""
    return TrainingSetRequest(service, start, end, **{"known_by": KNOWN_BY, **changed})


def made(site: Site, start: dt.date = WEEK[0], end: dt.date = WEEK[-1], service: str = V3, **changed: Any) -> TrainingSet:
    """Return the training set of the week."""
    return training_set(site.warehouse, site.store, asked(start, end, service, **changed))


def lines(rows: list[Mapping[str, Any]]) -> pa.Table:
    """Return snapshots of points lines; price and kind of book are the usual ones."""
    usual = {"bookmaker": "book", "is_dfs": False, "over_price": -110, "under_price": -110}
    whole = [{**usual, **row} for row in rows]
    return table_of(LINES_TABLE, {name: [row[name] for row in whole] for name in whole[0]}, len(whole))


def line_of(row: Mapping[str, Any], line: float, minutes_before_tip: float = 120, **changed: Any) -> dict[str, Any]:
    """Return a snapshot of a line for a store row, seen so long before its tip-off."""
    keys = {name: row[name] for name in ("player_lookup", "game_id", "game_date")}
    return {**keys, "line": line, "observed_at": row["tipoff_time"] - dt.timedelta(minutes=minutes_before_tip), **changed}


@pytest.fixture
def season(week: Site) -> Site:
    """The week with a box-score line for every row: row number as points."""
    publish(week.warehouse, summary_table(store_table(WEEK)), POINTS_TABLE)
    return week
