"""The plan is computed from schedule, ledger and rows, and lists exactly what is wrong."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from backfill.plan import BuildStage, order_of_dates, propagate, ranges
from backfill.request import Request
from backfill.runner import Outcome
from backfill.states import Facts, PartitionState, State, TableState, judge
from orchestration.plan import LOOK_BACK, dated_tables, summaries
from schemas.clock import EASTERN
from schemas.errors import NoGamesError, SourceError
from schemas.rules import STORE_TABLE
from tests.backfill.site import Site
from transformations.render import built_tables
from warehouse.protocol import Partition

DAY = dt.date(2024, 11, 8)
AFTER = dt.datetime(2024, 12, 1, tzinfo=dt.UTC)
PART = Partition(DAY, 20, "d1:aa")
ENTRY: dict[str, Any] = {
    "state": "published",
    "row_count": 20,
    "fingerprint": "d1:aa",
    "upstream_fingerprint": "u",
    "definition_version": "d",
    "as_of": AFTER,
    "reasons": None,
}
FACTS = Facts(MappingProxyType(ENTRY), PART, False, "u", "d", AFTER, 20)


def changed(**entry: Any) -> Facts:
    return replace(FACTS, entry={**ENTRY, **entry})


@pytest.mark.parametrize(
    ("facts", "state", "why", "retry"),
    [
        (FACTS, State.CURRENT, "", True),
        (replace(FACTS, entry=None, readable=None), State.MISSING, "never built", True),
        (replace(FACTS, entry=None), State.DIFFERS, "not in the ledger", True),
        (replace(FACTS, damaged=True), State.MISSING, "its file is damaged or gone", True),
        (replace(FACTS, readable=None), State.MISSING, "published rows are gone", True),
        (replace(FACTS, readable=Partition(DAY, 18, "d1:bb")), State.DIFFERS, "18 of 20 rows are there", True),
        (replace(FACTS, readable=Partition(DAY, 20, "d1:bb")), State.DIFFERS, "content changed after it was published", True),
        (replace(FACTS, companions_whole=False), State.DIFFERS, "companion rows are not whole", True),
        (replace(FACTS, rows_expected=21), State.DIFFERS, "20 rows, the slate calls for 21", True),
        (replace(FACTS, definition="e"), State.STALE, "definition changed", True),
        (replace(FACTS, upstream="v"), State.STALE, "upstream changed", True),
        (changed(as_of=dt.datetime(2024, 11, 8, 17, tzinfo=dt.UTC)), State.STALE, "built before its day was over", True),
        (changed(as_of=dt.datetime(2024, 11, 9, 0, 0, tzinfo=EASTERN)), State.CURRENT, "", True),
        (changed(state="blocked", reasons="zero_variance:pace_score"), State.BLOCKED, "zero_variance:pace_score", False),
        (replace(changed(state="blocked", reasons="x"), upstream="v"), State.BLOCKED, "x, upstream changed since", True),
        (replace(changed(row_count=0, fingerprint=None), readable=None, rows_expected=0), State.CURRENT, "", True),
    ],
)
def test_the_first_condition_that_holds_decides(facts: Facts, state: State, why: str, retry: bool) -> None:
    assert judge(DAY, facts) == PartitionState(DAY, state, why, retry)


def test_ranges_join_neighbours_of_the_calendar() -> None:
    days = [dt.date(2024, 11, day) for day in (1, 2, 5, 6, 9)]
    assert ranges(days) == [(days[0], days[1]), (days[2], days[3]), (days[4], days[4])]
    assert ranges([days[1], days[2], days[4]], days) == [(days[1], days[2]), (days[4], days[4])]
    assert ranges([]) == []


def test_what_reads_a_partition_that_is_made_again_is_made_again_too() -> None:
    days = [DAY + dt.timedelta(days=day) for day in (0, 1, 364, 365, 366)]
    states = [TableState(table, {day: PartitionState(day, State.CURRENT) for day in days}) for table in built_tables()]
    place = built_tables().index("nba_analytics.team_defense_game_summary")
    states[place] = replace(states[place], states={**states[place].states, DAY: PartitionState(DAY, State.MISSING)})
    found = {item.table: item.work for item in propagate(states)}
    assert found["nba_analytics.team_defense_game_summary"] == (DAY,)
    year = tuple(days[1:4])
    assert found["nba_precompute.team_defense_zone_analysis"] == year
    assert found["nba_precompute.player_composite_factors"] == year
    assert found[STORE_TABLE] == year
    assert found["nba_precompute.player_daily_cache"] == ()
    assert found["nba_analytics.upcoming_player_game_context"] == ()


def test_no_table_reads_its_own_earlier_dates() -> None:
    assert {order_of_dates(table) for table in built_tables()} == {"independent"}


def test_a_first_plan_builds_summaries_of_all_seasons_before_anything_else(raw_site: Site) -> None:
    plan = raw_site.plan()
    tables = [stage.table for stage in plan.stages]
    assert tables == [*summaries(), *summaries(), *dated_tables(), *dated_tables()]
    for stage in plan.stages:
        assert isinstance(stage, BuildStage)
        assert len({plan.calendar.season_of[date] for date in stage.dates}) == 1
        assert stage.why == f"{len(stage.dates)} missing"
    for item in plan.tables:
        assert item.dates(State.MISSING) == plan.calendar.expected(item.table)
    assert raw_site.plan().stages == plan.stages


def test_the_year_before_the_range_comes_along_for_the_summaries_alone(raw_site: Site) -> None:
    plan = raw_site.plan(Request(season="2024-25"))
    first = plan.calendar.effective[0]
    for item in plan.tables:
        earlier = [date for date in item.states if date < first]
        assert all(date >= first - LOOK_BACK for date in earlier)
        assert bool(earlier) == (item.table in summaries())


def test_a_bound_on_rows_cuts_a_season(raw_site: Site) -> None:
    stages = [stage for stage in raw_site.plan(Request(rows_per_stage=300)).stages if stage.table == STORE_TABLE]
    assert len(stages) > 4
    assert all(stage.rows <= 300 for stage in stages)
    whole = [date for stage in raw_site.plan().stages if stage.table == STORE_TABLE for date in stage.dates]
    assert [date for stage in stages for date in stage.dates] == whole


def test_date_by_date_takes_each_date_through_all_its_tables(raw_site: Site) -> None:
    stages = raw_site.plan(Request(date_by_date=True)).stages
    assert all(len(stage.dates) == 1 for stage in stages)
    dated = [stage for stage in stages if stage.table in dated_tables()]
    assert [stage.table for stage in dated[: len(dated_tables())]] == list(dated_tables())
    assert len({stage.dates for stage in dated[: len(dated_tables())]}) == 1


def test_dates_to_come_are_asked_for_and_not_effective(raw_site: Site) -> None:
    calendar = raw_site.plan(Request(start=dt.date(2024, 11, 1), end=dt.date(2030, 1, 1))).calendar
    assert calendar.asked == (dt.date(2024, 11, 1), dt.date(2030, 1, 1))
    assert calendar.effective[1] == calendar.today
    with pytest.raises(NoGamesError, match="2030-01-01"):
        raw_site.plan(Request(dates=(dt.date(2030, 1, 1),)))


def test_FM46_a_season_without_its_schedule_is_an_error_and_not_an_empty_plan(raw_site: Site) -> None:
    for date in raw_site.warehouse.partitions("nba_raw.schedule", dt.date(2023, 1, 1), dt.date(2024, 8, 1)):
        raw_site.replace("nba_raw.schedule", date, lambda rows: rows.slice(0, 0))
    with pytest.raises(SourceError, match="2023-10-24"):
        raw_site.plan()
    with pytest.raises(NoGamesError):
        raw_site.plan(Request(start=dt.date(2022, 1, 1), end=dt.date(2022, 2, 1)))


def test_running_again_finds_nothing_to_do(site: Site, first_backfill: tuple[Path, Outcome]) -> None:
    assert first_backfill[1].exit_status == 0
    assert first_backfill[1].unverified == ()
    before = site.fingerprints()
    again = site.backfill()
    assert again.plan.stages == ()
    assert again.unverified == ()
    assert again.exit_status == 0
    assert site.fingerprints() == before
