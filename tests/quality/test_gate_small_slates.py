"""What the spread checks must not mistake for a fault: few teams, a season's first days, games without a home side."""

from __future__ import annotations

import pytest

from quality.gate import DateVerdict
from tests.quality.planting import audit
from tests.quality.store_rows import FIRST, changed, expected, store_rows

PLAYERS = 30
"""Enough rows per team for fifty values on a slate of two teams."""


def _verdict(games: int, **assignments: str) -> DateVerdict:
    rows = changed(store_rows(1, games, per_side=PLAYERS, first=FIRST), **assignments)
    return audit(rows, expected(rows)).verdicts[FIRST]


@pytest.mark.parametrize(("games", "fate"), [(2, "published"), (3, "blocked"), (6, "blocked")])
def test_FM13_a_team_level_constant_blocks_only_where_six_teams_cannot_agree_by_chance(games: int, fate: str) -> None:
    verdict = _verdict(games, team_win_pct="0.5")
    assert verdict.fate == fate
    assert ("zero_variance:team_win_pct" in verdict.reasons) == (fate == "blocked")


@pytest.mark.parametrize(("games", "fate"), [(2, "published"), (6, "blocked")])
def test_a_narrow_mismatch_spread_is_no_fault_on_two_games(games: int, fate: str) -> None:
    verdict = _verdict(games, shot_zone_mismatch_score="shot_zone_mismatch_score / 1000")
    assert verdict.fate == fate
    assert ("low_spread:shot_zone_mismatch_score" in verdict.reasons) == (fate == "blocked")


@pytest.mark.parametrize(("sample", "fate"), [(5, "published"), (6, "blocked")])
def test_FM13_a_zero_z_score_is_a_fault_only_beyond_the_first_five_games(sample: int, fate: str) -> None:
    samples = f"regexp_replace(feature_sample_sizes_json, '\"35\": ?[0-9]+', '\"35\":{sample}')"
    verdict = _verdict(6, pts_vs_season_zscore="0", feature_sample_sizes_json=samples)
    assert ("zero_variance:pts_vs_season_zscore" in verdict.reasons) == (fate == "blocked")


def test_FM32_a_slate_at_a_neutral_site_has_no_home_half() -> None:
    rows = changed(store_rows(1, 2, per_side=PLAYERS, first=FIRST), home_away="0")
    slates = {date: type(slate)(slate.roster_rows, slate.games, neutral_games=slate.games) for date, slate in expected(rows).items()}
    assert audit(rows, slates).verdicts[FIRST].fate == "published"
    assert "home_share:home_away" in audit(rows, expected(rows)).verdicts[FIRST].reasons
