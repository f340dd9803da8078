"""Whole nights: a normal one, and the night of 6 February, when one job of four had not been scheduled."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.build import build_table
from orchestration.dependencies import check
from orchestration.nightly import run_night
from orchestration.runs import recorded_run
from schemas.clock import utc_now
from schemas.errors import BlockedError, FeatureStoreError, WaitingError, WarehouseError
from schemas.rules import STORE_TABLE, load_rules
from serving.slate import read_slate
from tests.orchestration.conftest import Season
from tests.orchestration.looking import BLOCKED, COMPLETIONS, RUNS, ledger, rows
from tests.orchestration.spoiling import spoil
from tests.warehouse.made_up_rows import publish, rows_of
from warehouse.protocol import RecordWrite

pytestmark = pytest.mark.slow
FACTORS = "nba_precompute.player_composite_factors"
SKIPPED = ("player_composite_factors",)
SCORES = ("fatigue_score", "shot_zone_mismatch_score", "pace_score", "usage_spike_score")


def night(season: Season, **asked: Any) -> tuple[dict[str, Any], FeatureStoreError | None]:
    """Run tonight and return the run's record, and the error that ended it."""
    caught: FeatureStoreError | None = None
    try:
        with recorded_run(season.warehouse, "run", asked, season.as_of, 60, season.tonight, season.tonight) as run:
            run_night(season.warehouse, season.tonight, run, **asked)
    except FeatureStoreError as error:
        caught = error
    (record,) = rows(season.warehouse, RUNS, run_id=run.run_id)
    return record, caught


def test_FM08_the_february_case(season: Season) -> None:
    tonight, warehouse = season.tonight, season.warehouse

    # The job was forgotten: the night waits and names it.
    record, error = night(season, skip=SKIPPED)
    assert isinstance(error, WaitingError) and int(error.exit_status) == 4
    assert "player_composite_factors: never ran" in error.line() and "player_daily_cache" not in error.line()
    assert (record["state"], record["exit_status"]) == ("waiting", 4)
    assert not warehouse.partitions(STORE_TABLE, tonight, tonight) and not warehouse.partitions(BLOCKED, tonight, tonight)
    assert read_slate(warehouse, tonight).reasons == ("date_not_published",)

    # Told to go on without it, it builds rows that say what they lack, and the gate holds them.
    record, error = night(season, skip=SKIPPED, allow_fallback=True)
    assert isinstance(error, BlockedError) and int(error.exit_status) == 3
    assert (record["state"], record["exit_status"]) == ("blocked", 3)
    held = rows(warehouse, BLOCKED, game_date=tonight)
    roster = rows(warehouse, "nba_analytics.upcoming_player_game_context", game_date=tonight)
    assert len(held) == len(roster) > 0
    assert {row["quality_alert_level"] for row in held} == {"red"}
    assert {row["has_composite_factors"] for row in held} == {False}
    assert {row["matchup_quality_pct"] for row in held} == {33.3}
    assert not any(row["is_quality_ready"] for row in held)
    assert not warehouse.partitions(STORE_TABLE, tonight, tonight)
    line = ledger(warehouse, STORE_TABLE, tonight)
    assert (line["state"], line["row_count"]) == ("blocked", len(held)) and line["reasons"]
    slate = read_slate(warehouse, tonight)
    assert not slate.rows and slate.reasons[0] == "date_blocked" and set(line["reasons"].split(",")) == set(slate.reasons[1:])
    (completion,) = rows(warehouse, COMPLETIONS, job=STORE_TABLE, game_date=tonight)
    assert (completion["status"], completion["phase"]) == ("blocked", "store")

    # With all four jobs the date is published and the held rows are gone.
    record, error = night(season)
    assert error is None and (record["state"], record["exit_status"]) == ("succeeded", 0)
    served = rows(warehouse, STORE_TABLE, game_date=tonight)
    assert len(served) == len(roster)
    # Who has not played yet has no factors: a structural reason, and few.
    assert sum(row["has_composite_factors"] for row in served) > 0.8 * len(served)
    assert sum(row["quality_alert_level"] == "red" for row in served) <= 0.1 * len(served)
    assert not warehouse.partitions(BLOCKED, tonight, tonight)
    assert ledger(warehouse, STORE_TABLE, tonight)["state"] == "published"
    assert set(read_slate(warehouse, tonight).rows) == {row["player_lookup"] for row in served}

    # The job is forgotten once more: what was published stays as it is, and its old rows do not pose as fresh ones.
    good = warehouse.partitions(STORE_TABLE, tonight, tonight)
    warehouse.record([RecordWrite(COMPLETIONS, [], clear={"job": [FACTORS], "game_date": [tonight]})])
    record, error = night(season, skip=SKIPPED, allow_fallback=True)
    assert isinstance(error, BlockedError)
    assert not warehouse.partitions(FACTORS, tonight, tonight)
    assert ledger(warehouse, FACTORS, tonight)["state"] == "missing"
    assert warehouse.partitions(STORE_TABLE, tonight, tonight) == good
    assert {row["has_composite_factors"] for row in rows(warehouse, BLOCKED, game_date=tonight)} == {False}
    assert not read_slate(warehouse, tonight).rows, "a blocked date is not served from its last good partition"


