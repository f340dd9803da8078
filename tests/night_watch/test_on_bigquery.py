"""The claim that starts the store, over BigQuery's wire protocol: one of two handlers makes it."""

from __future__ import annotations

import pytest

from orchestration import trigger
from orchestration.dependencies import Dependency
from orchestration.gate_state import READY, Gate
from orchestration.outbox import WAITING, deliver, enqueue, message
from orchestration.outcome import COMPLETIONS
from orchestration.trigger import CLAIMED, START, STARTED, start_store
from schemas.errors import WarehouseError
from schemas.rules import load_rules
from tests.bigquery.conftest import other, prepared, server, settings, warehouse
from tests.night_watch.conftest import NOON, TODAY
from tests.night_watch.test_gate_state import FACTORS
from warehouse.bigquery import BigQueryWarehouse
from warehouse.protocol import RecordWrite

__all__ = ["other", "prepared", "server", "settings", "warehouse"]
pytestmark = pytest.mark.wire


@pytest.fixture(autouse=True)
def open_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The four jobs are ready: the gate itself is proved elsewhere, on rows."""
    jobs = tuple(Dependency(job, READY, 3, 3, "r1", NOON, "success") for job in load_rules().phase4_jobs)
    monkeypatch.setattr(trigger, "gate", lambda *_: Gate(TODAY, READY, jobs))


def test_FM47_a_second_claim_is_refused_by_the_warehouse_itself(warehouse: BigQueryWarehouse, other: BigQueryWarehouse) -> None:
    record = warehouse.record
    raced: list[str] = []

    def late(writes: list[RecordWrite]) -> None:
        if not raced:
            raced.append(start_store(other, TODAY, NOON, "start").store)
        record(writes)

    warehouse.record = late  # type: ignore[method-assign, assignment]
    assert start_store(warehouse, TODAY, NOON, "start").store == CLAIMED and raced == [STARTED]
    claims = warehouse.query(f"SELECT run_id FROM {COMPLETIONS} WHERE job = @job", {"job": START}).to_pylist()
    assert claims == [{"run_id": "start-0001"}] and warehouse.query(WAITING).num_rows == 1


def test_claim_and_message_are_written_together_or_not_at_all(warehouse: BigQueryWarehouse) -> None:
    note = message("start", f"{TODAY}|start-0001", {}, NOON, "r", TODAY)
    enqueue(warehouse, [note])
    with pytest.raises(WarehouseError):
        start_store(warehouse, TODAY, NOON, "start")
    assert not warehouse.query(f"SELECT run_id FROM {COMPLETIONS} WHERE job = @job", {"job": START}).num_rows


def test_the_outbox_is_emptied_over_the_wire(warehouse: BigQueryWarehouse) -> None:
    start_store(warehouse, TODAY, NOON, "start")
    taken: list[str] = []

    class Taker:
        def send(self, delivery: dict[str, str]) -> None:
            taken.append(delivery["delivery_id"])

    assert len(deliver(warehouse, {"start": Taker()}, lambda: NOON).sent) == 1 == len(taken)  # type: ignore[dict-item]
    assert warehouse.query(WAITING).num_rows == 0 and FACTORS in load_rules().phase4_jobs
