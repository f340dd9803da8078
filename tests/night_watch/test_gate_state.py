"""Ready, waiting, degraded, blocked: what the four jobs together allow, and what a caller was told of them."""

from __future__ import annotations

import datetime as dt
from itertools import product

import pytest

from orchestration.dependencies import UNREADABLE, Dependency
from orchestration.expected import PLAYERS, TEAMS
from orchestration.gate_state import BLOCKED, DEGRADED, READY, WAITING, gate, judge
from orchestration.outcome import COMPLETIONS
from orchestration.patience import Patience, duration_text, patiently
from orchestration.runs import LONGEST_RUN, RUNS, close_dead_runs
from schemas.contracts import contract
from schemas.errors import BlockedError, ExitStatus, LeaseHeldError, WaitingError
from tests.night_watch.conftest import JOBS, NOON, TODAY, said
from tests.night_watch.test_trigger import hear
from tests.warehouse.made_up_rows import rows_of
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Publication, RecordWrite

FACTORS = "nba_precompute.player_composite_factors"


def job(state: str = READY, status: str | None = "success") -> Dependency:
    return Dependency(FACTORS, state, 3, 3, "r", NOON, status)


@pytest.mark.parametrize(
    ("jobs", "allow", "can", "state"),
    [
        ([job()] * 4, False, True, READY),
        ([job()] * 4, True, False, READY),
        ([job(), job("never_ran", None)], False, True, WAITING),
        ([job(), job("never_ran", None)], True, True, DEGRADED),
        ([job(), job("never_ran", None)], True, False, BLOCKED),
        ([job(), job("did_not_succeed", "failed")], False, True, WAITING),
        ([job(), job("did_not_succeed", "blocked")], False, True, BLOCKED),
        ([job(), job("did_not_succeed", "blocked")], True, True, DEGRADED),
        ([job(), job(UNREADABLE)], False, True, BLOCKED),
        ([job(), job(UNREADABLE)], True, True, BLOCKED),
        ([], False, True, BLOCKED),
        ([], True, True, BLOCKED),
    ],
)
def test_FM10_FM62_truth_table_of_the_gate(jobs: list[Dependency], allow: bool, can: bool, state: str) -> None:
    assert judge(jobs, allow, can) == state


def test_FM08_only_four_ready_jobs_open_it_without_fallback() -> None:
    states = [job(), job("never_ran", None), job("did_not_succeed", "failed"), job("rows_missing")]
    opened = [four for four in product(states, repeat=4) if judge(four, False, True) in (READY, DEGRADED)]
    assert opened == [(states[0],) * 4]


def complete(warehouse: EmbeddedWarehouse) -> None:
    for name in JOBS:
        hear(warehouse, said(name))


def replace(warehouse: EmbeddedWarehouse, table: str, rows: int) -> None:
    staged = warehouse.stage_rows(contract(table), rows_of(table, [TODAY], per_date=rows), "later")
    warehouse.publish([Publication(staged, (TODAY,))])


def test_FM45_a_slate_that_has_changed_since_shuts_it(warehouse: EmbeddedWarehouse) -> None:
    complete(warehouse)
    assert gate(warehouse, TODAY).state == READY
    replace(warehouse, PLAYERS, 4)
    found = gate(warehouse, TODAY)
    assert found.state == WAITING and {item.state for item in found.absent} == {"not_the_slate"}
    assert all("3 of 4 rows" in reason for reason in found.reasons)


def test_FM45_without_a_slate_nothing_can_be_expected(warehouse: EmbeddedWarehouse) -> None:
    complete(warehouse)
    for table in (PLAYERS, TEAMS):
        empty = warehouse.stage_rows(contract(table), rows_of(table, []), "gone")
        warehouse.publish([Publication(empty, (TODAY,))])
    found = gate(warehouse, TODAY)
    assert found.state == WAITING and {item.state for item in found.absent} == {"slate_unknown"}
    allowed = gate(warehouse, TODAY, allow_fallback=True)
    assert allowed.state == BLOCKED and "no rows to fall back on" in allowed.reasons[-1]
    assert isinstance(allowed.error(), BlockedError) and isinstance(found.error(), WaitingError)


def test_FM57_the_caller_was_told_of_other_rows(warehouse: EmbeddedWarehouse) -> None:
    complete(warehouse)
    assert gate(warehouse, TODAY, told=dict.fromkeys(JOBS, 3)).state == READY
    found = gate(warehouse, TODAY, told={FACTORS: 2})
    assert [item.state for item in found.absent] == ["rows_changed_since"] and found.state == WAITING


def test_FM62_a_completion_nobody_can_judge_blocks(warehouse: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    complete(warehouse)
    warehouse.record([RecordWrite(COMPLETIONS, [], clear={"job": [FACTORS]})])
    hear(warehouse, said(FACTORS, status="blocked", rows=0))
    found = gate(warehouse, TODAY)
    assert found.state == BLOCKED and "it said blocked" in found.reasons[0]
    assert int(found.error().exit_status) == 3


def test_FM60_a_run_of_another_machine_is_closed_when_no_run_can_be_that_old(warehouse: EmbeddedWarehouse) -> None:
    row = {
        "run_id": "elsewhere",
        "command": "{}",
        "started_at": NOON,
        "state": "running",
        "holder": "another-machine:1:2",
        "code_version": "x",
        "definition_version": "x",
    }
    warehouse.record([RecordWrite(RUNS, [row])])
    assert close_dead_runs(warehouse, NOON + LONGEST_RUN) == []
    assert close_dead_runs(warehouse, NOON + LONGEST_RUN + dt.timedelta(seconds=1)) == ["elsewhere"]
    (closed,) = warehouse.query(f"SELECT state, exit_status FROM {RUNS}").to_pylist()
    assert closed == {"state": "died", "exit_status": 1}


class Clock:
    """Counts what was slept, and lets an attempt fail so many times."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.slept: list[float] = []
        self.told: list[str] = []

    def attempt(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def run(self, retries: int) -> str:
        return patiently(self.attempt, Patience(retries, dt.timedelta(minutes=5)), self.slept.append, self.told.append)


def test_waiting_is_bounded_and_says_what_for() -> None:
    clock = Clock(WaitingError("late"), LeaseHeldError("busy"))
    assert clock.run(3) == "done" and clock.slept == [300.0, 300.0]
    assert clock.told[0] == "[wait 1/3] late. Trying again in 5m" and "busy" in clock.told[1]
    late = Clock(*[WaitingError(f"late {number}") for number in range(9)])
    with pytest.raises(WaitingError, match="late 3") as caught:
        late.run(3)
    assert len(late.slept) == 3 and caught.value.exit_status == ExitStatus.WAITING


def test_a_refusal_is_not_waited_for() -> None:
    clock = Clock(BlockedError("refused"))
    with pytest.raises(BlockedError):
        clock.run(3)
    assert not clock.slept


def test_durations_read_as_they_are_written() -> None:
    assert [duration_text(dt.timedelta(seconds=seconds)) for seconds in (30, 300, 3600, 90)] == ["30s", "5m", "1h", "90s"]
