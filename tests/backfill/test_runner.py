"""What a run does with bad dates, failures, interruptions, other writers and newer code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import orchestration.build as build
from backfill import runner
from backfill.attempts import ATTEMPTS, MOST_ATTEMPTS, PAUSE, read_attempts
from backfill.plan import BuildStage
from backfill.preflight import absent_inputs
from backfill.progress import STAGES, latest_status
from backfill.request import Request, freeze
from backfill.runner import Outcome, run_backfill
from backfill.states import State
from orchestration.build import Built
from orchestration.outcome import LEDGER
from orchestration.runs import RUNS
from schemas.errors import LeaseHeldError, PartlyDoneError, StaleDefinitionError, StorageUnavailableError, WaitingError, WarehouseError
from schemas.rules import STORE_TABLE
from tests.backfill.site import CODE, Site
from warehouse.protocol import RecordWrite

CACHE, ZONES = "nba_precompute.player_daily_cache", "nba_precompute.player_shot_zone_analysis"
Audited = Callable[..., Any]


def refusing(table: str, bad: dt.date) -> Audited:
    """Return an audit that refuses one date of a table."""
    real = build.audited

    def audited(warehouse: Any, spec: Any, *others: Any) -> Any:
        found = real(warehouse, spec, *others)
        return replace(found, blocked={**found.blocked, bad: ("planted",)}) if spec.name == table else found

    return audited


def forget(site: Site, table: str, dates: Sequence[dt.date]) -> None:
    """Let the ledger forget dates, so that they are built again."""
    site.warehouse.record([RecordWrite(LEDGER, [], clear={"table_name": [table], "game_date": list(dates)})])


def test_a_bad_date_is_blocked_its_neighbours_publish_and_what_reads_it_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = site.dates()[-4:]
    bad = dates[1]
    forget(site, ZONES, dates)
    before = site.fingerprints()
    request = Request(dates=tuple(dates))
    with monkeypatch.context() as patch:
        patch.setattr(build, "audited", refusing(ZONES, bad))
        outcome = site.backfill(request)
    assert outcome.exit_status == 5
    results = {result.stage.table: result for result in outcome.results}
    assert results[ZONES].blocked == {bad: ("planted",)}
    assert results[ZONES].published == tuple(date for date in dates if date != bad)
    assert results[STORE_TABLE].withheld == (bad,)
    assert {(table, item.date) for table, item in outcome.unverified} == {(ZONES, bad)}
    # The last good partition stays readable.
    assert site.fingerprints() == before
    # The same rows would be refused again: it is named each time and not tried, until it is asked for by name.
    again = site.backfill(Request(start=dates[0]))
    assert (again.plan.stages, again.exit_status) == ((), 5)
    assert [(table, item.date, item.why) for table, item in again.unverified] == [(ZONES, bad, "planted")]
    assert read_attempts(site.warehouse, site.now).rows[ZONES, bad]["attempts"] == 1
    mended = site.backfill(Request(dates=(bad,)))
    assert mended.exit_status == 0
    assert not read_attempts(site.warehouse, site.now).rows
    assert site.fingerprints() == before


def test_FM60_an_interruption_closes_the_record_of_its_stage_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(site, CACHE, site.dates()[-2:])

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runner, "build_table", interrupted)
        site.backfill()
    (stage,) = site.warehouse.query(f"SELECT * FROM {STAGES} WHERE detail = 'interrupted'").to_pylist()
    assert (stage["state"], stage["table_name"]) == ("failed", CACHE) and stage["ended_at"]
    assert site.warehouse.query(f"SELECT * FROM {STAGES} WHERE state = 'running'").num_rows == 0
    assert site.warehouse.query(f"SELECT * FROM {RUNS} WHERE detail = 'interrupted'").num_rows == 1
    assert site.backfill().exit_status == 0


def test_FM44_failures_come_before_the_rest(site: Site) -> None:
    dates = site.dates()
    forget(site, CACHE, dates[-2:])
    old = {"attempts": 1, "last_attempt_at": site.now, "last_error": "x", "run_id": "r"}
    site.warehouse.record([RecordWrite(ATTEMPTS, [{"table_name": CACHE, "game_date": dates[3], **old}])])
    row = site.warehouse.query(f"SELECT * FROM {LEDGER} WHERE table_name = @t AND game_date = @d", {"t": CACHE, "d": dates[3]}).to_pylist()[
        0
    ]
    site.warehouse.record([RecordWrite(LEDGER, [{**row, "state": "blocked", "upstream_fingerprint": "old"}])])
    stages = [stage for stage in site.plan().stages if isinstance(stage, BuildStage) and stage.table == CACHE]
    assert [stage.dates for stage in stages] == [(dates[3],), tuple(dates[-2:])]


def fake_build(fails: set[dt.date], calls: list[tuple[dt.date, ...]]) -> Callable[..., Built]:
    def built(_warehouse: Any, table: str, dates: Sequence[dt.date], _run: Any) -> Built:
        calls.append(tuple(dates))
        if fails & set(dates):
            raise WarehouseError("a statement failed", ["division by zero"])
        return Built(table, dates[0], dates[-1], 10 * len(dates), tuple(dates), {}, 0.1)

    return built


def test_a_failing_statement_is_halved_until_the_error_has_a_date(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = site.dates()[:16]
    calls: list[tuple[dt.date, ...]] = []
    monkeypatch.setattr(runner, "build_table", fake_build({dates[5]}, calls))
    result = runner._build(site.warehouse, CACHE, dates, site.run())
    assert list(result.failed) == [dates[5]]
    assert "division by zero" in result.failed[dates[5]]
    assert set(result.published) == set(dates) - {dates[5]}
    assert result.rows == 150
    assert len(calls) == 9


@pytest.mark.parametrize("error", [LeaseHeldError("held"), StorageUnavailableError("full"), StaleDefinitionError("old")])
def test_what_is_about_the_whole_warehouse_stops_the_run(site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def built(*_: Any) -> Built:
        raise error

    monkeypatch.setattr(runner, "build_table", built)
    with pytest.raises(type(error)):
        runner._build(site.warehouse, CACHE, site.dates()[:4], site.run())


def test_FM62_three_attempts_then_a_day_of_rest(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    date = site.dates()[-1]
    calls: list[tuple[dt.date, ...]] = []
    monkeypatch.setattr(runner, "build_table", fake_build({date}, calls))
    forget(site, CACHE, [date])
    counts = []
    for _ in range(MOST_ATTEMPTS + 1):
        assert site.backfill(Request(dates=(date,))).exit_status == 5
        counts.append(len(calls))
    assert counts == [1, 2, 3, 3]
    item = next(item for item in site.plan().tables if item.table == CACHE).states[date]
    assert "tried 3 times, not again before" in item.why
    assert not item.retry
    later = dt.datetime.now(dt.UTC) + PAUSE + dt.timedelta(minutes=1)
    assert site.backfill(Request(dates=(date,)), now=later, as_of=site.now).exit_status == 5
    assert len(calls) == 4
    assert read_attempts(site.warehouse, later).rows[CACHE, date]["attempts"] == 1


@pytest.mark.parametrize("broken", ["unreadable", "half"])
def test_FM62_attempts_that_cannot_be_read_mean_stop(site: Site, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    forget(site, CACHE, [site.dates()[-1]])
    query = type(site.warehouse).query

    def failing(self: Any, sql: str, *others: Any) -> Any:
        if ATTEMPTS in sql:
            if broken == "unreadable":
                raise WarehouseError("a statement failed", ["disk"])
            return query(self, "SELECT 't' AS table_name, DATE '2024-11-08' AS game_date, NULL AS attempts, NULL AS last_attempt_at")
        return query(self, sql, *others)

    monkeypatch.setattr(type(site.warehouse), "query", failing)
    before = site.warehouse.partitions(CACHE)
    with pytest.raises(WarehouseError, match="tried"):
        site.backfill()
    assert site.warehouse.partitions(CACHE) == before


def interrupt(site: Site, monkeypatch: pytest.MonkeyPatch, request: Request, after: int) -> None:
    """Run a backfill that is broken off before its stage of that number."""

    def report(_text: str, number: int, _total: int) -> None:
        if number == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_backfill(site.warehouse, request, site.now, 60, code=CODE, report=report)


def test_FM44_resuming_on_another_day_gives_the_same_plan(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(site, CACHE, site.dates()[-3:])
    before = site.fingerprints()
    planned = site.plan().stages
    interrupt(site, monkeypatch, Request(), 0)
    later = site.now + dt.timedelta(days=9)
    with pytest.raises(WaitingError):
        # Asked anew, nine days later, a game that has been played in between lacks its box score.
        site.backfill(now=later, resume=False)
    resumed = site.backfill(now=later)
    assert resumed.frozen.as_of == site.now
    assert resumed.plan.stages == planned
    assert resumed.exit_status == 0
    record = site.warehouse.query(f"SELECT * FROM {RUNS} WHERE run_id = @run_id", {"run_id": resumed.frozen.resumed}).to_pylist()[0]
    assert (record["state"], record["as_of"]) == ("failed", site.now)
    assert site.fingerprints() == before
    # What is done is done: the same request starts afresh.
    assert freeze(site.warehouse, Request(), later, None, 60).resumed is None


def test_FM49_an_interrupted_backfill_is_not_resumed_with_other_definitions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(site, CACHE, site.dates()[-1:])
    interrupt(site, monkeypatch, Request(), 0)
    monkeypatch.setattr("backfill.request.definition_version", lambda: "another")
    with pytest.raises(StaleDefinitionError, match=r"definitions .* now another"):
        site.backfill()
    assert site.backfill(resume=False).exit_status == 0


def test_FM49_code_that_changes_on_disk_stops_a_run_between_two_stages(site: Site) -> None:
    forget(site, CACHE, site.dates()[-1:])
    versions = iter(["old", "old", "new", "new", "new"])
    with pytest.raises(StaleDefinitionError, match="old"):
        run_backfill(site.warehouse, Request(), site.now, 60, code=lambda: next(versions))


def test_a_second_backfill_stops_with_the_name_of_the_first(site: Site, first_backfill: tuple[Path, Outcome]) -> None:
    forget(site, CACHE, site.dates()[-2:])
    before = site.fingerprints()
    refused: list[LeaseHeldError] = []

    def report(_text: str, _number: int, _total: int) -> None:
        with pytest.raises(LeaseHeldError) as caught:
            site.backfill(Request(season="2024-25"))
        refused.append(caught.value)

    assert run_backfill(site.warehouse, Request(), site.now, 60, code=CODE, report=report).exit_status == 0
    assert refused
    assert refused[0].exit_status == 1
    assert "backfill of 2023-10-24 to 2024-12-07" in refused[0].line()
    assert site.warehouse.this_process().rpartition(":")[0] in refused[0].line()
    assert site.fingerprints() == before


def test_progress_can_be_read_while_it_runs_and_afterwards(site: Site) -> None:
    assert latest_status(site.warehouse, site.now) is not None
    forget(site, CACHE, site.dates()[-2:])
    seen: list[Mapping[str, Any]] = []

    def report(text: str, number: int, _total: int) -> None:
        assert "rows/s" in text
        if number == 1:
            seen.append(latest_status(site.warehouse, dt.datetime.now(dt.UTC)) or {})

    outcome = run_backfill(site.warehouse, Request(), site.now, 60, code=CODE, report=report)
    status = seen[0]
    assert (status["state"], status["stages"], status["done"]) == ("running", len(outcome.plan.stages), 1)
    assert status["rows"] == outcome.results[0].rows
    assert status["rows_per_second"] > 0
    after = latest_status(site.warehouse, dt.datetime.now(dt.UTC)) or {}
    assert (after["state"], after["done"], after["running"]) == ("succeeded", len(outcome.plan.stages), [])
    stages = site.warehouse.query(f"SELECT state FROM {STAGES} WHERE run_id = @run_id", {"run_id": outcome.run_id}).to_pylist()
    assert {row["state"] for row in stages} == {"done"}


def test_gaps_leave_alone_what_is_merely_stale(site: Site) -> None:
    dates = site.dates()
    forget(site, CACHE, dates[5:7])
    row = site.warehouse.query(f"SELECT * FROM {LEDGER} WHERE table_name = @t AND game_date = @d", {"t": ZONES, "d": dates[9]}).to_pylist()[
        0
    ]
    site.warehouse.record([RecordWrite(LEDGER, [{**row, "definition_version": "old"}])])
    outcome = site.backfill(Request(gaps=True))
    assert [(stage.table, stage.dates) for stage in outcome.plan.stages] == [(CACHE, tuple(dates[5:7]))]
    assert outcome.exit_status == 0
    assert [(table, item.date, item.state) for table, item in site.plan().unfinished() if item.why == "definition changed"] == [
        (ZONES, dates[9], State.STALE)
    ]


def test_FM63_box_scores_of_played_games_that_never_arrived_stop_a_backfill_before_it_starts(site: Site) -> None:
    date = site.dates()[-4]
    site.replace("nba_raw.team_boxscores", date, lambda rows: rows.slice(0, 0))
    with pytest.raises(WaitingError, match=f"{date}: team_boxscores of 1 of 1 games"):
        site.backfill()
    absent = [item for item in absent_inputs(site.warehouse, site.plan().calendar) if item.needed]
    assert [(item.table, item.date, item.games) for item in absent] == [("team_boxscores", date, 1)]


def test_a_repair_that_fails_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from backfill.repairs import Clinic, MakeAgain

    date = site.dates()[-1]
    forget(site, CACHE, [date])
    monkeypatch.setattr(runner, "build_table", fake_build({date}, []))
    with pytest.raises(PartlyDoneError, match=str(date)):
        MakeAgain((date,)).apply(Clinic(site.warehouse, site.settings, site.run(), site.now))
