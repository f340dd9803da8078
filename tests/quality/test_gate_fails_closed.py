"""A gate that cannot run has failed: each fault on the way blocks every date asked for."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quality import expectations
from quality.checks import RowCheck
from quality.events import gate_events
from quality.expectations import Declared, GateError, declare, evaluate
from quality.gate import ExpectedSlate, GateReport, StoreGate
from schemas.errors import UsageError
from tests.quality.store_rows import CATALOGUE, FIRST, SCHEMA, changed, expected, store_rows

ROWS = store_rows(2)
SLATES = expected(ROWS)


def run(rows: pa.Table = ROWS, gate: StoreGate | None = None, relation: str = "store") -> GateReport:
    with duckdb.connect() as connection:
        connection.register("store", rows)
        return (gate or StoreGate.default()).audit(connection, relation, SLATES)


def assert_all_blocked(report: GateReport, reason: str) -> None:
    assert set(report.verdicts) == set(SLATES)
    assert not report.passed
    assert all(reason in verdict.reasons for verdict in report.verdicts.values())


def test_the_rows_pass_without_a_fault() -> None:
    assert run().passed == tuple(SLATES)


def test_FM55_a_missing_table_blocks() -> None:
    report = run(relation="nowhere")
    assert_all_blocked(report, "gate_error")
    assert report.expectations_evaluated == 0


def test_FM55_a_missing_column_blocks_and_is_named() -> None:
    assert_all_blocked(run(ROWS.drop_columns(["opponent_pace"])), "missing_column:opponent_pace")


def test_FM55_a_column_of_another_type_blocks() -> None:
    position = ROWS.column_names.index("quality_alerts")
    report = run(ROWS.set_column(position, "quality_alerts", pa.array(["none"] * ROWS.num_rows)))
    assert_all_blocked(report, "gate_error")


def test_FM55_an_empty_frame_blocks() -> None:
    assert_all_blocked(run(SCHEMA.empty_table()), "no_rows")


@pytest.mark.parametrize("column", ["points_avg_last_5", "quality_alert_level", "matchup_quality_pct", "game_id", "feature_3_source"])
def test_FM55_a_column_that_is_all_NULL_blocks(column: str) -> None:
    report = run(changed(ROWS, "TRUE", **{column: "NULL"}))
    assert not report.passed
    assert all(any(column in finding.column for finding in verdict.findings) for verdict in report.verdicts.values())


def test_FM55_an_empty_suite_blocks() -> None:
    gate = dataclasses.replace(StoreGate.default(), rows=(), dates=())
    assert_all_blocked(run(gate=gate), "gate_error")


def test_FM55_a_check_that_does_not_run_blocks() -> None:
    gate = StoreGate.default()
    broken = RowCheck("broken", "points_avg_last_5", "no_such_column > 1")
    assert_all_blocked(run(gate=dataclasses.replace(gate, rows=(*gate.rows, broken))), "gate_error")


def test_FM55_an_exception_inside_an_expectation_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_one_astray(*checks: Any) -> tuple[Declared, ...]:
        return (*declare(*checks)[:-1], Declared("rows", "warning", "a mean of text", low=0))

    monkeypatch.setattr("quality.gate.declare", with_one_astray)
    assert_all_blocked(run(), "gate_error")


def test_FM55_an_exception_the_library_swallows_is_an_error() -> None:
    with pytest.raises(GateError, match="an exception inside an expectation"):
        evaluate(pa.table({"there": [0]}), [Declared("there", "critical", "", high=0), Declared("absent", "warning", "", high=0)])


def test_FM55_an_expectation_left_out_by_the_library_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from quality import gx_duckdb

    whole = gx_duckdb.validate
    monkeypatch.setattr(gx_duckdb, "validate", lambda table, wanted: whole(table, wanted[:-1]))
    assert_all_blocked(run(), "gate_error")


def test_FM55_an_empty_suite_or_table_is_an_error() -> None:
    with pytest.raises(GateError, match="empty"):
        expectations.evaluate(pa.table({"there": [0]}), [])
    with pytest.raises(GateError, match="no date"):
        expectations.evaluate(pa.table({"there": pa.array([], pa.int64())}), [Declared("there", "critical", "", high=0)])


def test_FM55_the_library_saying_yes_against_the_figures_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quality.gate.evaluate", lambda audit, suite: {one.column: True for one in suite})
    report = run(changed(ROWS, "player_lookup = 'player00x00'", fatigue_score="-1"))
    assert_all_blocked(report, "gate_error")
    assert "disagree" in next(iter(report.verdicts.values())).findings[0].detail


def test_asking_about_no_date_is_refused() -> None:
    with duckdb.connect() as connection, pytest.raises(UsageError, match="no date"):
        StoreGate.default().audit(connection, "store", {})


def test_the_suite_holds_and_fails_as_declared() -> None:
    suite = [
        Declared("low", "critical", "", low=1),
        Declared("above", "warning", "", low=0, above=True),
        Declared("high", "critical", "", high=2),
    ]
    assert evaluate(pa.table({"low": [1.0], "above": [0.1], "high": [2.0]}), suite) == {"low": True, "above": True, "high": True}
    assert evaluate(pa.table({"low": [0.9], "above": [0.0], "high": [2.1]}), suite) == {"low": False, "above": False, "high": False}


def test_events_have_the_columns_of_the_contract_and_ids_that_repeat() -> None:
    from schemas.contracts import contract

    report = run(changed(ROWS, "player_lookup = 'player00x00' AND game_date = DATE '2024-01-10'", fatigue_score="-1"))
    at = dt.datetime(2024, 1, 11, tzinfo=dt.UTC)
    first, again = (gate_events(report, "run-1", at, "nba_predictions.ml_feature_store_v2") for _ in range(2))
    assert first == again
    assert [event["reason_code"] for event in first] == ["out_of_range:fatigue_score"]
    assert (first[0]["severity"], first[0]["fate"], first[0]["game_date"]) == ("P1", "blocked", FIRST)
    table = contract("nba_orchestration.data_quality_events")
    assert tuple(first[0]) == table.column_names
    required = {column.name for column in table.columns if column.required}
    assert all(first[0][name] is not None for name in required)
    assert all(first[0][c.name] in c.values for c in table.columns if c.values and first[0][c.name] is not None)
    assert gate_events(report, "run-2", at, "nba_predictions.ml_feature_store_v2")[0]["event_id"] != first[0]["event_id"]


def test_a_gate_that_cannot_run_is_the_most_urgent_event() -> None:
    events = gate_events(run(relation="nowhere"), "run-1", dt.datetime(2024, 1, 11, tzinfo=dt.UTC), "t")
    assert {(event["severity"], event["reason_code"], event["fate"]) for event in events} == {("P0", "gate_error", "blocked")}
    assert len({event["event_id"] for event in events}) == len(SLATES)


def test_slates_are_relative_to_the_night() -> None:
    rows = store_rows(1, games=1, per_side=9)
    with duckdb.connect() as connection:
        connection.register("store", rows)
        report = StoreGate.default().audit(connection, "store", {FIRST: ExpectedSlate(18, 1)})
    assert report.passed == (FIRST,)
    assert len(CATALOGUE.features) == 37


def test_a_scan_of_files_is_judged_like_a_table(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for date in SLATES:
        pq.write_table(ROWS.filter(pc.equal(ROWS["game_date"], pa.scalar(date))), tmp_path / f"{date}.parquet")
    report = run(relation=f"read_parquet('{tmp_path}/*.parquet')")
    assert (report.passed, report.rows) == (tuple(SLATES), ROWS.num_rows)
