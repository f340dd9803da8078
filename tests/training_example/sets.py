"""Made-up rows of a training set: what the example's own arithmetic is tested on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from schemas.catalogue import load_catalogue

FEATURES = load_catalogue().service("points_v3_37features").features


def rows_of(points: list[float], line: list[float | None], season: list[float], last_ten: list[float], **features: Any) -> pa.Table:
    """Return rows with these points, lines and means; every other feature is 0."""
    given = {"points_avg_season": season, "points_avg_last_10": last_ten, **features}
    columns = {name: pa.array(given.get(name, [0.0] * len(points)), pa.float64()) for name in FEATURES}
    return pa.table({**columns, "points": pa.array(points, pa.int64()), "closing_line": pa.array(line, pa.float64())})


def noisy(rows: int = 2000, seed: int = 5) -> pa.Table:
    """Return player-games whose line knows a little more of the truth than the features do; the last three rows in ten have none."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(4, 30, rows)
    form = rng.normal(0, 1.5, rows)
    points = np.maximum(0, np.round(level + form + rng.normal(0, 5.5, rows)))
    line = [float(x) if at < rows * 0.7 else None for at, x in enumerate(np.round(2 * (level + form)) / 2)]
    last_ten = level + rng.normal(0, 2, rows)
    return rows_of(
        points.tolist(), line, level.tolist(), last_ten.tolist(), vegas_points_line=line, fatigue_score=rng.uniform(50, 99, rows).tolist()
    )
