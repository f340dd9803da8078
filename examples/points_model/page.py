"""docs/example.md: the figures of an experiment in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples.points_model import SERVICE
from examples.points_model.evaluation import LEAST_RATIO, Score
from examples.points_model.experiment import Experiment
from examples.points_model.model import PARAMETERS
from examples.points_model.seasons import Made
from schemas.catalogue import load_catalogue

HEAD = """# The worked example

Written by `make example`; [examples/points_model](../examples/points_model/README.md) is the code. A gradient-boosted model is trained
on strict training sets of earlier seasons and predicts the points of a later one, which it never saw, beside three predictions that
cost nothing.
"""


def _table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _score_rows(scores: tuple[Score, ...]) -> list[tuple[str, ...]]:
    return [
        (s.over, s.who, f"{s.games:,}", f"{s.mean_absolute_error:.3f}", f"{s.root_mean_square_error:.3f}", f"{s.bias:+.3f}") for s in scores
    ]


def _set_row(name: str, dates: str, made: Made) -> tuple[str, ...]:
    counts: Mapping[str, Any] = made.manifest["counts"]  # type: ignore[assignment]
    refused = ", ".join(f"{count:,} {reason}" for reason, count in counts["refused"].items()) or "none"
    sha256: str = made.manifest["result"]["sha256"]  # type: ignore[index]
    return (name, dates, f"{counts['rows_considered']:,}", f"{counts['rows']:,}", refused, f"`{sha256[:12]}`")


def _unused(done: Experiment) -> str:
    unused = [f"`{name}`" for name in load_catalogue().service(SERVICE).features if name not in done.model.features]
    if not unused:
        return "It learned from every feature of the service."
    return f"It learned nothing from {', '.join(unused)}: no row it was trained on has a value there."


def _lined_dates(done: Experiment) -> str:
    """Return between which dates there were lines."""
    rows = done.later.rows
    days = [day for day, line in zip(rows.column("game_date").to_pylist(), rows.column("closing_line").to_pylist(), strict=True) if line]
    return f"from {min(days)} to {max(days)}; outside these dates the data have none" if days else "the data have none"


def example_page(done: Experiment, source: str, sklearn: str) -> str:
    """Return the page."""
    found = done.evaluation
    sets = [_set_row("trained on", done.split.train_name, done.train), _set_row("evaluated on", done.split.later_name, done.later)]
    scores = _table(
        ("over", "prediction", "player-games", "mean absolute error", "root mean square error", "bias"), _score_rows(found.scores)
    )
    side = f"right in {found.right_side:.1%} of {found.sides:,} player-games" if found.right_side is not None else "no line to judge by"
    return f"""{HEAD}
## Errors, in points

{scores}
Within a group every prediction is scored over the same player-games. The season mean and the last-ten mean are features 2 and 1 of the
row itself, the betting line is the label `closing_line`: the consensus last seen an hour before tip-off. Bias is prediction minus
points.

* Lines: {_lined_dates(done)}.
* Side of the line: {side}, pushes left out.
* The leak detector: {done.verdict}.
  Below {LEAST_RATIO} the example fails: nobody beats the market by that much, and a model that does has been told the outcome.

## Sets

{_table(("set", "games", "rows considered", "rows", "refused", "sha256 of the file"), sets)}
Both are made with the strict defaults of `nba-features training-set`; the manifest beside each file replays it.

## The model

`HistGradientBoostingRegressor` of scikit-learn {sklearn}, not tuned to the season it is judged by.

{_table(("parameter", "value"), [(name, str(value)) for name, value in PARAMETERS.items()])}
{_unused(done)}

Measured on {source}.
"""
