"""The figures of the coverage page are those of queries written another way, over a small league."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from quality.coverage_page import UNEXPLAINED, coverage_page, percent
from quality.coverage_report import BLOCKED_TABLE, Coverage, Explanation, FeatureSeason, load_explanations, measure_coverage
from quality.date_checks import date_checks
from quality.reason_words import in_words, kind_of, reason_words
from quality.row_checks import row_checks
from quality.table_suite import suite_tables, table_suite
from schemas.catalogue import load_catalogue
from schemas.contracts import contract
from schemas.errors import DefinitionError, NoGamesError
from schemas.rules import STORE_TABLE, load_rules
from tests.house.tree import ROOT
from warehouse.protocol import Warehouse


@pytest.fixture(scope="module")
def coverage(built_league: Warehouse) -> Coverage:
    return measure_coverage(built_league, dt.date.min, dt.date.max)


@pytest.fixture(scope="module")
def rows(built_league: Warehouse) -> list[dict[str, Any]]:
    good = built_league.query(f"SELECT * FROM {STORE_TABLE}").to_pylist()
    dates = {row["game_date"] for row in good}
    return good + [row for row in built_league.query(f"SELECT * FROM {BLOCKED_TABLE}").to_pylist() if row["game_date"] not in dates]


def test_every_row_is_counted_once_per_feature(coverage: Coverage, rows: list[dict[str, Any]]) -> None:
    assert len(rows) > 500
    assert len(coverage.features) == len(load_catalogue().features) * len(coverage.seasons)
    for item in coverage.features:
        assert item.rows == sum(item.sources.values()) == sum(row["season"] == item.season for row in rows)
        assert sum(item.reasons.values()) == item.sources.get("default", 0)
        assert "unexplained" not in item.reasons


def test_shares_by_source_and_reason_are_those_of_the_rows(coverage: Coverage, rows: list[dict[str, Any]]) -> None:
    for item in coverage.features:
        index = load_catalogue().feature(item.feature).index
        labels = [row[f"feature_{index}_source"] for row in rows]
        assert item.sources == {label: labels.count(label) for label in sorted(set(labels))}
        marks = [f'"{index}":"{reason}"' for reason in load_rules().failure_reasons]
        failing = [row for row in rows if any(mark in row["feature_fallback_reasons_json"] for mark in marks)]
        assert item.failures == sum(row[f"feature_{index}_source"] == "default" for row in failing)


def test_tiers_levels_and_red_dates_are_those_of_the_rows(coverage: Coverage, rows: list[dict[str, Any]]) -> None:
    (season,) = coverage.seasons
    assert season.rows == len(rows)
    assert season.dates == len({row["game_date"] for row in rows})
    for tier, count in season.tiers.items():
        assert count == sum(row["quality_tier"] == tier for row in rows)
    for level, count in season.levels.items():
        assert count == sum(row["quality_alert_level"] == level for row in rows)
    assert season.ready == sum(row["is_quality_ready"] for row in rows)
    red = {}
    for date in {row["game_date"] for row in rows}:
        levels = [row["quality_alert_level"] for row in rows if row["game_date"] == date]
        if levels.count("red") > load_rules().gate.red_share_max * len(levels):
            red[date] = levels.count("red")
    assert red
    assert {item.date: item.red for item in coverage.red_dates if not item.is_blocked or item.date in red} == red


def test_the_first_days_of_a_league_are_named_cold_starts(coverage: Coverage) -> None:
    first = coverage.red_dates[0]
    assert first.date == coverage.first
    assert first.is_cold_start
    assert f"| {first.date} | published | {first.red} of {first.rows} | cold start: " in coverage_page(coverage, "a small league")


def test_a_date_is_red_for_what_the_gate_said_of_it(coverage: Coverage, built_league: Warehouse) -> None:
    blocked = {item.date: item.reasons for item in coverage.red_dates if item.is_blocked}
    assert set(blocked) == set(built_league.partitions(BLOCKED_TABLE))
    assert all(blocked.values())


def test_the_page_says_what_was_counted(coverage: Coverage) -> None:
    page = coverage_page(coverage, "a small league")
    (season,) = coverage.seasons
    assert f"| {season.season} | {season.dates} | {season.rows} | " in page
    for item in coverage.features:
        line = next(text for text in page.splitlines() if text.startswith(f"| `{item.feature}` |"))
        cells = [cell.strip() for cell in line.strip("|").split("|")][1:]
        assert cells[: len(load_rules().canonical_sources)] == [
            percent(item.sources.get(s, 0), item.rows) for s in load_rules().canonical_sources
        ]


def _lacking(share: float) -> Coverage:
    failing = round(1000 * share)
    sources = {"default": failing, "phase4": 1000 - failing}
    item = FeatureSeason("2021-22", "pct_paint", 1000, sources, {"shot_zone_data_missing": failing})
    return Coverage(dt.date(2021, 10, 19), dt.date(2022, 6, 16), (item,), (), ())


def test_more_than_five_per_cent_of_failures_are_flagged_and_five_are_not() -> None:
    assert not _lacking(0.05).flagged
    assert "No feature has defaults of class failure" in coverage_page(_lacking(0.05), "rows")
    assert [item.feature for item in _lacking(0.051).flagged] == ["pct_paint"]
    assert UNEXPLAINED in coverage_page(_lacking(0.051), "rows")


def test_an_explanation_counts_for_its_own_season_feature_and_reason_only() -> None:
    why = Explanation(("2021-22",), ("pct_paint",), "shot_zone_data_missing", "no shots after January")
    assert "no shots after January" in coverage_page(_lacking(0.4), "rows", [why])
    for other in (
        Explanation(("2022-23",), ("pct_paint",), "shot_zone_data_missing", "other"),
        Explanation(("2021-22",), ("pct_three",), "shot_zone_data_missing", "other"),
        Explanation(("2021-22",), ("pct_paint",), "stale_data", "other"),
    ):
        assert UNEXPLAINED in coverage_page(_lacking(0.4), "rows", [other])


def test_an_explanation_of_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert load_explanations(ROOT / "docs" / "coverage_explanations.yaml")
    file = tmp_path / "why.yaml"
    file.write_text("explanations: [{seasons: [x], features: [pct_pain], reason: no_opponent_history, why: y}]\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match="no_opponent_history, pct_pain"):
        load_explanations(file)


def test_a_range_without_rows_is_refused(built_league: Warehouse) -> None:
    with pytest.raises(NoGamesError, match="1999-01-01"):
        measure_coverage(built_league, dt.date(1999, 1, 1), dt.date(1999, 12, 31))


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 7, "0"), (1, 8, "12.5"), (1, 9999, "<0.1"), (9999, 10000, ">99.9"), (7, 7, "100.0")]
)
def test_a_share_never_hides_the_last_row(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_every_reason_the_store_gate_can_give_has_words() -> None:
    codes = {check.code for check in (*row_checks(), *date_checks(trailing=True))}
    assert len(codes) > 300
    assert not {kind_of(code) for code in codes} - set(reason_words())
    made_up = {check.code for table in suite_tables() for check in contract(table).checks}
    standard = {kind_of(check.code) for table in suite_tables() for check in table_suite(table)} - made_up
    assert not standard - set(reason_words())


def test_reasons_read_as_sentences() -> None:
    assert in_words("zero_variance:team_win_pct") == "team_win_pct is the same for everybody"
    assert in_words("red_share") == "too many rows are red"
    assert in_words("nobody_fresh:fatigue_score") == "nobody fresh (fatigue_score)"
