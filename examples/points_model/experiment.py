"""Train on earlier games, evaluate on later ones, and put the model into the registry."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.points_model import MODEL_ID, SERVICE
from examples.points_model.evaluation import Evaluation, evaluate, refuse_leak
from examples.points_model.model import PointsModel, fit, matrix_of, save
from examples.points_model.seasons import Made, Split, make, split
from schemas.catalogue import load_catalogue
from schemas.code_version import code_version
from serving.model_registry import ModelVersion, current_features, promote, register
from transformations.render import definition_version

if TYPE_CHECKING:
    from feast import FeatureStore

    from schemas.settings import Settings
    from warehouse.protocol import Warehouse


@dataclass(frozen=True)
class Experiment:
    """A trained model, the two sets it saw, how it did, and what the leak detector says."""

    split: Split
    train: Made
    later: Made
    model: PointsModel
    evaluation: Evaluation
    verdict: str

    @property
    def version(self) -> str:
        """Return the version of the model: the training set decides it, the parameters being fixed."""
        return str(self.train.manifest["result"]["sha256"])[:12]  # type: ignore[index]


def run(
    warehouse: Warehouse, store: FeatureStore, settings: Settings, now: dt.datetime, folder: Path, season: str | None = None
) -> Experiment:
    """Make both sets, fit on the earlier, evaluate on the later.

    Raises:
        LeakSuspectedError: the model is better than anybody can be; it is not kept.
    """
    chosen = split(warehouse, season)
    train = make(warehouse, store, chosen.train, now, folder / "train.parquet", settings.cutoff_minutes)
    later = make(warehouse, store, chosen.later, now, folder / "later.parquet", settings.cutoff_minutes)
    features = load_catalogue().service(SERVICE).features
    model = fit(train.rows, features)
    found = evaluate(later.rows, model.predict(matrix_of(later.rows, features), features))
    return Experiment(chosen, train, later, model, found, refuse_leak(found))


def keep(warehouse: Warehouse, settings: Settings, done: Experiment, now: dt.datetime, *, serve: bool) -> ModelVersion:
    """Save the model, register it as a candidate and, with `serve`, let it serve; return its registered version.

    Raises:
        UsageError: this version is registered already.
    """
    path = settings.home / "models" / MODEL_ID / f"{done.version}.joblib"
    sha256 = save(done.model, path)
    metrics: dict[str, Any] = {"artifact_sha256": sha256, "training_set": done.train.manifest["result"], **done.evaluation.as_dict()}
    version = ModelVersion(
        MODEL_ID,
        done.version,
        SERVICE,
        current_features(SERVICE),
        load_catalogue().schema_version,
        definition_version(),
        artifact_uri=str(path.relative_to(settings.home)),
        training_start_date=done.split.train[0],
        training_end_date=done.split.train[1],
        metrics_json=json.dumps(metrics),
        git_commit=code_version(),
        created_at=now,
    )
    register(warehouse, version)
    if serve:
        promote(warehouse, MODEL_ID, version.model_version, now)
    return version
