"""Predictions of a model on a lookup, written beside the quality of the vectors they were made from."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from schemas.code_version import code_version
from schemas.errors import UsageError
from serving.verdicts import READY
from warehouse.protocol import RecordWrite, Warehouse

if TYPE_CHECKING:
    from serving.lookup import Answer, Lookup
    from serving.model_registry import ModelVersion

PREDICTIONS = "nba_predictions.player_prop_predictions"
MARKET = "points"
LINE = "vegas_points_line"
QUALITY = (
    "feature_quality_score",
    "quality_tier",
    "quality_alert_level",
    "matchup_quality_pct",
    "default_feature_count",
    "is_production_ready",
)
"""What is said of the vector beside its prediction."""


def side_of(predicted: float, line: float | None) -> str | None:
    """Return on which side of the line a prediction lies; None without a line."""
    if line is None or math.isnan(line):
        return None
    return "over" if predicted > line else "under" if predicted < line else "push"


def _row(found: Lookup, answer: Answer, predicted: float, model: ModelVersion, at: dt.datetime) -> dict[str, Any]:
    values = dict(zip(found.features, answer.vector or (), strict=True))
    line = values.get(LINE)
    return {
        "player_lookup": answer.player_lookup,
        "game_id": answer.game_id,
        "game_date": found.game_date,
        "market": MARKET,
        "model_id": model.model_id,
        "model_version": model.model_version,
        "predicted_at": at,
        "predicted_value": float(predicted),
        "line": line,
        "side": side_of(predicted, line),
        "service": found.service,
        "feature_schema_version": found.schema_version,
        "event_timestamp": answer.event_timestamp,
        "code_version": code_version(),
        **{name: answer.quality[name] for name in QUALITY},
    }


def write_predictions(
    warehouse: Warehouse, found: Lookup, predicted: Mapping[str, float], model: ModelVersion, at: dt.datetime
) -> Sequence[Mapping[str, Any]]:
    """Write a prediction for each player named, all of them or none; return the rows written.

    Raises:
        UsageError: a player has no ready vector in the lookup, a prediction is no number, or the model reads another service.
        WarehouseError: the same predictions were written before.
    """
    if model.service != found.service:
        raise UsageError("the model reads another service than the lookup", [model.service, found.service])
    by_player = {answer.player_lookup: answer for answer in found.answers}
    unready = [player for player in predicted if player not in by_player or by_player[player].verdict != READY]
    if unready:
        raise UsageError("a prediction needs a ready vector", unready, "predict for the ready answers of the lookup alone")
    wrong = [f"{player} {value}" for player, value in predicted.items() if not math.isfinite(value)]
    if wrong:
        raise UsageError("a prediction is no number", wrong)
    rows = [_row(found, by_player[player], value, model, at) for player, value in predicted.items()]
    if rows:
        warehouse.record([RecordWrite(PREDICTIONS, rows, replace=False)])
    return rows
