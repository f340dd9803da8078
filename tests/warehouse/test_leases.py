"""A lease: one writer per table and range, named, and gone with its process."""

from __future__ import annotations

import datetime as dt
import os
import time

import pytest

from schemas.errors import LeaseHeldError
from schemas.settings import Settings
from tests.warehouse.in_child import DIED, die, fork, in_child, join
from tests.warehouse.made_up_rows import BOXES, DAYS, PLAYERS
from warehouse.embedded import EmbeddedWarehouse, leases


def test_the_holder_is_named(warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    with (
        warehouse.lease(BOXES, DAYS[0], DAYS[2], "run 42"),
        pytest.raises(LeaseHeldError) as caught,
        other.lease(BOXES, DAYS[2], DAYS[3], "run 43"),
    ):
        raise AssertionError("two writers at once")
    line = caught.value.line()
    assert "run 42" in line and f":{os.getpid()}" in line and f"from {DAYS[0]} to {DAYS[2]}" in line and "\n" not in line
    with other.lease(BOXES, DAYS[2], DAYS[3], "run 43") as taken:
        assert taken is None


@pytest.mark.parametrize(
    ("start", "end", "conflicts"),
    [(1, 2, True), (0, 1, True), (2, 3, True), (0, 3, True), (0, 0, False), (3, 3, False)],
)
def test_overlapping_ranges_conflict_and_disjoint_ones_do_not(
    warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse, start: int, end: int, conflicts: bool
) -> None:
    entered = False
    with warehouse.lease(BOXES, DAYS[1], DAYS[2], "first"):
        try:
            with other.lease(BOXES, DAYS[start], DAYS[end], "second"):
                entered = True
        except LeaseHeldError:
            assert conflicts
    assert entered is not conflicts


def test_other_tables_are_free(warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    def held() -> int:
        with warehouse.catalog.snapshot() as snapshot:
            return snapshot.execute("SELECT count(*) FROM leases").fetchone()[0]

    with warehouse.lease(BOXES, DAYS[0], DAYS[3], "first"), other.lease(PLAYERS, DAYS[0], DAYS[3], "second"):
        assert held() == 2
    assert held() == 0


def test_it_is_given_back_when_the_work_fails(warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    with pytest.raises(RuntimeError), warehouse.lease(BOXES, DAYS[0], DAYS[3], "first"):
        raise RuntimeError
    with other.lease(BOXES, DAYS[0], DAYS[3], "second") as taken:
        assert taken is None


def test_the_lease_of_a_dead_process_is_recovered(warehouse: EmbeddedWarehouse, settings: Settings) -> None:
    def work() -> None:
        with EmbeddedWarehouse(settings).lease(BOXES, DAYS[0], DAYS[3], "doomed"):
            die()

    assert in_child(work)[0] == DIED
    with warehouse.catalog.snapshot() as snapshot:
        assert snapshot.execute("SELECT holder FROM leases").fetchall() == [("doomed",)]
    with warehouse.lease(BOXES, DAYS[0], DAYS[3], "heir"), warehouse.catalog.snapshot() as snapshot:
        assert snapshot.execute("SELECT holder FROM leases").fetchall() == [("heir",)]


def test_the_lease_of_a_living_process_is_kept(warehouse: EmbeddedWarehouse, settings: Settings) -> None:
    taken, enough = settings.home / "taken", settings.home / "enough"

    def work() -> None:
        with EmbeddedWarehouse(settings).lease(BOXES, DAYS[0], DAYS[3], "living"):
            taken.touch()
            while not enough.exists():
                time.sleep(0.01)

    child = fork(work)
    while not taken.exists():
        time.sleep(0.01)
    with pytest.raises(LeaseHeldError, match=f"living .*:{child[0]}"), warehouse.lease(BOXES, DAYS[0], DAYS[0], "second"):
        raise AssertionError("two writers at once")
    enough.touch()
    assert join(*child)[0] == 0


def test_only_one_of_many_gets_it(settings: Settings, warehouse: EmbeddedWarehouse) -> None:
    start, enough = settings.home / "start", settings.home / "enough"

    def work() -> bool:
        mine = EmbeddedWarehouse(settings)
        while not start.exists():
            time.sleep(0.005)
        try:
            with mine.lease(BOXES, DAYS[0], DAYS[3], str(os.getpid())):
                while not enough.exists():
                    time.sleep(0.01)
                return True
        except LeaseHeldError:
            return False

    children = [fork(work) for _ in range(4)]
    start.touch()
    time.sleep(1)
    enough.touch()
    told = [join(*child) for child in children]
    assert sorted(told) == [(0, False)] * 3 + [(0, True)]


def test_a_number_used_again_by_another_process_is_not_the_holder() -> None:
    mine = leases.this_process()
    assert leases.is_alive(mine)
    host, number, started = mine.split(":")
    assert started.isdigit(), "the start time tells processes of one number apart"
    assert not leases.is_alive(f"{host}:{number}:{int(started) + 1}")


def test_containers_that_share_a_host_name_and_a_number_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_RUN_EXECUTION", "nightly-abc")
    _, number, _ = leases.this_process().split(":")
    assert leases.is_alive(leases.this_process())
    monkeypatch.setenv("CLOUD_RUN_EXECUTION", "nightly-def")
    # Nothing is known of a process in another container: it counts as running, and is not taken for one of the same number here.
    assert leases.is_alive(f"{leases.this_process().split(':')[0].replace('def', 'abc')}:{number}:0")


@pytest.mark.parametrize("process", ["elsewhere:1:2", "", "nonsense", "::"])
def test_FM62_what_cannot_be_told_counts_as_running(process: str) -> None:
    assert leases.is_alive(process)


def test_a_lease_lasts_from_day_to_day_whatever_the_century(warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    low, high = dt.date(1900, 1, 1), dt.date(2999, 12, 31)
    with warehouse.lease("nba_raw", low, high, "ingest"), pytest.raises(LeaseHeldError), other.lease("nba_raw", low, high, "another"):
        raise AssertionError("two writers at once")
