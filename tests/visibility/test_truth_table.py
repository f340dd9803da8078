"""The truth table of the quality rules and its edges, through the real statement on planted inputs."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from tests.visibility.planted import (
    CACHE,
    CATALOGUE,
    COMPOSITE,
    DATE,
    DEFENSE,
    DEFENSE_GAMES,
    ODDS,
    ROSTER,
    RULES,
    SHOTS,
    SLATE,
    SUMMARY,
    Case,
    build_store,
    judged,
    open_planted,
    table_rows,
)

NO_SHOTS = {"has_shots": False, "paint_attempts": None, "mid_range_attempts": None, "three_attempts": None}
NO_STATUS: Mapping[str, Any] = {"player_status": None, "injury_feed_live": False}
THIN_COMPOSITE = {"shot_zone_mismatch_sample": 4, "pace_sample": 4, "usage_sample": 3}
NO_MISMATCH = {"shot_zone_mismatch_score": None, "shot_zone_mismatch_sample": 0}
NO_USAGE = {"usage_spike_score": None, "injury_feed_live": False}
SCORE_85: Mapping[str, Mapping[str, Any]] = {
    ROSTER: NO_STATUS,
    COMPOSITE: THIN_COMPOSITE,
    CACHE: {"team_games_last_10": 4},
    SHOTS: {"games_with_shots": 4},
}
NOTHING = (CACHE, SHOTS, COMPOSITE, DEFENSE, DEFENSE_GAMES, SLATE)
SEVEN = {SUMMARY: NO_SHOTS, ROSTER: NO_STATUS, COMPOSITE: NO_USAGE}
EIGHT = {**SEVEN, COMPOSITE: {**NO_USAGE, **NO_MISMATCH}}

ODD_VALUES = {"null": None, "nan": math.nan, "inf": math.inf, "minus_inf": -math.inf, "zero": 0.0}
INPUTS = {
    CACHE: {
        "points_avg_last_5": 0,
        "points_avg_last_10": 1,
        "points_avg_season": 2,
        "points_std_last_10": 3,
        "team_pace_last_10": 22,
        "team_off_rating_last_10": 23,
    },
    COMPOSITE: {"fatigue_score": 5, "shot_zone_mismatch_score": 6, "pace_score": 7, "usage_spike_score": 8},
    SHOTS: {"paint_rate_last_10": 18, "mid_range_rate_last_10": 19, "three_pt_rate_last_10": 20},
}

TRUTH = {
    "everything_real": (Case("everything_real"), 98.14, "gold", "green", True),
    "no_line": (Case("no_line", line=False), 90.03, "silver", "green", True),
    "composite_lost": (Case("composite_lost", without=(COMPOSITE,)), 91.65, "silver", "red", False),
    "matchup_lost": (Case("matchup_lost", without=(COMPOSITE, DEFENSE, DEFENSE_GAMES), rival="LOST"), 88.41, "silver", "red", False),
    "never_met": (Case("never_met", {SUMMARY: {"opponent_team_abbr": "ELSE"}}), 96.78, "gold", "green", True),
    "shots_lost": (Case("shots_lost", {SUMMARY: NO_SHOTS}, without=(SHOTS,), line=False), 81.92, "bronze", "yellow", True),
    "cache_lost": (Case("cache_lost", without=(CACHE,)), 94.05, "silver", "yellow", True),
    "cache_lost_no_line": (Case("cache_lost_no_line", without=(CACHE,), line=False), 85.95, "silver", "yellow", True),
    # Sums of exactly 95 x 37 and 85 x 37: one default, phase3 for the opponent, and 3 or 10 thin samples, the latter without a line.
    "score_95": (Case("score_95", {ROSTER: NO_STATUS, COMPOSITE: THIN_COMPOSITE}, (DEFENSE,), rival="R95"), 95.0, "gold", "yellow", True),
    "score_85": (
        Case(
            "score_85",
            SCORE_85,
            (DEFENSE,),
            line=False,
            rival="R85",
            rival_games=4,
        ),
        85.0,
        "silver",
        "yellow",
        True,
    ),
    "below_85": (
        Case(
            "below_85",
            {**SCORE_85, CACHE: {"team_games_last_10": 4, "games_last_5": 2}},
            (DEFENSE,),
            line=False,
            rival="S85",
            rival_games=4,
        ),
        84.73,
        "bronze",
        "yellow",
        True,
    ),
    "seven_failures": (Case("seven_failures", SEVEN, (SHOTS, CACHE, SLATE), rival="SEV"), 77.84, "bronze", "yellow", True),
    "eight_failures": (
        Case("eight_failures", EIGHT, (SHOTS, CACHE, SLATE), rival="EIG"), 76.22, "bronze", "red", False,
    ),
    "rookie": (Case("rookie", {}, (CACHE, SHOTS, COMPOSITE), line=False, games=0), 52.22, "poor", "red", False),
    "nothing_at_all": (
        Case("nothing_at_all", {ROSTER: NO_STATUS}, NOTHING, line=False, rival="NIL", games=0),
        44.11, "critical", "red", False,
    ),
}  # fmt: skip
OTHERS = [
    Case("too_high", {CACHE: {"points_avg_last_5": 80.0}}),
    Case("too_fresh", {COMPOSITE: {"fatigue_score": 150.0}}),
    Case("no_star_news", {ROSTER: {"star_teammate_out": None}}),
    Case("short_history", {CACHE: {"games_last_10": 7}}),
    Case("one_quote", {ODDS: {"observed_at": dt.datetime(2024, 1, 31, 20, tzinfo=dt.UTC)}}),
]


def odd_cases() -> list[Case]:
    """Return one case per input and odd value."""
    return [
        Case(f"{kind}_{index}", {table: {column: value}})
        for table, columns in INPUTS.items()
        for column, index in columns.items()
        for kind, value in ODD_VALUES.items()
    ]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The store rows of all cases, made in one statement."""
    cases = [case for case, *_ in TRUTH.values()] + OTHERS + odd_cases()
    warehouse = open_planted(tmp_path_factory.mktemp("truth"), table_rows(cases))
    return build_store(warehouse)


