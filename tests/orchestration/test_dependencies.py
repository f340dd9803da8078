"""The gate before the store: only success, for this date, with the rows there should be, after its inputs, opens it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from orchestration import dependencies
from orchestration.dependencies import READY, UNREADABLE, check
from schemas.contracts import contract
from schemas.errors import WarehouseError
from schemas.rules import load_rules
from schemas.settings import Settings
from tests.warehouse.made_up_rows import NOON, publish, rows_of
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Publication, RecordWrite

TODAY = dt.date(2025, 1, 15)
YESTERDAY = dt.date(2025, 1, 14)
JOBS = load_rules().phase4_jobs
JOB = "nba_precompute.player_composite_factors"
INPUT = "nba_precompute.team_defense_zone_analysis"
HOUR = dt.timedelta(hours=1)
COMPLETIONS = "nba_orchestration.phase_completions"


def complete(warehouse: EmbeddedWarehouse, job: str, at: dt.datetime = NOON, **changed: Any) -> None:
    row = {
        "phase": "phase4",
        "game_date": TODAY,
        "job": job,
        "status": "success",
        "record_count": 3,
        "expected_count": 3,
        "run_id": f"r{at:%d%H%M}",
        "completed_at": at,
    }
    warehouse.record([RecordWrite(COMPLETIONS, [{**row, **changed}])])


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[EmbeddedWarehouse]:
    """A warehouse in which all four jobs have delivered, each after its inputs."""
    opened = EmbeddedWarehouse(Settings("embedded", tmp_path / "home", None, threads=1))
    for at, job in enumerate(sorted(JOBS, key=lambda name: len(set(contract(name).reads) & set(JOBS)))):
        publish(opened, job, rows_of(job, [TODAY]))
        complete(opened, job, NOON + at * HOUR)
    yield opened
    opened.close()


def states(warehouse: EmbeddedWarehouse, date: dt.date = TODAY) -> dict[str, str]:
    return {item.job: item.state for item in check(warehouse, date)}


def only_wrong(warehouse: EmbeddedWarehouse, job: str = JOB) -> str:
    """Return the state of the job; all others must be ready."""
    found = states(warehouse)
    assert {name: state for name, state in found.items() if name != job} == dict.fromkeys(set(JOBS) - {job}, READY)
    return found[job]


def test_four_jobs_that_delivered_open_it(warehouse: EmbeddedWarehouse) -> None:
    assert states(warehouse) == dict.fromkeys(JOBS, READY) and len(JOBS) == 4
    assert all(item.is_ready and item.line().endswith(": ready, 3 rows") for item in check(warehouse, TODAY))


def test_FM08_a_job_that_never_ran_keeps_it_shut(warehouse: EmbeddedWarehouse) -> None:
    warehouse.record([RecordWrite(COMPLETIONS, [], clear={"job": [JOB]})])
    assert only_wrong(warehouse) == "never_ran"
    (item,) = [item for item in check(warehouse, TODAY) if not item.is_ready]
    assert item.line() == "player_composite_factors: never ran (0 rows)"


def test_FM08_FM09_yesterdays_completion_does_not_count(warehouse: EmbeddedWarehouse) -> None:
    warehouse.record([RecordWrite(COMPLETIONS, [], clear={"job": [JOB]})])
    complete(warehouse, JOB, NOON + 9 * HOUR, game_date=YESTERDAY)
    assert only_wrong(warehouse) == "never_ran"
    assert set(states(warehouse, YESTERDAY).values()) == {"never_ran", "rows_changed_since"}


@pytest.mark.parametrize("status", ["failed", "blocked", "skipped", "SUCCESS", "running"])
def test_FM10_a_completion_that_says_anything_but_success_keeps_it_shut(warehouse: EmbeddedWarehouse, status: str) -> None:
    complete(warehouse, JOB, NOON + 9 * HOUR, status=status)
    assert only_wrong(warehouse) == "did_not_succeed"


def test_FM10_a_success_before_a_failure_is_over_and_one_after_it_counts(warehouse: EmbeddedWarehouse) -> None:
    complete(warehouse, JOB, NOON + 9 * HOUR, status="failed")
    complete(warehouse, JOB, NOON + 10 * HOUR)
    assert only_wrong(warehouse) == READY


def test_FM42_a_success_without_rows_keeps_it_shut(warehouse: EmbeddedWarehouse) -> None:
    complete(warehouse, JOB, NOON + 9 * HOUR, record_count=0, expected_count=None)
    assert only_wrong(warehouse) == "no_rows"


@pytest.mark.parametrize(("count", "expected"), [(3, 4), (3, 2)])
def test_FM45_other_rows_than_the_slate_calls_for_keep_it_shut(warehouse: EmbeddedWarehouse, count: int, expected: int) -> None:
    complete(warehouse, JOB, NOON + 9 * HOUR, record_count=count, expected_count=expected)
    assert only_wrong(warehouse) == "rows_missing"
    (item,) = [item for item in check(warehouse, TODAY) if not item.is_ready]
    assert item.line() == f"player_composite_factors: rows missing ({count} of {expected} rows)"


@pytest.mark.parametrize("rows", [2, 4, 0])
def test_FM57_rows_that_changed_since_keep_it_shut(warehouse: EmbeddedWarehouse, rows: int) -> None:
    staged = warehouse.stage_rows(contract(JOB), rows_of(JOB, [TODAY], per_date=rows), "later")
    warehouse.publish([Publication(staged, (TODAY,))])
    assert only_wrong(warehouse) == "rows_changed_since"


def test_FM09_a_job_that_ran_before_its_inputs_keeps_it_shut(warehouse: EmbeddedWarehouse) -> None:
    assert INPUT in contract(JOB).reads
    complete(warehouse, INPUT, NOON + 9 * HOUR)
    assert only_wrong(warehouse) == "older_than_its_inputs"
    complete(warehouse, JOB, NOON + 10 * HOUR)
    assert only_wrong(warehouse) == READY


def test_FM09_inputs_completed_for_another_date_do_not_matter(warehouse: EmbeddedWarehouse) -> None:
    complete(warehouse, INPUT, NOON + 9 * HOUR, game_date=YESTERDAY)
    assert only_wrong(warehouse) == READY


@pytest.mark.parametrize("column", ["completed_at", "record_count"])
def test_FM62_a_completion_that_cannot_be_judged_keeps_it_shut(
    warehouse: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    query = warehouse.query

    def half_readable(sql: str, *given: Any, **named: Any) -> Any:
        rows = query(sql, *given, **named)
        if sql != dependencies.LATEST_COMPLETIONS:
            return rows
        place = rows.schema.get_field_index(column)
        unknown = pa.nulls(rows.num_rows, rows.schema.field(column).type)
        return rows.set_column(place, column, pc.if_else(pc.equal(rows["job"], JOB), unknown, rows[column]))

    monkeypatch.setattr(warehouse, "query", half_readable)
    assert states(warehouse)[JOB] == UNREADABLE


def test_FM62_completions_that_cannot_be_read_are_an_error_and_no_answer(
    warehouse: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: Any, **__: Any) -> Any:
        raise WarehouseError("the completions cannot be read")

    monkeypatch.setattr(warehouse, "query", unreadable)
    with pytest.raises(WarehouseError):
        check(warehouse, TODAY)


def test_FM62_partitions_that_cannot_be_read_are_an_error_and_no_answer(warehouse: EmbeddedWarehouse) -> None:
    with warehouse.catalog.write() as connection:
        connection.execute("ALTER TABLE partitions RENAME TO elsewhere")
    with pytest.raises(WarehouseError, match="damaged"):
        check(warehouse, TODAY)
