"""The six components of a date's score, its band and its severity, at their bounds."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from quality.batch_score import BatchFigures, batch_score, data_age
from schemas.rules import load_rules

PERFECT = BatchFigures(
    rows=200, expected_rows=200, phase4_rows=200, fallback_rows=0, null_values=0, required_values=6800, age=0, jobs_succeeded=4, jobs=4
)


def changed(**changes: int) -> BatchFigures:
    return dataclasses.replace(PERFECT, **changes)


def test_a_perfect_date_scores_a_hundred() -> None:
    score = batch_score(PERFECT)
    assert (score.score, score.band, score.severity, score.reason) == (100.0, "excellent", None, None)
    assert score.components == {name: float(points) for name, points in load_rules().batch.components.items()}


@pytest.mark.parametrize(
    ("figures", "component", "points"),
    [
        (changed(phase4_rows=150), "phase4_availability", 30.0),
        (changed(phase4_rows=0), "phase4_availability", 0.0),
        (changed(fallback_rows=50), "phase3_fallback", 15.0),
        (changed(age=1), "data_freshness", 12.0),
        (changed(age=2), "data_freshness", 8.0),
        (changed(age=3), "data_freshness", 0.0),
        (changed(jobs_succeeded=3), "dependency_completeness", 11.25),
        (changed(rows=190), "row_completeness", 5.0),
        (changed(rows=189), "row_completeness", 4.0),
        (changed(rows=150), "row_completeness", 4.0),
        (changed(rows=149), "row_completeness", 3.0),
        (changed(rows=100), "row_completeness", 3.0),
        (changed(rows=50), "row_completeness", 1.0),
        (changed(rows=49), "row_completeness", 0.0),
        (changed(null_values=1360), "null_field_rate", 4.0),
    ],
)
def test_each_component_at_its_bounds(figures: BatchFigures, component: str, points: float) -> None:
    assert batch_score(figures).components[component] == points


@pytest.mark.parametrize(
    ("figures", "severity"),
    [
        (changed(rows=49, phase4_rows=49), "P0"),
        (changed(phase4_rows=0, age=3, jobs_succeeded=3), "P0"),
        (changed(rows=99, phase4_rows=99), "P1"),
        (changed(fallback_rows=101), "P1"),
        (changed(phase4_rows=120, age=1, jobs_succeeded=3), "P2"),
        (changed(fallback_rows=51), "P2"),
        (changed(age=3), "P3"),
        (changed(fallback_rows=21), "P3"),
        (changed(fallback_rows=20), None),
    ],
)
def test_the_worst_reason_decides(figures: BatchFigures, severity: str | None) -> None:
    found = batch_score(figures)
    assert found.severity == severity, found
    assert (found.reason is None) == (severity is None)


def test_the_documented_case_of_a_complete_fallback_is_acceptable_at_best() -> None:
    score = batch_score(changed(phase4_rows=0, fallback_rows=200))
    assert (score.score, score.band) == (40.0, "fail")
    assert not score.is_prediction_ready(load_rules())
    assert batch_score(changed(phase4_rows=75)).is_prediction_ready(load_rules())
    assert not batch_score(changed(phase4_rows=74)).is_prediction_ready(load_rules())


def test_a_date_without_rows_scores_next_to_nothing() -> None:
    empty = batch_score(changed(rows=0, phase4_rows=0, required_values=0))
    assert empty.severity == "P0"
    assert {name: points for name, points in empty.components.items() if points} == {
        "data_freshness": 15.0,
        "dependency_completeness": 15.0,
    }
    assert batch_score(changed(rows=0, expected_rows=0)).components["row_completeness"] == 0.0


def test_an_off_day_makes_nothing_older() -> None:
    day = dt.date(2024, 2, 22)
    # The All-Star break: no game is scheduled from the 16th to the 21st.
    due = [dt.date(2024, 2, n) for n in (13, 14, 15, 22)]
    assert data_age(day, due, [dt.date(2024, 2, 14), dt.date(2024, 2, 15)]) == 0
    assert data_age(day, due, [dt.date(2024, 2, 14)]) == 1
    assert data_age(day, due, [dt.date(2024, 2, 13), day]) == 2
    assert data_age(day, due, []) == 3
    assert data_age(due[0], due, []) == 0
