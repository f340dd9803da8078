"""The oracle's rosters, statuses and usage of the absent against a made-up league worked out by hand."""

from __future__ import annotations

from datetime import date

import pytest

from tests.oracle.by_hand import LATER, D, ago, features, scoring
from tests.oracle.features import FeatureValue
from tests.oracle.made_up_league import MadeUpLeague, eastern
from tests.oracle.oracle import Oracle


def test_the_roster_of_an_opener_reaches_over_the_summer() -> None:
    league = MadeUpLeague()
    opener = date(2023, 10, 24)
    for player, day in (("ann", date(2023, 4, 5)), ("carl", date(2023, 3, 11)), ("dan", date(2023, 3, 10))):
        league.play(day, "AAA", "BBB", {player: 10}, season="2022-23")
    league.play(date(2023, 4, 9), "AAA", "BBB", season="2022-23")
    league.schedule(opener, "AAA", "CCC")
    league.schedule(date(2023, 10, 25), "AAA", "CCC")
    oracle = Oracle(league.raw(), eastern(date(2023, 10, 23), 12))
    # carl: 9 April - 11 March = 29 days, + 0 of the new season, + 1 = 30; dan: 31
    assert [row.player_lookup for row in oracle.roster(opener)] == ["ann", "carl"]
    assert [row.player_lookup for row in oracle.roster(date(2023, 10, 25))] == ["ann"]
    assert oracle.features("ann", opener)["points_avg_season"] == FeatureValue(10.0, None, "default", "insufficient_history", 0)


def test_a_roster_ends_after_30_days_and_15_games() -> None:
    league = MadeUpLeague()
    league.play(ago(31), "AAA", "BBB", {"zoe": 10})
    league.play(ago(30), "AAA", "BBB", {"ann": 10})
    for number in range(14):
        league.play(ago(28 - number), "AAA", "BBB", {"bob": 10})
    league.schedule(D, "AAA", "CCC")
    assert [row.player_lookup for row in Oracle(league.raw(), LATER).roster(D)] == ["ann", "bob"]
    league.play(ago(10), "AAA", "BBB", {"bob": 10})  # a 15th game since ann's
    assert [row.player_lookup for row in Oracle(league.raw(), LATER).roster(D)] == ["bob"]


def test_a_traded_player_belongs_to_the_team_of_his_game() -> None:
    league = MadeUpLeague()
    league.play(ago(4), "AAA", "CCC", {"ann": 10, "bob": 5})
    league.play(ago(2), "BBB", "CCC", {"cyd": 10})
    old, new = league.play(D, "AAA", "CCC", {"bob": 5}), league.play(D, "BBB", "DDD", {"ann": 30, "cyd": 1})
    before = {row.player_lookup: row for row in Oracle(league.raw(), eastern(D, 12)).roster(D)}
    after = {row.player_lookup: row for row in Oracle(league.raw(), LATER).roster(D)}
    assert (before["ann"].team, before["ann"].game_id, before["ann"].basis) == ("AAA", old, "expected")
    assert (after["ann"].team, after["ann"].game_id, after["ann"].basis) == ("BBB", new, "played")
    assert after["ann"].opponent == "DDD"
    assert [after[name].basis for name in ("bob", "cyd")] == ["both", "both"]
    row = features(league)
    assert row["points_avg_last_5"].value == 10.0
    assert row["games_vs_opponent"].value == 0.0
    assert row["dnp_rate"].reason == "insufficient_history"  # no game for the new team yet
    assert row["rest_advantage"].value == -3.0  # the new team's: 1 day, against 7, clamped


def test_a_player_traded_to_an_opponent_leaves_the_roster() -> None:
    league = MadeUpLeague()
    league.play(ago(4), "AAA", "CCC", {"ann": 10})
    league.play(ago(2), "BBB", "AAA", {"ann": 10})
    league.schedule(D, "AAA", "CCC")
    assert Oracle(league.raw(), LATER).roster(D) == []


def test_a_silent_feed_is_stale_and_a_speaking_one_means_available() -> None:
    league = scoring([10, 10, 10])
    league.report("zoe", ago(9), "out", eastern(ago(8), 0))
    row = features(league)
    assert row["injury_risk"] == FeatureValue(0.0, None, "default", "stale_data", None)
    assert row["usage_spike_score"] == FeatureValue(0.0, None, "default", "stale_data", 3)
    assert Oracle(league.raw(), LATER).breakout("ann", D)["star_teammate_out"] is None
    league.report("zoe", ago(3), "available", eastern(ago(2), 0))
    row = features(league)
    assert row["injury_risk"] == FeatureValue(0.0, 0.0, "calculated", None, None)
    assert row["usage_spike_score"] == FeatureValue(0.0, 0.0, "phase4", None, 3)


