"""Faults in single rows: each blocks its own date under its own reason, and the next date passes."""

from __future__ import annotations

import pytest

from quality.row_checks import row_checks
from tests.quality.planting import Planted, fault, plant
from tests.quality.store_rows import CATALOGUE, RULES, given, pattern

REASONS = "feature_fallback_reasons_json"
COMPOSITES_LOST = pattern(defaults=dict.fromkeys(RULES.composite_indices))
SHOTS_LOST = pattern(line=False, defaults=dict.fromkeys(RULES.shares_indices))

FAULTS = {
    "label says phase4 for a default value": fault(
        "recount:default_feature_count",
        "recount:phase4_feature_count",
        "recount:matchup_default_count",
        "recount:matchup_quality_pct",
        "recount:required_default_count",
        "recount:failure_default_count",
        "recount:critical_feature_count",
        "recount:default_feature_indices",
        patterns=(COMPOSITES_LOST, *[pattern()] * 11),
        where="feature_5_source = 'default' AND player_lookup = 'player00x00'",
        feature_5_source="'phase4'",
    ),
    "default that is not the default": fault(
        "label:pace_score", patterns=(COMPOSITES_LOST, *[pattern()] * 11), where="feature_7_source = 'default'", pace_score="1.5"
    ),
    "phase3 where there is no such fallback": fault(
        "label:fatigue_score",
        "recount:phase3_feature_count",
        "recount:phase4_feature_count",
        "recount:phase3_fallback_count",
        "recount:quality_alert_level",
        feature_5_source="'phase3'",
    ),
    "quality above its label": fault(
        "quality:home_away", "recount:feature_quality_score", "recount:game_context_quality_pct", feature_15_quality="100"
    ),
    "NaN": fault("missing:points_avg_last_5", "out_of_range:points_avg_last_5", points_avg_last_5="'nan'::DOUBLE"),
    "NULL": fault("missing:points_avg_last_5", points_avg_last_5="NULL"),
    "infinity": fault("out_of_range:points_avg_last_5", points_avg_last_5="'inf'::DOUBLE"),
    "NaN in an optional feature": fault(
        "missing:vegas_opening_line",
        "out_of_range:vegas_opening_line",
        "label:vegas_opening_line",
        where="player_lookup = 'player00x01'",
        vegas_opening_line="'nan'::DOUBLE",
    ),
    "NULL with a good label": fault("missing:vegas_opening_line", vegas_opening_line="NULL"),
    "share without a reason": fault(
        "missing:pct_three",
        "default_without_reason",
        "recount:failure_default_count",
        patterns=(SHOTS_LOST, *[pattern()] * 11),
        where="feature_20_source = 'default' AND player_lookup = 'player00x00'",
        **{REASONS: f"json_merge_patch({REASONS}, '{{\"20\": null}}')"},
    ),
    "line of zero": fault("zero_line:vegas_points_line", vegas_points_line="0"),
    "line without its flag": fault("recount:has_vegas_line", has_vegas_line="0"),
    "adjustment in place of a score": fault("out_of_range:fatigue_score", fatigue_score="-3"),
    "shares a hundred times too large": fault(
        "out_of_range:pct_paint",
        "out_of_range:pct_mid_range",
        "out_of_range:pct_three",
        "shares_sum",
        pct_paint="50",
        pct_mid_range="20",
        pct_three="30",
    ),
    "shares a hundred times too small": fault("shares_sum", pct_paint="0.005", pct_mid_range="0.002", pct_three="0.003"),
    "zones from two sources": fault("shares_sum", pct_paint="0.5", pct_mid_range="0.3", pct_three="0.25"),
    "unknown source": fault(
        "label:dnp_rate",
        "quality:dnp_rate",
        "recount:calculated_feature_count",
        "recount:feature_quality_score",
        "recount:player_history_quality_pct",
        feature_33_source="'guessed'",
        feature_33_quality="101",
    ),
    "unknown reason": fault("unknown_reason", **{REASONS: '\'{"9": "because"}\''}),
    "reasons that are no JSON": fault("unknown_reason", **{REASONS: "'{'"}),
    "ranges that are no JSON": fault("unreadable:feature_value_ranges_valid_json", feature_value_ranges_valid_json="'x'"),
    "samples that are no JSON": fault(
        "unreadable:feature_sample_sizes_json",
        "recount:training_quality_feature_count",
        "recount:critical_features_training_quality",
        feature_sample_sizes_json="'x'",
    ),
    "values changed without recomputing quality": fault(
        "recount:feature_quality_score",
        "recount:player_history_quality_pct",
        "recount:training_quality_feature_count",
        feature_0_quality="40",
    ),
    "tier of another score": fault("recount:quality_tier", quality_tier="'silver'"),
    "unknown tier": fault("recount:matchup_quality_tier", matchup_quality_tier="'platinum'"),
    "red row called green": fault(
        "recount:quality_alert_level",
        "recount:is_quality_ready",
        patterns=(COMPOSITES_LOST, *[pattern()] * 11),
        where="matchup_quality_pct < 50",
        quality_alert_level="'green'",
        is_quality_ready="TRUE",
    ),
    "red row called ready": fault(
        "recount:is_quality_ready", patterns=(COMPOSITES_LOST, *[pattern()] * 11), where="matchup_quality_pct < 50", is_quality_ready="TRUE"
    ),
    "not ready for training": fault("recount:is_training_ready", is_training_ready="FALSE"),
    "alert missing": fault("recount:quality_alerts", patterns=(COMPOSITES_LOST, *[pattern()] * 11), where="TRUE", quality_alerts="[]"),
    "alert without cause": fault("recount:quality_alerts", quality_alerts="['range_violation']"),
    "incomplete row called production ready": fault(
        "recount:is_production_ready", missing_processors="'nba_precompute.player_daily_cache'"
    ),
    "cutoff at tip-off": fault("cutoff_after_tipoff", event_timestamp="tipoff_time"),
    "quality of old rules": fault("recount:quality_schema_version", quality_schema_version="'quality_v0'"),
    "required column empty": fault("null:team_abbr", team_abbr="NULL"),
    "unknown season phase": fault("vocabulary:season_phase", season_phase="'preseason'"),
    "score above 100": fault("recount:feature_quality_score", feature_quality_score="101"),
    "counter empty": fault("recount:default_feature_count", default_feature_count="NULL"),
    "infinite breakout input": fault("out_of_range:explosion_ratio", explosion_ratio="'inf'::DOUBLE"),
}


