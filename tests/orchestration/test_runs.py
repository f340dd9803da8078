"""Run records: one row per run, with the state it ended in, whatever ended it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.runs import RUNS, recorded_run
from schemas.errors import (
    BlockedError,
    DefinitionError,
    ExitStatus,
    FeatureStoreError,
    LeaseHeldError,
    NoGamesError,
    PartlyDoneError,
    WaitingError,
)
from schemas.settings import Settings
from tests.orchestration.looking import rows
from tests.warehouse.in_child import DIED, die, fork, in_child, join
from warehouse.embedded import EmbeddedWarehouse

AS_OF = dt.datetime(2025, 1, 15, 22, tzinfo=dt.UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("embedded", tmp_path / "home", None, threads=1)


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[EmbeddedWarehouse]:
    opened = EmbeddedWarehouse(settings)
    yield opened
    opened.close()


def ended_by(warehouse: EmbeddedWarehouse, error: BaseException | None, status: ExitStatus = ExitStatus.DONE) -> dict:
    """Let a run end that way and return its record."""
    try:
        with recorded_run(warehouse, "run", {"date": AS_OF.date()}, AS_OF, 60, AS_OF.date(), AS_OF.date()) as run:
            run.rows_written = 7
            run.exit_status = status
            (open_run,) = rows(warehouse, RUNS, run_id=run.run_id)
            assert (open_run["state"], open_run["ended_at"], open_run["exit_status"]) == ("running", None, None)
            if error is not None:
                raise error
    except BaseException as raised:  # noqa: BLE001 - whatever ended the run
        assert raised is error
    (record,) = rows(warehouse, RUNS)
    return record


@pytest.mark.parametrize(
    ("error", "state", "status"),
    [
        (None, "succeeded", 0),
        (BlockedError("blocked"), "blocked", 3),
        (WaitingError("waiting"), "waiting", 4),
        (PartlyDoneError("partly"), "partly", 5),
        (NoGamesError("usage"), "failed", 2),
        (LeaseHeldError("held"), "failed", 1),
        (DefinitionError("wrong"), "failed", 1),
        (ValueError("a fault\nof two lines"), "failed", 1),
        (KeyboardInterrupt(), "failed", 1),
        (SystemExit(9), "failed", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_FM60_every_end_is_one_row_with_its_state(
    warehouse: EmbeddedWarehouse, error: BaseException | None, state: str, status: int
) -> None:
    record = ended_by(warehouse, error)
    assert (record["state"], record["exit_status"], record["rows_written"]) == (state, status, 7)
    assert record["ended_at"] >= record["started_at"] and record["holder"] == warehouse.this_process()
    assert record["command"] == '{"command": "run", "date": "2025-01-15"}'
    assert record["code_version"] and record["definition_version"] and record["as_of"] == AS_OF
    words = error.line() if isinstance(error, FeatureStoreError) else str(error) or "interrupted" if error else ""
    assert words in record["detail"]


def test_FM60_partly_done_without_an_error(warehouse: EmbeddedWarehouse) -> None:
    record = ended_by(warehouse, None, ExitStatus.PARTLY)
    assert (record["state"], record["exit_status"]) == ("partly", 5)


def test_FM60_a_run_that_died_is_closed_by_the_next(warehouse: EmbeddedWarehouse, settings: Settings) -> None:
    def work() -> None:
        with recorded_run(EmbeddedWarehouse(settings), "backfill", {}, AS_OF, 60):
            die()

    assert in_child(work)[0] == DIED
    (dead,) = rows(warehouse, RUNS)
    assert dead["state"] == "running"
    with recorded_run(warehouse, "run", {}, AS_OF, 60) as run:
        found = {row["run_id"]: row for row in rows(warehouse, RUNS)}
        assert found[dead["run_id"]]["state"] == "died" and found[dead["run_id"]]["exit_status"] == 1
        assert found[dead["run_id"]]["ended_at"] is not None
        assert found[run.run_id]["state"] == "running"
    assert sorted(row["state"] for row in rows(warehouse, RUNS)) == ["died", "succeeded"]


def test_FM60_a_run_that_lives_is_left_alone(warehouse: EmbeddedWarehouse, settings: Settings) -> None:
    begun, enough = settings.home / "begun", settings.home / "enough"

    def work() -> None:
        with recorded_run(EmbeddedWarehouse(settings), "backfill", {}, AS_OF, 60):
            begun.touch()
            while not enough.exists():
                time.sleep(0.01)

    child = fork(work)
    while not begun.exists():
        time.sleep(0.01)
    with recorded_run(warehouse, "run", {}, AS_OF, 60):
        assert {row["state"] for row in rows(warehouse, RUNS)} == {"running"}
    enough.touch()
    assert join(*child)[0] == 0
    assert [row["state"] for row in rows(warehouse, RUNS)] == ["succeeded", "succeeded"]


def test_FM62_a_run_whose_holder_cannot_be_told_is_not_taken_for_dead(warehouse: EmbeddedWarehouse) -> None:
    ended_by(warehouse, None)
    with warehouse.catalog.write() as connection:
        connection.execute("UPDATE nba_orchestration__pipeline_runs SET state = 'running', holder = 'nobody knows'")
        connection.execute("UPDATE versions SET version = version + 1")
    with recorded_run(warehouse, "run", {}, AS_OF, 60):
        pass
    assert sorted(row["state"] for row in rows(warehouse, RUNS)) == ["running", "succeeded"]


def test_ids_sort_by_time_and_do_not_repeat(warehouse: EmbeddedWarehouse) -> None:
    ids = []
    for _ in range(3):
        with recorded_run(warehouse, "run", {}, AS_OF, 60) as run:
            ids.append(run.run_id)
    assert len(set(ids)) == 3 and [name[:8] for name in ids] == sorted(name[:8] for name in ids)
    assert len(rows(warehouse, RUNS)) == 3
