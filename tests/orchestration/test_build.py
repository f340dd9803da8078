"""Building a table: what is audited, published and recorded, and in which order; a fault blocks its date and no other."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from orchestration import stale_code
from orchestration.build import build_table
from orchestration.ledger import unbuilt_dates
from orchestration.ranges import RangeStage, build_range
from schemas.clock import utc_now
from schemas.errors import LeaseHeldError, ReadBackError, StaleDefinitionError, StorageUnavailableError, WarehouseError
from schemas.rules import STORE_TABLE
from tests.orchestration.conftest import Season
from tests.orchestration.looking import BLOCKED, COMPLETIONS, ledger, rows
from tests.orchestration.spoiling import spoil
from warehouse import open_warehouse
from warehouse.protocol import RecordWrite

DEFENSE = "nba_precompute.team_defense_zone_analysis"
FACTORS = "nba_precompute.player_composite_factors"
TEAMS = "nba_analytics.upcoming_team_game_context"
OFFENSE = "nba_analytics.team_offense_game_summary"


def completion(season: Season, table: str, date: dt.date) -> dict[str, Any]:
    """Return the newest completion of a job for a date."""
    return max(rows(season.warehouse, COMPLETIONS, job=table, game_date=date), key=lambda row: row["completed_at"])


def test_FM42_a_completion_says_what_was_read_back(season: Season) -> None:
    dates = season.dates[5:8]
    run = season.run()
    built = build_table(season.warehouse, DEFENSE, dates, run)
    parts = season.warehouse.partitions(DEFENSE, dates[0], dates[-1])
    assert built.published == dates and built.rows == sum(part.rows for part in parts.values()) == run.rows_written
    for date in dates:
        found = completion(season, DEFENSE, date)
        assert (found["status"], found["run_id"], found["phase"]) == ("success", run.run_id, "phase4")
        assert found["record_count"] == found["expected_count"] == parts[date].rows > 0
        line = ledger(season.warehouse, DEFENSE, date)
        assert (line["state"], line["row_count"], line["fingerprint"]) == ("published", parts[date].rows, parts[date].fingerprint)
        assert line["code_version"] and line["definition_version"] and line["upstream_fingerprint"] and line["as_of"] == run.as_of


def test_FM42_completion_is_recorded_after_the_rows_can_be_read(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    date = season.dates[5]
    record, seen = season.warehouse.record, []

    def recording(writes: list[RecordWrite]) -> None:
        if any(write.table == COMPLETIONS for write in writes):
            seen.append(season.warehouse.partitions(DEFENSE, date, date)[date].rows)
        record(writes)

    season.warehouse.query(f"SELECT COUNT(*) AS n FROM {DEFENSE}")
    monkeypatch.setattr(season.warehouse, "record", recording)
    built = build_table(season.warehouse, DEFENSE, [date], season.run())
    assert seen and set(seen) == {built.rows}


def test_the_same_again_changes_no_row(season: Season) -> None:
    dates = season.dates[3:6]
    before = season.warehouse.partitions(DEFENSE)
    build_table(season.warehouse, DEFENSE, dates, season.run())
    build_table(season.warehouse, DEFENSE, dates, season.run())
    assert season.warehouse.partitions(DEFENSE) == before
    assert not unbuilt_dates(season.warehouse, DEFENSE, season.dates)


def test_FM41_rows_that_do_not_read_back_leave_a_failed_completion(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    date = season.dates[5]

    def unlike(*_: Any) -> Any:
        raise ReadBackError("does not read back as written")

    monkeypatch.setattr(season.warehouse, "publish", unlike)
    with pytest.raises(ReadBackError):
        build_table(season.warehouse, DEFENSE, [date], season.run())
    found = completion(season, DEFENSE, date)
    assert (found["status"], found["record_count"]) == ("failed", 0) and "does not read back" in found["detail"]


@pytest.mark.parametrize(
    "error",
    [WarehouseError("the statement failed"), StorageUnavailableError("no space"), ValueError("two\nlines")],
    ids=lambda e: type(e).__name__,
)
def test_FM10_a_job_that_fails_says_so_and_loses_nothing(season: Season, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    date = season.dates[5]
    before = season.warehouse.partitions(DEFENSE)

    def failing(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(season.warehouse, "stage_query", failing)
    with pytest.raises(type(error)):
        build_table(season.warehouse, DEFENSE, [date], season.run())
    found = completion(season, DEFENSE, date)
    assert found["status"] == "failed" and "\n" not in found["detail"]
    assert season.warehouse.partitions(DEFENSE) == before
    assert not season.warehouse.orphans(0), "nothing staged is left behind"  # type: ignore[attr-defined]


def test_FM45_fewer_rows_than_the_slate_calls_for_block_the_date(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = season.dates[5:7]
    before = season.warehouse.partitions(DEFENSE)
    team = rows(season.warehouse, DEFENSE, game_date=first)[0]["team_abbr"]
    spoil(season.warehouse, monkeypatch, DEFENSE, where=f"NOT (game_date = DATE '{first}' AND team_abbr = '{team}')")
    built = build_table(season.warehouse, DEFENSE, [first, second], season.run())
    assert set(built.blocked) == {first} and built.published == (second,)
    assert "rows_missing" in built.blocked[first]
    assert season.warehouse.partitions(DEFENSE) == before, "the last good partition stays"
    found = completion(season, DEFENSE, first)
    assert (found["status"], found["record_count"]) == ("blocked", 0) and "rows_missing" in found["detail"]
    assert ledger(season.warehouse, DEFENSE, first)["state"] == "blocked"
    assert completion(season, DEFENSE, second)["status"] == "success"


def test_FM45_a_store_that_lacks_players_of_the_slate_is_blocked(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    date = season.dates[-1]
    before = season.warehouse.partitions(STORE_TABLE)[date]
    some = [row["player_lookup"] for row in rows(season.warehouse, STORE_TABLE, game_date=date)]
    names = ", ".join(f"'{name}'" for name in some[: len(some) // 2])
    spoil(season.warehouse, monkeypatch, STORE_TABLE, where=f"player_lookup IN ({names})")
    built = build_table(season.warehouse, STORE_TABLE, [date], season.run())
    assert set(built.blocked) == {date} and not built.published
    assert season.warehouse.partitions(STORE_TABLE)[date] == before
    assert season.warehouse.partitions(BLOCKED)[date].rows == len(some) // 2


def test_a_bad_date_of_a_range_is_blocked_and_its_neighbours_are_published(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    dates, bad = season.dates[4:9], season.dates[6]
    before = season.warehouse.partitions(FACTORS)
    wrong = f"IF(game_date = DATE '{bad}', -3.0, fatigue_score)"
    spoil(season.warehouse, monkeypatch, FACTORS, fatigue_score=wrong)
    run = season.run()
    (built,) = build_range(season.warehouse, [RangeStage(FACTORS, dates)], run)
    assert set(built.blocked) == {bad} and set(built.published) == set(dates) - {bad}
    assert any("fatigue_score" in reason for reason in built.blocked[bad])
    assert season.warehouse.partitions(FACTORS) == before
    states = {date: ledger(season.warehouse, FACTORS, date)["state"] for date in dates}
    assert states == {date: "blocked" if date == bad else "published" for date in dates}
    assert {completion(season, FACTORS, date)["status"] for date in dates if date != bad} == {"success"}


def test_FM44_a_blocked_date_stays_on_the_work_list_until_it_is_good(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, later = season.dates[6], season.dates[9]
    with monkeypatch.context() as patched:
        spoil(season.warehouse, patched, DEFENSE, where=f"game_date != DATE '{bad}'")
        assert set(build_table(season.warehouse, DEFENSE, [bad], season.run()).blocked) == {bad}
    build_table(season.warehouse, DEFENSE, [later], season.run())
    assert unbuilt_dates(season.warehouse, DEFENSE, season.dates) == (bad,)
    assert not build_table(season.warehouse, DEFENSE, [bad], season.run()).blocked
    assert not unbuilt_dates(season.warehouse, DEFENSE, season.dates)


def test_FM55_an_audit_that_fails_lets_nothing_through(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    date = season.dates[5]
    before = season.warehouse.partitions(TEAMS)
    query = season.warehouse.query

    def failing(*given: Any, **named: Any) -> Any:
        if named.get("staged"):
            raise WarehouseError("the audit cannot run")
        return query(*given, **named)

    monkeypatch.setattr(season.warehouse, "query", failing)
    monkeypatch.setattr(season.warehouse, "audited", failing_audit)
    spoil(season.warehouse, monkeypatch, TEAMS, is_home="NOT is_home")
    try:
        blocked = build_table(season.warehouse, TEAMS, [date], season.run()).blocked
    except WarehouseError:
        blocked = {date: ("failed",)}
    assert set(blocked) == {date}
    assert season.warehouse.partitions(TEAMS) == before
    monkeypatch.undo()
    assert completion(season, TEAMS, date)["status"] in ("failed", "blocked")


def failing_audit(*_: Any) -> Any:
    raise WarehouseError("the audit cannot run")


def test_a_date_whose_source_rows_never_came_is_no_failure(season: Season) -> None:
    tonight = season.tonight
    assert not season.warehouse.partitions("nba_raw.team_boxscores", tonight, tonight)
    built = build_table(season.warehouse, OFFENSE, [tonight], season.run())
    assert not built.blocked and built.rows == 0
    assert completion(season, OFFENSE, tonight)["status"] == "skipped"
    assert ledger(season.warehouse, OFFENSE, tonight)["reasons"] == "no_source_rows"


def test_a_second_writer_of_the_range_is_refused_by_name(season: Season) -> None:
    first, second = season.dates[5:7]
    other = open_warehouse(season.settings)
    before = len(rows(season.warehouse, COMPLETIONS))
    with other.lease(DEFENSE, first, first, "run elsewhere"), pytest.raises(LeaseHeldError, match="run elsewhere"):
        build_table(season.warehouse, DEFENSE, [first, second], season.run())
    assert len(rows(season.warehouse, COMPLETIONS)) == before
    other.close()


def built_by_newer_code(season: Season, date: dt.date, table: str = DEFENSE) -> None:
    """Let the ledger say that other code built the partition after now."""
    line = ledger(season.warehouse, table, date)
    later = {**line, "code_version": "9.9.9+feedbeef0000", "updated_at": utc_now() + dt.timedelta(hours=1)}
    season.warehouse.record([RecordWrite("nba_orchestration.partition_ledger", [later])])


def test_FM49_a_run_on_old_code_does_not_write_over_newer_builds(season: Season) -> None:
    first, second = season.dates[5:7]
    built_by_newer_code(season, second)
    before = season.warehouse.partitions(DEFENSE)
    with pytest.raises(StaleDefinitionError, match=r"9\.9\.9\+feedbeef0000.*--override-newer-build") as caught:
        build_table(season.warehouse, DEFENSE, [first, second], season.run())
    assert str(second) in caught.value.values and str(first) not in caught.value.values
    assert season.warehouse.partitions(DEFENSE) == before
    assert ledger(season.warehouse, DEFENSE, second)["code_version"] == "9.9.9+feedbeef0000"
    assert build_table(season.warehouse, DEFENSE, [first], season.run()).published == (first,)


def test_FM49_unless_it_is_asked_to(season: Season) -> None:
    date = season.dates[5]
    built_by_newer_code(season, date)
    run = season.run()
    run.override_newer_build = True
    assert build_table(season.warehouse, DEFENSE, [date], run).published == (date,)
    assert ledger(season.warehouse, DEFENSE, date)["code_version"] != "9.9.9+feedbeef0000"


def test_FM49_a_run_begun_after_the_other_build_may_write(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    date = season.dates[5]
    monkeypatch.setattr(stale_code, "code_version", lambda: "0.0.1+0123456789ab")
    assert build_table(season.warehouse, DEFENSE, [date], season.run()).published == (date,)
