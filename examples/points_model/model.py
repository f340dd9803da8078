"""The model: gradient-boosted trees on the features of a service, by name; a NULL is a missing value and no number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# Chosen once by common sense and never tuned on the season that is evaluated. Absolute error, because that is what the model
# is judged by and what a betting line is nearest to; no early stopping, because it would draw its own rows at random.
PARAMETERS: dict[str, Any] = {
    "loss": "absolute_error",
    "learning_rate": 0.06,
    "max_iter": 200,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 100,
    "early_stopping": False,
    "random_state": 7,
}


@dataclass(frozen=True)
class PointsModel:
    """A fitted model and the features it learned from, in their order."""

    features: tuple[str, ...]
    regressor: Any

    def predict(self, matrix: np.ndarray[Any, Any], names: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return predicted points of the rows; columns are found by name, and all of the model's must be there."""
        missing = [name for name in self.features if name not in names]
        if missing:
            raise UsageError("the model's features are not all there", missing)
        places = {name: at for at, name in enumerate(names)}
        found: np.ndarray[Any, Any] = self.regressor.predict(matrix[:, [places[name] for name in self.features]])
        return found


def matrix_of(rows: pa.Table, features: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return the features as rows x features, NaN for NULL."""
    import numpy as np

    return np.column_stack([rows.column(name).to_numpy(zero_copy_only=False) for name in features]).astype(np.float64)


def fit(rows: pa.Table, features: Sequence[str]) -> PointsModel:
    """Fit a model on the rows of a training set; of a feature without a single value in it nothing can be learned."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    learned = tuple(name for name in features if rows.column(name).null_count < rows.num_rows)
    regressor = HistGradientBoostingRegressor(**PARAMETERS)
    regressor.fit(matrix_of(rows, learned), rows.column("points").to_numpy())
    return PointsModel(learned, regressor)


def save(model: PointsModel, path: Path) -> str:
    """Write the model to a file and return the file's SHA-256."""
    import joblib

    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump({"features": list(model.features), "regressor": model.regressor}, path, compress=3)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path, sha256: str) -> PointsModel:
    """Return a saved model; raise `UsageError` unless the file is the very one that was registered.

    Loading runs what the file says, so that no other file may stand in its place.
    """
    import joblib

    if not path.is_file():
        raise UsageError("the model's file is missing", [path], "train and register it again")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise UsageError("the model's file is not the one that was registered", [path], "train and register it again")
    kept = joblib.load(path)
    return PointsModel(tuple(kept["features"]), kept["regressor"])