@pytest.fixture(scope="module")
def planted() -> Planted:
    return plant(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_blocks_its_date_for_its_reasons_and_the_next_date_passes(planted: Planted, name: str) -> None:
    verdict = planted.verdict(name)
    assert set(verdict.reasons) == FAULTS[name].reasons
    assert verdict.fate == "blocked"
    assert planted.neighbour(name).fate == "published"
    assert not planted.neighbour(name).findings


def test_every_declared_expectation_was_evaluated(planted: Planted) -> None:
    assert planted.report.expectations_declared == planted.report.expectations_evaluated > len(row_checks())


def reasons(planted: Planted, name: str) -> tuple[str, ...]:
    assert planted.verdict(name).fate == "blocked"
    return planted.verdict(name).reasons


def test_FM12_a_default_labelled_phase4_blocks(planted: Planted) -> None:
    assert "recount:failure_default_count" in reasons(planted, "label says phase4 for a default value")
    assert reasons(planted, "default that is not the default") == ("label:pace_score",)


def test_FM14_NaN_NULL_and_infinity_are_misses(planted: Planted) -> None:
    assert "missing:points_avg_last_5" in reasons(planted, "NaN")
    assert "missing:points_avg_last_5" in reasons(planted, "NULL")
    assert "out_of_range:points_avg_last_5" in reasons(planted, "infinity")
    assert "missing:vegas_opening_line" in reasons(planted, "NaN in an optional feature")


def test_FM16_a_line_of_zero_blocks(planted: Planted) -> None:
    assert reasons(planted, "line of zero") == ("zero_line:vegas_points_line",)


def test_FM20_the_line_flag_follows_the_line(planted: Planted) -> None:
    assert reasons(planted, "line without its flag") == ("recount:has_vegas_line",)


def test_FM22_an_adjustment_stored_as_a_score_blocks(planted: Planted) -> None:
    assert reasons(planted, "adjustment in place of a score") == ("out_of_range:fatigue_score",)


def test_FM27_shares_on_the_wrong_scale_block(planted: Planted) -> None:
    assert "out_of_range:pct_paint" in reasons(planted, "shares a hundred times too large")
    assert reasons(planted, "shares a hundred times too small") == ("shares_sum",)


def test_FM28_shares_that_do_not_sum_to_one_block(planted: Planted) -> None:
    assert reasons(planted, "zones from two sources") == ("shares_sum",)


def test_FM51_counters_that_differ_from_the_columns_block(planted: Planted) -> None:
    assert "recount:feature_quality_score" in reasons(planted, "values changed without recomputing quality")


def test_FM57_rows_that_are_present_and_invalid_block(planted: Planted) -> None:
    assert reasons(planted, "required column empty") == ("null:team_abbr",)
    assert reasons(planted, "unknown season phase") == ("vocabulary:season_phase",)


def test_every_feature_has_its_own_range_label_quality_and_missing_check() -> None:
    codes = {check.code for check in row_checks()}
    for feature in CATALOGUE.features:
        assert {f"{family}:{feature.name}" for family in ("missing", "out_of_range", "label", "quality")} <= codes


def test_FM15_exact_zeros_are_values() -> None:
    zeros = {
        feature.name: "0" for feature in CATALOGUE.features if feature.min <= 0 and feature.index not in (25, 26, 28, *RULES.shares_indices)
    }
    report = plant({"zeros": fault(patterns=(pattern(),), **zeros)}).report
    assert {verdict.fate for verdict in report.verdicts.values()} == {"published"}


def test_penalised_fallen_back_and_clamped_rows_pass() -> None:
    rows = (
        pattern(),
        pattern(points_avg_last_5=given(CATALOGUE.features[0], raw_type="phase3", reason="daily_cache_missing", sample_size=2)),
        pattern(pct_free_throw=given(CATALOGUE.features[21], clamped=True)),
        pattern(opponent_pace=given(CATALOGUE.features[14], stale=True, sample_size=7)),
        SHOTS_LOST,
    )
    report = plant({"mixed": fault(patterns=rows)}).report
    assert [f.line() for verdict in report.verdicts.values() for f in verdict.findings] == []
