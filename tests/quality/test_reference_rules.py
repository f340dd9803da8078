"""The truth table of the quality rules, recomputed from weights and labels, and the boundaries of tiers and levels."""

from __future__ import annotations

from fractions import Fraction

import pytest

from quality.reference_rules import RowVerdict, judge_row
from schemas.errors import DefinitionError, UnknownNameError
from schemas.rules import load_rules
from tests.quality.store_rows import CATALOGUE, RULES, cache_lost, given, pattern

MATCHUP = tuple(f.index for f in CATALOGUE.category("matchup").features)


def exact_mean(row: RowVerdict) -> Fraction:
    return Fraction(int(sum(row.qualities)), len(row.qualities))


def test_everything_real_with_a_line() -> None:
    row = judge_row(pattern())
    # 30 features at 100, 3 at 87 (15 to 17), 2 at 90 (29, 30), 2 at 95 (31, 32).
    assert exact_mean(row) == Fraction(30 * 100 + 3 * 87 + 2 * 90 + 2 * 95, 37) == Fraction(3631, 37)
    assert (row.feature_quality_score, row.quality_tier, row.quality_alert_level) == (98.14, "gold", "green")
    assert row.is_quality_ready and row.is_training_ready
    assert row.quality_alerts == ()


def test_everything_real_without_a_line() -> None:
    row = judge_row(pattern(line=False))
    # 25 to 27 have no default: missing, weight 0. 28 is calculated and true.
    assert exact_mean(row) == Fraction(3631 - 300, 37)
    assert (row.feature_quality_score, row.quality_tier, row.quality_alert_level) == (90.03, "silver", "green")
    assert row.is_quality_ready
    assert (row.category_quality_pct["vegas"], row.required_default_count) == (25.0, 0)


def test_FM08_composite_factors_defaulted_is_red_in_spite_of_its_score() -> None:
    row = judge_row(pattern(defaults=dict.fromkeys(RULES.composite_indices)))
    assert exact_mean(row) == Fraction(3631 - 4 * 60, 37)
    assert (row.feature_quality_score, row.quality_tier, row.quality_alert_level) == (91.65, "silver", "red")
    assert row.category_quality_pct["matchup"] == 33.3
    assert not row.is_quality_ready and not row.is_training_ready
    assert set(row.quality_alerts) == {"composite_factors_missing", "critical_features_missing", "matchup_quality_critical"}


def test_all_matchup_features_defaulted() -> None:
    row = judge_row(pattern(defaults=dict.fromkeys(MATCHUP)))
    assert exact_mean(row) == Fraction(3631 - 6 * 60, 37)
    assert (row.feature_quality_score, row.quality_tier, row.quality_alert_level) == (88.41, "silver", "red")
    assert row.category_quality_pct["matchup"] == 0.0
    assert "all_matchup_features_defaulted" in row.quality_alerts
    assert not row.is_quality_ready


def test_FM18_never_met_this_opponent_stays_green() -> None:
    for line in (True, False):
        row = judge_row(
            pattern(line=line, avg_points_vs_opponent=given(CATALOGUE.features[29], raw_type="fallback", reason="no_opponent_history"))
        )
        assert (row.quality_alert_level, row.is_quality_ready, row.failure_default_count) == ("green", True, 0)
        assert row.required_default_count == 1


def test_shares_missing_without_a_line() -> None:
    row = judge_row(pattern(line=False, defaults=dict.fromkeys(RULES.shares_indices)))
    assert exact_mean(row) == Fraction(3631 - 300 - 300, 37)
    assert (row.feature_quality_score, row.quality_tier, row.quality_alert_level) == (81.92, "bronze", "yellow")
    assert row.is_quality_ready and not row.is_training_ready


def test_daily_cache_missing_and_the_fallback_works() -> None:
    for line in (True, False):
        row = judge_row(cache_lost(line))
        assert (row.quality_alert_level, row.is_quality_ready, row.phase3_fallback_count) == ("yellow", True, 7)


@pytest.mark.parametrize(
    ("score", "tier"),
    [
        (100, "gold"),
        (95, "gold"),
        (94.99, "silver"),
        (85, "silver"),
        (84.99, "bronze"),
        (70, "bronze"),
        (69.99, "poor"),
        (50, "poor"),
        (49.99, "critical"),
        (0, "critical"),
    ],
)
def test_FM21_tiers_begin_at_their_bounds(score: float, tier: str) -> None:
    assert load_rules().tier(score) == tier


def test_FM21_every_tier_that_quality_readiness_allows_can_be_ready() -> None:
    rows = (pattern(), pattern(line=False), pattern(line=False, defaults=dict.fromkeys(RULES.shares_indices)))
    verdicts = [judge_row(row) for row in rows]
    assert {verdict.quality_tier for verdict in verdicts if verdict.is_quality_ready} == set(RULES.quality_ready.tiers)


