"""Record tables: insert, replace, append, clear, and what is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from schemas.contracts import contract
from schemas.errors import FeatureStoreError, WarehouseError
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, NOON, PLAYERS, completion, read
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import RecordWrite

EVENTS = "nba_orchestration.data_quality_events"
REGISTRY = "nba_orchestration.model_registry"


def event(event_id: str = "e1", **changed: Any) -> dict[str, Any]:
    row = {
        "event_id": event_id,
        "event_timestamp": NOON,
        "event_type": "gate",
        "severity": "P1",
        "table_name": BOXES,
        "reason_code": "x",
        "resolution_status": "open",
        "run_id": "r",
    }
    return {**row, **changed}


def test_a_row_reads_back_in_every_type(warehouse: EmbeddedWarehouse) -> None:
    moment = dt.datetime(2025, 3, 9, 6, 59, 59, 999999, tzinfo=dt.UTC)
    row = event(event_timestamp=moment, game_date=DAYS[1], metric_value=0.1, threshold=0.0, columns="ümläut, 'quoted'", resolved_at=None)
    warehouse.record([RecordWrite(EVENTS, [row])])
    (found,) = read(warehouse, EVENTS).to_pylist()
    assert {name: found[name] for name in row} == row
    assert {name for name, value in found.items() if value is None} >= {"resolved_at", "metric_name", "details_json"}
    assert list(found) == list(contract(EVENTS).column_names)


@pytest.mark.parametrize("flag", [True, False])
def test_flags_stay_flags(warehouse: EmbeddedWarehouse, flag: bool) -> None:
    spec = contract(REGISTRY)
    plain = {"STRING": "x", "INT64": 0, "BOOL": flag, "TIMESTAMP": NOON, "DATE": DAYS[0]}
    warehouse.record([RecordWrite(REGISTRY, [{column.name: plain[column.type] for column in spec.columns}])])
    assert read(warehouse, REGISTRY)["is_production"].to_pylist() == [flag]
    assert read(warehouse, REGISTRY)["feature_count"].to_pylist() == [0]


def test_equal_keys_replace_and_others_are_added(warehouse: EmbeddedWarehouse) -> None:
    warehouse.record([RecordWrite(COMPLETIONS, [completion(record_count=1), completion(run="r2", record_count=2)])])
    warehouse.record([RecordWrite(COMPLETIONS, [completion(record_count=3), completion(run="r3", record_count=4)])])
    found = {row["run_id"]: row["record_count"] for row in read(warehouse, COMPLETIONS).to_pylist()}
    assert found == {"r1": 3, "r2": 2, "r3": 4}


def test_appending_refuses_a_repeated_key_and_keeps_all(warehouse: EmbeddedWarehouse) -> None:
    warehouse.record([RecordWrite(EVENTS, [event("e1")], replace=False)])
    with pytest.raises(WarehouseError, match="breaks its contract"):
        warehouse.record([RecordWrite(EVENTS, [event("e2"), event("e1", severity="P0")], replace=False)])
    assert [(row["event_id"], row["severity"]) for row in read(warehouse, EVENTS).to_pylist()] == [("e1", "P1")]


def test_clearing_matches_all_its_columns(warehouse: EmbeddedWarehouse) -> None:
    rows = [completion(job, day) for job in (BOXES, PLAYERS) for day in DAYS[:2]]
    warehouse.record([RecordWrite(COMPLETIONS, rows)])
    clear = {"job": [BOXES], "game_date": [DAYS[0], DAYS[3]]}
    warehouse.record([RecordWrite(COMPLETIONS, [completion("new", DAYS[0])], clear=clear)])
    found = {(row["job"], row["game_date"]) for row in read(warehouse, COMPLETIONS).to_pylist()}
    assert found == {("new", DAYS[0]), (BOXES, DAYS[1]), (PLAYERS, DAYS[0]), (PLAYERS, DAYS[1])}


def test_clearing_by_no_value_clears_nothing(warehouse: EmbeddedWarehouse) -> None:
    warehouse.record([RecordWrite(COMPLETIONS, [completion()])])
    warehouse.record([RecordWrite(COMPLETIONS, [], clear={"job": []})])
    assert read(warehouse, COMPLETIONS).num_rows == 1


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (RecordWrite(COMPLETIONS, [{**completion(), "colour": "red", "taste": 1}]), "no such column: colour, taste"),
        (RecordWrite(COMPLETIONS, [], clear={"colour": ["red"]}), "no such column: colour"),
        (RecordWrite(COMPLETIONS, [{**completion(), "status": None}]), "breaks its contract: NOT NULL"),
        (RecordWrite("nba_orchestration.nothing", [{}]), "unknown table: nba_orchestration.nothing"),
    ],
)
def test_what_the_contract_does_not_know_is_refused_and_nothing_written(
    warehouse: EmbeddedWarehouse, write: RecordWrite, words: str
) -> None:
    with pytest.raises(FeatureStoreError, match=words):
        warehouse.record([RecordWrite(COMPLETIONS, [completion()]), write])
    assert read(warehouse, COMPLETIONS).num_rows == 0


def test_an_older_record_table_gains_the_columns_it_lacks(warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    with warehouse.catalog.write() as connection:
        connection.execute(
            'CREATE TABLE "nba_orchestration__phase_completions" (phase TEXT, game_date TEXT, job TEXT, status TEXT, run_id TEXT)'
        )
        connection.execute("INSERT INTO nba_orchestration__phase_completions VALUES ('phase2', '2025-01-01', 'old', 'success', 'r0')")
    (old,) = read(other, COMPLETIONS).to_pylist()
    assert (old["job"], old["record_count"], old["completed_at"]) == ("old", None, None)
    warehouse.record([RecordWrite(COMPLETIONS, [completion()], replace=False)])
    assert {row["job"]: row["record_count"] for row in read(other, COMPLETIONS).to_pylist()} == {"old": None, BOXES: 3}


def test_another_process_sees_them_at_its_next_query(warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    assert read(other, COMPLETIONS).num_rows == 0
    warehouse.record([RecordWrite(COMPLETIONS, [completion()])])
    assert read(other, COMPLETIONS).num_rows == 1
