"""The batch score of a date: six components that sum to 100, a band, and a severity by its worst reason."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.catalogue import load_catalogue
from schemas.rules import STORE_TABLE, Rules, load_rules
from warehouse.protocol import Staged, Warehouse


@dataclass(frozen=True)
class BatchFigures:
    """What the score of a date is made of. Shares are 0 to 1; `age` counts expected game days after the newest one loaded."""

    rows: int
    expected_rows: int
    phase4_rows: int
    fallback_rows: int
    null_values: int
    required_values: int
    age: int
    jobs_succeeded: int
    jobs: int

    @property
    def phase4_share(self) -> float:
        """Share of rows with all four Phase 4 inputs; 0 without rows."""
        return self.phase4_rows / self.rows if self.rows else 0.0

    @property
    def fallback_share(self) -> float:
        """Share of rows that used any Phase 3 fallback; without rows nothing can be said for them, so 1."""
        return self.fallback_rows / self.rows if self.rows else 1.0

    @property
    def null_share(self) -> float:
        """Share of NULLs among the required values; 1 without rows."""
        return self.null_values / self.required_values if self.required_values else 1.0

    @property
    def row_completeness(self) -> float:
        """Rows over rows expected; 0 when none were expected, for then the roster itself is missing."""
        return self.rows / self.expected_rows if self.expected_rows else 0.0


@dataclass(frozen=True)
class BatchScore:
    """The score of a date with its components, band, and the severity with its reason (None when nothing is wrong)."""

    components: Mapping[str, float]
    score: float
    band: str
    severity: str | None
    reason: str | None

    def is_prediction_ready(self, rules: Rules) -> bool:
        """TRUE when the score is good enough for predictions."""
        return self.score >= rules.batch.prediction_min


def _components(figures: BatchFigures, rules: Rules) -> Iterator[tuple[str, float]]:
    points = rules.batch.components
    fresh = rules.batch.freshness_points
    complete = next((value for share, value in rules.batch.row_completeness_points if figures.row_completeness >= share), 0)
    yield "phase4_availability", points["phase4_availability"] * figures.phase4_share
    yield "phase3_fallback", points["phase3_fallback"] * (1 - figures.fallback_share)
    yield "data_freshness", float(fresh[figures.age]) if figures.age < len(fresh) else 0.0
    yield "dependency_completeness", points["dependency_completeness"] * figures.jobs_succeeded / figures.jobs
    yield "row_completeness", float(complete)
    yield "null_field_rate", points["null_field_rate"] * (1 - figures.null_share)


def _severity(score: float, figures: BatchFigures, rules: Rules) -> tuple[str | None, str | None]:
    """Return the worst severity that applies and its reason; severities come worst first."""
    for rule in rules.batch.severities:
        if score < rule.score_below:
            return rule.name, f"score {score:g} below {rule.score_below:g}"
        if rule.row_completeness_below is not None and figures.row_completeness < rule.row_completeness_below:
            return rule.name, f"row completeness {figures.row_completeness:.2f} below {rule.row_completeness_below:g}"
        if rule.fallback_above is not None and figures.fallback_share > rule.fallback_above:
            return rule.name, f"fallback share {figures.fallback_share:.2f} above {rule.fallback_above:g}"
    return None, None


def batch_score(figures: BatchFigures, rules: Rules | None = None) -> BatchScore:
    """Return the score of a date; components are rounded to two decimals, and the score is their sum."""
    rules = rules or load_rules()
    components = {name: round(value, 2) for name, value in _components(figures, rules)}
    score = round(sum(components.values()), 2)
    severity, reason = _severity(score, figures, rules)
    return BatchScore(components, score, rules.batch_band(score), severity, reason)


def data_age(date: dt.date, expected: Sequence[dt.date], loaded: Sequence[dt.date]) -> int:
    """Return how many expected game days before the date lie after the newest loaded one; both lists in order.

    An off-day or the All-Star break is not an expected day, so it makes nothing older.
    """
    due = expected[: bisect_left(expected, date)]
    newest = bisect_left(loaded, date)
    return len(due) if newest == 0 else len(due) - bisect_left(due, loaded[newest - 1] + dt.timedelta(days=1))


def row_figures(warehouse: Warehouse, staged: Staged, dates: Sequence[dt.date]) -> dict[dt.date, dict[str, int]]:
    """Count what the score needs of the staged store rows of each date, blocked ones too."""
    required = load_catalogue().where(required=True)
    nulls = " + ".join(f"IF({feature.name} IS NULL, 1, 0)" for feature in required)
    jobs = len(load_rules().phase4_jobs)
    sql = f"""SELECT
  game_date,
  COUNT(*) AS row_count,
  COUNTIF(ARRAY_LENGTH(predecessor_processors_completed) = {jobs}) AS phase4_rows,
  COUNTIF(phase3_fallback_count > 0) AS fallback_rows,
  SUM({nulls}) AS null_values,
  COUNT(*) * {len(required)} AS required_values
FROM {STORE_TABLE}
WHERE game_date BETWEEN @start_date AND @end_date
GROUP BY game_date"""
    found = warehouse.query(sql, {"start_date": min(dates), "end_date": max(dates)}, [staged]).to_pylist()
    return {row.pop("game_date"): row for row in found}
