"""Bounds of tiers and levels, exactly: the rules' own SQL over planted scores and counts."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest

from schemas.catalogue import load_catalogue
from schemas.rules import load_rules
from transformations import render
from warehouse.googlesql import prepare_connection, to_duckdb

CATALOGUE, RULES = load_catalogue(), load_rules()
GOOD = {"quality_mean": 98.0, "matchup_mean": 100.0, "failure_default_count": 0, "phase3_fallback_count": 0, "required_default_count": 0}


def judge(**changes: float | int) -> tuple[str, str]:
    """Return tier and alert level of a row with these figures, by the macro the store statement uses."""
    figures: dict[str, float | int] = {f"{c.name}_mean": 90.0 for c in CATALOGUE.categories}
    figures |= {f"{c.name}_default_count": 0 for c in CATALOGUE.categories}
    figures |= {**GOOD, **changes}
    columns = ", ".join(f"{value} AS {name}" for name, value in figures.items())
    text = "{%- import 'macros/store_quality.sql' as q -%}WITH counted AS (SELECT " + columns + "), judged AS ({{ q.judged() }}) "
    sql = render._environment().from_string(text + "SELECT quality_tier, quality_alert_level FROM judged").render()
    with duckdb.connect() as connection:
        prepare_connection(connection)
        found = connection.execute(to_duckdb(sql)).fetchone()
    assert found is not None
    return found[0], found[1]


@pytest.mark.parametrize(
    ("score", "tier", "level"),
    [
        (100, "gold", "green"),
        (95, "gold", "green"),
        (94.99, "silver", "green"),
        (94.996, "gold", "green"),
        (85, "silver", "green"),
        (84.99, "bronze", "green"),
        (70, "bronze", "green"),
        (69.99, "poor", "yellow"),
        (50, "poor", "yellow"),
        (49.99, "critical", "red"),
        (0, "critical", "red"),
    ],
)
def test_FM21_scores_at_their_bounds(score: float, tier: str, level: str) -> None:
    assert judge(quality_mean=score) == (tier, level)
    assert RULES.tier(round(score, 2)) == tier


@pytest.mark.parametrize(
    ("matchup", "level"), [(70, "green"), (69.9, "yellow"), (50, "yellow"), (49.9, "red"), (49.96, "yellow"), (0, "red")]
)
def test_matchup_at_its_bounds(matchup: float, level: str) -> None:
    assert judge(matchup_mean=matchup)[1] == level


@pytest.mark.parametrize(("failures", "level"), [(0, "green"), (1, "yellow"), (7, "yellow"), (8, "red"), (37, "red")])
def test_failures_at_their_bounds(failures: int, level: str) -> None:
    assert judge(failure_default_count=failures)[1] == level


@pytest.mark.parametrize(("fallbacks", "level"), [(0, "green"), (1, "yellow")])
def test_one_fallback_is_yellow(fallbacks: int, level: str) -> None:
    assert judge(phase3_fallback_count=fallbacks)[1] == level


def test_FM20_a_whole_category_is_red_unless_it_is_vegas() -> None:
    levels = {c.name: judge(**{f"{c.name}_default_count": len(c.features)})[1] for c in CATALOGUE.categories}
    assert levels == {name: "green" if name in RULES.red.whole_category_exempt else "red" for name in levels}
    nearly: Sequence[str] = [judge(**{f"{c.name}_default_count": len(c.features) - 1})[1] for c in CATALOGUE.categories]
    assert set(nearly) == {"green"}
