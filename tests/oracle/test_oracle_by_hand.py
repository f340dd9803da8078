"""The oracle's values of players and teams against numbers worked out by hand in a made-up league."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest

from schemas.catalogue import load_catalogue
from tests.oracle.arithmetic import round_half_away
from tests.oracle.by_hand import LATER, D, ago, features, scoring
from tests.oracle.features import FeatureValue
from tests.oracle.made_up_league import MadeUpLeague, eastern
from tests.oracle.oracle import Oracle


@pytest.mark.parametrize(
    ("points", "trend", "slope"),
    [
        ([10, 12, 14, 16, 18], 2.0, 2.0),  # 16 - 11 = 5
        ([18, 16, 14, 12, 10], -2.0, -2.0),
        ([10, 10, 12, 12, 12], 1.0, 0.6),  # 12 - 10 = 2; slope = (-2*10 - 10 + 12 + 2*12) / 10
        ([10, 10, 11, 11, 12], 0.0, 0.5),  # 34/3 - 10 < 2; slope = (-20 - 10 + 11 + 24) / 10
    ],
)
def test_FM26_a_rising_series_has_a_positive_trend(points: list[int], trend: float, slope: float) -> None:
    row = features(scoring(points))
    assert row["recent_trend"].value == trend
    assert row["pts_slope_10g"].value == slope


def test_FM23_absence_is_not_zero_points_and_zero_points_is_not_absence() -> None:
    league = scoring([20, 0])
    marked = league.play(ago(1), "AAA", "BBB", {"bob": 5})
    league.marked_absent(marked, "AAA", "ann")
    league.play(ago(5), "AAA", "BBB", {"bob": 5})  # before her first game: not counted
    league.play(ago(3), "AAA", "BBB", {"bob": 5})  # unmarked absence
    row = features(league)
    assert row["points_avg_last_5"].value == 10.0  # 20 and 0
    assert row["points_avg_season"].value == 10.0
    assert row["points_std_last_10"].value == 14.142136  # sqrt(100 + 100)
    assert row["minutes_avg_last_10"].value == 30.0
    assert row["points_avg_last_5"].sample_size == 2
    assert row["dnp_rate"].value == 0.5  # of the 4 games since her first, absent from 2
    assert row["recent_trend"] == FeatureValue(0.0, None, "default", "insufficient_history", 2)


def test_absence_counts_the_newest_ten_games() -> None:
    league = MadeUpLeague()
    for number in range(14, 0, -1):
        league.play(ago(number), "AAA", "BBB", {"bob": 5} if number in (1, 2, 3) else {"ann": 5, "bob": 5})
    league.schedule(D, "AAA", "CCC")
    assert features(league)["dnp_rate"].value == 0.3


def test_FM25_the_seven_days_before_are_d_minus_7_to_d_minus_1() -> None:
    league = MadeUpLeague()
    for number in (8, 7, 4, 1):
        league.play(ago(number), "AAA", "BBB", {"ann": 10})
    league.play(D, "AAA", "BBB", {"ann": 40})
    row = features(league)
    assert row["games_in_last_7_days"].value == 3.0
    assert row["points_avg_last_5"].value == 10.0  # the game of D itself is not in
    assert row["games_vs_opponent"].value == 4.0


def test_FM01_the_box_scores_of_the_date_and_later_change_nothing() -> None:
    league, changed = scoring([10, 20, 30, 5, 0]), scoring([10, 20, 30, 5, 0])
    changed.rows["schedule"].pop()
    game = changed.play(D, "AAA", "CCC", {"ann": 99})
    changed.shots(game, "AAA", "ann", "mid_range", 20, 20)
    changed.play(D + timedelta(days=1), "AAA", "BBB", {"ann": 99})
    assert features(changed) == features(league)


def test_box_scores_exist_from_the_following_eastern_day_on() -> None:
    league = MadeUpLeague()
    for number in (4, 2, 1):
        league.play(ago(number), "AAA", "BBB", {"ann": 10 * number})
    league.schedule(D, "AAA", "CCC")
    assert features(league, as_of=eastern(ago(1), 23, 59))["points_avg_last_5"].value == 30.0  # 40 and 20
    assert features(league, as_of=eastern(D, 0))["points_avg_last_5"].value == 23.333333  # and 10


def test_FM31_rest_0_is_a_back_to_back() -> None:
    league = MadeUpLeague()
    for number in (10, 9, 5, 1):
        league.play(ago(number), "AAA", "BBB", {"ann": 10})
    league.play(ago(3), "CCC", "BBB")
    league.schedule(D, "AAA", "CCC")
    league.born("ann", date(1989, 1, 20))  # 35 on D
    row = features(league)
    assert row["back_to_back"].value == 1.0
    assert row["rest_advantage"].value == -2.0  # 0 - 2
    assert row["fatigue_score"].value == 70.0  # 100 - 15 rest - 5 one pair in 14 days - 10 age
    oracle = Oracle(league.raw(), LATER)
    assert [oracle.games.days_of_rest(team, D) for team in ("AAA", "CCC", "ZZZ")] == [0, 2, 7]


def test_fatigue_counts_games_minutes_and_pairs_exactly() -> None:
    league = MadeUpLeague()
    for number, minutes in ((7, 60.0), (6, 60.0), (4, 60.0), (3, 60.0)):
        game = league.schedule(ago(number), "AAA", "BBB")
        league.team(game, "AAA")
        league.box(game, "AAA", "ann", minutes=minutes)
    league.schedule(D, "AAA", "CCC")
    # 100 + 5 rest 2 - 10 four games - 8 mean above 35 - 12 two pairs; 240 minutes are not above 240
    assert features(league)["fatigue_score"].value == 75.0
    game = league.schedule(ago(8), "AAA", "BBB")  # a third pair, outside the seven days
    league.team(game, "AAA")
    league.box(game, "AAA", "ann")
    assert features(league)["fatigue_score"].value == 75.0
    rested = features(scoring([10]))["fatigue_score"]
    assert (rested.value, rested.raw_type) == (100.0, "phase4")


def test_fatigue_with_one_day_of_rest_is_neither_fresher_nor_tired() -> None:
    for every, score in ((2, 90.0), (3, 95.0)):
        league = scoring([10], every)
        league.born("ann", date(1989, 1, 19))  # 35 and a day
        assert features(league)["fatigue_score"].value == score


def test_FM32_nobody_is_at_home_at_a_neutral_site() -> None:
    for neutral, flags in ((True, (0.0, 0.0)), (False, (1.0, 0.0))):
        league = MadeUpLeague()
        game = league.play(ago(2), "AAA", "BBB", {"ann": 10})
        league.box(game, "BBB", "bob")
        league.schedule(D, "AAA", "BBB", neutral=neutral)
        assert tuple(features(league, player)["home_away"].value for player in ("ann", "bob")) == flags


@pytest.mark.parametrize(("kind", "flag"), [("playoffs", 1.0), ("play_in", 0.0), ("regular", 0.0), ("cup_final", 0.0)])
def test_FM33_the_kind_of_game_comes_from_the_schedule(kind: str, flag: float) -> None:
    league = MadeUpLeague()
    league.play(ago(2), "AAA", "BBB", {"ann": 10}, season_type=kind)
    league.play(ago(3), "AAA", "BBB", {"ann": 99}, season_type="preseason")
    league.play(ago(4), "AAA", "BBB", {"ann": 99}, season_type="all_star")
    league.play(ago(5), "AAA", "BBB", {"ann": 99}, status="postponed")
    league.schedule(D, "AAA", "BBB", season_type=kind)
    row = features(league)
    assert row["playoff_game"].value == flag
    assert row["points_avg_last_10"].value == 10.0
    assert row["playoff_game"].raw_type == "phase3"


def test_FM29_points_per_minute_are_pooled_and_games_of_no_minutes_left_out() -> None:
    league = MadeUpLeague()
    for number, points, minutes in ((6, 10, 10.0), (4, 30, 20.0), (2, 2, 0.0)):
        game = league.schedule(ago(number), "AAA", "BBB")
        league.team(game, "AAA")
        league.box(game, "AAA", "ann", points=points, minutes=minutes)
    league.schedule(D, "AAA", "CCC")
    row = features(league)
    assert row["ppm_avg_last_10"].value == 1.333333  # 40 / 30, not the mean of 1 and 1.5, not 42 / 30
    assert row["points_avg_last_10"].value == 14.0
    assert row["minutes_avg_last_10"].value == 10.0


def test_free_throw_share_is_pooled_and_needs_five_games_and_points() -> None:
    def share(*games: tuple[int, int]) -> FeatureValue:
        league = MadeUpLeague()
        for i, (points, made) in enumerate(games):
            game = league.play(ago(2 * i + 2), "AAA", "BBB")
            league.box(game, "AAA", "ann", points=points, ftm=made)
        league.schedule(D, "AAA", "CCC")
        return features(league)["pct_free_throw"]

    assert share((2, 2), (10, 0), (10, 1), (10, 1), (0, 0)).value == 0.125  # 4 / 32, not the mean of shares
    assert share((2, 2), (10, 0), (10, 1), (10, 1)) == FeatureValue(0.15, None, "default", "insufficient_history", 4)
    assert share(*[(0, 0)] * 5) == FeatureValue(0.15, None, "default", "insufficient_history", 5)


def test_the_league_window_is_60_days_from_150_games_on() -> None:
    for recent, pace in ((150, 90.0), (149, round((149 * 90 + 45) / 150, 6))):
        league = MadeUpLeague()
        for _ in range(recent):
            league.play(ago(60), "AAA", "BBB")
        old = league.play(ago(61), "AAA", "BBB")
        for team in ("AAA", "BBB"):
            league.team(old, team, fga=35)
        assert float(Oracle(league.raw(), LATER).games.league_pace(D) or 0) == pytest.approx(pace, abs=1e-6)


def test_z_score_breakout_and_their_zero_deviation() -> None:
    rising = features(scoring([0] * 5 + [10] * 5))
    # last 5: 10, season: 5, deviation: sqrt(250 / 9) = 5.270463
    assert rising["pts_vs_season_zscore"].value == 0.948683
    assert rising["breakout_flag"].value == 0.0
    assert features(scoring([0] * 20 + [10] * 5))["breakout_flag"].value == 1.0  # 10 > 2 + 1.5 x 5.270463
    flat = features(scoring([8] * 6))
    assert flat["points_std_last_10"].value == 0.0
    assert (flat["pts_vs_season_zscore"].value, flat["pts_vs_season_zscore"].raw_type) == (0.0, "calculated")
    assert flat["breakout_flag"].value == 0.0


def test_minutes_change_steps_at_ten_per_cent_exactly() -> None:
    # season of 20: ten of 30 minutes, then ten more; (new - mean) / mean with new = 36.666... is 0.1 exactly
    for newer, step in ((Fraction(110, 3), 1.0), (Fraction(36), 0.0), (Fraction(45), 2.0), (Fraction(20), -2.0)):
        league = MadeUpLeague()
        for i in range(20):
            game = league.schedule(ago(2 * (20 - i)), "AAA", "BBB")
            league.team(game, "AAA")
            league.box(game, "AAA", "ann", minutes=30.0 if i < 10 else float(newer))
        league.schedule(D, "AAA", "CCC")
        assert features(league)["minutes_change"].value == step


def test_opponent_history_falls_back_to_the_season_mean() -> None:
    row = features(scoring([10, 20]))
    assert row["avg_points_vs_opponent"] == FeatureValue(15.0, 15.0, "fallback", "no_opponent_history", 0)
    assert row["games_vs_opponent"].value == 0.0
    assert row["games_vs_opponent"].raw_type == "opponent_history"


def test_possessions_pace_and_ratings() -> None:
    league = MadeUpLeague()
    for i in range(5):
        game = league.play(ago(2 * i + 2), "AAA", "CCC", {"ann": 10})
        league.team(game, "AAA", points=108 if i == 0 else 99, minutes=266 if i == 0 else 239)  # 266: one overtime
        league.team(game, "CCC", points=103, fga=82, minutes=264 if i == 0 else 242)  # 92 possessions
    league.schedule(D, "AAA", "CCC")
    row = features(league)
    # 91 possessions in each game; 48 x 91 / 53 = 82.415094 with an overtime, 91 without
    assert row["team_pace"].value == 89.283019
    assert row["opponent_pace"].value == 89.283019
    assert row["pace_score"].value == 0.0
    assert row["team_off_rating"].value == 110.769231  # 100 x (108 + 4 x 99) / 5 / 91
    assert row["opponent_def_rating"].value == 110.769231
    assert row["team_win_pct"].value == 0.2
    assert row["opponent_pace"].sample_size == 5
    for i in range(30):  # the league at large: 30 games of 90 possessions; 5 of 89.283019
        league.play(ago(i + 1), "DDD", "EEE")
    assert features(league)["pace_score"].value == -0.307278  # (89.283019 - 89.897574) / 2


def zone_league() -> MadeUpLeague:
    """Ann takes 8 of 10 in the paint; CCC allows 60 % there, the league 52.5 %."""
    league = MadeUpLeague()
    for i in range(3):
        own = league.play(ago(2 * i + 3), "AAA", "BBB", {"ann": 10})
        league.shots(own, "AAA", "ann", "restricted_area", 3, 3)
        league.shots(own, "AAA", "ann", "paint_non_ra", 1, 1)
        league.shots(own, "AAA", "ann", "mid_range", 0, 1)
        league.shots(own, "AAA", "ann", "backcourt", 0, 1)
        league.shots(own, "BBB", "bob", "restricted_area", 5, 7)
        other = league.play(ago(2 * i + 2), "CCC", "BBB")
        league.shots(other, "BBB", "bob", "paint_non_ra", 12, 8)
        league.shots(other, "BBB", "bob", "mid_range", 1, 1)
        league.shots(other, "BBB", "bob", "above_break_3", 1, 1)
    league.schedule(D, "AAA", "CCC")
    return league


def test_FM28_shares_sum_to_one_and_the_mismatch_is_positive_against_a_weak_defence() -> None:
    row = features(zone_league())
    assert [row[name].value for name in ("pct_paint", "pct_mid_range", "pct_three")] == [0.8, 0.1, 0.1]
    # CCC allows 36 of 60, the league 12 + 15 + 36 of 24 + 36 + 60, 63 of 120: + 7.5 points, times 1, times 1.2
    assert row["shot_zone_mismatch_score"].value == 9.0
    assert row["shot_zone_mismatch_score"].sample_size == 3


def test_a_balanced_player_weighs_all_zones_and_games_without_shots_are_told_apart() -> None:
    league = MadeUpLeague()
    for i in range(3):
        own = league.play(ago(2 * i + 3), "AAA", "BBB", {"ann": 10})
        other = league.play(ago(2 * i + 2), "CCC", "BBB")
        for zone, made, allowed in (("restricted_area", 8, 11), ("mid_range", 10, 9), ("left_corner_3", 5, 8)):
            league.shots(own, "AAA", "ann", zone, 1, 0)
            league.shots(own, "BBB", "bob", zone, made, 19 - made)
            league.shots(other, "BBB", "bob", zone, allowed, 20 - allowed)
    league.schedule(D, "AAA", "CCC")
    # CCC allows 55, 45, 40 %; the league 20 / 40, 20 / 40, 14 / 40: + 5, - 5, + 5, each with a share of 1/3, not above 5
    assert features(league)["shot_zone_mismatch_score"].value == 1.666667
    first = league.rows["shots"][0]["game_id"]
    league.rows["shots"] = [shot for shot in league.rows["shots"] if shot["game_id"] != first]
    row = features(league)
    assert row["pct_paint"] == FeatureValue(None, None, "missing", "shot_zone_data_missing", 2)
    assert row["shot_zone_mismatch_score"] == FeatureValue(0.0, None, "default", "shot_zone_data_missing", 2)
    assert features(scoring([1, 2]))["pct_paint"].reason == "insufficient_history"


def test_FM03_lines_median_opening_main_line_and_nothing_after_the_cutoff() -> None:
    league = scoring([10, 20])
    game = league.rows["schedule"][-1]["game_id"]
    morning, evening = eastern(D, 10), eastern(D, 18)  # tip-off 19:00, cutoff 18:00
    league.line(game, "ann", "a", morning, 20.5)
    league.line(game, "ann", "a", evening, 21.5)
    league.line(game, "ann", "b", morning, 18.5)
    league.line(game, "ann", "b", evening, 24.5, price=150)
    league.line(game, "ann", "b", evening, 19.5, price=-115)
    league.line(game, "ann", "b", evening, 12.5, price=None)
    league.line(game, "ann", "a", evening + timedelta(microseconds=1), 40.5)
    row = features(league)
    assert [row[name].value for name in ("vegas_points_line", "vegas_opening_line", "vegas_line_move")] == [20.5, 19.5, 1.0]
    assert (row["has_vegas_line"].value, row["vegas_points_line"].raw_type) == (1.0, "vegas")
    early = features(league, as_of=eastern(D, 12))
    assert early["vegas_points_line"].value == 19.5
    assert early["vegas_opening_line"] == FeatureValue(None, None, "missing", "vegas_line_unavailable", None)
    assert early["vegas_line_move"].value is None
    none = features(league, as_of=eastern(D, 9))
    assert none["has_vegas_line"] == FeatureValue(0.0, 0.0, "calculated", None, None)


def test_a_fantasy_site_has_a_standard_price_of_its_own_and_ties_take_the_lowest_line() -> None:
    league = scoring([10])
    game = league.rows["schedule"][-1]["game_id"]
    for line, price in ((17.5, -110), (22.5, -137), (21.5, -137)):
        league.line(game, "ann", "d", eastern(D, 10), line, price, dfs=True)
    assert features(league)["vegas_points_line"].value == 21.5


def test_every_feature_is_computed_and_all_that_is_computed_is_in_the_catalogue() -> None:
    row = features(scoring([10] * 12))
    assert tuple(row) == load_catalogue().names
    assert all(value.reason is not None for value in row.values() if value.raw_type in ("default", "missing", "fallback"))


def test_halves_are_rounded_away_from_zero() -> None:
    values = [Fraction(5, 10**7), Fraction(-5, 10**7), Fraction(4999, 10**10)]
    assert [float(round_half_away(value, 6)) for value in values] == [1e-06, -1e-06, 0.0]
