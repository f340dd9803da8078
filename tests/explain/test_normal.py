"""What is normal for a date: compared with its own season, else with the same days of others, and robust against broken days."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from quality.normal import LEAST_EXCESS, TRAILING, compared_with, expected_share

FIRST = dt.date(2023, 10, 24)
SEASONS = {
    "2021-22": [dt.date(2021, 10, 19) + dt.timedelta(days=n) for n in range(60)],
    "2022-23": [dt.date(2022, 10, 18) + dt.timedelta(days=n) for n in range(60)],
    "2023-24": [FIRST + dt.timedelta(days=n) for n in range(60)],
}


def test_a_date_is_compared_with_the_month_before_it() -> None:
    found = compared_with(SEASONS["2023-24"][40], SEASONS)
    assert len(found.dates) == 30 and found.basis == "the 30 game dates before it"
    assert all(SEASONS["2023-24"][40] - TRAILING <= date < SEASONS["2023-24"][40] for date in found.dates)


def test_a_first_day_is_compared_with_the_first_days_of_earlier_seasons() -> None:
    found = compared_with(FIRST, SEASONS)
    assert found.basis == "the same days of 2 earlier seasons"
    assert set(found.dates) == {date for name in ("2021-22", "2022-23") for date in SEASONS[name][:4]}


def test_the_first_days_of_a_first_season_have_nothing_to_compare_with() -> None:
    assert compared_with(SEASONS["2021-22"][3], SEASONS).dates == ()
    assert compared_with(dt.date(2019, 1, 1), SEASONS).dates == ()
    assert not expected_share([], 100).is_unusual(1.0)


def test_a_date_without_rows_of_its_own_is_compared_with_what_came_before() -> None:
    known = {**SEASONS, "2023-24": SEASONS["2023-24"][:40]}
    assert compared_with(SEASONS["2023-24"][40], known).dates == tuple(SEASONS["2023-24"][10:40])


def test_a_few_broken_days_do_not_make_breaking_normal() -> None:
    expected = expected_share([(2, 100)] * 12 + [(100, 100)] * 8, 100)
    assert expected.is_unusual(1.0) and not expected.is_unusual(0.05)


def test_FM19_what_stands_far_above_is_unusual_and_chance_is_not() -> None:
    expected = expected_share([(40 + n % 5, 100) for n in range(20)], 200)
    assert not expected.is_unusual(0.45) and expected.is_unusual(0.9)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(50, 400)), min_size=1, max_size=40), st.integers(1, 400))
def test_the_typical_share_itself_is_always_normal(found: list[tuple[int, int]], rows: int) -> None:
    expected = expected_share(found, rows)
    assert 0 <= expected.typical <= expected.most <= 1
    assert not expected.is_unusual(expected.typical)
    assert expected.most >= min(1.0, expected.typical + LEAST_EXCESS)
