"""Merging small files: the same rows and fingerprints, fewer files, at no reader's and no writer's cost."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from schemas.contracts import contract
from schemas.errors import ReadBackError, StorageUnavailableError
from schemas.settings import Settings
from tests.warehouse.in_child import DIED, die, in_child
from tests.warehouse.made_up_rows import BOXES, DAYS, PLAYERS, publish, read, rows_of
from warehouse.embedded import EmbeddedWarehouse, compaction, entries

MANY = tuple(dt.date(2024, 1, 1) + dt.timedelta(days=day) for day in range(12))


def files(warehouse: EmbeddedWarehouse, table: str = BOXES) -> list[entries.FileEntry]:
    with warehouse.catalog.snapshot() as snapshot:
        return entries.file_entries(warehouse.catalog, snapshot, table)


@pytest.fixture
def nightly(warehouse: EmbeddedWarehouse) -> EmbeddedWarehouse:
    """A file per date."""
    for day in MANY:
        publish(warehouse, BOXES, rows_of(BOXES, [day]))
    return warehouse


def test_many_files_become_one_and_nothing_else_changes(nightly: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    rows, partitions = read(nightly, BOXES), nightly.partitions(BOXES)
    assert read(other, BOXES).equals(rows)
    assert nightly.compact(BOXES, above=12) == 0, "not before there are more"
    assert nightly.compact(BOXES, above=11) == 12
    assert [(len(entry.live), entry.held, entry.rows) for entry in files(nightly)] == [(12, 12, 36)]
    assert nightly.partitions(BOXES) == partitions
    assert read(nightly, BOXES).equals(rows) and read(other, BOXES).equals(rows)
    assert nightly.compact(BOXES, above=0) == 0, "one file is merged with nothing"


def test_old_files_are_collected_later(nightly: EmbeddedWarehouse) -> None:
    old = [entry.path for entry in files(nightly)]
    nightly.compact(BOXES, above=1)
    assert all(path.exists() for path in old), "a statement may still be reading them"
    assert set(nightly.collect_garbage(0)) == set(old)
    assert not any(path.exists() for path in old) and not nightly.orphans(0)
    assert read(nightly, BOXES).num_rows == 36


def test_partitions_go_on_being_replaced(nightly: EmbeddedWarehouse) -> None:
    nightly.compact(BOXES, above=1)
    publish(nightly, BOXES, rows_of(BOXES, MANY[3:5], points=77))
    assert nightly.query(f"SELECT COUNT(*) AS n, COUNTIF(points = 77) AS new FROM {BOXES}").to_pylist() == [{"n": 36, "new": 6}]
    assert [len(entry.live) for entry in files(nightly)] == [10, 2]


def test_publishing_merges_by_itself_beyond_the_limit(warehouse: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for at in range(compaction.MOST_FILES + 3):
        publish(warehouse, BOXES, rows_of(BOXES, [MANY[0] + dt.timedelta(days=at)], per_date=1))
        counts.append(len(files(warehouse)))
    assert counts == [*range(1, compaction.MOST_FILES + 1), 1, 2, 3]
    assert read(warehouse, BOXES).num_rows == compaction.MOST_FILES + 3


def test_large_files_are_left_alone_until_most_of_them_is_replaced(nightly: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "SMALL_ROWS", 7)
    publish(nightly, BOXES, rows_of(BOXES, MANY[:4], per_date=4))
    assert nightly.compact(BOXES, above=1) == 8
    assert [len(entry.live) for entry in files(nightly)] == [4, 8]
    assert nightly.compact(BOXES, above=1) == 0
    publish(nightly, BOXES, rows_of(BOXES, MANY[:3], per_date=4, points=77))
    assert nightly.compact(BOXES, above=1) == 0, "two large files, one of them with a quarter of its partitions: nothing to merge it with"
    publish(nightly, BOXES, rows_of(BOXES, MANY[4:5], per_date=4, points=77))
    assert nightly.compact(BOXES, above=1) == 2
    assert read(nightly, BOXES).num_rows == 5 * 4 + 7 * 3


def test_a_partition_replaced_meanwhile_stays_with_its_writer(nightly: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = compaction._merged

    def while_another_writes(*given: Any) -> None:
        merged(*given)
        with monkeypatch.context() as patched:
            patched.setattr(compaction, "compact", lambda *_: 0)
            publish(nightly, BOXES, rows_of(BOXES, MANY[:1], points=77))

    monkeypatch.setattr(compaction, "_merged", while_another_writes)
    assert nightly.compact(BOXES, above=1) == 12
    assert nightly.query(f"SELECT COUNT(*) AS n, COUNTIF(points = 77) AS new FROM {BOXES}").to_pylist() == [{"n": 36, "new": 3}]
    assert [len(entry.live) for entry in files(nightly)] == [1, 11]


@pytest.mark.parametrize("fault", ["SELECT * FROM ({source}) LIMIT 35", "SELECT * REPLACE (points + 1 AS points) FROM ({source})"])
def test_FM41_rows_that_would_read_otherwise_are_not_switched_to(
    nightly: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    before, copied = read(nightly, BOXES), compaction.copy_statement
    monkeypatch.setattr(compaction, "copy_statement", lambda spec, source, path: copied(spec, fault.format(source=source), path))
    with pytest.raises(ReadBackError, match="nothing was changed"):
        nightly.compact(BOXES, above=1)
    assert read(nightly, BOXES).equals(before) and len(files(nightly)) == 12 and not nightly.orphans(0)


@pytest.mark.parametrize("step", ["add_file", "move_partitions", "retire", "bump"])
def test_FM43_cut_off_anywhere_nothing_has_changed(nightly: EmbeddedWarehouse, settings: Settings, step: str) -> None:
    before = read(nightly, BOXES)

    def work() -> None:
        setattr(entries, step, die)
        EmbeddedWarehouse(settings).compact(BOXES, above=1)

    assert in_child(work)[0] == DIED
    assert read(nightly, BOXES).equals(before) and len(files(nightly)) == 12
    assert len(nightly.remove_orphans(0)) == 1
    assert nightly.compact(BOXES, above=1) == 12


def test_no_space_for_the_merged_file_changes_nothing(nightly: EmbeddedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compaction, "sync", fail)
    with pytest.raises(StorageUnavailableError, match="No space left"):
        nightly.compact(BOXES, above=1)
    assert len(files(nightly)) == 12 and not nightly.orphans(0)


def test_a_table_without_partitions_has_one_file_anyway(warehouse: EmbeddedWarehouse) -> None:
    for number in range(3):
        publish(warehouse, PLAYERS, rows_of(PLAYERS, DAYS, player_id=number))
    assert len(files(warehouse, PLAYERS)) == 1 and warehouse.compact(PLAYERS, above=0) == 0
    assert contract(PLAYERS).partition is None
