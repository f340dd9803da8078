"""Tonight's predictions: the serving model on the ready vectors of a lookup, written with the quality of each vector."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.points_model import MODEL_ID
from examples.points_model.model import load
from schemas.errors import UsageError
from serving.lookup import READY, lookup
from serving.model_registry import differences, find_model
from serving.predictions import write_predictions

if TYPE_CHECKING:
    from feast import FeatureStore

    from schemas.settings import Settings
    from warehouse.protocol import Warehouse


def predict_slate(
    warehouse: Warehouse, store: FeatureStore, settings: Settings, date: dt.date, now: dt.datetime, version: str | None = None
) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, int]]:
    """Predict and write the slate of a date; return the rows written and the number of answers per verdict.

    Raises:
        UnknownNameError: no version serves.
        UsageError: the store no longer supplies what the model was trained on, its file was changed, or no vector is ready.
    """
    model = find_model(warehouse, MODEL_ID, version)
    found = differences(model)
    if found:
        raise UsageError("the model's features are not what the store supplies", found, "train it again")
    if model.artifact_uri is None:
        raise UsageError("the version has no file", [f"{model.model_id} {model.model_version}"])
    fitted = load(settings.home / model.artifact_uri, json.loads(model.metrics_json or "{}").get("artifact_sha256", ""))
    answers = lookup(store, warehouse, model.service, date)
    ready = [answer for answer in answers.answers if answer.verdict == READY]
    if not ready:
        reasons = sorted({reason for answer in answers.answers for reason in answer.reasons})
        raise UsageError(f"no vector of {date} is ready", reasons, "run: nba-features run, then feast materialize")
    vectors = np.array([[np.nan if value is None else value for value in answer.vector or ()] for answer in ready], np.float64)
    points = fitted.predict(vectors, answers.features)
    predicted = {answer.player_lookup: round(float(value), 3) for answer, value in zip(ready, points, strict=True)}
    return write_predictions(warehouse, answers, predicted, model, now), answers.counts()
