"""The model: features by name, NULL as a missing value, a file that is only ever the one that was registered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from examples.points_model.model import PARAMETERS, fit, load, matrix_of, save
from schemas.errors import UsageError
from tests.training_example.sets import FEATURES, noisy


def test_FM34_columns_are_found_by_name() -> None:
    rows = noisy(600)
    model = fit(rows, FEATURES)
    turned = tuple(reversed(FEATURES))
    straight = model.predict(matrix_of(rows, FEATURES), FEATURES)
    assert np.array_equal(straight, model.predict(matrix_of(rows, turned), turned))
    with pytest.raises(UsageError, match="points_avg_season"):
        short = tuple(name for name in FEATURES if name != "points_avg_season")
        model.predict(matrix_of(rows, short), short)


def test_the_same_rows_give_the_same_model() -> None:
    first, second = (fit(noisy(600), FEATURES).predict(matrix_of(noisy(300, 9), FEATURES), FEATURES) for _ in range(2))
    assert np.array_equal(first, second)


def test_FM16_a_null_is_a_missing_value_and_no_zero() -> None:
    rows = noisy(50)
    assert np.isnan(matrix_of(rows, ["vegas_points_line"])).sum() == rows.column("vegas_points_line").null_count == 15


def test_a_feature_without_a_value_is_not_learned_from() -> None:
    rows = noisy(600)
    empty = rows.set_column(FEATURES.index("vegas_points_line"), "vegas_points_line", pa.nulls(rows.num_rows, pa.float64()))
    model = fit(empty, FEATURES)
    assert set(FEATURES) - set(model.features) == {"vegas_points_line"}
    assert np.array_equal(model.predict(matrix_of(rows, FEATURES), FEATURES), model.predict(matrix_of(empty, FEATURES), FEATURES))


def test_nothing_is_learned_by_drawing_rows_at_random() -> None:
    assert PARAMETERS["early_stopping"] is False and "random_state" in PARAMETERS


def test_a_saved_model_is_loaded_by_its_hash_alone(tmp_path: Path) -> None:
    rows = noisy(600)
    model = fit(rows, FEATURES)
    path = tmp_path / "models" / "a.joblib"
    sha256 = save(model, path)
    again = load(path, sha256)
    assert np.array_equal(again.predict(matrix_of(rows, FEATURES), FEATURES), model.predict(matrix_of(rows, FEATURES), FEATURES))
    path.write_bytes(path.read_bytes() + b" ")
    for wrong, words in ((sha256, "not the one"), ("", "not the one")):
        with pytest.raises(UsageError, match=words):
            load(path, wrong)
    with pytest.raises(UsageError, match="missing"):
        load(tmp_path / "none.joblib", sha256)