def test_seven_failures_are_yellow_and_eight_red() -> None:
    # Spread so that no category is wholly lost and matchup stays good.
    spread = (0, 1, 2, 3, 4, 9, 15, 16)
    seven, eight = (judge_row(pattern(defaults=dict.fromkeys(spread[:n], "upstream_row_missing"))) for n in (7, 8))
    assert (seven.failure_default_count, seven.quality_alert_level, seven.is_quality_ready) == (7, "yellow", True)
    assert (eight.failure_default_count, eight.quality_alert_level, eight.is_quality_ready) == (8, "red", False)
    assert RULES.red.failure_defaults_from == int(0.20 * len(CATALOGUE.features)) + 1


def test_FM18_eight_structural_defaults_are_not_red() -> None:
    row = judge_row(pattern(defaults=dict.fromkeys((0, 1, 2, 3, 4, 9, 15, 16), "insufficient_history")))
    assert (row.failure_default_count, row.required_default_count, row.quality_alert_level) == (0, 8, "green")
    assert row.quality_alerts == ("high_default_rate_24pct",)


def test_the_default_rate_alert_begins_above_a_fifth_of_the_required_features() -> None:
    indices = tuple(f.index for f in CATALOGUE.features if f.required and f.category in ("player_history", "game_context"))
    six, seven = (judge_row(pattern(defaults=dict.fromkeys(indices[:n], "insufficient_history"))).quality_alerts for n in (6, 7))
    assert six == ()
    assert seven == ("high_default_rate_21pct",)


@pytest.mark.parametrize(
    ("lost_count", "level", "ready"), [(1, "green", True), (2, "yellow", True), (3, "yellow", True), (4, "red", False)]
)
def test_matchup_levels_at_their_bounds(lost_count: int, level: str, ready: bool) -> None:
    # 83.3, 66.7, exactly 50.0 and 33.3 percent, all for structural reasons.
    row = judge_row(pattern(defaults=dict.fromkeys(MATCHUP[:lost_count], "insufficient_history")))
    assert (row.quality_alert_level, row.is_quality_ready) == (level, ready)


def test_penalties_and_the_cap() -> None:
    feature = CATALOGUE.features[13]

    def quality(**changes: object) -> float:
        return judge_row(pattern(opponent_def_rating=given(feature, **changes))).qualities[13]

    assert quality() == 100
    assert quality(stale=True) == 85
    assert quality(sample_size=7) == 90
    assert quality(sample_size=8) == 100
    assert quality(stale=True, sample_size=7) == 75
    assert quality(raw_type="phase3", reason="opponent_defense_missing", stale=True, sample_size=7) == 62
    assert quality(clamped=True) == 50


def test_training_quality_asks_for_quality_sample_and_range() -> None:
    whole = judge_row(pattern()).training_quality_feature_count
    assert whole == 37
    feature = CATALOGUE.features[0]
    for changes in ({"sample_size": 4}, {"clamped": True}, {"raw_type": "phase3", "stale": True}):
        assert judge_row(pattern(points_avg_last_5=given(feature, **changes))).training_quality_feature_count == whole - 1


def test_FM20_every_flag_takes_both_values() -> None:
    rows = [judge_row(row) for row in (pattern(), pattern(defaults=dict.fromkeys(MATCHUP)))]
    for flag in (
        "has_composite_factors",
        "has_opponent_defense",
        "critical_features_training_quality",
        "is_quality_ready",
        "is_training_ready",
    ):
        assert {getattr(row, flag) for row in rows} == {True, False}, flag


def test_FM20_every_alert_can_be_given_and_is_in_the_vocabulary() -> None:
    import re

    rows = [pattern(defaults={f.index: "stale_data" for f in category.features}) for category in CATALOGUE.categories]
    rows += [pattern(defaults=dict.fromkeys(RULES.composite_indices)), pattern(pct_free_throw=given(CATALOGUE.features[21], clamped=True))]
    seen = {alert for row in rows for alert in judge_row(row).quality_alerts}
    assert all(re.match(RULES.alert_pattern, alert) for alert in seen)
    expected = {f"all_{name}_features_defaulted" for name in RULES.category_names} | {t for t in RULES.alert_templates if "{" not in t}
    assert expected <= seen
    assert any(alert.startswith("high_default_rate_") for alert in seen)
    assert not re.match(RULES.alert_pattern, "matchup_quality_critical_but_longer")


def test_an_unknown_source_type_or_reason_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="guess"):
        judge_row(pattern(dnp_rate=given(CATALOGUE.feature("dnp_rate"), raw_type="guess")))
    with pytest.raises(UnknownNameError, match="because"):
        judge_row(pattern(dnp_rate=given(CATALOGUE.feature("dnp_rate"), reason="because")))
    with pytest.raises(DefinitionError, match="needs a reason"):
        judge_row(pattern(dnp_rate=given(CATALOGUE.feature("dnp_rate"), raw_type="default")))
    with pytest.raises(DefinitionError, match="each feature once"):
        judge_row({0: given(CATALOGUE.features[0])})
