"""Faults of a whole slate: too few rows, constants, red rows, shifted means; the next date passes."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from quality.gate import ExpectedSlate, Trailing
from quality.trailing import trailing_figures
from tests.quality.planting import Planted, audit, fault, plant
from tests.quality.store_rows import CATALOGUE, FIRST, RULES, cache_lost, changed, expected, pattern, store_rows

MATCHUP = tuple(f.index for f in CATALOGUE.category("matchup").features)
TEAM = tuple(f.index for f in CATALOGUE.category("team_context").features)
COMPOSITES_LOST = pattern(defaults=dict.fromkeys(RULES.composite_indices))
MATCHUP_NEW = pattern(defaults=dict.fromkeys(MATCHUP, "insufficient_history"))
MATCHUP_LOST = pattern(defaults=dict.fromkeys(MATCHUP))
TEAM_LOST = pattern(defaults=dict.fromkeys(TEAM))
CACHE_LOST = cache_lost()

FAULTS = {
    "composite factors of all lost": fault("matchup_mean", "red_share", patterns=(COMPOSITES_LOST,)),
    "matchup of all lost": fault("matchup_mean", "red_share", "category_defaulted:matchup", patterns=(MATCHUP_LOST,)),
    "team context of all lost": fault("red_share", "category_defaulted:team_context", patterns=(TEAM_LOST,)),
    "one row in six red": fault("red_share", patterns=(*[pattern()] * 5, COMPOSITES_LOST)),
    "win share constant": fault("zero_variance:team_win_pct", where="TRUE", team_win_pct="0.5"),
    "usage constant": fault("zero_variance:usage_spike_score", where="TRUE", usage_spike_score="0"),
    "points hardly differ": fault("low_spread:points_avg_last_5", where="TRUE", points_avg_last_5="10 + points_avg_last_5 / 100"),
    "fatigue is an adjustment": fault("mean_too_low:fatigue_score", where="TRUE", fatigue_score="5 - fatigue_score / 20"),
    "everyone at home": fault("home_share:home_away", where="TRUE", home_away="1"),
    "nobody at home": fault("home_share:home_away", where="TRUE", home_away="0"),
    "a player twice": fault("duplicate_key", where="player_lookup = 'player00x01'", player_lookup="'player00x00'"),
}
PASSING = {
    "no line for anybody": fault(patterns=(pattern(line=False),)),
    "daily cache lost, fallback works": fault(patterns=(CACHE_LOST,)),
    "nobody has met the opponent": fault(patterns=(pattern(defaults={29: None}),)),
    "the first days of a data set": fault(patterns=(MATCHUP_NEW,)),
    "one game only": fault(games=1, where="TRUE", team_win_pct="0.5"),
    "line never moved": fault(patterns=(pattern(),), where="TRUE", vegas_line_move="0", vegas_opening_line="vegas_points_line"),
}


@pytest.fixture(scope="module")
def planted() -> Planted:
    return plant({**FAULTS, **PASSING})


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_blocks_its_date_for_its_reasons_and_the_next_date_passes(planted: Planted, name: str) -> None:
    assert set(planted.verdict(name).reasons) == FAULTS[name].reasons
    assert planted.verdict(name).fate == "blocked"
    assert planted.neighbour(name).fate == "published"


@pytest.mark.parametrize("name", PASSING)
def test_what_is_normal_passes(planted: Planted, name: str) -> None:
    assert [finding.line() for finding in planted.verdict(name).findings] == []


def test_FM08_a_whole_category_on_defaults_blocks_though_the_score_is_high(planted: Planted) -> None:
    verdict = planted.verdict("composite factors of all lost")
    assert verdict.fate == "blocked"
    assert {"red_share", "matchup_mean"} == set(verdict.reasons)


def test_FM13_constants_block(planted: Planted) -> None:
    assert planted.verdict("win share constant").reasons == ("zero_variance:team_win_pct",)
    assert planted.verdict("usage constant").reasons == ("zero_variance:usage_spike_score",)


def test_FM18_optional_features_and_structural_reasons_never_block(planted: Planted) -> None:
    assert planted.verdict("no line for anybody").fate == "published"
    assert planted.verdict("nobody has met the opponent").fate == "published"


def test_FM22_an_adjustment_in_the_range_of_the_score_blocks_by_its_mean(planted: Planted) -> None:
    (finding,) = planted.verdict("fatigue is an adjustment").findings
    assert finding.reason_code == "mean_too_low:fatigue_score"
    assert finding.value is not None and finding.value < 5
    assert finding.threshold == RULES.gate.fatigue_mean_min


def test_a_date_that_is_red_for_structural_reasons_alone_is_a_cold_start(planted: Planted) -> None:
    assert planted.verdict("the first days of a data set").cold_start
    assert not planted.verdict("matchup of all lost").cold_start
    assert not planted.verdict("no line for anybody").cold_start


def test_one_failure_among_structural_reds_ends_the_cold_start() -> None:
    planted = plant({"mixed": fault(patterns=(*[MATCHUP_NEW] * 5, MATCHUP_LOST))})
    assert not planted.verdict("mixed").cold_start
    assert {"red_share", "matchup_mean", "category_defaulted:matchup"} == set(planted.verdict("mixed").reasons)


def test_a_failure_elsewhere_does_not_end_the_cold_start() -> None:
    row = pattern(defaults={**dict.fromkeys(MATCHUP, "insufficient_history"), **dict.fromkeys(RULES.shares_indices)})
    assert plant({"mixed": fault(patterns=(row,))}).verdict("mixed").cold_start


def test_FM45_missing_and_surplus_rows_block_with_their_counts() -> None:
    rows = store_rows(3)
    slates = expected(rows)
    dates = sorted(slates)
    slates[dates[0]] = ExpectedSlate(slates[dates[0]].roster_rows + 1, 6)
    slates[dates[1]] = ExpectedSlate(slates[dates[1]].roster_rows - 1, 6)
    report = audit(rows, slates)
    (short,), (long,) = report.verdicts[dates[0]].findings, report.verdicts[dates[1]].findings
    assert (short.reason_code, short.value, short.threshold) == ("rows_missing", 144, 145)
    assert (long.reason_code, long.value, long.threshold) == ("rows_unexpected", 144, 143)
    assert report.passed == (dates[2],)


def test_a_date_without_rows_blocks() -> None:
    rows = store_rows(1)
    empty = FIRST + dt.timedelta(days=1)
    report = audit(rows, {**expected(rows), empty: ExpectedSlate(144, 6)})
    assert report.verdicts[empty].reasons == ("no_rows",)
    assert report.passed == (FIRST,)


def test_a_date_nobody_asked_for_blocks() -> None:
    rows = store_rows(2)
    slates = expected(rows)
    unasked = max(slates)
    del slates[unasked]
    report = audit(rows, slates)
    assert report.verdicts[unasked].reasons == ("unexpected_date",)
    assert report.passed == (FIRST,)


def test_a_missing_game_blocks() -> None:
    rows = store_rows(1)
    report = audit(rows, {FIRST: ExpectedSlate(rows.num_rows, 7)})
    assert report.verdicts[FIRST].reasons == ("games_differ",)


def test_rows_without_a_date_block_every_date() -> None:
    rows = changed(store_rows(2), "player_lookup = 'player00x00' AND game_date = DATE '2024-01-10'", game_date="NULL")
    report = audit(rows, expected(store_rows(2)))
    assert all("null:game_date" in verdict.reasons for verdict in report.verdicts.values())
    assert not report.passed


def test_a_neutral_site_lowers_the_home_share_to_be_expected() -> None:
    rows = changed(store_rows(1, games=8, per_side=15), "team_abbr <= 'T07'", home_away="0")
    slate = {FIRST: ExpectedSlate(rows.num_rows, 8, neutral_games=4)}
    assert audit(rows, slate).verdicts[FIRST].fate == "published"
    assert audit(changed(rows, home_away="0"), slate).verdicts[FIRST].reasons == ("home_share:home_away",)


def _history(rows: pa.Table) -> dict[dt.date, Trailing]:
    import duckdb

    with duckdb.connect() as connection:
        connection.register("store", rows)
        return trailing_figures(connection, "store", [FIRST + dt.timedelta(days=day) for day in range(20)])


def test_FM19_a_fall_of_vegas_coverage_warns_and_does_not_block() -> None:
    good = store_rows(10, patterns=(pattern(),))
    last = FIRST + dt.timedelta(days=10)
    today = store_rows(1, patterns=(pattern(line=False), *[pattern()] * 2), first=last)
    trailing = _history(pa.concat_tables([good, today]))
    assert trailing[last].coverage == 1.0
    verdict = audit(today, expected(today), trailing).verdicts[last]
    assert (verdict.fate, verdict.reasons) == ("warned", ("coverage_drop:vegas_points_line",))
    assert verdict.findings[0].value == pytest.approx(2 / 3)


def test_a_shifted_mean_and_a_fall_of_ready_rows_warn() -> None:
    good = store_rows(10)
    last = FIRST + dt.timedelta(days=10)
    # Twelve teams have twelve paces, however many players: what they can show by chance is no shift.
    for shift, reasons in ((2, ()), (7, ("mean_shift:opponent_pace",))):
        today = changed(store_rows(1, first=last, seed=8), "TRUE", opponent_pace=f"opponent_pace + {shift}")
        verdict = audit(today, expected(today), _history(pa.concat_tables([good, today]))).verdicts[last]
        assert (verdict.fate, verdict.reasons) == ("warned" if reasons else "published", reasons)
    fewer = {last: Trailing(ready_share=0.9)}
    cold = store_rows(1, patterns=(MATCHUP_NEW, pattern()), first=last)
    assert audit(cold, expected(cold), fewer).verdicts[last].reasons == ("ready_share_drop",)


def test_a_date_without_history_is_not_compared() -> None:
    rows = store_rows(1)
    assert FIRST not in _history(rows)
    assert audit(rows, expected(rows), {}).verdicts[FIRST].fate == "published"


def test_fatigue_alike_for_everyone_only_warns() -> None:
    rows = changed(store_rows(1), "TRUE", fatigue_score="100")
    verdict = audit(rows, expected(rows)).verdicts[FIRST]
    assert (verdict.fate, verdict.reasons) == ("warned", ("zero_variance:fatigue_score",))