def test_a_status_holds_until_it_ends() -> None:
    def status(*reports: tuple[int, str, dict[str, object]]) -> float | None:
        league = MadeUpLeague()
        for number in (12, 10):
            league.play(ago(number), "AAA", "BBB", {"ann": 10})
        game = league.schedule(D, "AAA", "CCC")
        league.report("zoe", ago(1), "out", eastern(D, 0))
        for number, word, more in reports:
            more = {**more, "game_id": game} if more.get("game_id") == "this" else more
            league.report("ann", ago(number), word, eastern(ago(number - 1), 0), **more)
        return features(league)["injury_risk"].value

    assert status((9, "out", {})) == 3.0
    assert status((11, "out", {})) == 0.0  # she played 10 days ago
    assert status((9, "out", {}), (5, "available", {})) == 0.0
    assert status((9, "doubtful", {}), (3, "questionable", {"valid_days": 3})) == 2.0
    assert status((9, "doubtful", {}), (4, "questionable", {"valid_days": 3})) == 3.0  # the note has lapsed
    assert status((1, "probable", {"game_id": "this"})) == 1.0
    assert status((30, "probable", {})) == 1.0
    assert status((31, "probable", {})) == 0.0
    assert status((1, "out", {"game_id": "0000000001"})) == 0.0  # speaks of another game
    assert status((0, "out", {"game_id": "this"})) == 0.0  # known only after the cutoff


def usage_league(out: tuple[str, ...]) -> MadeUpLeague:
    """Team of 100 plays and 240 minutes: usage = 48 x plays / minutes. Ann 20, bob 16 (rotation), dan 10 (by points), eve and fay."""
    league = MadeUpLeague()
    people = {"ann": (24, 10, 8), "bob": (30, 10, 12), "dan": (24, 5, 16), "eve": (24, 5, 9), "fay": (12, 3, 2)}
    for i in range(4):
        game = league.play(ago(2 * i + 2), "AAA", "BBB")
        league.team(game, "AAA", fga=80, fta=25, tov=9)
        for player, (minutes, plays, points) in people.items():
            league.box(game, "AAA", player, minutes=minutes, fga=plays, fta=0, tov=0, points=points)
    league.schedule(D, "AAA", "CCC")
    league.report("zoe", ago(2), "available", eastern(ago(1), 0))
    for player in out:
        league.report(player, ago(1), "out", eastern(D, 0))
    return league


@pytest.mark.parametrize(
    ("out", "score"),
    [
        ((), 0.0),
        # freed 16 x 30 / 48 = 10, of which 24 of the 84 minutes left: 20 / 7, x 0.3 x 1.15
        (("bob",), 0.985714),
        # freed 10 + 10 x 24 / 48 = 15, of which 24 of 60: 6, x 0.3 x 1.3
        (("bob", "dan"), 2.34),
        # eve is no rotation player: her absence frees nothing but leaves fewer to share bob's: 10 x 24 / 60 = 4
        (("bob", "eve"), 1.38),
        # ann's own absence is not a team-mate's, and she is not among those who share
        (("ann",), 0.0),
    ],
)
def test_usage_of_the_absent_goes_to_those_who_play(out: tuple[str, ...], score: float) -> None:
    row = features(usage_league(out))
    assert row["usage_spike_score"].value == score
    assert row["usage_spike_score"].raw_type == "phase4"


def test_his_own_absence_does_not_raise_a_players_usage() -> None:
    league = usage_league(("dan",))
    assert features(league, "dan")["usage_spike_score"].value == 0.0
    # for eve: freed 10 x 24 / 48 = 5, of which 24 of 24 + 30 + 24 + 12 = 90: 4 / 3, x 0.3 x 1.15
    assert features(league, "eve")["usage_spike_score"].value == 0.46
    assert Oracle(league.raw(), LATER).breakout("dan", D)["star_teammate_out"] == 0.0
    assert Oracle(league.raw(), LATER).breakout("eve", D)["star_teammate_out"] == 1.0


def test_breakout_inputs() -> None:
    league = scoring([30, 10, 10, 10, 15, 15, 10, 4], every=3)  # 24, 21 ... 3 days ago; season mean 13
    inputs = Oracle(league.raw(), LATER).breakout("ann", D)
    assert inputs == {
        "explosion_ratio": 1.153846,  # 15 / 13
        "days_since_breakout": 24.0,  # 30 is the only one of 19.5 or more
        "minutes_increase_pct": 0.0,
        "usage_rate_trend": 0.0,
        "rest_days_numeric": 2.0,
        "fourth_quarter_trust": None,
        "star_teammate_out": None,
        "fg_pct_last_game": 0.4,
    }