def test_FM57_upstream_rows_that_are_there_and_empty_inside_stop_the_night(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(season.warehouse, monkeypatch, FACTORS, **dict.fromkeys(SCORES, "CAST(NULL AS FLOAT64)"))
    record, error = night(season)
    assert isinstance(error, BlockedError) and record["state"] == "blocked" and FACTORS in error.line()
    assert not season.warehouse.partitions(FACTORS, season.tonight, season.tonight)


def test_FM57_and_when_their_own_audit_let_them_through_the_store_is_blocked(season: Season) -> None:
    tonight, warehouse = season.tonight, season.warehouse
    assert isinstance(night(season, skip=SKIPPED)[1], WaitingError)
    roster = rows(warehouse, "nba_analytics.upcoming_player_game_context", game_date=tonight)
    given = {name: [row[name] for row in roster] for name in ("player_lookup", "game_id", "opponent_team_abbr")}
    empty = rows_of(FACTORS, [tonight], per_date=len(roster), **given, **dict.fromkeys(SCORES))
    done = {
        "phase": "phase4",
        "game_date": tonight,
        "job": FACTORS,
        "status": "success",
        "record_count": len(roster),
        "run_id": "elsewhere",
    }
    publish(warehouse, FACTORS, empty, [RecordWrite(COMPLETIONS, [{**done, "completed_at": utc_now()}])])
    assert all(item.is_ready for item in check(warehouse, tonight)), "by presence alone there is nothing to object to"
    built = build_table(warehouse, STORE_TABLE, [tonight], season.run())
    assert set(built.blocked) == {tonight} and not warehouse.partitions(STORE_TABLE, tonight, tonight)
    assert {row["has_composite_factors"] for row in rows(warehouse, BLOCKED, game_date=tonight)} == {False}
    assert not read_slate(warehouse, tonight).rows


def test_a_blocked_job_stops_the_night_before_the_store(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(season.warehouse, monkeypatch, FACTORS, fatigue_score="-3.0")
    record, error = night(season)
    assert isinstance(error, BlockedError) and FACTORS in error.line() and "later tables were not built" in error.line()
    assert record["exit_status"] == 3
    assert not rows(season.warehouse, COMPLETIONS, job=STORE_TABLE, game_date=season.tonight)


@pytest.mark.parametrize("allow_fallback", [False, True])
def test_FM62_a_gate_whose_state_cannot_be_read_builds_no_store(
    season: Season, monkeypatch: pytest.MonkeyPatch, allow_fallback: bool
) -> None:
    query = season.warehouse.query

    def unreadable(sql: str, *given: Any, **named: Any) -> Any:
        if "FROM nba_orchestration.phase_completions" in sql:
            raise WarehouseError("the completions cannot be read")
        return query(sql, *given, **named)

    jobs = tuple(name.split(".")[1] for name in load_rules().phase4_jobs)
    monkeypatch.setattr(season.warehouse, "query", unreadable)
    record, error = night(season, skip=jobs, allow_fallback=allow_fallback)
    assert isinstance(error, WarehouseError) and (record["state"], record["exit_status"]) == ("failed", 1)
    assert not season.warehouse.partitions(STORE_TABLE, season.tonight, season.tonight)
    assert not season.warehouse.partitions(BLOCKED, season.tonight, season.tonight)