@pytest.mark.parametrize("name", TRUTH)
def test_truth_table(rows: dict[str, dict[str, Any]], name: str) -> None:
    _, score, tier, level, ready = TRUTH[name]
    row = rows[name]
    assert (row["feature_quality_score"], row["quality_tier"], row["quality_alert_level"], row["is_quality_ready"]) == (
        score,
        tier,
        level,
        ready,
    )


def test_FM08_the_lost_composite_job_shows_in_category_alerts_and_reasons(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["composite_lost"]
    assert row["matchup_quality_pct"] == 33.3
    assert row["quality_alerts"] == ["composite_factors_missing", "critical_features_missing", "matchup_quality_critical"]
    assert json.loads(row["feature_fallback_reasons_json"]) == dict.fromkeys(("5", "6", "7", "8"), "composite_factors_missing")
    assert rows["matchup_lost"]["matchup_quality_pct"] == 0.0
    assert "all_matchup_features_defaulted" in rows["matchup_lost"]["quality_alerts"]


def test_seven_failures_are_yellow_and_eight_red(rows: dict[str, dict[str, Any]]) -> None:
    assert [rows[name]["failure_default_count"] for name in ("everything_real", "seven_failures", "eight_failures")] == [0, 7, 8]
    assert rows["everything_real"]["default_feature_count"] == 0
    assert rows["eight_failures"]["matchup_quality_pct"] >= RULES.red.matchup_quality_pct_below


def test_every_row_is_as_the_reference_rules_have_it(rows: dict[str, dict[str, Any]]) -> None:
    wrong = {name: found for name, row in rows.items() if (found := judged(row))}
    assert not wrong
    assert len(rows) > 70


@pytest.mark.parametrize("kind", ["null", "nan", "inf", "minus_inf"])
def test_FM14_no_number_is_a_miss_and_says_so(rows: dict[str, dict[str, Any]], kind: str) -> None:
    for index in (i for columns in INPUTS.values() for i in columns.values()):
        row, feature = rows[f"{kind}_{index}"], CATALOGUE.features[index]
        wanted = "phase3" if feature.has_phase3_fallback else "default"
        assert row[f"feature_{index}_source"] == wanted, feature.name
        assert str(index) in json.loads(row["feature_fallback_reasons_json"])
        value = row[feature.name]
        assert value is not None and math.isfinite(value)


def test_FM15_a_genuine_zero_is_a_value(rows: dict[str, dict[str, Any]]) -> None:
    for index in (i for columns in INPUTS.values() for i in columns.values()):
        row, feature = rows[f"zero_{index}"], CATALOGUE.features[index]
        assert row[f"feature_{index}_source"] == "phase4", feature.name
        assert row[feature.name] == max(0.0, feature.min)
        assert str(index) not in json.loads(row["feature_fallback_reasons_json"])


def test_FM12_a_label_follows_the_value_that_was_used(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["cache_lost"]
    served = [f.index for f in CATALOGUE.where(missing_reason="daily_cache_missing") if f.has_phase3_fallback]
    assert {row[f"feature_{i}_source"] for i in served} == {"phase3"}
    assert row["phase3_fallback_count"] == len(served) == 7
    tables = json.loads(row["feature_upstream_tables_json"])
    assert CACHE not in tables.values()
    assert CACHE in json.loads(rows["everything_real"]["feature_upstream_tables_json"]).values()


def test_FM13_a_constant_cannot_hide_behind_a_good_label(rows: dict[str, dict[str, Any]]) -> None:
    row, absent = (
        rows["nothing_at_all"],
        {CACHE, SHOTS, COMPOSITE, DEFENSE, SUMMARY, SLATE, ODDS, "nba_analytics.team_offense_game_summary"},
    )
    served = {"games_in_last_7_days", "team_pace", "team_off_rating"}
    true_of_nobody = {"games_vs_opponent", "has_vegas_line"}
    hidden = [f for f in CATALOGUE.features if set(f.tables) <= absent and f.name not in served | true_of_nobody]
    assert len(hidden) == 28
    assert {row[f"feature_{CATALOGUE.feature(name).index}_source"] for name in served} == {"phase3"}
    assert {row[f"feature_{feature.index}_source"] for feature in hidden} == {"default"}
    assert all(row[feature.name] == feature.default for feature in hidden)


def test_FM16_a_missing_line_stays_NULL(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["no_line"]
    assert [row[name] for name in ("vegas_points_line", "vegas_opening_line", "vegas_line_move", "has_vegas_line")] == [
        None,
        None,
        None,
        0.0,
    ]
    assert "vegas_points_line" not in row["available_feature_names"]
    assert rows["everything_real"]["vegas_line_move"] == 1.0
    assert rows["one_quote"]["vegas_points_line"] is not None and rows["one_quote"]["vegas_opening_line"] is None


def test_FM18_what_is_absent_by_nature_never_blocks(rows: dict[str, dict[str, Any]]) -> None:
    for name in ("no_line", "never_met"):
        assert (rows[name]["failure_default_count"], rows[name]["quality_alert_level"]) == (0, "green")
    assert json.loads(rows["never_met"]["feature_fallback_reasons_json"]) == {"29": "no_opponent_history"}


def test_a_value_out_of_range_is_clamped_and_kept(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["too_high"]
    assert (row["points_avg_last_5"], row["feature_0_quality"], row["feature_0_source"]) == (70.0, 50.0, "phase4")
    assert json.loads(row["feature_original_values_json"]) == {"0": 80.0}
    assert json.loads(row["feature_value_ranges_valid_json"])["0"] is False
    assert "range_violation" in row["quality_alerts"]
    assert rows["too_fresh"]["fatigue_score"] == 150.0


def test_FM20_every_flag_and_every_alert_takes_both_values(rows: dict[str, dict[str, Any]]) -> None:
    flags = [column.name for column in contract(STORE_TABLE).columns if column.type == "BOOL"]
    seen = {name: {row[name] for row in rows.values()} for name in flags}
    # The first and last: is_production_ready needs all four inputs, which most cases have.
    assert {name for name, values in seen.items() if values != {True, False}} == set()
    assert {row["has_vegas_line"] for row in rows.values()} == {0.0, 1.0}
    alerts = {alert for row in rows.values() for alert in row["quality_alerts"]}
    assert all(re.match(RULES.alert_pattern, alert) for alert in alerts)
    certain = {template for template in RULES.alert_templates if "{" not in template} - {"stale_upstream"}
    assert certain <= alerts
    assert {"stale_upstream"} <= alerts
    assert any(alert.startswith("high_default_rate_") for alert in alerts)
    assert not [alert for alert in certain if all(alert in row["quality_alerts"] for row in rows.values())]


def test_FM20_every_tier_and_level_is_reached(rows: dict[str, dict[str, Any]]) -> None:
    assert {row["quality_tier"] for row in rows.values()} == set(RULES.tier_names)
    assert {row["quality_alert_level"] for row in rows.values()} == set(RULES.alert_levels)
    assert {row["matchup_data_status"] for row in rows.values()} == {"COMPLETE", "MATCHUP_PARTIAL", "MATCHUP_UNAVAILABLE"}
    assert {"phase4", "phase4_partial"} <= {row["primary_data_source"] for row in rows.values()}


def test_FM21_every_tier_that_readiness_allows_can_be_ready(rows: dict[str, dict[str, Any]]) -> None:
    assert {row["quality_tier"] for row in rows.values() if row["is_quality_ready"]} == set(RULES.quality_ready.tiers)
    assert {row["quality_tier"] for row in rows.values() if row["is_training_ready"]} == set(RULES.training_ready.tiers)


def test_FM51_every_count_equals_a_recount_of_the_per_feature_columns(rows: dict[str, dict[str, Any]]) -> None:
    for row in rows.values():
        sources = [row[f"feature_{f.index}_source"] for f in CATALOGUE.features]
        for source in RULES.canonical_sources:
            assert row[f"{source}_feature_count"] == sources.count(source)
        assert row["default_feature_indices"] == [i for i, source in enumerate(sources) if source == "default"]
        assert row["required_default_count"] == sum(
            source == "default" and f.required for f, source in zip(CATALOGUE.features, sources, strict=True)
        )
        for category in CATALOGUE.categories:
            assert row[f"{category.name}_default_count"] == sum(sources[f.index] == "default" for f in category.features)
        assert row["critical_feature_count"] + sum(sources[f.index] == "default" for f in CATALOGUE.where(critical=True)) == 6


def test_every_json_column_is_filled_where_it_should_be(rows: dict[str, dict[str, Any]]) -> None:
    whole, lost = rows["everything_real"], rows["composite_lost"]
    size = {name: len(json.loads(value)) for name, value in whole.items() if name.endswith("_json")}
    with_default = sum(feature.has_default for feature in CATALOGUE.features)
    windows = sum(feature.window_games is not None for feature in CATALOGUE.features)
    assert size == {
        "feature_fallback_reasons_json": 0,
        "feature_sample_sizes_json": windows,
        "feature_expected_values_json": with_default,
        "feature_value_ranges_valid_json": 37,
        "feature_upstream_tables_json": 37,
        "feature_last_updated_json": 37,
        "feature_original_values_json": 0,
    }
    assert len(json.loads(lost["feature_upstream_tables_json"])) == len(json.loads(lost["feature_last_updated_json"])) == 33
    assert len(json.loads(whole["feature_sources"])) == 37


def test_trace_and_model_columns_are_filled(rows: dict[str, dict[str, Any]]) -> None:
    whole, lost = rows["everything_real"], rows["composite_lost"]
    assert whole["missing_processors"] == "" and len(whole["upstream_processors_ran"].split(",")) == 4
    assert set(whole["predecessor_processors_completed"]) - set(lost["predecessor_processors_completed"]) == {"player_composite_factors"}
    assert (whole["feature_store_age_hours"], whole["is_production_ready"], lost["is_production_ready"]) == (1.0, True, False)
    assert whole["upstream_data_freshness_hours"] == 1.0
    assert len(whole["available_feature_names"]) == 37
    assert (whole["breakout_v3_features_available"], rows["no_star_news"]["breakout_v3_features_available"]) == (True, False)
    assert set(rows["no_star_news"]["breakout_model_compatible"]) < set(whole["breakout_model_compatible"])
    assert rows["short_history"]["is_production_ready"] is False


def test_a_silent_feed_costs_points_and_is_told(tmp_path: Path) -> None:
    for newest, stale in ((4, False), (6, True)):
        tables = table_rows([Case("late", games=12)])
        # The schedule goes on to two days before; the newest loaded game lags it by 48 or 96 hours.
        tables[SUMMARY] = [one for one in tables[SUMMARY] if (DATE - one["game_date"]).days >= newest]
        row = build_store(open_planted(tmp_path / str(newest), tables))["late"]
        feeds = frozenset({"box_scores", "shots"} if stale else ())
        assert judged(row, feeds) == []
        assert ("stale_upstream" in row["quality_alerts"]) is stale
        assert row["feature_0_quality"] == (85.0 if stale else 100.0)


def test_a_job_without_a_row_for_the_date_is_a_missing_processor(tmp_path: Path) -> None:
    row = build_store(open_planted(tmp_path, table_rows([Case("alone", without=(COMPOSITE,))])))["alone"]
    assert row["missing_processors"] == "player_composite_factors"
    assert "player_composite_factors" not in row["upstream_processors_ran"]
