"""What is watched is declared once, judged by what came before, and a canary that would sing every night does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from quality.canaries import FILE, Canary, Reading, judged, load_watch, still_broken
from schemas.errors import DefinitionError

WATCH = load_watch()
RED, DRIFT, ZERO, FRESH = (WATCH.named(name) for name in ("red_share", "distribution_drift", "zero_variance", "freshness"))


def reading(canary: Canary, value: float, past: list[float], **more: float) -> Reading:
    return judged(canary, value, past, WATCH.min_dates, **more)  # type: ignore[arg-type]


def test_the_six_canaries_are_declared() -> None:
    names = {canary.name for canary in WATCH.canaries}
    assert {"red_share", "matchup_mean", "coverage_drift", "distribution_drift", "zero_variance", "freshness"} <= names


def test_the_threshold_comes_from_the_days_before() -> None:
    quiet, lively = [0.01] * 20, [0.02, 0.06] * 10
    assert not reading(RED, 0.045, quiet).is_fault and reading(RED, 0.06, quiet).is_fault
    assert not reading(RED, 0.15, lively).is_fault and reading(RED, 0.30, lively).is_fault
    assert reading(RED, 0.06, quiet).bound == pytest.approx(0.05)


def test_FM61_what_has_been_so_for_weeks_is_no_alarm_tonight() -> None:
    """A canary that fails night after night is one nobody looks at: the threshold moves to what is normal here."""
    nightly = [0.30, 0.31, 0.29] * 10
    assert not any(reading(RED, value, nightly).is_fault for value in nightly)
    assert not reading(FRESH, 6.0, [6.0] * 30).is_fault and reading(FRESH, 1.0, [0.0] * 30).is_fault


def test_FM61_but_a_fault_that_lasts_does_not_close_its_own_event() -> None:
    raised = {"metric_value": 6.0, "threshold": 0.0}
    assert not reading(FRESH, 6.0, [6.0] * 30).is_fault and still_broken(FRESH, 6.0, raised)
    assert not still_broken(FRESH, 0.0, raised)
    low = {"metric_value": 20.0, "threshold": 60.0}
    matchup = WATCH.named("matchup_mean")
    assert still_broken(matchup, 30.0, low) and not still_broken(matchup, 70.0, low)


def test_without_enough_days_only_a_limit_counts() -> None:
    few = [0.0] * (WATCH.min_dates - 1)
    assert not reading(RED, 1.0, few).is_fault, "the gate has its own limit and knows a season's first days"
    assert reading(FRESH, 1.0, few).is_fault


def test_FM13_a_constant_is_a_fault_only_where_values_vary() -> None:
    assert reading(ZERO, 0.0, [3.0] * 20).is_fault
    assert not reading(ZERO, 0.0, [3.0] * 19 + [0.0]).is_fault and not reading(ZERO, 0.1, [3.0] * 20).is_fault


def test_FM22_a_shifted_scale_is_far_outside_on_either_side() -> None:
    past = [79.0, 80.0, 81.0] * 10
    assert reading(DRIFT, -3.0, past, spread_within=8.0).is_fault and reading(DRIFT, 95.0, past, spread_within=8.0).is_fault
    assert not reading(DRIFT, 85.0, past, spread_within=8.0).is_fault


def test_FM14_a_reading_that_is_no_number_is_a_fault() -> None:
    assert reading(RED, float("nan"), [0.01] * 20).is_fault
    assert judged(WATCH.named("matchup_mean"), float("nan"), [70.0] * 20, 10).is_fault


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("over: rows\n", "over: columns\n", "unknown source"),
        ("bad: low\n", "bad: lower\n", "unknown side"),
        ("severity: P1\n", "severity: urgent\n", "unknown severity"),
        ("name: matchup_mean", "name: red_share", "declared twice"),
        ("    spreads: 8\n    least: 0.04", "    spread: 8\n    least: 0.04", "unknown key spread"),
        ("min_dates: 10", "min_dates: 100", "min_dates"),
    ],
)
def test_a_list_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, word: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "canaries.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DefinitionError, match=word):
        load_watch(tmp_path / "canaries.yaml")
