"""Readers in this process and in others: never locked out, never left behind, never between two publications."""

from __future__ import annotations

import os
import threading
import time

import pytest

from schemas.errors import WarehouseError
from schemas.settings import Settings
from tests.warehouse.in_child import fork, in_child, join
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, PLAYERS, completion, publish, read, rows_of, stage
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Publication, RecordWrite

POINTS = f"SELECT MIN(points) AS low, MAX(points) AS high, COUNT(*) AS n FROM {BOXES}"


def points(warehouse: EmbeddedWarehouse) -> tuple[int, int, int]:
    row = warehouse.query(POINTS).to_pylist()[0]
    return row["low"], row["high"], row["n"]


def test_a_reader_opened_before_goes_on_after_publications_and_garbage_collection(settings: Settings, warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES, points=1))
    published, looked = settings.home / "published", settings.home / "looked"

    def reader() -> list[tuple[int, int, int]]:
        mine = EmbeddedWarehouse(settings)
        seen = [points(mine)]
        looked.touch()
        while not published.exists():
            time.sleep(0.01)
        return [*seen, points(mine)]

    child = fork(reader)
    while not looked.exists():
        time.sleep(0.01)
    for number in range(2, 5):
        publish(warehouse, BOXES, rows_of(BOXES, points=number))
    assert len(warehouse.collect_garbage(0)) == 3
    published.touch()
    status, told = join(*child)
    assert status == 0, told
    assert told == [(1, 1, 12), (4, 4, 12)]


def test_files_a_statement_may_still_read_outlive_their_replacement(warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES, points=1))
    with warehouse.catalog.write() as connection:
        connection.execute("UPDATE files SET published_at = published_at - 86400")
    with other.session.reading([BOXES]) as cursor:
        publish(warehouse, BOXES, rows_of(BOXES, points=2))
        assert cursor.execute(f"SELECT min(points), count(*) FROM {BOXES}").fetchall() == [(1, 12)]
    assert points(other) == (2, 2, 12)
    assert len(warehouse.collect_garbage(0)) == 1


def test_a_reader_is_not_locked_out_by_a_writer_in_mid_transaction(settings: Settings, warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES, points=1))

    def reader() -> tuple[tuple[int, int, int], int, float]:
        began = time.perf_counter()
        mine = EmbeddedWarehouse(settings)
        return points(mine), read(mine, COMPLETIONS).num_rows, time.perf_counter() - began

    with warehouse.catalog.write() as connection:
        connection.execute("DELETE FROM partitions")
        status, told = in_child(reader)
    assert status == 0, told
    assert told[:2] == ((1, 1, 12), 0), "a record table never written reads as empty, without a lock"
    assert told[2] < 20


def test_a_writer_waits_for_another_and_both_succeed(settings: Settings, warehouse: EmbeddedWarehouse) -> None:
    def writer() -> None:
        mine = EmbeddedWarehouse(settings)
        for number in range(10):
            publish(mine, BOXES, rows_of(BOXES, DAYS[:2], points=number), [RecordWrite(COMPLETIONS, [completion(run=f"child{number}")])])

    child = fork(writer)
    for number in range(10):
        publish(warehouse, BOXES, rows_of(BOXES, DAYS[2:], points=number), [RecordWrite(COMPLETIONS, [completion(run=f"parent{number}")])])
    status, told = join(*child)
    assert status == 0, told
    assert points(warehouse) == (9, 9, 12)
    assert read(warehouse, COMPLETIONS).num_rows == 20


def test_threads_of_one_warehouse_see_whole_publications_only(warehouse: EmbeddedWarehouse) -> None:
    def publish_both(number: int) -> None:
        boxes, players = (
            stage(warehouse, BOXES, rows_of(BOXES, points=number)),
            stage(warehouse, PLAYERS, rows_of(PLAYERS, player_id=number)),
        )
        warehouse.publish([Publication(boxes, DAYS), Publication(players, tuple(players.partitions))])

    publish_both(0)
    wrong: list[object] = []
    stop = threading.Event()

    def watch() -> None:
        sql = f"SELECT (SELECT MIN(points) FROM {BOXES}) AS a, (SELECT MAX(player_id) FROM {PLAYERS}) AS b"
        try:
            while not stop.is_set():
                row = warehouse.query(sql).to_pylist()[0]
                if row["a"] != row["b"]:
                    wrong.append(row)
        except Exception as error:
            wrong.append(error)
            raise

    threads = [threading.Thread(target=watch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1, 25):
        publish_both(number)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not wrong


def test_a_copy_of_the_folder_is_a_warehouse_of_its_own(settings: Settings, warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES, points=1))
    warehouse.close()
    copied = settings.home.with_name("copy")
    assert os.system(f"cp -r '{settings.home}' '{copied}'") == 0
    copy = EmbeddedWarehouse(Settings("embedded", copied, None, threads=1))
    publish(copy, BOXES, rows_of(BOXES, points=2))
    assert len(copy.collect_garbage(0)) == 1
    copy.close()
    assert points(warehouse) == (1, 1, 12)


def test_a_catalogue_of_an_earlier_version_is_read_where_it_lies_now(settings: Settings, warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES, points=1))
    with warehouse.catalog.write() as connection:
        connection.execute("UPDATE files SET path = '/somewhere/else/warehouse/' || path")
        connection.execute("ALTER TABLE files DROP COLUMN retired_at")
        connection.execute("PRAGMA user_version = 0")
    warehouse.close()
    later = EmbeddedWarehouse(settings)
    assert points(later) == (1, 1, 12)
    publish(later, BOXES, rows_of(BOXES, points=2))
    assert len(later.collect_garbage(0)) == 1 and not later.orphans(0)
    later.close()


def test_two_processes_may_create_the_warehouse_at_once(settings: Settings) -> None:
    def work() -> int:
        return EmbeddedWarehouse(settings).query(f"SELECT COUNT(*) AS n FROM {BOXES}").to_pylist()[0]["n"]

    for attempt in range(5):
        here = Settings("embedded", settings.home / str(attempt), None, threads=1)
        settings = here
        children = [fork(work) for _ in range(3)]
        assert [join(*child) for child in children] == [(0, 0)] * 3


def test_a_warehouse_whose_creation_was_cut_off_is_completed(settings: Settings) -> None:
    settings.warehouse_dir.mkdir(parents=True)
    (settings.warehouse_dir / "catalog.sqlite").touch()
    warehouse = EmbeddedWarehouse(settings)
    publish(warehouse, BOXES, rows_of(BOXES))
    assert points(warehouse)[2] == 12


def test_a_query_of_an_unknown_table_is_one_clear_error(warehouse: EmbeddedWarehouse) -> None:
    with pytest.raises(WarehouseError, match="nothing"):
        warehouse.query("SELECT * FROM nba_raw.nothing")
