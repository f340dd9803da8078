"""The store is started once when, and only when, the fourth job has delivered: every order, copy, loss, and two handlers."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.gate_state import READY, gate
from orchestration.outbox import DELIVERIES, WAITING
from orchestration.outcome import COMPLETIONS
from orchestration.runs import RUNS
from orchestration.trigger import BUILT, CLAIMED, DUPLICATE, NOT_READY, REFUSED, START, STARTED, Reaction, on_completion
from quality.events import EVENTS
from schemas.contracts import contract
from schemas.errors import WarehouseError
from schemas.rules import STORE_TABLE
from tests.night_watch.conftest import JOBS, MINUTE, NOON, TODAY, said
from tests.night_watch.turns import at_once
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import RecordWrite

NOW = NOON + dt.timedelta(hours=1)
TOPIC = "start-the-store"
FACTORS, CACHE = "nba_precompute.player_composite_factors", "nba_precompute.player_daily_cache"
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def hear(warehouse: Any, message: dict[str, Any], now: dt.datetime = NOW) -> Reaction:
    return on_completion(warehouse, message, now, now, TOPIC)


def forget(warehouse: EmbeddedWarehouse) -> None:
    cleared = {COMPLETIONS: {"job": [*JOBS, START, STORE_TABLE]}, DELIVERIES: {"target": [TOPIC]}, EVENTS: {"run_id": runs()}}
    warehouse.record([RecordWrite(table, [], clear=values) for table, values in cleared.items()])
    assert not any(warehouse.query(f"SELECT 1 AS one FROM {table}").num_rows for table in (COMPLETIONS, DELIVERIES))


def runs() -> list[str]:
    return [f"{job.split('.')[1]}-{run}" for job in JOBS for run in ("r0", "r1", *(f"failed{place}" for place in range(4)))]


def starts(warehouse: EmbeddedWarehouse) -> int:
    """Return how often the store was started: claims and messages must agree."""
    claims = warehouse.query(f"SELECT run_id FROM {COMPLETIONS} WHERE job = '{START}'").num_rows
    assert warehouse.query(WAITING).num_rows == claims
    return claims


def is_open(warehouse: EmbeddedWarehouse) -> bool:
    return gate(warehouse, TODAY).state == READY


def test_the_fourth_starts_it_and_says_with_what(warehouse: EmbeddedWarehouse) -> None:
    reactions = [hear(warehouse, said(job)) for job in JOBS]
    assert [reaction.store for reaction in reactions] == [NOT_READY] * 3 + [STARTED]
    assert len(reactions[0].why) == 3 and "never ran" in reactions[0].why[0]
    (note,) = warehouse.query(WAITING).to_pylist()
    body = json.loads(note["body"])
    assert (note["target"], body["analysis_date"], body["start"]) == (TOPIC, str(TODAY), "start-0001")
    assert body["upstream_completions"] == {job.split(".")[1]: {"row_count": 3, "run_id": f"{job.split('.')[1]}-r1"} for job in JOBS}


@quick
@given(st.permutations(JOBS), st.lists(st.sampled_from(JOBS), max_size=6), st.randoms(use_true_random=False))
def test_FM08_FM10_every_order_and_any_number_of_copies_start_it_once(
    warehouse: EmbeddedWarehouse, order: list[str], copies: list[str], random: Any
) -> None:
    forget(warehouse)
    told = list(order)
    for job in copies:
        told.insert(random.randint(0, len(told)), job)
    seen: set[str] = set()
    for job in told:
        is_the_fourth = len(seen) == 3 and job not in seen
        seen.add(job)
        assert hear(warehouse, said(job)).started == is_the_fourth
        assert starts(warehouse) == (1 if len(seen) == 4 else 0)


@quick
@given(st.sets(st.sampled_from(JOBS), max_size=3), st.data())
def test_FM08_with_one_lost_it_is_never_started(warehouse: EmbeddedWarehouse, arrived: set[str], data: st.DataObject) -> None:
    forget(warehouse)
    told = data.draw(st.lists(st.sampled_from(sorted(arrived)), max_size=8)) if arrived else []
    assert not any(hear(warehouse, said(job)).started for job in told) and starts(warehouse) == 0


@quick
@given(st.lists(st.tuples(st.sampled_from(JOBS), st.sampled_from(("success", "success", "failed")), st.integers(0, 3)), max_size=14))
def test_FM10_failures_and_latecomers_start_it_only_with_the_gate_open(
    warehouse: EmbeddedWarehouse, told: list[tuple[str, str, int]]
) -> None:
    """A job may fail, run again, and its words may come late and twice; `place` orders the runs of a job in time.

    What should happen is worked out here from the messages alone: the latest word of each job, and which came after its inputs.
    """
    forget(warehouse)
    latest: dict[str, tuple[dt.datetime, str, str]] = {}
    was_started = False
    for job, status, place in told:
        at = NOON + (JOBS.index(job) + 1 + 5 * place) * MINUTE
        run = f"{status}{place}"
        latest[job] = max(latest.get(job, (NOON, "", "")), (at, run, status))
        should = not was_started and _all_delivered(latest)
        assert hear(warehouse, said(job, status, run=run, at=at)).started == should
        was_started |= should
        assert starts(warehouse) == was_started


def _all_delivered(latest: dict[str, tuple[dt.datetime, str, str]]) -> bool:
    if set(latest) != set(JOBS) or any(status != "success" for _, _, status in latest.values()):
        return False
    return all(latest[job][0] >= latest[name][0] for job in JOBS for name in contract(job).reads if name in latest)


@quick
@given(st.permutations(JOBS), st.lists(st.sampled_from(JOBS), max_size=3), st.lists(st.integers(0, 1), max_size=80))
def test_FM47_two_handlers_at_once_start_it_once(
    fresh: Callable[[], EmbeddedWarehouse], pair: list[EmbeddedWarehouse], order: list[str], copies: list[str], turns: list[int]
) -> None:
    """The four messages and their copies are dealt to two handlers whose reads and writes interleave as drawn."""
    forget(pair[0])
    told = [*order, *copies]
    hands = (told[::2], told[1::2])
    reactions: list[Reaction] = []

    def work(warehouse: Any, hand: int) -> None:
        for job in hands[hand]:
            reactions.append(hear(warehouse, said(job)))

    at_once(pair, work, turns)
    assert sum(reaction.started for reaction in reactions) == 1 == starts(pair[0])


@quick
@given(st.lists(st.integers(0, 1), max_size=60))
def test_FM47_two_copies_of_the_last_message_at_once_start_it_once(pair: list[EmbeddedWarehouse], turns: list[int]) -> None:
    forget(pair[0])
    for job in JOBS[:3]:
        hear(pair[0], said(job))
    reactions: list[Reaction] = []
    at_once(pair, lambda warehouse, _: reactions.append(hear(warehouse, said(JOBS[3]))), turns)
    assert sorted(reaction.store for reaction in reactions) == sorted([STARTED, CLAIMED]) and starts(pair[0]) == 1


@pytest.fixture
def pair(fresh: Callable[[], EmbeddedWarehouse]) -> list[EmbeddedWarehouse]:
    return [fresh(), fresh()]


def test_a_claim_that_two_make_at_the_same_instant_is_one(pair: list[EmbeddedWarehouse], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second handler writes its claim between the first one's look and its claim."""
    for job in JOBS[:3]:
        hear(pair[0], said(job))
    record = pair[0].record
    raced: list[Reaction] = []

    def late(writes: list[RecordWrite]) -> None:
        if any(write.table == DELIVERIES for write in writes) and not raced:
            raced.append(hear(pair[1], said(JOBS[3])))
        record(writes)

    monkeypatch.setattr(pair[0], "record", late)
    assert hear(pair[0], said(JOBS[3])).store == CLAIMED and raced[0].started and starts(pair[0]) == 1


