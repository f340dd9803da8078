"""What dead processes leave behind is found, and only that."""

from __future__ import annotations

import os
import time

from schemas.settings import Settings
from tests.warehouse.in_child import DIED, die, in_child
from tests.warehouse.made_up_rows import BOXES, publish, read, rows_of, stage
from warehouse.embedded import EmbeddedWarehouse
from warehouse.embedded.session import SPILL_PREFIX


def staged_and_died(settings: Settings) -> None:
    def work() -> None:
        stage(EmbeddedWarehouse(settings), BOXES, rows_of(BOXES))
        die()

    assert in_child(work)[0] == DIED


def test_staged_rows_of_a_dead_process_are_found_and_removed(warehouse: EmbeddedWarehouse, settings: Settings) -> None:
    publish(warehouse, BOXES, rows_of(BOXES))
    assert not warehouse.orphans(0), "published files are none"
    staged_and_died(settings)
    (found,) = warehouse.orphans(0)
    assert found.is_file() and found.parent.name == BOXES
    assert warehouse.remove_orphans(0) == [found]
    assert not found.exists() and not warehouse.orphans(0) and read(warehouse, BOXES).num_rows == 12


def test_rows_staged_a_moment_ago_may_still_be_published(warehouse: EmbeddedWarehouse) -> None:
    staged = stage(warehouse, BOXES, rows_of(BOXES))
    assert not warehouse.orphans()
    hours_ago = time.time() - 7200
    os.utime(warehouse._path(staged), (hours_ago, hours_ago))
    assert warehouse.orphans() == [warehouse._path(staged)]


def test_retired_files_are_garbage_and_no_orphans(warehouse: EmbeddedWarehouse) -> None:
    for number in range(2):
        publish(warehouse, BOXES, rows_of(BOXES, points=number))
    assert not warehouse.orphans(0)
    assert len(warehouse.collect_garbage(0)) == 1


def test_a_file_that_could_not_be_deleted_is_found_again(warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES, points=1))
    old = next((warehouse.catalog.root / "tables" / BOXES).iterdir())
    publish(warehouse, BOXES, rows_of(BOXES, points=2))
    kept = old.with_suffix(".kept")
    old.rename(kept)
    assert warehouse.collect_garbage(0) == [old]
    kept.rename(old)
    assert warehouse.orphans(0) == [old]


def test_memory_spilled_by_a_dead_process_is_found_and_that_of_a_living_one_kept(warehouse: EmbeddedWarehouse, settings: Settings) -> None:
    def folder(process: str) -> str:
        path = settings.home / f"{SPILL_PREFIX}{process.replace(':', '=')}=0123abcd"
        path.mkdir()
        (path / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"spilled")
        return path.name

    mine = warehouse.this_process()
    host, number, started = mine.split(":")
    dead = folder(f"{host}:{number}:{int(started) + 1}")
    living = folder(mine)
    elsewhere = folder("another.host:17:99")
    assert [path.name for path in warehouse.remove_orphans(0)] == [dead]
    assert {path.name for path in settings.home.glob(f"{SPILL_PREFIX}*")} == {living, elsewhere}


def test_two_warehouses_of_one_home_never_spill_into_one_folder(settings: Settings) -> None:
    small = Settings("embedded", settings.home, None, memory_limit="40MB", threads=1)
    words = "CONCAT('some text that fills the memory ', CAST(n AS STRING)) AS words"
    sql = f"SELECT n, {words} FROM UNNEST(GENERATE_ARRAY(1, 300000)) AS n ORDER BY words"
    first, second = EmbeddedWarehouse(small), EmbeddedWarehouse(small)
    folders = {opened.session.plain_cursor().execute("SELECT current_setting('temp_directory')").fetchone() for opened in (first, second)}
    assert len(folders) == 2
    assert [opened.query(f"SELECT COUNT(*) AS n FROM ({sql})").to_pylist() for opened in (first, second)] == [[{"n": 300000}]] * 2
    first.close()
    second.close()
    assert not list(settings.home.glob(f"{SPILL_PREFIX}*")), "what was spilled goes with the connection"
