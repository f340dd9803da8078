"""Predictions: written beside the quality of the vector, all of them or none, for ready vectors alone."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import pytest

from schemas.catalogue import load_catalogue
from schemas.clock import UTC
from schemas.errors import UsageError, WarehouseError
from schemas.rules import STORE_TABLE
from serving.lookup import Lookup, lookup
from serving.materialization_gate import midnight
from serving.model_registry import ModelVersion, current_features
from serving.predictions import PREDICTIONS, QUALITY, side_of, write_predictions
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import player, publish, store_table
from tests.training.conftest import V3

TODAY = WEEK[-1]
AT = dt.datetime(2025, 1, 10, 22, tzinfo=UTC)
MODEL = ModelVersion("model", "1", V3, current_features(V3), load_catalogue().schema_version, "v1")


@pytest.fixture
def slate(week: Site) -> Lookup:
    """Today's lookup: a line for three of four players, one of them not ready."""
    rows = store_table(
        [TODAY],
        vegas_points_line=[20.5, None, 18.0, 9.5],
        is_quality_ready=[True, True, True, False],
        feature_quality_score=[98.14, 90.03, 88.5, 60.0],
        quality_tier=["gold", "silver", "silver", "poor"],
        quality_alert_level=["green", "green", "yellow", "red"],
    )
    publish(week.warehouse, rows)
    week.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    return lookup(week.store, week.warehouse, V3, TODAY)


def test_predictions_lie_beside_the_quality_of_their_vectors(week: Site, slate: Lookup) -> None:
    wrote = write_predictions(week.warehouse, slate, {player(0): 22.25, player(1): 0.0, player(2): 18.0}, MODEL, AT)
    rows = week.warehouse.query(f"SELECT * FROM {PREDICTIONS} ORDER BY player_lookup").to_pylist()
    assert [dict(row) for row in wrote] == rows
    assert [(r["predicted_value"], r["line"], r["side"]) for r in rows] == [(22.25, 20.5, "over"), (0.0, None, None), (18.0, 18.0, "push")]
    assert {(r["model_id"], r["model_version"], r["predicted_at"], r["game_date"]) for r in rows} == {("model", "1", AT, TODAY)}
    stored = week.warehouse.query(
        f"SELECT p.player_lookup FROM {PREDICTIONS} p JOIN {STORE_TABLE} s ON s.player_lookup = p.player_lookup AND s.game_id = p.game_id"
        f" AND s.event_timestamp = p.event_timestamp WHERE {' AND '.join(f's.{name} = p.{name}' for name in QUALITY)}"
    )
    assert stored.num_rows == 3


def test_no_prediction_without_a_ready_vector(week: Site, slate: Lookup) -> None:
    for wrong in (player(3), "nobody"):
        with pytest.raises(UsageError, match=wrong):
            write_predictions(week.warehouse, slate, {player(0): 22.0, wrong: 10.0}, MODEL, AT)
    assert week.warehouse.query(f"SELECT * FROM {PREDICTIONS}").num_rows == 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_prediction_that_is_no_number(week: Site, slate: Lookup, value: float) -> None:
    with pytest.raises(UsageError, match="no number"):
        write_predictions(week.warehouse, slate, {player(0): value}, MODEL, AT)


def test_a_model_of_another_service_is_refused(week: Site, slate: Lookup) -> None:
    with pytest.raises(UsageError, match="another service"):
        write_predictions(week.warehouse, slate, {player(0): 1.0}, replace(MODEL, service="points_v2_33features"), AT)


def test_each_moment_keeps_its_own_prediction_and_none_is_written_twice(week: Site, slate: Lookup) -> None:
    write_predictions(week.warehouse, slate, {player(0): 20.0}, MODEL, AT)
    with pytest.raises(WarehouseError):
        write_predictions(week.warehouse, slate, {player(0): 21.0}, MODEL, AT)
    write_predictions(week.warehouse, slate, {player(0): 21.0}, MODEL, AT + dt.timedelta(hours=1))
    rows = week.warehouse.query(f"SELECT predicted_value FROM {PREDICTIONS} ORDER BY predicted_at").to_pylist()
    assert [row["predicted_value"] for row in rows] == [20.0, 21.0]
    assert write_predictions(week.warehouse, slate, {}, MODEL, AT) == []


@pytest.mark.parametrize(
    ("predicted", "line", "side"), [(1, 2, "under"), (2, 1, "over"), (2, 2, "push"), (2, None, None), (2, math.nan, None)]
)
def test_sides(predicted: float, line: float | None, side: str | None) -> None:
    assert side_of(predicted, line) == side