def test_FM43_a_handler_that_dies_before_it_claims_loses_nothing(warehouse: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for job in JOBS[:3]:
        hear(warehouse, said(job))
    record = warehouse.record

    def dies(writes: list[RecordWrite]) -> None:
        if any(write.table == DELIVERIES for write in writes):
            raise WarehouseError("the disk went away")
        record(writes)

    monkeypatch.setattr(warehouse, "record", dies)
    with pytest.raises(WarehouseError):
        hear(warehouse, said(JOBS[3]))
    assert starts(warehouse) == 0
    monkeypatch.setattr(warehouse, "record", record)
    again = hear(warehouse, said(JOBS[3]))
    assert (again.message, again.store) == (DUPLICATE, STARTED) and starts(warehouse) == 1


def test_FM62_records_that_cannot_be_read_start_nothing(warehouse: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for job in JOBS[:3]:
        hear(warehouse, said(job))
    with monkeypatch.context() as patch:
        patch.setattr(warehouse, "query", lambda *_, **__: (_ for _ in ()).throw(WarehouseError("cannot be read")))
        with pytest.raises(WarehouseError):
            hear(warehouse, said(JOBS[3]))
    assert starts(warehouse) == 0


def test_FM57_a_claim_of_rows_that_are_not_there_starts_nothing(warehouse: EmbeddedWarehouse) -> None:
    reactions = [hear(warehouse, said(job, rows=4 if job == CACHE else 3)) for job in JOBS]
    assert not any(reaction.started for reaction in reactions)
    assert "rows changed since" in reactions[-1].why[0]


def store_said(warehouse: EmbeddedWarehouse, status: str, at: dt.datetime, run: str) -> None:
    row = {"phase": "store", "game_date": TODAY, "job": STORE_TABLE, "status": status, "record_count": 3, "run_id": run, "completed_at": at}
    warehouse.record([RecordWrite(COMPLETIONS, [row])])


def test_a_store_that_was_built_by_hand_in_the_meantime_is_not_started(warehouse: EmbeddedWarehouse) -> None:
    for job in JOBS[:3]:
        hear(warehouse, said(job))
    hear(warehouse, said(JOBS[3], "failed", rows=0, run="r0", at=NOON))
    store_said(warehouse, "success", NOON + 30 * MINUTE, "by-hand")
    assert hear(warehouse, said(JOBS[3])).store == BUILT and starts(warehouse) == 0


def test_a_failed_start_is_repeated_when_a_job_delivers_anew_and_not_before(warehouse: EmbeddedWarehouse) -> None:
    for job in JOBS:
        hear(warehouse, said(job))
    store_said(warehouse, "blocked", NOW + MINUTE, "first")
    assert hear(warehouse, said(FACTORS), NOW + 2 * MINUTE).store == CLAIMED, "a copy is no reason to try the same rows again"
    repaired = said(FACTORS, run="r2", at=NOW + 3 * MINUTE)
    assert hear(warehouse, repaired, NOW + 3 * MINUTE).started
    assert hear(warehouse, repaired, NOW + 4 * MINUTE).store == CLAIMED and starts(warehouse) == 2
    store_said(warehouse, "success", NOW + 5 * MINUTE, "second")
    assert hear(warehouse, repaired, NOW + 6 * MINUTE).store == BUILT
    assert hear(warehouse, said(CACHE, run="r3", at=NOW + 7 * MINUTE), NOW + 8 * MINUTE).store == CLAIMED and starts(warehouse) == 2


@pytest.mark.parametrize(("state", "again"), [("running", True), ("died", True), ("failed", True), ("alive", False)])
def test_FM60_a_start_whose_run_died_is_repeated_when_a_job_delivers_anew(warehouse: EmbeddedWarehouse, state: str, again: bool) -> None:
    for job in JOBS:
        hear(warehouse, said(job))
    here = warehouse.this_process()
    holder = here if state == "alive" else here.rsplit(":", 2)[0] + ":999999:1"
    row = {
        "run_id": "start", "command": '{"command": "run"}', "started_at": NOW + MINUTE, "state": "running" if state == "alive" else state,
        "holder": holder, "code_version": "0", "definition_version": "0", "start_date": TODAY, "end_date": TODAY, "rows_written": 0,
    }  # fmt: skip
    look = {**row, "run_id": "watch", "command": '{"command": "monitor"}', "started_at": NOW + 2 * MINUTE, "state": "succeeded"}
    warehouse.record([RecordWrite(RUNS, [row, look])])
    assert hear(warehouse, said(FACTORS), NOW + 2 * MINUTE).store == CLAIMED, "a copy is no reason to try the same rows again"
    assert hear(warehouse, said(FACTORS, run="r2", at=NOW + 3 * MINUTE), NOW + 3 * MINUTE).started == again
    assert starts(warehouse) == 1 + again


@pytest.mark.parametrize(
    "data",
    [
        None,
        "no json",
        {"message": {"data": "%%%"}},
        {"message": {"data": "eA=="}},
        [],
        {},
        said(JOBS[0], processor="nobody"),
        said(JOBS[0], processor="player_game_summary"),
        said(JOBS[0], status="fine"),
        said(JOBS[0], rows=-1),
        said(JOBS[0], rows=True),
        said(JOBS[0], analysis_date="yesterday"),
        said(JOBS[0], analysis_date=7),
        said(JOBS[0], completed_at="2031-01-01T00:00:00Z"),
        said(JOBS[0], run_id=["x"]),
        said(JOBS[0], detail="\ud800"),
        said(JOBS[0], run_id="\udfff"),
        json.dumps(said(JOBS[0], "failed", detail="half of a pair: \ud800")),
    ],
)
def test_FM42_a_message_that_is_no_completion_is_kept_as_an_event_and_starts_nothing(warehouse: EmbeddedWarehouse, data: Any) -> None:
    for _ in range(2):
        assert on_completion(warehouse, data, NOW, NOW, TOPIC).message == REFUSED
    (event,) = warehouse.query(f"SELECT * FROM {EVENTS}").to_pylist()
    assert event["reason_code"].startswith("message_refused:") and json.loads(event["details_json"])["seen"] == 2
    assert not warehouse.query(f"SELECT 1 AS one FROM {COMPLETIONS}").num_rows


def test_FM10_a_failure_is_an_event_and_the_store_is_not_started(warehouse: EmbeddedWarehouse) -> None:
    for job in JOBS[:3]:
        hear(warehouse, said(job))
    assert hear(warehouse, said(JOBS[3], "failed", rows=0)).store == NOT_READY
    (event,) = warehouse.query(f"SELECT * FROM {EVENTS}").to_pylist()
    assert (event["reason_code"], event["severity"], event["game_date"]) == (f"job_failed:{JOBS[3]}", "P1", TODAY)


def test_FM10_a_failure_that_comes_late_is_no_event(warehouse: EmbeddedWarehouse) -> None:
    for job in JOBS:
        hear(warehouse, said(job))
    late = said(JOBS[3], "failed", rows=0, run="r0", at=NOON)
    assert hear(warehouse, late).message != REFUSED and is_open(warehouse)
    assert not warehouse.query(f"SELECT * FROM {EVENTS}").num_rows


def test_a_sender_without_run_ids_is_understood(warehouse: EmbeddedWarehouse) -> None:
    """Fail, succeed, fail, succeed again: without names the words alone must tell, and copies must not."""

    def plain(job: str, status: str = "success") -> dict[str, Any]:
        return {name: value for name, value in said(job, status).items() if name not in ("run_id", "completed_at")}

    def at(minute: int, job: str, status: str = "success") -> Reaction:
        moment = NOON + minute * MINUTE
        return on_completion(warehouse, plain(job, status), moment, NOW, TOPIC)

    for minute, job in enumerate(JOBS[:3]):
        at(minute, job)
    assert at(10, JOBS[3]).started or JOBS[3] == FACTORS
    assert at(10, JOBS[3]).message == DUPLICATE
    at(20, JOBS[3], "failed")
    assert not is_open(warehouse)
    at(10, JOBS[3])
    assert not is_open(warehouse), "the late copy of an old success does not undo the failure"
    at(30, JOBS[3])
    assert is_open(warehouse) and starts(warehouse) == 1
