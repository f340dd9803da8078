"""The plan of a night: what is missing of the past, then the date itself, and nothing done by planning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from orchestration.ledger import unbuilt_dates
from orchestration.plan import AwaitStage, BuildStage, SkipStage, Stage, dated_tables, job_names, plan_night, summaries
from schemas.arrow_types import arrow_schema
from schemas.contracts import contract
from schemas.errors import NoGamesError, UnknownNameError
from schemas.rules import STORE_TABLE, load_rules
from tests.orchestration.conftest import Season
from tests.orchestration.looking import everything
from transformations.render import built_tables
from warehouse.protocol import Publication

OFFENSE = "nba_analytics.team_offense_game_summary"
DAY = dt.timedelta(days=1)


def planned(season: Season, date: dt.date | None = None, **asked: object) -> tuple[Stage, ...]:
    return plan_night(season.warehouse, date or season.tonight, season.tonight, **asked)  # type: ignore[arg-type]


def of_the_past(stages: Sequence[Stage], date: dt.date) -> dict[str, tuple[dt.date, ...]]:
    return {stage.table: stage.dates for stage in stages if isinstance(stage, BuildStage) and stage.dates != (date,)}


def republish(season: Season, table: str, date: dt.date, rows: int) -> None:
    """Leave only so many rows of a partition, behind the ledger's back."""
    kept = season.warehouse.query(f"SELECT * FROM {table} WHERE game_date = @date", {"date": date}).slice(0, rows)
    staged = season.warehouse.stage_rows(contract(table), kept.cast(arrow_schema(contract(table))), "elsewhere")
    season.warehouse.publish([Publication(staged, (date,))])


def test_every_built_table_has_its_place_and_the_store_comes_after_the_gate(season: Season) -> None:
    stages = planned(season)
    assert set(summaries()) | set(dated_tables()) == set(built_tables())
    tables = [stage.table for stage in stages if isinstance(stage, BuildStage)]
    assert tables == list(dated_tables())
    (gate,) = [at for at, stage in enumerate(stages) if isinstance(stage, AwaitStage)]
    store = [at for at, stage in enumerate(stages) if isinstance(stage, BuildStage) and stage.table == STORE_TABLE]
    assert store == [gate + 1]
    jobs = [at for at, stage in enumerate(stages) if isinstance(stage, BuildStage) and stage.table in load_rules().phase4_jobs]
    assert len(jobs) == 4 and max(jobs) < gate


def test_a_fresh_warehouse_builds_the_whole_past_first(raw: Season) -> None:
    stages = planned(raw)
    assert of_the_past(stages, raw.tonight) == dict.fromkeys(summaries(), raw.dates)
    assert [stage.table for stage in stages[: len(summaries())] if isinstance(stage, BuildStage)] == list(summaries())


def test_a_caught_up_one_builds_the_date_alone(season: Season) -> None:
    assert of_the_past(planned(season), season.tonight) == {}


def test_an_earlier_date_needs_only_what_lies_before_it(raw: Season) -> None:
    date = raw.dates[10]
    assert of_the_past(planned(raw, date), date) == dict.fromkeys(summaries(), raw.dates[:10])


@pytest.mark.parametrize("left", [0, 1])
def test_FM45_a_date_that_lost_rows_is_built_again_whatever_the_ledger_says(season: Season, left: int) -> None:
    date = season.dates[7]
    republish(season, OFFENSE, date, left)
    assert unbuilt_dates(season.warehouse, OFFENSE, season.dates) == (date,)
    assert of_the_past(planned(season), season.tonight) == {OFFENSE: (date,)}


def test_FM44_the_dates_between_two_missing_ones_are_made_with_them(season: Season) -> None:
    for at in (4, 9):
        republish(season, OFFENSE, season.dates[at], 0)
    stages = planned(season)
    assert of_the_past(stages, season.tonight) == {OFFENSE: season.dates[4:10]}
    (why,) = {stage.why for stage in stages if isinstance(stage, BuildStage) and stage.table == OFFENSE}
    assert why == "2 dates missing or out of date"


def test_a_changed_box_score_makes_the_dates_that_read_it_out_of_date(season: Season) -> None:
    date = season.dates[12]
    republish(season, "nba_raw.team_boxscores", date, 1)
    found = of_the_past(planned(season), season.tonight)
    assert found and all(dates[0] == date for dates in found.values())


def test_skipped_jobs_stay_in_the_plan_as_skipped(season: Season) -> None:
    stages = planned(season, skip=("player_composite_factors", "nba_precompute.player_daily_cache"), allow_fallback=True)
    skipped = {stage.table for stage in stages if isinstance(stage, SkipStage)}
    assert skipped == {"nba_precompute.player_composite_factors", "nba_precompute.player_daily_cache"}
    assert not skipped & {stage.table for stage in stages if isinstance(stage, BuildStage)}
    assert [stage.allow_fallback for stage in stages if isinstance(stage, AwaitStage)] == [True]


def test_unknown_jobs_are_named_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown job: composite, nothing\. known: .*player_composite_factors"):
        job_names(["composite", "nothing", "player_daily_cache"])


def test_each_stage_is_one_line(raw: Season) -> None:
    lines = [stage.line() for stage in planned(raw, skip=["player_daily_cache"])]
    assert all(line and "\n" not in line for line in lines)
    assert lines[0].startswith(f"build {summaries()[0]}, {raw.dates[0]} to {raw.dates[-1]} ({len(raw.dates)} dates): ")
    assert "skip nba_precompute.player_daily_cache: asked for by --skip" in lines
    assert any("stop, exit status 4" in line for line in lines)
    assert any("build with Phase 3 fallbacks" in stage.line() for stage in planned(raw, allow_fallback=True))


def test_planning_changes_nothing(raw: Season) -> None:
    before = everything(raw.settings.home)
    planned(raw)
    assert everything(raw.settings.home) == before


@pytest.mark.parametrize(
    ("shift", "words"),
    [(400, "lies beyond the schedule: .* the last date known is"), (-400, "lies before the schedule: .* the first date known is")],
)
def test_a_date_outside_the_schedule_is_refused(season: Season, shift: int, words: str) -> None:
    with pytest.raises(NoGamesError, match=words):
        planned(season, season.tonight + shift * DAY)


def test_a_date_without_games_is_refused(season: Season) -> None:
    idle = next(season.dates[0] + shift * DAY for shift in range(60) if season.dates[0] + shift * DAY not in season.dates)
    with pytest.raises(NoGamesError, match="no games are scheduled on the date"):
        planned(season, idle)
