"""Errors by hand, the same player-games for every prediction, and the leak detector with a leak planted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from examples.points_model.evaluation import LEAST_LINES, LEAST_RATIO, Evaluation, LeakSuspectedError, evaluate, refuse_leak
from examples.points_model.model import fit, matrix_of
from tests.training_example.sets import FEATURES, noisy, rows_of


def scores(found: Evaluation) -> dict[tuple[str, str], tuple[int, float]]:
    return {(s.over, s.who): (s.games, round(s.mean_absolute_error, 6)) for s in found.scores}


def test_errors_are_those_of_a_pencil() -> None:
    rows = rows_of([10, 20, 30, 0], [12.5, 20.0, None, None], [11, 22, 33, 0], [8, 20, 26, 4])
    found = evaluate(rows, np.array([13.0, 19.0, 30.0, 2.0]))
    every, lined = "all player-games", "player-games with a line"
    assert scores(found) == {
        (every, "model"): (4, 1.5),
        (every, "season mean"): (4, 1.5),
        (every, "last-ten mean"): (4, 2.5),
        (lined, "model"): (2, 2.0),
        (lined, "season mean"): (2, 1.5),
        (lined, "last-ten mean"): (2, 1.0),
        (lined, "betting line"): (2, 1.25),
    }
    assert found.lines == 2 and found.ratio == pytest.approx(2.0 / 1.25)
    first = found.scores[0]
    assert first.root_mean_square_error == pytest.approx(np.sqrt((9 + 1 + 0 + 4) / 4)) and first.bias == pytest.approx(1.0)
    # The second game ended on the line: a push has no right side. In the first the model said over, and under it was.
    assert (found.sides, found.right_side) == (1, 0.0)


def test_all_are_scored_over_the_same_games() -> None:
    rows = rows_of([10, 20], [9.5, 21.5], [11, 22], [8, 20]).set_column(
        FEATURES.index("points_avg_season"), "points_avg_season", pa.array([11.0, None])
    )
    assert {games for games, _ in scores(evaluate(rows, np.array([1.0, 2.0]))).values()} == {1}


def test_without_a_line_nothing_is_judged() -> None:
    found = evaluate(rows_of([10], [None], [11], [8]), np.array([9.0]))
    assert (found.ratio, found.right_side, found.lines) == (None, None, 0)
    assert "not judged" in refuse_leak(found)


@pytest.mark.parametrize(
    ("ratio", "lines", "is_leak"),
    [(LEAST_RATIO, LEAST_LINES, False), (LEAST_RATIO - 1e-9, LEAST_LINES, True), (0.2, LEAST_LINES - 1, False), (1.2, 9000, False)],
)
def test_the_bound_of_the_detector(ratio: float, lines: int, is_leak: bool) -> None:
    found = Evaluation((), lines, ratio, None, 0)
    if is_leak:
        with pytest.raises(LeakSuspectedError, match="better than anybody"):
            refuse_leak(found)
    else:
        assert refuse_leak(found)


def model_error(train: pa.Table, later: pa.Table) -> Evaluation:
    model = fit(train, FEATURES)
    return evaluate(later, model.predict(matrix_of(later, FEATURES), FEATURES))


def leaked(rows: pa.Table, feature: str, weight: float) -> pa.Table:
    """Return the rows with a feature that holds a part of what was scored."""
    old = rows.column(feature).to_numpy()
    new = (1 - weight) * old + weight * rows.column("points").to_numpy()
    return rows.set_column(rows.column_names.index(feature), feature, pa.array(new))


def test_an_honest_model_passes() -> None:
    assert "no sign of a leak" in refuse_leak(model_error(noisy(seed=1), noisy(seed=2)))


@pytest.mark.parametrize(("feature", "weight"), [("points_avg_last_5", 1.0), ("points_avg_season", 0.2), ("pts_slope_10g", 0.1)])
def test_FM01_a_planted_leak_trips_the_detector(feature: str, weight: float) -> None:
    """A last-five mean that includes tonight holds a fifth of the answer: that is enough."""
    train, later = (leaked(noisy(seed=seed), feature, weight) for seed in (1, 2))
    with pytest.raises(LeakSuspectedError):
        refuse_leak(model_error(train, later))
