"""A publication of several tables with their records happens as a whole or not at all, wherever it is cut off."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from schemas.errors import ReadBackError, StorageUnavailableError
from schemas.settings import Settings
from tests.warehouse.in_child import DIED, die, fork, in_child, join
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, PLAYERS, completion, publish, read, rows_of, stage
from warehouse.embedded import EmbeddedWarehouse, compaction, engine, entries, housekeeping
from warehouse.embedded import records as record_tables
from warehouse.embedded.session import Session
from warehouse.protocol import Publication, Receipt, RecordWrite

VALUES = f"""
SELECT
  (SELECT MIN(points) FROM {BOXES}) AS low,
  (SELECT MAX(points) FROM {BOXES}) AS high,
  (SELECT COUNT(*) FROM {BOXES}) AS n,
  (SELECT MAX(player_id) FROM {PLAYERS}) AS player,
  (SELECT MAX(record_count) FROM {COMPLETIONS}) AS record
"""
BEFORE_COMMIT: dict[str, tuple[Any, str]] = {
    "sync": (engine, "sync"),
    "register the file": (entries, "add_file"),
    "point at the file": (entries, "replace_partitions"),
    "write a record": (record_tables, "write"),
    "retire old files": (entries, "retire"),
    "count the change": (entries, "bump"),
}
AFTER_COMMIT: dict[str, tuple[Any, str]] = {
    "read back": (Session, "fingerprints"),
    "merge files": (compaction, "compact"),
    "remove old files": (housekeeping, "collect_garbage"),
}


def publish_all(warehouse: EmbeddedWarehouse, number: int) -> list[Receipt]:
    """Write the number into two tables and a record, in one publication."""
    boxes = stage(warehouse, BOXES, rows_of(BOXES, points=number))
    players = stage(warehouse, PLAYERS, rows_of(PLAYERS, player_id=number))
    publications = [Publication(boxes, DAYS), Publication(players, tuple(players.partitions))]
    return warehouse.publish(publications, [RecordWrite(COMPLETIONS, [completion(record_count=number)])])


def assert_all(warehouse: EmbeddedWarehouse, number: int) -> None:
    """Every table and record says the number."""
    assert warehouse.query(VALUES).to_pylist() == [{"low": number, "high": number, "n": 12, "player": number, "record": number}]


@pytest.fixture
def published(warehouse: EmbeddedWarehouse) -> EmbeddedWarehouse:
    publish_all(warehouse, 1)
    return warehouse


@pytest.mark.parametrize("step", list(BEFORE_COMMIT))
@pytest.mark.parametrize(
    "error", [OSError("cut off"), RuntimeError("cut off"), KeyboardInterrupt()], ids=lambda error: type(error).__name__
)
def test_FM43_a_failure_before_the_end_changes_nothing(
    published: EmbeddedWarehouse, other: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fail(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(*BEFORE_COMMIT[step], fail)
        with pytest.raises((type(error), StorageUnavailableError)):
            publish_all(published, 2)
    assert_all(published, 1)
    assert_all(other, 1)
    assert len(published.orphans(0)) == 2, "the staged files are found"
    assert len(published.remove_orphans(0)) == 2 and not published.orphans(0)
    publish_all(published, 3)
    assert_all(other, 3)


@pytest.mark.parametrize("step", [name for name in AFTER_COMMIT if name != "read back"])
def test_tidying_up_that_fails_does_not_undo_a_publication(
    published: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any) -> None:
        raise StorageUnavailableError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(*AFTER_COMMIT[step], fail)
        assert publish_all(published, 2)[0].rows == 12
    assert_all(published, 2)


@pytest.mark.parametrize("step", [*BEFORE_COMMIT, *AFTER_COMMIT])
def test_FM43_a_process_that_dies_in_a_call_leaves_before_or_after(published: EmbeddedWarehouse, settings: Settings, step: str) -> None:
    place = {**BEFORE_COMMIT, **AFTER_COMMIT}[step]

    def work() -> None:
        warehouse = EmbeddedWarehouse(settings)
        boxes, players = stage(warehouse, BOXES, rows_of(BOXES, points=2)), stage(warehouse, PLAYERS, rows_of(PLAYERS, player_id=2))
        setattr(*place, die)
        warehouse.publish(
            [Publication(boxes, DAYS), Publication(players, tuple(players.partitions))],
            [RecordWrite(COMPLETIONS, [completion(record_count=2)])],
        )

    status, _ = in_child(work)
    assert status == DIED
    assert_all(published, 1 if step in BEFORE_COMMIT else 2)
    assert len(published.orphans(0)) == (2 if step in BEFORE_COMMIT else 0)
    publish_all(published, 3)
    assert_all(published, 3)


def test_FM43_a_process_that_dies_at_any_statement_of_the_catalogue_leaves_before_or_after(
    published: EmbeddedWarehouse, settings: Settings
) -> None:
    def dying_at(statement: int, number: int) -> Callable[[], int]:
        def work() -> int:
            warehouse, seen = EmbeddedWarehouse(settings), 0

            def count(_: str) -> None:
                nonlocal seen
                seen += 1
                if seen == statement:
                    die()

            with warehouse.catalog.connected() as connection:
                connection.set_trace_callback(count)
            warehouse.publish(
                [Publication(boxes, DAYS), Publication(players, tuple(players.partitions))],
                [RecordWrite(COMPLETIONS, [completion(record_count=number)])],
            )
            return seen

        return work

    boxes, players = stage(published, BOXES, rows_of(BOXES, points=2)), stage(published, PLAYERS, rows_of(PLAYERS, player_id=2))
    seen_before = 0
    for statement in range(1, 200):
        status, told = in_child(dying_at(statement, 2))
        number = published.query(VALUES).to_pylist()[0]["low"]
        assert_all(published, number)
        assert status in (0, DIED), told
        if number == 2:
            break
        seen_before += 1
    assert number == 2 and seen_before > 20, "the publication was cut off at each of its statements and then went through"


def test_a_reader_meanwhile_sees_whole_publications_only(published: EmbeddedWarehouse, settings: Settings) -> None:
    done = settings.home / "done"

    def watch() -> tuple[int, set[int]]:
        reader, looks, seen = EmbeddedWarehouse(settings), 0, set()
        while True:
            last_look = done.exists()
            row = reader.query(VALUES).to_pylist()[0]
            assert {row["low"], row["high"], row["player"], row["record"]} == {row["low"]} and row["n"] == 12, row
            looks, seen = looks + 1, seen | {row["low"]}
            if last_look:
                return looks, seen

    child = fork(watch)
    for number in range(2, 27):
        publish_all(published, number)
        time.sleep(0.02)
    done.touch()
    status, told = join(*child)
    assert status == 0, told
    looks, seen = told
    assert looks > 3 and 26 in seen and seen <= set(range(1, 27))


def test_FM41_rows_that_do_not_read_back_raise(published: EmbeddedWarehouse) -> None:
    staged, short = stage(published, BOXES, rows_of(BOXES, points=2)), stage(published, BOXES, rows_of(BOXES, per_date=2, points=2))
    published._path(short).replace(published._path(staged))
    with pytest.raises(ReadBackError) as caught:
        published.publish([Publication(staged, DAYS)])
    assert set(caught.value.values) == {str(day) for day in DAYS}


def test_FM41_one_changed_value_does_not_read_back(published: EmbeddedWarehouse) -> None:
    points = [2] * 11 + [3]
    staged, other = stage(published, BOXES, rows_of(BOXES, points=2)), stage(published, BOXES, rows_of(BOXES, points=points))
    published._path(other).replace(published._path(staged))
    with pytest.raises(ReadBackError, match=str(DAYS[-1])):
        published.publish([Publication(staged, DAYS)])


def test_a_table_is_counted_once_however_many_publications_touch_it(published: EmbeddedWarehouse) -> None:
    halves = [stage(published, BOXES, rows_of(BOXES, days, points=5)) for days in (DAYS[:2], DAYS[2:])]
    receipts = published.publish([Publication(half, tuple(half.partitions)) for half in halves])
    assert [receipt.rows for receipt in receipts] == [6, 6] and read(published, BOXES)["points"].to_pylist() == [5] * 12
    assert set(publish(published, BOXES, rows_of(BOXES))) == set(DAYS)
