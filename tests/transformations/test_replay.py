"""A past date seen again from before its games: one code path, and nothing but the roster may differ."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import pairwise

import pytest

from schemas.clock import EASTERN, UTC
from schemas.contracts import contract
from tests.transformations.shared import Seasons
from tests.transformations.workbench import (
    DATED,
    LONG_AFTER,
    RAW_OF_DATES,
    ROSTER,
    STORE,
    SUMMARIES,
    Workbench,
    by_key,
    days,
    differences,
)

Writable = Callable[[Seasons], Workbench]
# Who played besides the expected is not known before, nor therefore that an expected player did.
LEFT_OUT = ("roster_basis",)


def eastern(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), EASTERN).astimezone(UTC)


def before_the_last_tip_off(bench: Workbench, day: date) -> datetime:
    """Return the instant half an hour before the last tip-off: past every game's cutoff, and none has a box score."""
    return max(row["tipoff_time"] for row in bench.rows(ROSTER, day)) - timedelta(minutes=30)


def content(bench: Workbench, table: str, day: date, keys: set | None = None) -> dict:
    rows = by_key(table, bench.rows(table, day), LEFT_OUT)
    if keys is None or "player_lookup" not in contract(table).keys:
        return rows
    return {key: row for key, row in rows.items() if key in keys}


def pairs(bench: Workbench, day: date) -> set:
    """Return the rows of expected players: those who were to play for this team in this game."""
    return {(row["player_lookup"], row["game_date"], row["game_id"]) for row in bench.rows(ROSTER, day) if row["is_expected"]}


def replayed_differences(past: Workbench, replay: Workbench, day: date) -> list[str]:
    """Return what differs between rows of equal player, game and team over all tables of the date."""
    expected = pairs(past, day)
    assert expected
    assert expected <= pairs(replay, day)
    return [text for table in DATED for text in differences(content(past, table, day, expected), content(replay, table, day, expected))]


@pytest.mark.parametrize("part", ["opening night", "middle", "playoffs"])
def test_FM30_a_date_replayed_before_its_last_tip_off_equals_the_past_build(simulated: Seasons, writable: Writable, part: str) -> None:
    season = simulated.by_season["2024-25"]
    day = {"opening night": season[0], "middle": season[len(season) // 2], "playoffs": season[-3]}[part]
    replay = writable(simulated)
    replay.build_all(day, as_of=before_the_last_tip_off(simulated.bench, day))
    found = replayed_differences(simulated.bench, replay, day)
    assert not found, "\n".join(found[:40])
    assert {row["roster_basis"] for row in replay.rows(STORE, day)} == {"expected"}


def without_box_scores_from(bench: Workbench, day: date) -> None:
    for table in (*RAW_OF_DATES, *SUMMARIES):
        bench.drop(table, list(bench.warehouse.partitions(table, day)))


def test_FM30_a_date_whose_box_scores_are_not_there_yet_equals_the_past_build(simulated: Seasons, writable: Writable) -> None:
    season = simulated.by_season["2024-25"]
    day, replay = season[len(season) // 3], writable(simulated)
    without_box_scores_from(replay, day)
    replay.build_all(day, as_of=before_the_last_tip_off(simulated.bench, day))
    found = replayed_differences(simulated.bench, replay, day)
    assert not found, "\n".join(found[:40])


def test_FM30_a_real_date_replayed_without_its_box_scores_equals_the_past_build(real: Seasons, writable: Writable) -> None:
    day, replay = real.chosen["2024-25"][6], writable(real)
    without_box_scores_from(replay, day)
    replay.build_all(day, as_of=before_the_last_tip_off(real.bench, day))
    found = replayed_differences(real.bench, replay, day)
    assert not found, "\n".join(found[:40])


def test_FM30_a_planted_difference_between_the_two_modes_is_seen(simulated: Seasons, writable: Writable) -> None:
    season = simulated.by_season["2024-25"]
    day, replay = season[len(season) // 3], writable(simulated)
    replay.build_all(day, as_of=before_the_last_tip_off(simulated.bench, day) - timedelta(hours=12), tables=DATED[:2])
    assert differences(
        content(simulated.bench, ROSTER, day, pairs(simulated.bench, day)), content(replay, ROSTER, day, pairs(simulated.bench, day))
    )


@pytest.mark.parametrize("hour", [0, 23])
def test_FM07_an_earlier_instant_sees_neither_later_games_nor_later_news(simulated: Seasons, writable: Writable, hour: int) -> None:
    """Seen from day A, box scores from A on do not exist: taking them away changes nothing, and each row's time says so."""
    season = simulated.by_season["2024-25"]
    day, bench = season[len(season) // 2], writable(simulated)
    seen_on = day - days(2)
    as_of = eastern(seen_on, hour)
    bench.build_all(day, as_of=as_of)
    seen = {table: content(bench, table, day) for table in DATED}
    assert all(row["event_timestamp"] == as_of for row in seen[STORE].values())
    assert all(row["last_game_date"] < seen_on for row in seen[ROSTER].values())
    without_box_scores_from(bench, seen_on)
    bench.build_all(day, as_of=as_of)
    assert [text for table in DATED for text in differences(seen[table], content(bench, table, day))] == []


def test_FM07_a_box_score_exists_from_midnight_eastern_after_its_game(simulated: Seasons, writable: Writable) -> None:
    season = simulated.by_season["2024-25"]
    rested = next(
        (one, other)
        for one, other in pairwise(season[30:])
        if (other - one).days == 1 and {r["player_lookup"] for r in simulated.bench.rows(ROSTER, other) if r["last_game_date"] == one}
    )
    bench = writable(simulated)
    bench.build_all(rested[1], as_of=eastern(rested[1], 0) - timedelta(microseconds=1), tables=DATED[:2])
    assert all(row["last_game_date"] < rested[0] for row in bench.rows(ROSTER, rested[1]))
    bench.build_all(rested[1], as_of=eastern(rested[1], 0), tables=DATED[:2])
    assert any(row["last_game_date"] == rested[0] for row in bench.rows(ROSTER, rested[1]))


def test_FM07_the_cutoff_lies_an_hour_before_tip_off_or_at_the_instant_asked_for(simulated: Seasons, writable: Writable) -> None:
    season = simulated.by_season["2024-25"]
    day, bench = season[len(season) // 2], writable(simulated)
    for as_of in (LONG_AFTER, eastern(day, 18, 15), eastern(day, 9)):
        bench.build_all(day, as_of=as_of, tables=DATED[:2])
        for row in bench.rows(ROSTER, day):
            assert row["cutoff"] == min(as_of, row["tipoff_time"] - timedelta(minutes=60))
            assert row["cutoff"] < row["tipoff_time"]
