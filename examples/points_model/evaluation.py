"""How good a prediction is, beside three that cost nothing, and whether it is too good to be true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import FeatureStoreError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LEAST_RATIO = 0.95
"""A mean absolute error below so much of the betting line's is not skill: nobody beats the market by a twentieth."""
LEAST_LINES = 300
"""With fewer player-games that have a line the ratio says nothing."""
BASELINES = {"season mean": "points_avg_season", "last-ten mean": "points_avg_last_10", "betting line": "closing_line"}
MODEL = "model"


class LeakSuspectedError(FeatureStoreError):
    """The model is better than anybody can be: something of the outcome is among its features."""

    code = "leak_suspected"


@dataclass(frozen=True)
class Score:
    """Errors of one way to predict over one set of player-games, in points."""

    who: str
    over: str
    games: int
    mean_absolute_error: float
    root_mean_square_error: float
    bias: float


@dataclass(frozen=True)
class Evaluation:
    """All scores; the model's error over the line's; how often its side of the line was the right one, pushes left out."""

    scores: tuple[Score, ...]
    lines: int
    ratio: float | None
    right_side: float | None
    sides: int

    def as_dict(self) -> dict[str, Any]:
        """Return the evaluation for JSON."""
        return asdict(self)


def _score(who: str, over: str, predicted: np.ndarray[Any, Any], points: np.ndarray[Any, Any]) -> Score:
    import numpy as np

    off = predicted - points
    return Score(who, over, len(off), float(np.abs(off).mean()), float(np.sqrt((off**2).mean())), float(off.mean()))


def _scores(over: str, every: Mapping[str, np.ndarray[Any, Any]], points: np.ndarray[Any, Any]) -> list[Score]:
    """Return the scores over the player-games for which all of them have a number: side by side, nobody picks his own."""
    import numpy as np

    known = np.all([~np.isnan(predicted) for predicted in every.values()], axis=0)
    return [_score(who, over, predicted[known], points[known]) for who, predicted in every.items()] if known.any() else []


def evaluate(rows: pa.Table, predicted: np.ndarray[Any, Any]) -> Evaluation:
    """Score the predictions of the rows beside the baselines, over all rows and over those with a line."""
    import numpy as np

    points = rows.column("points").to_numpy().astype(np.float64)
    baselines = {who: rows.column(name).to_numpy(zero_copy_only=False).astype(np.float64) for who, name in BASELINES.items()}
    every = {MODEL: np.asarray(predicted, np.float64), **baselines}
    line = every["betting line"]
    has_line = ~np.isnan(line)
    without = {who: values for who, values in every.items() if who != "betting line"}
    scores = _scores("all player-games", without, points)
    lined = _scores("player-games with a line", {who: values[has_line] for who, values in every.items()}, points[has_line])
    errors = {score.who: score.mean_absolute_error for score in lined}
    judged = has_line & (points != line) & (every[MODEL] != line)
    right = (every[MODEL] > line) == (points > line)
    return Evaluation(
        tuple(scores + lined),
        int(has_line.sum()),
        errors[MODEL] / errors["betting line"] if errors else None,
        float(right[judged].mean()) if judged.any() else None,
        int(judged.sum()),
    )


def refuse_leak(found: Evaluation) -> str:
    """Return what the comparison with the line says; raise `LeakSuspectedError` when the model is too good."""
    if found.ratio is None or found.lines < LEAST_LINES:
        return f"not judged: {found.lines:,} player-games have a line, {LEAST_LINES} are needed"
    if found.ratio < LEAST_RATIO:
        told = [f"{found.ratio:.3f} of the line's error over {found.lines:,} player-games"]
        raise LeakSuspectedError("the model is better than anybody can be", told, f"below {LEAST_RATIO} look for a leak among the features")
    return f"{found.ratio:.3f} of the line's error over {found.lines:,} player-games: no sign of a leak"
